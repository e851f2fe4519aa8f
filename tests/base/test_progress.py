"""Bars of progress, as terminals and notebooks see them."""

import re
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from conftest import terminal_output
from exactnet import Network, memorize, sweep, verify
from exactnet.base.progress import ProgressBar, reporting

BAR = re.compile(
    r"(?P<label>[\w/]+): +(?P<share>\d+)%\|.*\| (?P<elapsed>\d\d:\d\d)<[\d?:]+(?P<postfix>.*)"
)


def states(text):
    """What stood in the line of a bar, one after the other, and what was written behind it."""
    *lines, rest = text.split("\r")
    found = [BAR.fullmatch(line.strip()) for line in lines if line.strip()]
    assert all(found), text
    return found, rest


def run(program, *arguments):
    return terminal_output([sys.executable, "-c", program, *arguments])


SLOW = """
import sys, time
from exactnet.base.progress import ProgressBar
with ProgressBar("building") as bar:
    for k in range(151):
        bar(k / 150)
        time.sleep(0.01)
        if k == {end}:
            raise {error}
assert "tqdm" {known} sys.modules
"""


def test_a_bar_comes_after_a_second_and_ends_at_100_percent():
    found, rest = states(run(SLOW.format(end=-1, error="", known="in")))
    assert rest == "\n"
    assert {state["label"] for state in found} == {"building"}
    shares = [int(state["share"]) for state in found]
    assert shares == sorted(shares)
    assert found[0]["elapsed"] >= "00:01"
    assert shares[-1] == 100


def test_what_takes_no_second_shows_nothing_and_loads_nothing():
    quick = SLOW.format(end=-1, error="", known="not in").replace("0.01", "0.001")
    assert run(quick) == ""


def test_nothing_is_shown_where_nobody_looks():
    program = SLOW.format(end=-1, error="", known="not in")
    piped = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert piped.stderr == b""


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "ValueError"])
def test_errors_take_the_bar_away(error):
    program = SLOW.format(end=145, error=error, known="in")
    text = run(f"try:\n{program.replace(chr(10), chr(10) + ' ')}\nexcept {error}: pass")
    assert "building:" in text
    *_, last, rest = text.split("\r")
    assert last.strip() == rest == ""  # the line is empty and the cursor at its begin


CALLS = """
import sys, threading
import numpy as np
from exactnet import *
from exactnet.base.progress import ProgressBar
ProgressBar._DELAY = ProgressBar._INTERVAL = 0.0  # as if all took a second
rng = np.random.default_rng(0)
X = rng.integers(0, 1000, (3000, 40))
y = rng.integers(0, 10, 3000)
net = memorize(X, y, progress=True)
verify(net, X, y, progress=True)
net.predict(X, progress=True)
net.save(sys.argv[1], progress=True)
ExactNetwork.load(sys.argv[1], progress=True)
approximate(np.sin, (-3, 3), 1e-6, second_derivative=1, progress=True)
integer = memorize(X, y, construction="integer", progress=True)
certificate(integer, X, progress=True)
rounding_error(integer, X[:300], predictions=y[:300], progress=True)
sweep([dict(layer_sizes=[40, 10], seed=k) for k in range(3)], X / 1000, y, progress=True)
"""


def test_functions_show_bars(tmp_path):
    found, _ = states(run(CALLS, tmp_path / "net.json"))
    order = list(dict.fromkeys(state["label"] for state in found))
    assert order == [
        *("constructing", "verifying", "predicting", "saving", "loading", "approximating"),
        *("certifying", "comparing", "training"),
    ]
    for label in order:
        assert next(s for s in reversed(found) if s["label"] == label)["share"] == "100"


FIT = """
import numpy as np
from exactnet import EarlyStopping, Network
X = np.random.default_rng(0).random((2000, 10))
y = X.argmax(axis=1)
net = Network([10, 10, 10], seed=0)
net.fit(X, y, epochs=8, verbose=True, validation_data=(X, y), learning_rate=1.0)
net.fit(X, y, epochs=11, initial_epoch=8, verbose=True)
"""


def test_training_has_one_bar_with_its_results_in_a_terminal():
    text = run(FIT)
    (first, second) = (states(part + "\r")[0] for part in text.split("\r\n")[:2])
    assert all(len(line) <= 80 for line in re.split(r"[\r\n]+", text))
    assert (first[-1]["label"], first[-1]["share"]) == ("8/8", "100")
    numbers = r", loss 0\.\d{1,4}  val_loss 0\.\d{1,4}  val_accuracy 0\.\d{4}"
    assert re.fullmatch(numbers, first[-1]["postfix"])
    assert (second[-1]["label"], second[-1]["share"]) == ("11/11", "100")
    assert int(second[0]["share"]) <= 34  # of the three epochs of this call


def test_training_has_a_line_per_epoch_elsewhere():
    command = [sys.executable, "-c", FIT + "import sys; assert 'tqdm' not in sys.modules"]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stderr.splitlines()
    assert len(lines) == 8 + 3
    assert all(re.match(r"epoch \d+/\d+  loss 0\.\d+  ", line) for line in lines)


def test_notebooks_are_known_by_their_kernel(monkeypatch):
    shell = SimpleNamespace(config={})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert not ProgressBar("x").visible  # IPython in a terminal that nobody sees
    shell.config["IPKernelApp"] = {}
    assert ProgressBar("x").visible


def test_what_progress_may_be():
    for nothing in (None, False):
        with reporting(nothing, "x") as tell:
            assert tell is None
    shares = []
    with reporting(shares.append, "x") as tell:
        tell(0.5)
    assert shares == [0.5]
    X, y = np.arange(8).reshape(4, 2), np.arange(4)
    net = memorize(X, y)
    for call in (lambda v: memorize(X, y, progress=v), lambda v: verify(net, X, y, progress=v)):
        with pytest.raises(ValueError, match="progress must be callable, True or None, not 3"):
            call(3)


def test_progress_is_told_in_the_thread_that_called():
    threads = set()

    def tell(share):
        threads.add(threading.get_ident())

    X, y = np.random.default_rng(0).integers(0, 1000, (4000, 40)), np.arange(4000) % 10
    net = memorize(X, y, n_threads=2, progress=tell)
    assert verify(net, X, y, n_threads=2, progress=tell)
    sweep([dict(layer_sizes=[40, 10], seed=k) for k in range(3)], X / 1000, y, progress=tell)
    assert threads == {threading.get_ident()}


def test_a_network_that_is_not_verbose_asks_for_no_bar(monkeypatch):
    monkeypatch.setattr("exactnet.dense.training.ProgressBar", None)
    Network([2, 1], seed=0).fit([[0, 1]], [[1]])
