"""Memory: what is predicted against what is taken, what is available, and what follows its end."""

import os
import resource
import subprocess
import sys

import pytest

from conftest import MEMORY, slow
from exactnet import Network, capacity, memorize, plan
from exactnet.base.memory import available_memory

SCRIPT = """
import random
from exactnet import memorize
from exactnet.exact.construct import memorization

predictions = []
check = memorization._check_memory
memorization._check_memory = lambda predicted, limit: predictions.append(predicted)

rng = random.Random(0)
n, d, kind, options = {arguments}
from fractions import Fraction
draw = dict(
    integers=lambda: rng.randrange(100),
    floats=rng.random,
    fractions=lambda: Fraction(rng.randrange(10**9), rng.randrange(2**20, 2**21) | 1),
    long=lambda: rng.getrandbits(4000),
)[kind]
X = [[draw() for _ in range(d)] for _ in range(n)]
y = [rng.randrange(100) for _ in X]
memorize([[0], [1]], [0, 1])  # whatever a first call loads
before = memory_now()
net = memorize(X, y, **options)
print(max(predictions), memory_peak() - before, net.bit_sizes().total / 8)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("n", "d", "kind", "options"),
    [
        (10_000, 5, "integers", dict(hidden=(100, 100))),
        (10_000, 5, "integers", dict(hidden=(20, 500))),
        (2500, 5, "floats", dict(hidden=(50, 50))),
        (900, 5, "integers", dict(hidden=(30, 30), scale="worst_case")),
        (500, 1, "fractions", {}),
        (500, 2, "long", {}),
        (10_000, 5, "integers", dict(construction="one_layer")),
        (4000, 5, "floats", dict(construction="one_layer")),
        (500, 1, "fractions", dict(construction="one_layer")),
        (1000, 2, "long", dict(construction="one_layer")),
        (5000, 5, "integers", dict(construction="integer")),
        (10, 20_000, "integers", dict(construction="integer")),
    ],
    ids=str,
)
def test_prediction_is_what_is_taken_or_somewhat_more(n, d, kind, options):
    result = run(MEMORY + SCRIPT.format(arguments=(n, d, kind, options)))
    assert result.returncode == 0, result.stderr
    predicted, peak, digits = map(float, result.stdout.split())
    print(f"{predicted / peak:.2f} of {peak / 2**20:.1f} MiB")
    spare = 2**20  # that lists of the arguments take, or the process has free
    most = 2 if kind in ("integers", "floats") else 3
    assert peak - spare <= predicted <= most * peak + spare
    assert digits < predicted


def run(script, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def write(root, path, text):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


MEMINFO = "MemTotal: 9000000 kB\nMemAvailable:    1000000 kB\nHugePages_Total:       0\n"
GROUPS = {  # files, and what is left
    "machine": ({}, 1_024_000_000),
    "not limited": (
        {
            "proc/self/cgroup": "0::/a/b\n",
            "sys/fs/cgroup/a/b/memory.max": "max\n",
            "sys/fs/cgroup/a/b/memory.current": "5\n",
        },
        1_024_000_000,
    ),
    "version 2": (
        {
            "proc/self/cgroup": "0::/a/b\n",
            "sys/fs/cgroup/a/b/memory.max": "5000\n",
            "sys/fs/cgroup/a/b/memory.current": "2000\n",
        },
        3000,
    ),
    "a group above": (
        {
            "proc/self/cgroup": "0::/a/b/c\n",
            "sys/fs/cgroup/a/b/c/memory.max": "max\n",
            "sys/fs/cgroup/a/b/c/memory.current": "1000\n",
            "sys/fs/cgroup/a/b/memory.max": "9000\n",
            "sys/fs/cgroup/a/b/memory.current": "1000\n",
            "sys/fs/cgroup/a/memory.max": "4000\n",
            "sys/fs/cgroup/a/memory.current": "1500\n",
        },
        2500,
    ),
    "in a container": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "5000\n",
            "sys/fs/cgroup/memory.current": "4900\n",
            "sys/fs/cgroup/memory.stat": "anon 100\ninactive_file 700\nactive_file 1\n",
        },
        800,
    ),
    "beyond": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "5000\n",
            "sys/fs/cgroup/memory.current": "6000\n",
        },
        0,
    ),
    "version 1": (
        {
            "proc/self/cgroup": "5:cpu,memory:/docker/x\n4:pids:/\n0::/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "70000\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "30000\n",
            "sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 500\n",
        },
        40_500,
    ),
    "version 1, own group": (
        {
            "proc/self/cgroup": "5:memory:/a/b\n",
            "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/a/b/memory.usage_in_bytes": "30000\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "50000\n",
            "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "40000\n",
        },
        10_000,
    ),
}


@pytest.mark.skipif(
    any(
        resource.getrlimit(kind)[0] != resource.RLIM_INFINITY
        for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)
    ),
    reason="this process has limits of its own",
)
@pytest.mark.parametrize("name", GROUPS)
def test_available_memory_counts_control_groups(tmp_path, name):
    files, left = GROUPS[name]
    write(tmp_path, "proc/meminfo", MEMINFO)
    for path, text in files.items():
        write(tmp_path, path, text)
    assert available_memory(str(tmp_path)) == left


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS has no effect elsewhere")
@pytest.mark.parametrize("kind", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_available_memory_counts_limits_of_the_process(kind):
    result = run(f"""
