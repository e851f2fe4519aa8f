"""What is drawn, judged by the artists in the Axes; how it looks was judged by eye."""

import math
import subprocess
import sys
from fractions import Fraction
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from exactnet import ExactNetwork, History, Network, memorize, plot
from exactnet.activations import LeakyReLU, Sigmoid, Step

BLUE, VERMILLION = to_rgb("#0072B2"), to_rgb("#D55E00")


@pytest.fixture(autouse=True)
def _headless():
    """No window is opened, every figure is closed, and settings are as they were."""
    backend = mpl.get_backend(auto_select=False) if mpl.__version_info__ >= (3, 10) else None
    pyplot.switch_backend("agg")
    before = dict(mpl.rcParams)
    yield
    after = dict(mpl.rcParams)
    pyplot.close("all")
    if backend:
        pyplot.switch_backend(backend)
    assert after == before


@pytest.fixture
def axes():
    return Figure(figsize=(8, 5), layout="constrained").add_subplot()


def circles(ax):
    return [p for p in ax.patches if isinstance(p, Circle)]


def lines_of(ax):
    """(colour, width) of every line of weights by its ends, in the order of the layers."""
    layers = []
    for collection in ax.collections:
        if isinstance(collection, LineCollection) and collection.get_zorder() == 1:
            drawn = zip(
                collection.get_segments(),
                collection.get_colors(),
                collection.get_linewidths(),
                strict=True,
            )
            layers.append({tuple(map(tuple, s)): (tuple(c[:3]), w) for s, c, w in drawn})
    return layers


def texts(ax):
    legend = ax.get_legend()
    found = [*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label]
    found += legend.get_texts() if legend else []
    for axis in [ax.xaxis, ax.yaxis] if ax.axison else []:
        low, high = sorted(axis.get_view_interval())  # beyond which are ticks that are not drawn
        places = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
        found += [label for place, label in places if low <= place <= high]
    return [t for t in found if t.get_text() and t.get_visible()]


def check_texts(*all_axes):
    """No text lies over another, over a unit or beyond the figure."""
    figure = all_axes[0].figure
    figure.draw_without_rendering()
    found = [(t.get_text(), t.get_window_extent()) for ax in all_axes for t in texts(ax)]
    assert found
    units = [("a unit", c.get_window_extent()) for ax in all_axes for c in circles(ax)]
    x0, y0, x1, y1 = np.array([box.extents for _, box in found + units]).T
    apart = (x1[:, None] <= x0) | (x1 <= x0[:, None]) | (y1[:, None] <= y0) | (y1 <= y0[:, None])
    for k, (text, _) in enumerate(found):
        over = [(found + units)[j][0] for j in np.flatnonzero(~apart[k]) if j != k]
        assert not over, text
    n = len(found)
    assert min(x0[:n].min(), y0[:n].min()) >= -1
    assert x1[:n].max() <= figure.bbox.x1 + 1
    assert y1[:n].max() <= figure.bbox.y1 + 1


def test_every_unit_and_weight_of_a_small_network(np_rng):
    weights = [np_rng.normal(size=(3, 2)), np_rng.normal(size=(1, 3))]
    ax = plot.network(Network.from_arrays(weights, [np.zeros(3), np.zeros(1)], "tanh"))
    assert len(circles(ax)) == 6
    assert not ax.images
    layers = lines_of(ax)
    assert [len(layer) for layer in layers] == [6, 3]
    units = sorted((c.center for c in circles(ax)), key=lambda p: (p[0], -p[1]))
    starts, ends = [units[:2], units[2:5]], [units[2:5], units[5:]]
    for w, layer, left, right in zip(weights, layers, starts, ends, strict=True):
        by_size = []
        for (i, j), value in np.ndenumerate(w):
            color, width = layer[left[j], right[i]]
            assert color == (BLUE if value > 0 else VERMILLION)
            by_size.append((abs(value), width))
        widths = [width for _, width in sorted(by_size)]
        assert widths == sorted(widths)
        assert len(set(widths)) == len(widths)
    words = [t.get_text() for t in ax.texts]
    assert words[:3] == ["2\ninputs", "3\ntanh", "1\ntanh"]
    assert words[3:] == [f"|w| ≤ {abs(w).max():.3g}" for w in weights]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "positive weight",
        "negative weight",
    ]


