"""The predicted size of a construction against the peak of a process that builds it."""

import subprocess
import sys

import pytest

SCRIPT = """
import random, resource
from exactnet import construction, memorize

predictions = []
check = construction._check_memory
construction._check_memory = lambda predicted, limit: predictions.append(predicted)

rng = random.Random(0)
a1, a2, scale, kind = {arguments}
draw = (lambda: rng.randrange(100)) if kind == "integers" else rng.random
X = [[draw() for _ in range(5)] for _ in range(a1 * a2)]
y = [draw() for _ in X]
memorize([[0], [1]], [0, 1])  # whatever a first call loads
# ru_maxrss never falls, and includes what imports needed for a moment; VmHWM can be reset
def status(key):
    for line in open("/proc/self/status"):
        if line.startswith(key):
            return int(line.split()[1]) * 1024
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
net = memorize(X, y, hidden=(a1, a2), scale=scale)
print(predictions[-1], status("VmHWM") - before, net.bit_sizes().total / 8)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "arguments",
    [
        (100, 100, "least", "integers"),
        (20, 500, "least", "integers"),
        (50, 50, "least", "floats"),
        (40, 40, "worst_case", "integers"),
    ],
    ids=str,
)
def test_prediction_is_within_a_factor_of_two(arguments):
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(arguments=arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    predicted, peak, digits = map(float, result.stdout.split())
    assert peak / 2 <= predicted <= peak * 2
    assert digits < predicted
