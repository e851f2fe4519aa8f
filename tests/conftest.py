import random
import signal
import subprocess
import sys
import time

import pytest


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


def interrupt(script, after):
    """Send Ctrl-C to a Python program, `after` seconds after it has printed "started".

    The program must end by printing `time.monotonic()` as it catches the KeyboardInterrupt, and
    whatever else it has to say. Returns the seconds it took to answer, and the further words.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
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