def test_weights_of_zero_have_no_line():
    net = ExactNetwork.from_arrays([[[1, 0], [0, 2]], [[0, 3]]], [[0, 0], [0]])
    ax = plot.network(net)
    assert [len(layer) for layer in lines_of(ax)] == [2, 1]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["positive weight"]
    ax = plot.network(Network([3, 4, 2], init="zeros"))
    assert len(circles(ax)) == 9
    assert not any(lines_of(ax))
    assert ax.get_legend() is None
    assert [t.get_text() for t in ax.texts[3:]] == ["all w = 0"] * 2
    check_texts(ax)


def test_wide_layers_are_folded(np_rng):
    ax = plot.network(Network([20, 13, 12, 1000], seed=0), max_units=12)
    assert len(circles(ax)) == 12 * 4
    assert [len(layer) for layer in lines_of(ax)] == [144] * 3
    more = [t.get_text() for t in ax.texts if "more" in t.get_text()]
    assert more == ["8 more", "1 more", "988 more"]
    assert "1,000\nsigmoid" in [t.get_text() for t in ax.texts]
    check_texts(ax)
    # which units those are: only the first and the last weigh something
    w = np.zeros((1, 9))
    w[0, [0, 8]] = 1, -2
    w[0, 4] = 5
    ax = plot.network(Network.from_arrays([w], [[0]], "linear"), max_units=2)
    (layer,) = lines_of(ax)
    assert [color for color, _ in layer.values()] == [BLUE, VERMILLION]
    # a width is relative to the largest of all weights, drawn or not
    assert "|w| ≤ 5" in [t.get_text() for t in ax.texts]
    ax = plot.network(Network([9, 1], seed=0), max_units=3)
    assert len(circles(ax)) == 3


def test_inputs_that_are_images():
    net = Network([64, 30, 10], seed=0)
    ax = plot.network(net)
    assert len(ax.images) == 8
    assert len(circles(ax)) == 10
    shown = [*range(4), *range(26, 30)]
    largest = abs(net.weights[0]).max()
    for image, unit in zip(ax.images, shown, strict=True):
        expected = net.weights[0][unit].reshape(8, 8) / largest
        np.testing.assert_allclose(image.get_array(), expected, rtol=1e-6)
        assert image.get_clim() == (-1, 1)
        assert image.cmap(1.0)[:3] == BLUE
        assert image.cmap(0.0)[:3] == VERMILLION
    assert [len(layer) for layer in lines_of(ax)] == [80]
    assert ax.texts[-5].get_text() == "64\n8 x 8"
    check_texts(ax)
    assert not plot.network(net, image_shape=None).images
    assert plot.network(net, image_shape=(4, 16)).images[0].get_array().shape == (4, 16)
    assert not plot.network(Network([16, 4], seed=0)).images  # few inputs are seldom an image
    assert len(plot.network(Network([16, 4], seed=0), image_shape=[4, 4]).images) == 4
    assert not plot.network(Network([26, 4], seed=0)).images
    assert len(plot.network(Network([784, 10], seed=0)).images) == 10
    assert len(plot.network(Network([784, 10], seed=0), max_units=4).images) == 4


@pytest.mark.parametrize(
    "sizes",
    [
        [1, 1],
        [2, 3, 1],
        [64, 30, 10],
        [784, 128, 64, 10],
        [3, 8, 8, 8, 8, 8, 2],
        [100_000, 2, 10_000],
        [2, *[20] * 10, 1],
        [2, *[5] * 40, 1],
        [2, *[3] * 150, 1],
    ],
    ids=lambda sizes: f"{len(sizes)} of {sizes[0]}",
)
def test_labels_do_not_overlap(sizes):
    net = Network(sizes, activations="leaky_relu", seed=0)
    check_texts(plot.network(net))
    check_texts(plot.network(net, image_shape=None))


def test_labels_do_not_overlap_in_small_axes():
    figure = Figure(figsize=(8, 5), layout="constrained")
    all_axes = figure.subplots(2, 3).ravel()
    figure.draw_without_rendering()
    sizes = [[2, 3, 1], [64, 30, 10], [784, 128, 64, 10], [3, 8, 8, 8, 8, 8, 2], [9, 9], [50, 50]]
    for ax, layers in zip(all_axes, sizes, strict=True):
        assert plot.network(Network(layers, seed=0), ax) is ax
        heads = [t.get_text().split("\n")[0] for t in ax.texts if "more" not in t.get_text()]
        assert heads[: len(layers)] == [str(n) for n in layers]
        ax.set_title("title")
    check_texts(*all_axes)


