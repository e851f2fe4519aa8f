"""What `Network` and `fit` choose by default, and what they say of what will not work."""

import os
import warnings

import numpy as np
import pytest

from exactnet import Dataset, DivergenceError, Network, datasets
from exactnet.activations import Sigmoid

X, Y, _, _ = datasets.load_digits()


def bits(net):
    return [array.tobytes() for array in (*net.weights, *net.biases)]


def test_usual_inits():
    net = Network([300, 200, 200, 200], activations=["relu", "tanh", "softmax"], seed=0)
    for w, deviation in zip(net.weights, [(2 / 300) ** 0.5, 0.005**0.5, 0.005**0.5], strict=True):
        assert w.std() == pytest.approx(deviation, rel=0.02)
    assert not any(b.any() for b in net.biases)
    for name, init in (("leaky_relu", "he_normal"), ("linear", "glorot_normal")):
        one, other = (Network([9, 5], activations=name, init=i, seed=3) for i in (None, init))
        assert bits(one) == bits(other)


def test_usual_activations_of_arrays():
    net = Network.from_arrays([[[1.0]], [[-2.0]], [[3.0]]], [[0], [0], [1]])
    assert net.activations == ("relu", "relu", "linear")
    assert net.predict([[2.0], [-2.0]]).tolist() == [[1.0], [1.0]]
    assert Network.from_arrays([[[2.0]]], [[0]]).predict([[-1.0]]).tolist() == [[-2.0]]


@pytest.mark.parametrize(
    ("activation", "loss"),
    [
        ("softmax", "cross_entropy"),
        ("linear", "mse"),
        ("exp", "poisson"),
        ("sigmoid", "quadratic"),
        (Sigmoid(2.0), "quadratic"),
        ("tanh", "quadratic"),
        ("relu", "quadratic"),
    ],
)
def test_usual_losses(activation, loss):
    nets = [Network([64, 10], activations=activation, seed=0) for _ in range(2)]
    assert nets[0].loss(X, Y) == nets[1].loss(X, Y, loss)
    histories = [
        net.fit(X, Y, learning_rate=0.01, loss=given)
        for net, given in zip(nets, (None, loss), strict=True)
    ]
    assert histories[0].loss == histories[1].loss
    assert bits(nets[0]) == bits(nets[1])


@pytest.mark.parametrize(
    ("activation", "y", "text"),
    [
        ("sigmoid", [0.5, 340], "y reaches 340 but sigmoid outputs lie from 0 to 1: use "),
        (Sigmoid(0.5), [0.5, -3], "y reaches -3 but sigmoid outputs lie from 0 to 1"),
        ("tanh", [0, -1.5], "y reaches -1.5 but tanh outputs lie from -1 to 1"),
        ("relu", [4, -2], "y reaches -2 but relu outputs are at least 0: use activations="),
        ("exp", [4, -2], "y reaches -2 but exp outputs are at least 0"),
    ],
)
def test_targets_out_of_range(activation, y, text):
    net = Network([1, 3, 1], activations=["tanh", activation], seed=0)
    data = Dataset([[0.0], [1.0]], y)
    with pytest.warns(UserWarning, match="outputs") as caught:
        net.fit(data, epochs=3, loss="quadratic", learning_rate=1e-3)
    assert len(caught) == 1
    assert str(caught[0].message).startswith(text)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Network([1, 1], activations="linear", seed=0).fit(data, learning_rate=1e-6)
        inside = [[1.0], [0.0]]
        net.fit([[0.0], [1.0]], inside, loss="quadratic")


ADVICE = {
    "inputs": (
        dict(),
        lambda X: 5000 * X,
        1,
        {},
        "scale X, which reaches 5000: (X - X.mean(0)) / X.std(0), or take a smaller learning_rate",
    ),
    "targets": (
        dict(),
        lambda X: X,
        700,
        {},
        "scale y, which reaches 700: (y - y.mean()) / y.std(), or take a smaller",
    ),
    "weights": (
        dict(init="normal"),
        lambda X: X,
        1,
        {},
        "start from smaller weights of relu layers: init=None, or take a smaller",
    ),
    "rate": (dict(), lambda X: X, 1, dict(learning_rate=50.0), "(take a smaller learning_rate, "
             "such as 5; clip_norm=1 helps too)"),
    "rate of clipped steps": (
        dict(), lambda X: X, 1, dict(learning_rate=1e38, clip_norm=1e30),
        "(take a smaller learning_rate, such as 1e+37)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ADVICE)
def test_advice_on_divergence(name):
    options, inputs, scale, given, text = ADVICE[name]
    rng = np.random.default_rng(0)
    X = inputs(np.linspace(-1, 1, 6400).reshape(100, 64))
    net = Network([64, 100, 100, 1], activations=["relu", "relu", "linear"], seed=0, **options)
    y = scale * rng.choice([-1.0, 1.0], 100)
    with pytest.raises(DivergenceError) as caught:
        net.fit(X, y, epochs=200, **given)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    for other in ("scale X", "scale y", "init=None", "smaller learning_rate"):
        assert (other in str(caught.value)) == (other in text or other == "smaller learning_rate")


@pytest.mark.skipif("EXACTNET_DATA" not in os.environ, reason="needs MNIST")
def test_defaults_learn_mnist():
    X, y, X_test, y_test = datasets.load_mnist()
    net = Network([784, 128, 64, 10], activations=["relu", "relu", "softmax"], seed=0)
    net.fit(X, y, epochs=3, batch_size=64, learning_rate=0.1)
    assert net.accuracy(X_test, y_test) > 0.95
