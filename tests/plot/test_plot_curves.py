"""What is drawn, judged by the artists in the Axes; how it looks was judged by eye."""

import math

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from exactnet import ExactNetwork, History, Network, memorize, plot
from exactnet.activations import LeakyReLU, Sigmoid, Step
from plot.artists import check_texts


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


def test_codes_are_those_of_the_classes():
    """Of a network: names and what `classify` returns, on either side or on both."""
    net = memorize([[1], [2], [4]], ["red", "blue", "red"])
    names, codes = ["red", "red", "blue"], net.classify([[1], [2], [2]])
    for labels, predicted in ((names, codes), ([1, 1, 0], codes), ([1, 1, 0], ["red", "blue"] * 2)):
        ax = plot.confusion_matrix(labels, predicted[:3], classes=net.classes)
        counts = [int(t.get_text()) for t in ax.texts]
        assert counts == ([1, 0, 1, 1] if predicted is codes else [0, 1, 1, 1])
        assert [t.get_text() for t in ax.get_yticklabels()] == ["blue", "red"]


@pytest.mark.parametrize("n", [1, 2, 10, 30, 150])
def test_confusion_matrices_of_all_sizes(n):
    labels = np.arange(n).repeat(20)
    ax = plot.confusion_matrix(labels, labels)
    assert len(ax.texts) == (n * n if n < 100 else 0)  # no room for so many numbers
    assert min(t.get_fontsize() for t in [*ax.texts, *ax.get_xticklabels()]) >= 4
    check_texts(ax)
    names = np.array([f"a class named {k}" for k in range(n)])
    check_texts(plot.confusion_matrix(names[labels], names[labels]))