import resource
from exactnet import memorize
from exactnet.base.memory import available_memory
pages = open("/proc/self/statm").read().split()[{0 if kind == "RLIMIT_AS" else 5}]
limit = int(pages) * resource.getpagesize() + 300 * 2**20
resource.setrlimit(resource.{kind}, (limit, limit))
assert abs(available_memory() - 300 * 2**20) < 2**23, available_memory()
try:
    memorize([[0], [1]], [0, 1], hidden=(10**4, 10**4))
except MemoryError as error:
    print(error)
""")
    assert result.stderr == ""
    assert "would take about 763 MiB by prediction, more than the" in result.stdout


HUGE = [
    ((3, 2**64 - 1), 10**30),
    ((3, 2**63), 10**30),
    ((2**62, 2**62), 10**30),
    ((10**20, 3), 10**300),
    ((10**20,), 10**30),
    ((10**4000, 10**4000), 10**5000),
    ((10**5000, 10**5000), None),
]


@pytest.mark.parametrize(("hidden", "max_bytes"), HUGE, ids=range(len(HUGE)))
def test_counts_of_any_size(hidden, max_bytes):
    with pytest.raises(MemoryError) as error:
        memorize([[0], [1], [2]], [1, 5, 2], hidden=hidden, max_bytes=max_bytes)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_counts_of_any_size_that_say_nothing_of_memory():
    X, y = [[0], [1], [2]], [1, 5, 2]
    most = dict(n_threads=10**30, max_bytes=10**5000)
    assert memorize(X, y, **most).layer_sizes == [1, 3, 1, 1]
    wide = dict(construction="integer", hidden=(10**30, 10**30), **most)
    assert memorize(X, y, **wide).layer_sizes[0] == 1
    assert capacity(10**4000, 10**4000) > 10**7999
    long = -(10**5000)
    for call in (
        lambda: memorize(X, y, hidden=(3, long)),
        lambda: memorize(X, y, n_threads=long),
        lambda: memorize(X, y, max_bytes=long),
        lambda: capacity(3, long),
        lambda: plan(-long),
        lambda: plan(long),
        lambda: Network([3, long]),
    ):
        with pytest.raises(ValueError, match=r"must be .*, not an? int that cannot be printed$"):
            call()


@pytest.mark.parametrize("sizes", [[10**10] * 2, [10**6] * 2, [10**30, 1], [1, 2**62], [3, 2**63]])
@pytest.mark.parametrize("init", ["normal", "zeros"])
def test_layers_beyond_memory(sizes, init):
    with pytest.raises(MemoryError, match=r"^layer_sizes=\[.* would take about \S+ MiB, more than"):
        Network(sizes, init=init)


def primes(low, n):
    found = []
    while len(found) < n:
        if all(low % k for k in range(3, int(low**0.5) + 1, 2)):
            found.append(low)
        low += 2
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "call",
    [
        # 2,000 coprime denominators: 5 MiB of digits for X, for y, for the gaps between the points
        "memorize(F, y, construction='one_layer', max_bytes=2**22)",
        "memorize(Z, [f[0] for f in F], construction='one_layer', max_bytes=2**22)",
        "memorize(P, y, construction='one_layer', projection=[1, 1], max_bytes=2**22)",
        "memorize(Z, [30_000] + y[1:], encoding='one_hot', max_bytes=2**22)",
        "memorize(Z, [9_000] + y[1:], encoding='one_hot', construction='integer', max_bytes=2**22)",
    ],
)
def test_refusal_comes_before_the_work(call):
    result = run(
        MEMORY
        + f"""