def test_parameters_beyond_floats():
    huge = 2**5000
    net = ExactNetwork.from_arrays([[[huge, -3 * huge], [1, 0]], [[-1, 1]]], [[0, 1], [2]])
    ax = plot.network(net)
    first, _ = lines_of(ax)
    by_width = sorted((width, color) for color, width in first.values())
    assert [color for _, color in by_width] == [BLUE, BLUE, VERMILLION]
    # a third of the largest, and one whose share of it is below the least float, but not 0
    thinnest, middle, thickest = (width for width, _ in by_width)
    assert 0 < thinnest < middle < thickest
    assert (middle - thinnest) / (thickest - thinnest) == pytest.approx(1 / 3)
    assert ax.texts[3].get_text().startswith("|w| ≤ 4.2")
    assert ax.texts[3].get_text().endswith("e+1505")
    check_texts(ax)
    small = ExactNetwork.from_arrays([[[Fraction(1, 2**5000), Fraction(-1, 2**5001)]]], [[0]])
    (layer,) = lines_of(plot.network(small))
    assert [color for color, _ in layer.values()] == [VERMILLION, BLUE]
    images = plot.first_layer(net, (1, 2)).images
    np.testing.assert_allclose(images[0].get_array(), [[1 / 3, -1]])
    np.testing.assert_array_equal(images[1].get_array(), [[0, 0]])


def test_numbers_of_other_types_in_exact_networks():
    net = memorize([[93, 4], [59, 91], [58, 47], [20, 69]], [1, 81, 17, 65], hidden=(2, 2))
    net.weights[1][0, 0] += 1e-9
    net.weights[0][0, 0] = -7
    (first, *_) = lines_of(plot.network(net))
    assert [color for color, _ in first.values()].count(VERMILLION) == 1


def test_floats_at_the_ends_of_their_range():
    for value in (5e-324, 1.7e308):
        net = Network.from_arrays([[[value, -value]]], [[0.0]], "linear")
        (layer,) = lines_of(plot.network(net))
        assert len({width for _, width in layer.values()}) == 1


def test_first_layer(axes):
    net = Network([64, 30, 10], seed=0)
    ax = plot.first_layer(net)
    assert len(ax.images) == 30
    assert len(ax.figure.axes) == 2  # with the colour bar
    bar = ax.figure.axes[1]
    largest = abs(net.weights[0]).max()
    assert [t.get_text() for t in bar.get_yticklabels()] == [
        f"-{largest:.3g}",
        "0",
        f"{largest:.3g}",
    ]
    np.testing.assert_allclose(
        ax.images[29].get_array() * largest, net.weights[0][29].reshape(8, 8), rtol=1e-6
    )
    boxes = [image.get_window_extent() for image in ax.images]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert plot.first_layer(net, (2, 32), axes) is axes
    assert axes.images[0].get_array().shape == (2, 32)
    ax = plot.first_layer(Network([4, 200, 1], seed=0), max_units=100)
    assert len(ax.images) == 100
    assert ax.get_title() == "the first 100 of 200 units"
    ax = plot.first_layer(Network([25, 3], init="zeros"))
    assert len(ax.images) == 3
    assert len(ax.figure.axes) == 1  # of weights of 0 a bar would say nothing


def test_learning_curves(axes):
    X, y = np.eye(4), np.arange(4)
    history = Network([4, 4], seed=0).fit(X, y, epochs=40, validation_data=(X, y))
    assert plot.learning_curves(history, axes) is axes
    training, validation = axes.lines
    assert training.get_ydata() == pytest.approx(history.loss)
    assert validation.get_ydata() == pytest.approx(history.val_loss)
    assert list(training.get_xdata()) == list(range(1, 41))
    right = axes.figure.axes[1]
    assert right.lines[0].get_ydata() == pytest.approx(history.val_accuracy)
    assert [t.get_text() for t in right.get_legend().get_texts()] == [
        "training loss",
        "validation loss",
        "validation accuracy",
    ]
    assert axes.get_yscale() == "linear"
    check_texts(axes)
    ax = plot.learning_curves(History(loss=[1.0, 0.1, 0.01]))
    assert ax.get_yscale() == "log"
    assert len(ax.figure.axes) == 1
    assert plot.learning_curves(History(loss=[1.0, 0.01, 0.0])).get_yscale() == "linear"
    ax = plot.learning_curves(History(loss=[0.5]))  # a single epoch
    assert ax.lines[0].get_marker() == "."
    check_texts(ax)


