import math
import subprocess
import sys

import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from exactnet import History, Network, plot


def test_a_new_figure_of_pyplot_is_made():
    current = pyplot.figure().add_subplot()
    ax = plot.activation_functions("relu")
    assert ax.figure is not current.figure
    assert pyplot.gcf() is ax.figure
    assert not current.lines


BAD = {
    "no network": (lambda: plot.network([2, 3]), TypeError, "is needed, not list"),
    "no Axes": (
        lambda: plot.network(Network([2, 1]), Figure()),
        TypeError,
        "ax must be an Axes of matplotlib, not Figure",
    ),
    "one unit": (
        lambda: plot.network(Network([2, 1]), max_units=1),
        ValueError,
        "max_units must be at least 2",
    ),
    "half a unit": (
        lambda: plot.network(Network([2, 1]), max_units=2.5),
        ValueError,
        "max_units must be a positive integer, not 2.5",
    ),
    "image of another size": (
        lambda: plot.network(Network([64, 1]), image_shape=(8, 9)),
        ValueError,
        "image_shape 8 x 9 does not fit 64 inputs",
    ),
    "image of one number": (
        lambda: plot.network(Network([64, 1]), image_shape=8),
        ValueError,
        "image_shape must be (height, width), not 8",
    ),
    "image of three numbers": (
        lambda: plot.first_layer(Network([64, 1]), (4, 4, 4)),
        ValueError,
        "image_shape must be (height, width), not (4, 4, 4)",
    ),
    "negative image": (
        lambda: plot.first_layer(Network([64, 1]), (-8, -8)),
        ValueError,
        "image_shape[0] must be a positive integer, not -8",
    ),
    "unknown image": (
        lambda: plot.network(Network([64, 1]), image_shape="square"),
        ValueError,
        "'auto' or None, not 'square'",
    ),
    "no square": (
        lambda: plot.first_layer(Network([60, 1])),
        ValueError,
        "60 inputs are no square image; image_shape=(height, width)",
    ),
    "first layer of nothing": (lambda: plot.first_layer(None), TypeError, "not NoneType"),
    "no history": (
        lambda: plot.learning_curves([0.5, 0.4]),
        TypeError,
        "history must be a History, as fit returns, not list",
    ),
    "empty history": (
        lambda: plot.learning_curves(History()),
        ValueError,
        "history has no epochs",
    ),
    "two inputs": (
        lambda: plot.fit_1d(Network([2, 3, 1]), math.sin, (0, 1)),
        ValueError,
        "fit_1d is for networks of one input, not 2",
    ),
    "no interval": (
        lambda: plot.fit_1d(Network([1, 3, 1]), math.sin),
        ValueError,
        "interval must be two numbers, not None",
    ),
    "interval backwards": (
        lambda: plot.fit_1d(Network([1, 3, 1]), math.sin, (1, 0)),
        ValueError,
        "interval must be (low, high) with low < high, not (1, 0)",
    ),
    "infinite interval": (
        lambda: plot.fit_1d(Network([1, 3, 1]), math.sin, (0, math.inf)),
        ValueError,
        "interval must be (low, high)",
    ),
    "interval of one point": (
        lambda: plot.fit_1d(Network([1, 3, 1]), ([1], [2])),
        ValueError,
        "interval must be (low, high)",
    ),
    "points without y": (
        lambda: plot.fit_1d(Network([1, 3, 1]), [1, 2, 3]),
        ValueError,
        "target must be a function or points as a pair (x, y)",
    ),
    "more x than y": (
        lambda: plot.fit_1d(Network([1, 3, 1]), ([1, 2], [3])),
        ValueError,
        "the target has 2 x but 1 y",
    ),
    "no points": (
        lambda: plot.fit_1d(Network([1, 3, 1]), ([], [])),
        ValueError,
        "x of the target must be (points,), not (0,)",
    ),
    "words as points": (
        lambda: plot.fit_1d(Network([1, 3, 1]), (["a"], [1])),
        ValueError,
        "x of the target must hold real numbers",
    ),
    "nan as y": (
        lambda: plot.fit_1d(Network([1, 3, 1]), ([1, 2], [1, math.nan])),
        ValueError,
        "y of the target holds numbers that are not finite",
    ),
    "contributions of a deep network": (
        lambda: plot.fit_1d(Network([1, 3, 3, 1]), math.sin, (0, 1), True),
        ValueError,
        "contributions are those of one hidden layer; there are 2",
    ),
    "no such output": (
        lambda: plot.fit_1d(Network([1, 3, 2]), math.sin, (0, 1), output=2),
        ValueError,
        "output must be an integer from 0 to 1, not 2",
    ),
    "unknown activation": (
        lambda: plot.activation_functions(["relu", "softplus"]),
        ValueError,
        "unknown activation 'softplus'",
    ),
    "softmax": (
        lambda: plot.activation_functions("softmax"),
        ValueError,
        "softmax is no function of one number",
    ),
    "no activations": (lambda: plot.activation_functions([]), ValueError, "no activation"),
    "history without norms": (
        lambda: plot.gradient_norms(History(loss=[1.0])),
        ValueError,
        "history has no gradient norms: fit(..., record_gradient_norms=True)",
    ),
    "no norms": (lambda: plot.gradient_norms([]), ValueError, "(epochs, layers), not (0,)"),
    "norms of one epoch": (
        lambda: plot.gradient_norms([1, 2]),
        ValueError,
        "norms must be of shape (epochs, layers), not (2,)",
    ),
    "ragged norms": (
        lambda: plot.gradient_norms([[1, 2], [1]]),
        ValueError,
        "norms must be numbers of shape (epochs, layers)",
    ),
    "negative norm": (
        lambda: plot.gradient_norms([[1, -2]]),
        ValueError,
        "norms must be finite numbers, none below 0",
    ),
    "no labels": (lambda: plot.confusion_matrix([], []), ValueError, "labels is empty"),
    "labels in columns": (
        lambda: plot.confusion_matrix([[0], [1]], [0, 1]),
        ValueError,
        "labels must be (samples,), not of shape (2, 1)",
    ),
    "outputs as labels": (
        lambda: plot.confusion_matrix([0, 1], [0.1, 0.9]),
        ValueError,
        "predicted must hold integers or strings, not float64",
    ),
    "fewer predicted": (
        lambda: plot.confusion_matrix([0, 1], [0]),
        ValueError,
        "there are 2 labels but 1 predicted ones",
    ),
    "words and numbers": (
        lambda: plot.confusion_matrix([0, 1], ["0", "1"]),
        ValueError,
        "must both be integers or both be strings: pass classes=net.classes, or "
        "np.array(net.classes)[net.classify(X)]",
    ),
    "a code of no class": (
        lambda: plot.confusion_matrix(["a", "b"], [0, 2], classes=("a", "b")),
        ValueError,
        "predicted has the code 2 where there are 2 classes",
    ),
    "unknown class": (
        lambda: plot.confusion_matrix([0, 1], [0, 5], classes=[0, 1]),
        ValueError,
        "the label 5 is not in classes",
    ),
    "a class twice": (
        lambda: plot.confusion_matrix([0, 1], [0, 1], classes=[0, 1, 1]),
        ValueError,
        "classes holds a class twice",
    ),
    "too many classes": (
        lambda: plot.confusion_matrix(range(2000), range(2000)),
        ValueError,
        "there are 2000 classes; at most 1000 can be drawn",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    call, kind, text = BAD[name]
    with pytest.raises(kind) as error:
        call()
    assert text in str(error.value)
    assert not pyplot.get_fignums()  # nothing is left for pyplot.show


def test_without_matplotlib(tmp_path):
    """The module is imported all the same, and says what is missing when it draws."""
    script = """
import sys
sys.modules["matplotlib"] = None  # as if it were not installed
from exactnet import History, Network, plot
from exactnet.cli import main
net = Network([4, 2, 2], seed=0)
for draw in (
    lambda: plot.network(net),
    lambda: plot.first_layer(net),
    lambda: plot.save_network(net, "net.png"),
    lambda: plot.learning_curves(History(loss=[1.0])),
    lambda: plot.fit_1d(Network([1, 1]), abs, (0, 1)),
    lambda: plot.activation_functions("relu"),
    lambda: plot.gradient_norms([[1.0]]),
    lambda: plot.confusion_matrix([1], [1]),
):
    try:
        draw()
    except ImportError as error:
        print(error)
net.save(sys.argv[1])
print(main(["draw", sys.argv[1], "-o", sys.argv[1] + ".png"]))
"""
    text = 'exactnet.plot needs matplotlib: pip install "exactnet[plot]"'
    command = [sys.executable, "-c", script, tmp_path / "net"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout.splitlines() == [text] * 8 + ["2"]
    assert result.stderr == f"exactnet: error: {text}\n"


def test_matplotlib_is_imported_when_it_is_used():
    script = (
        "import exactnet.plot, exactnet.cli.drawing, sys; assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