from fractions import Fraction
import numpy as np
from exactnet import memorize
F = [[Fraction(1, p)] for p in {primes(2**20 + 1, 1000)}]
P = [[k, 2**3000 * k * k] for k in range(2000)]
Z = [[k] for k in range(1000)]
y = [k % 7 for k in range(len(P) if "P" in {call[9:12]!r} else len(Z))]
memorize([[0], [1]], [0, 1])
before = memory_now()
try:
    {call}
except MemoryError as error:
    assert "would take about" in str(error), error
    print(memory_peak() - before)
"""
    )
    assert result.stderr == ""
    print(f"{int(result.stdout) / 2**20:.1f} MiB")
    assert int(result.stdout) < 2**22 + 2**20


END = """
import os, random, resource, sys, tempfile
from fractions import Fraction
import gmpy2
import numpy as np
from exactnet import (ExactNetwork, Network, approximate, certificate, memorize, verify)

rng = random.Random(0)
X = [[rng.randrange(1000) for _ in range(4)] for _ in range(600)]
y = [rng.randrange(100) for _ in X]
F = [[Fraction(1, 10**6 + k)] for k in range(300)]
L = [[rng.getrandbits(100_000)] for _ in range(30)]
net, small = memorize(X, y), memorize(X, y, construction="integer")
one = memorize([[k] for k in range(300)], y[:300], construction="one_layer")
floats = Network([64, 100, 10], activations="relu", seed=0)
folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "net.json")
net.save(path)
every = dict(max_bytes=10**15)
calls = dict(
    theorem3=lambda: memorize(X, y, **every),
    threads=lambda: memorize(X, y, n_threads=2, **every),
    worst_case=lambda: memorize(X[:100], y[:100], scale="worst_case", **every),
    theorem4=lambda: memorize(X, [[v, -v] for v in y], construction="theorem4", **every),
    one_layer=lambda: memorize(X, y, construction="one_layer", **every),
    integer=lambda: memorize(X, y, construction="integer"),
    one_hot=lambda: memorize(X[:200], y[:200], encoding="one_hot", **every),
    checked=lambda: memorize(X, y),
    fractions=lambda: memorize(F, y[:300], **every),
    fractions_one_layer=lambda: memorize(F, y[:300], construction="one_layer", **every),
    long=lambda: memorize(L, y[:30], **every),
    verify=lambda: verify(net, X, y),
    verify_threads=lambda: verify(net, X, y, n_threads=2),
    predict=lambda: net.predict(X),
    predict_fractions=lambda: net.predict([[f[0]] * 4 for f in F]),
    extend=lambda: one.extend([[k] for k in range(1000, 1300)], y[:300]),
    to_exact=lambda: floats.to_exact(),
    load=lambda: ExactNetwork.load(path),
    save=lambda: net.save(path + ".new"),
    approximate=lambda: approximate(np.sin, (-3, 3), 1e-4, second_derivative=1),
)
unlimited = resource.getrlimit(resource.RLIMIT_AS)[1]
for name, call in calls.items():
    for _ in range(int(sys.argv[1])):
        room = int(2**20 * 10 ** rng.uniform(-2, 1.8))
        child = os.fork()
        if child == 0:
            pages = int(open("/proc/self/statm").read().split()[0])
            status = 1
            try:
                limit = pages * resource.getpagesize() + room
                resource.setrlimit(resource.RLIMIT_AS, (limit, unlimited))
                try:
                    call()
                    status = 10
                except (MemoryError, ValueError) as error:
                    status = 11
                    text = str(error)
                resource.setrlimit(resource.RLIMIT_AS, (unlimited, unlimited))
                if status == 11:
                    assert "\\n" not in text, text
                # what was refused works once there is memory again
                call()
            except BaseException as error:
                status = 12
                sys.stderr.write(f"{name} {room}: {type(error).__name__} {error}\\n")
            os._exit(status)
        _, code = os.waitpid(child, 0)
        print(name, room, os.waitstatus_to_exitcode(code), flush=True)
folder.cleanup()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS has no effect elsewhere")
def test_the_end_of_memory_is_an_error():
    """At any limit, every call ends well or with an error, never by a signal."""
    threads = {"OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    result = run(END, slow(10, 1), env=os.environ | threads)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    rows = [line.split() for line in result.stdout.splitlines()]
    assert len(rows) == 20 * slow(10, 1)
    assert {row[2] for row in rows} == {"10", "11"}, [r for r in rows if r[2] not in ("10", "11")]
