import fcntl
import os
import pty
import random
import signal
import struct
import subprocess
import sys
import termios
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from exactnet import Network, _core
from exactnet.dense import data

ISAS = _core.supported_isas()

_run_slow = False


def pytest_addoption(parser):
    parser.addoption(
        "--run-slow", action="store_true", help="run long tests, and random ones over all cases"
    )


def pytest_configure(config):
    global _run_slow
    _run_slow = config.getoption("--run-slow")
    config.addinivalue_line(
        "markers", "slow: runs with --run-slow only, or longer with it, as those that call slow()"
    )
    config.addinivalue_line("markers", "alone: measures time, as those do that call interrupt()")


def pytest_collection_modifyitems(config, items):
    for item in items:
        function = getattr(item, "function", None)
        names = function.__code__.co_names if function is not None else ()
        if item.get_closest_marker("slow") and not _run_slow:
            item.add_marker(pytest.mark.skip("with --run-slow"))
        elif "slow" in names:
            item.add_marker("slow")
        if "interrupt" in names:
            item.add_marker("alone")
    if hasattr(config, "workerinput"):  # last, where no process waits while others could run
        items.sort(key=_is_alone)


def _is_alone(item):
    return item.get_closest_marker("alone") is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """With several processes (`-n 2`), none runs a test while one runs a test that is alone."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    here = Path(__file__)
    with open(here) as room, open(here.with_name("reference.py")) as door:
        fcntl.flock(door, fcntl.LOCK_EX)  # who waits for the room to be empty lets no one in
        fcntl.flock(room, fcntl.LOCK_EX if _is_alone(item) else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            return (yield)
        finally:
            fcntl.flock(room, fcntl.LOCK_UN)  # also where a process that is left has the file


def slow(full, quick):
    """Return how many cases a random test runs: `full` with --run-slow, else `quick`."""
    return full if _run_slow else quick


@pytest.fixture(scope="module")
def client():
    """Of a cluster of Dask: two processes, on any port that is free."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def samples_made(monkeypatch):
    """The core's objects for X, in the order in which they are made; each counts its packings."""
    made = []

    def recorded(make):
        def make_and_record(array):
            made.append(make(array))
            return made[-1]

        return make_and_record

    makers = {name: recorded(make) for name, make in data._SAMPLES.items()}
    monkeypatch.setattr(data, "_SAMPLES", makers)
    return made


@pytest.fixture
def rng(request):
    """A generator seeded by the test's name: the same numbers in every run, whatever the order."""
    return random.Random(request.node.name)


def random_points(rng, n_points, n_features, high=100):
    """Distinct integer points with targets, as the article draws them."""
    points = set()
    while len(points) < n_points:
        points.add(tuple(rng.randrange(high) for _ in range(n_features)))
    X = [list(p) for p in sorted(points)]
    rng.shuffle(X)
    return X, [rng.randrange(high) for _ in X]


# For programs that are to be interrupted: `nohup` and `&` start them, and all that they start, with
# Ctrl-C ignored.
HEAR_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"

# The end of such a program that has no more to say: call() is called until Ctrl-C comes.
CALL_UNTIL_CTRL_C = """
import time
print("started", flush=True)
try:
    while True:
        call()
except KeyboardInterrupt:
    print(time.monotonic())
"""

# For programs that measure how much memory they take. `ru_maxrss` would never fall, and includes
# what imports needed for a moment.
MEMORY = """
def status(key):
    for line in open("/proc/self/status"):
        if line.startswith(key):
            return int(line.split()[1]) * 1024

def memory_now():  # from which the peak counts anew
    open("/proc/self/clear_refs", "w").write("5")
    return status("VmRSS")

def memory_peak():
    return status("VmHWM")
"""


def interrupt(script, after):
    """Send Ctrl-C to a Python program, `after` seconds after it has printed "started".

    The program must end by printing `time.monotonic()` as it catches the KeyboardInterrupt, and
    whatever else it has to say. Returns the seconds it took to answer, and the further words.

    Where that is long it is tried again, twice at most, and the least counts: other processes may
    have had the processor, but what is slow at that moment is slow each time.
    """
    tries = []
    while len(tries) < 3 and min(tries, default=(1,))[0] >= 0.2:
        tries.append(_interrupt(script, after))
    return min(tries)


def _interrupt(script, after):
    process = subprocess.Popen(
        [sys.executable, "-c", HEAR_CTRL_C + script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "started\n", process.stderr.read()
        time.sleep(after)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert errors == ""
    answered, *words = output.split()
    return float(answered) - sent, words


@pytest.fixture(params=ISAS)
def isa(request, monkeypatch):
    monkeypatch.setenv("EXACTNET_ISA", request.param)
    return request.param


def random_network(np_rng, sizes, activations, dtype="float64"):
    return Network.from_arrays(
        [(np_rng.normal(size=(b, a)) / a**0.5).astype(dtype) for a, b in pairwise(sizes)],
        [np_rng.normal(size=b).astype(dtype) for b in sizes[1:]],
        activations,
    )


@pytest.fixture
def np_rng(rng):
    return np.random.default_rng(rng.getrandbits(64))


def targets_for(np_rng, n, n_outputs, loss, output):
    if loss == "cross_entropy":
        y = np_rng.random((n, n_outputs))
        return y / y.sum(axis=1, keepdims=True) if output == "softmax" else y
    if loss == "poisson":
        return np_rng.poisson(2.0, (n, n_outputs))
    return np_rng.normal(size=(n, n_outputs))


def terminal_output(command):
    """What a command writes to a terminal, of 80 columns, that is its stderr."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    output = b""
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        output += chunk
    os.close(leader)
    assert process.wait() == 0
    return output.decode()
