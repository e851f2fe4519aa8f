"""What `Network` and `fit` choose by default, and what they say of what will not work."""

import os
import re
import warnings

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import load_diabetes, load_iris, load_wine

from exactnet import Dataset, DivergenceError, Network, datasets, diagnostics, sweep
from exactnet.activations import LeakyReLU, Sigmoid

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
        (LeakyReLU(0.0), [4, -2], "y reaches -2 but leaky_relu outputs are at least 0"),
        ("sigmoid", [0.5, 1 + 2e-6], "y reaches 1.000002 but sigmoid outputs lie from 0 to 1"),
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


@pytest.mark.parametrize(
    ("activation", "y"),
    [
        ("sigmoid", [0.5, 1 + 1e-7]),
        ("sigmoid", [-1e-7, 0.5]),
        ("tanh", [-1 - 1e-7, 0]),
        ("relu", [-1e-5, 100]),
        (LeakyReLU(0.01), [4, -2]),
    ],
)
def test_rounded_targets_are_not_out_of_range(activation, y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for dtype in ("float32", "float64"):
            net = Network([1, 1], activations=activation, dtype=dtype, seed=0)
            net.fit([[0.0], [1.0]], y, learning_rate=1e-6)


def test_sweeps_warn_once_where_they_are_called():
    configs = [dict(activations=name) for name in ("sigmoid", "tanh", "linear") * 3]
    with pytest.warns(UserWarning, match="y reaches 340 but") as caught:
        results = sweep(configs, [[0.0], [1.0]], [0.5, 340], layer_sizes=[1, 1], n_jobs=2)
    assert sorted(str(warning.message).split()[4] for warning in caught) == ["sigmoid", "tanh"]
    assert {warning.filename for warning in caught} == {__file__}
    assert all(result.error is None for result in results)


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
             "such as 0.1; clip_norm=1 helps too)"),
    "rate of clipped steps": (
        dict(), lambda X: X, 1, dict(learning_rate=1e38, clip_norm=1e30),
        "(take a smaller learning_rate, such as 0.1; clip_norm=1 helps too)",
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


CASES = {
    # activations, scale of X, of y, options of `Network` and of `fit`
    "rate": ("relu", "linear", 1, 1, {}, dict(learning_rate=5.0)),
    "absurd rate": ("relu", "linear", 1, 1, {}, dict(learning_rate=1e30)),
    "rate of tanh": ("tanh", "linear", 1, 1, {}, dict(learning_rate=10.0)),
    "rate of leaky": ("leaky_relu", "linear", 1, 1, {}, dict(learning_rate=10.0)),
    "rate of no hidden layer": (None, "linear", 1, 1, {}, dict(learning_rate=1.0)),
    "rate of adam": (None, "exp", 1, 1, {}, dict(optimizer="adam", learning_rate=50.0)),
    "momentum": ("leaky_relu", "linear", 1, 10, {}, dict(momentum=0.99)),
    "clip": ("relu", "linear", 1, 1, {}, dict(learning_rate=1e38, clip_norm=1e30)),
    "X": ("leaky_relu", "linear", 1000, 1, {}, {}),
    "y": ("relu", "linear", 1, 1000, {}, {}),
    "both": ("relu", "linear", 1000, 1000, {}, {}),
    "all": ("relu", "linear", 1000, 1000, {}, dict(learning_rate=1e30)),
    "init": ("relu", "linear", 1, 1, dict(init="normal"), {}),
    "counts": ("relu", "exp", 1, 1, {}, {}),
    "large counts": ("relu", "exp", 1, 50, {}, {}),
    "counts of large X": ("relu", "exp", 100, 1, {}, {}),
    "counts at a rate": ("relu", "exp", 1, 50, {}, dict(learning_rate=1e6)),
    "squares of exp": ("relu", "exp", 1, 50, {}, dict(loss="mse")),
    "constant feature": ("leaky_relu", "linear", -1000, 1, {}, {}),
}


def follow(advice, X, y, net_options, options):
    """Do what an advice says first, to the letter."""
    for step in advice.split(", or ")[0].split("; ")[0].split(", and "):
        if found := re.fullmatch(r"scale ([Xy]), which reaches \S+: (.*)", step):
            scaled = eval(found[2], {"X": X, "y": y})
            X, y = (scaled, y) if found[1] == "X" else (X, scaled)
        elif step == "start from smaller weights of relu layers: init=None":
            net_options = net_options | dict(init=None)
        elif step.startswith("take clip_norm=1"):
            options = options | dict(clip_norm=1)
        else:
            rate = re.fullmatch(r"take a smaller learning_rate, such as (\S+)", step)[1]
            options = options | dict(learning_rate=float(rate))
    return X, y, net_options, options


@pytest.mark.parametrize("name", CASES)
def test_advice_is_followed_to_the_letter(name):
    hidden, last, x_scale, y_scale, net_options, options = CASES[name]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 8))
    y = y_scale * (rng.poisson(np.exp(X[:, 0] + 1)) if last == "exp" else X.sum(1))
    X = X * x_scale
    if x_scale < 0:
        X[:, 3] = 0

    def train(X, y, net_options, options):
        sizes = [8, 1] if hidden is None else [8, 32, 32, 1]
        activations = [*[hidden] * (len(sizes) - 2), last]
        net = Network(sizes, activations=activations, seed=0, **net_options)
        net.fit(X, y, epochs=50, **options)
        return net.loss(X, y, options.get("loss"))

    with pytest.raises(DivergenceError) as caught:
        train(X, y, net_options, options)
    advice = re.search(r"those before it \((.*)\)$", str(caught.value))[1]
    given = follow(advice, X, y, net_options, options)
    loss = train(*given)
    # better than the best of constant outputs
    constant = Network([8, 1], activations=last, init="zeros", dtype="float64")
    mean = given[1].mean()
    constant.biases[0][:] = np.log(mean) if last == "exp" else mean
    assert loss < 0.7 * constant.loss(given[0], given[1], options.get("loss"))