def test_fit_of_a_function(axes):
    net = Network([1, 5, 1], activations=["tanh", "linear"], seed=3)
    assert plot.fit_1d(net, math.sin, (-3, 2), ax=axes) is axes
    function, network, *units = axes.lines
    x = function.get_xdata()
    assert (x[0], x[-1]) == (-3, 2)
    np.testing.assert_allclose(function.get_ydata(), np.sin(x))
    np.testing.assert_allclose(network.get_ydata(), net.predict(x[:, None])[:, 0])
    assert len(units) == 5
    total = sum(line.get_ydata() for line in units) + net.biases[1][0]
    np.testing.assert_allclose(total, network.get_ydata(), atol=1e-5)
    assert [t.get_text() for t in axes.get_legend().get_texts()] == [
        "function",
        "network",
        "contributions of the 5 units",
    ]
    check_texts(axes)
    assert len(plot.fit_1d(net, math.sin, (-3, 2), False).lines) == 2
    deep = Network([1, 5, 5, 2], seed=0)
    ax = plot.fit_1d(deep, math.sin, (-3, 3), output=1)
    assert len(ax.lines) == 2
    x = ax.lines[1].get_xdata()
    np.testing.assert_allclose(ax.lines[1].get_ydata(), deep.predict(x[:, None])[:, 1])


def test_fit_of_points():
    x, y = [[0], [1], [3], [4]], [1, 5, 2, 2]
    net = memorize(x, y, hidden=(4,))
    ax = plot.fit_1d(net, (x, y))
    assert ax.get_xlim() == (0, 4)
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), [(0, 1), (1, 5), (3, 2), (4, 2)])
    network, *units = ax.lines
    assert len(units) == net.layer_sizes[1]
    assert np.interp(3, network.get_xdata(), network.get_ydata()) == pytest.approx(2, abs=0.05)
    low, high = ax.get_ylim()  # the points are seen, though contributions are larger
    assert low < 1
    assert 5 < high < 10
    assert plot.fit_1d(net, (x, y), (-1, 9)).get_xlim() == (-1, 9)
    assert plot.fit_1d(net, (np.array([7.0, 8.0]), [1, 2]), (0, 1)).get_xlim() == (0, 1)


def test_fit_of_an_exact_network_beyond_floats():
    big = 2**3000
    net = ExactNetwork.from_arrays([[[big], [1]], [[1, 1]]], [[0, 1], [0]])
    net.weights[1][0, 0] /= big
    ax = plot.fit_1d(net, abs, (-1, 1))
    np.testing.assert_allclose(ax.lines[2].get_ydata(), np.maximum(ax.lines[2].get_xdata(), 0))
    net.weights[1][0, 0] = big
    ax = plot.fit_1d(net, abs, (0.5, 1))
    assert not np.isfinite(ax.lines[1].get_ydata()).any()
    check_texts(ax)
    net = ExactNetwork.from_arrays([[[0]]], [[0]], ["linear"])
    check_texts(plot.fit_1d(net, lambda x: 0, (-1, 1)))  # all on one line


def test_activation_functions(axes):
    names = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "step", Sigmoid(4.0, 1.0)]
    assert plot.activation_functions(names, axes) is axes
    z = axes.lines[0].get_xdata()
    expected = [
        z,
        1 / (1 + np.exp(-z)),
        np.tanh(z),
        np.maximum(z, 0),
        np.where(z > 0, z, 0.01 * z),
        z > 0,
        1 / (1 + np.exp(-4 * (z - 1))),
    ]
    for line, values in zip(axes.lines, expected, strict=True):
        np.testing.assert_allclose(line.get_ydata(), values, atol=1e-6)
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
    assert len(looks) == len(names)
    assert axes.get_ylim() == (-1.2, 2)
    check_texts(axes)
    ax = plot.activation_functions("relu", interval=(-10, 10))
    assert len(ax.lines) == 1
    assert ax.get_ylim()[1] > 10
    ax = plot.activation_functions((LeakyReLU(0.2), Step(0.4)))
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "leaky_relu, slope 0.2",
        "step, threshold 0.4",
    ]
    assert len(plot.activation_functions(Step(0.4)).lines) == 1