DEAD = {
    "X": (load_wine, "softmax", {}, "scale X, which reaches 1680: (X - X.mean(0)) / X.std(0), or"),
    "y": (load_diabetes, "linear", {}, "scale y, which reaches 346: (y - y.mean()) / y.std(), or"),
    "counts": (load_diabetes, "exp", {}, "take clip_norm=1 or optimizer='adam', or take a smaller"),
    "rate": (load_iris, "softmax", dict(learning_rate=20), "take a smaller learning_rate, such as"),
}


@pytest.mark.parametrize("name", DEAD)
@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix, Dataset])
def test_layers_that_are_0_for_every_sample(name, kind):
    load, last, options, text = DEAD[name]
    X, y = load(return_X_y=True)
    if kind is scipy.sparse.csr_matrix and name == "X":
        text = "scale X, which reaches 1680: X / 1680, or"
    data = (Dataset(X, y),) if kind is Dataset else (kind(X), y)
    sizes = [X.shape[1], 16, 3 if last == "softmax" else 1]
    net = Network(sizes, activations=["relu", last], seed=0)
    options = dict(epochs=50, **options)
    with pytest.warns(UserWarning, match="all units") as caught:
        net.fit(*data, **options)
    assert len(caught) == 1
    message = str(caught[0].message)
    text = f"0 are 0 for every sample, so that the network gives one output: {text}"
    assert message.startswith(f"all units of hidden layer {text}")
    assert "\n" not in message
    assert caught[0].filename == __file__
    assert diagnostics.dead_units(net, X)[0].count == 16
    assert np.ptp(net.predict(X), axis=0).max() == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for X_scaled, scale in ((X, 0), (X / abs(X).max(0), 1)):  # no targets that differ; living
            living = Network(sizes, activations=["relu", last], seed=0)
            living.fit(X_scaled, scale * y, learning_rate=0.001)


def test_dead_layers_that_are_not_the_first():
    X, y = np.linspace(-1, 1, 200)[:, None], np.linspace(0, 5, 200)
    net = Network([1, 4, 3, 1], activations=["tanh", "relu", "linear"], seed=0)
    net.biases[1][:] = -100
    with pytest.warns(UserWarning, match="all units of hidden layer 1 are 0"):
        net.fit(X, y, learning_rate=0.01)
    net.biases[1][0] = 100  # one unit is enough
    net.fit(X, y, learning_rate=1e-6)
    leaky = Network([1, 3, 1], activations=["leaky_relu", "linear"], init="zeros")
    leaky.fit(X, y, learning_rate=1e-6)  # as any but relu, not looked at
    zeros = Network([1, 3, 1], activations=["relu", "linear"], init="zeros")
    with pytest.warns(UserWarning, match="gives one output: start from weights .*: init=None$"):
        zeros.fit(X, y, learning_rate=1e-6)


@pytest.mark.skipif("EXACTNET_DATA" not in os.environ, reason="needs MNIST")
def test_defaults_learn_mnist():
    X, y, X_test, y_test = datasets.load_mnist()
    net = Network([784, 128, 64, 10], activations=["relu", "relu", "softmax"], seed=0)
    net.fit(X, y, epochs=3, batch_size=64, learning_rate=0.1)
    assert net.accuracy(X_test, y_test) > 0.95