def test_gradient_norms(axes, np_rng):
    norms = np.exp(np_rng.normal(size=(50, 10)) + np.arange(10))
    assert plot.gradient_norms(norms.tolist(), axes) is axes
    assert len(axes.lines) == 10
    assert axes.get_yscale() == "log"
    for k, line in enumerate(axes.lines):
        np.testing.assert_array_equal(line.get_ydata(), norms[:, k])
    brightness = [sum(to_rgb(line.get_color())) for line in axes.lines]
    assert brightness == sorted(brightness)
    check_texts(axes)
    first_and_last = [t.get_text() for t in axes.get_legend().get_texts()][:: len(norms[0]) - 1]
    assert first_and_last == ["layer 10", "layer 1"]  # as the lines lie, from above
    ax = plot.gradient_norms(History(loss=[1.0] * 50, gradient_norms=norms.tolist()))
    assert len(ax.lines) == 10
    ax = plot.gradient_norms(norms[:1])
    assert ax.get_xlabel() == "layer"
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), norms[0])
    ax = plot.gradient_norms(np.ones((5, 100)))
    assert len(ax.lines) == 100
    assert len(ax.get_legend().get_texts()) <= 13
    check_texts(ax)
    ax = plot.gradient_norms([[0.0, 0.0], [0.0, 1e-9]])
    assert np.isnan(ax.lines[0].get_ydata()).all()
    assert plot.gradient_norms(np.zeros((3, 2))).get_yscale() == "linear"


def test_confusion_matrix(axes):
    labels, predicted = [0, 0, 0, 2, 2, 1], [0, 0, 2, 2, 2, 0]
    assert plot.confusion_matrix(labels, predicted, axes) is axes
    counts = [[2, 0, 1], [1, 0, 0], [0, 0, 2]]
    words = [t.get_text() for t in axes.texts]
    assert words == [str(n) for row in counts for n in row]
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(shares, [[2 / 3, 0, 1 / 3], [1, 0, 0], [0, 0, 1]])
    for text, share in zip(axes.texts, shares.ravel(), strict=True):
        assert text.get_color() == ("black" if share > 0.5 else "white")
    assert axes.get_ylabel() == "true"
    check_texts(axes)
    ax = plot.confusion_matrix(["cat", "dog"], ["dog", "dog"], classes=["dog", "cat", "cow"])
    assert [t.get_text() for t in ax.texts] == ["1", "0", "0", "1", "0", "0", "0", "0", "0"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["dog", "cat", "cow"]


@pytest.mark.parametrize("n", [1, 2, 10, 30, 150])
def test_confusion_matrices_of_all_sizes(n):
    labels = np.arange(n).repeat(20)
    ax = plot.confusion_matrix(labels, labels)
    assert len(ax.texts) == (n * n if n < 100 else 0)  # no room for so many numbers
    assert min(t.get_fontsize() for t in [*ax.texts, *ax.get_xticklabels()]) >= 4
    check_texts(ax)
    names = np.array([f"a class named {k}" for k in range(n)])
    check_texts(plot.confusion_matrix(names[labels], names[labels]))


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
        "must both be integers or both be strings",
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


def test_weights_that_are_not_finite():
    net = Network([2, 3, 1], seed=0)
    net.weights[1][0, 1] = np.nan
    for draw in (plot.network, lambda n: plot.first_layer(n, (1, 2))):
        with pytest.raises(ValueError, match=r"weights\[1\] holds numbers that are not finite"):
            draw(net)


def test_save_network(tmp_path):
    net = Network([64, 30, 10], seed=0)
    for name in ("net.png", "net.svg", "NET.PNG"):
        plot.save_network(net, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 10_000
    first = (tmp_path / "net.svg").read_bytes()
    assert first.lstrip().startswith(b"<?xml")
    plot.save_network(net, tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_bytes() == first
    plot.save_network(net, tmp_path / "small.png", dpi=50, image_shape=None, max_units=4)
    assert pyplot.imread(tmp_path / "small.png").shape == (250, 400, 4)
    assert not pyplot.get_fignums()
    for arguments, text in [
        ((net, tmp_path / "net.bmp"), r"net.bmp: its name must end in .png or .svg"),
        ((net, tmp_path / "net"), r"net: its name must end in"),
        ((net, tmp_path / "new.png", 0), "dpi must be a positive integer, not 0"),
        ((net, tmp_path / "new.png", 10_000), "dpi must be at most 1200, not 10000"),
    ]:
        with pytest.raises(ValueError, match=text):
            plot.save_network(*arguments[:2], **({"dpi": arguments[2]} if arguments[2:] else {}))
    with pytest.raises(TypeError, match="not str"):
        plot.save_network("net.json", tmp_path / "new.png")
    assert not (tmp_path / "new.png").exists()


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
    script = "import exactnet.plot, exactnet.cli, sys; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
