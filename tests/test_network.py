import numpy as np
import pytest

from conftest import ISAS, random_network, targets_for
from exactnet import Network
from exactnet.activations import LeakyReLU, Sigmoid, Step
from reference import (
    forward,
    fractions,
    numpy_forward,
    numpy_loss,
    numpy_pre_activations,
)

HIDDEN = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", Sigmoid(0.7, 0.3), LeakyReLU(0.3)]
OUTPUTS = {
    "quadratic": ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "softmax", Sigmoid(2, -0.5)],
    "mse": ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "softmax"],
    "cross_entropy": ["softmax", "sigmoid", Sigmoid(0.5, 1)],
}


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("loss", OUTPUTS)
def test_gradients_against_central_differences(np_rng, isa, loss, depth):
    for output in OUTPUTS[loss]:
        for hidden in HIDDEN if depth > 1 else HIDDEN[:1]:
            sizes = [int(n) for n in np_rng.integers(1, 7, depth)] + [3]
            margin = 0.0
            while margin < 1e-3:  # no kink within reach of the differences
                net = random_network(np_rng, sizes, [hidden] * (depth - 1) + [output])
                X = np_rng.normal(size=(5, sizes[0]))
                margin = min(np.abs(z).min() for z in numpy_pre_activations(net, X))
            y = targets_for(np_rng, 5, 3, loss, output)
            gradients = net.gradients(X, y, loss)
            for (dW, db), w, b in zip(gradients, net.weights, net.biases, strict=True):
                for gradient, values in ((dW, w), (db, b)):
                    index = tuple(int(np_rng.integers(k)) for k in values.shape)
                    original, h = values[index], 1e-5
                    difference = 0.0
                    # fourth order, so that the error is far below the tolerance
                    for factor, step in ((8, h), (-8, -h), (-1, 2 * h), (1, -2 * h)):
                        values[index] = original + step
                        difference += factor * numpy_loss(net, X, y, loss)
                    values[index] = original
                    difference /= 12 * h
                    scale = max(abs(difference), np.abs(gradient).max(), 1e-3)
                    assert abs(gradient[index] - difference) < 1e-6 * scale


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 96, 97, 200])
def test_predict_against_numpy(np_rng, isa, dtype, n):
    tolerance = {"float32": 3e-5, "float64": 1e-13}[dtype]
    for activation in [*HIDDEN, "softmax", "step", Step(0.5)]:
        sizes = [int(k) for k in np_rng.integers(1, 40, 3)] + [int(np_rng.integers(1, 40))]
        last = "softmax" if activation == "softmax" else activation
        middle = "relu" if activation in ("softmax", "step") else activation
        net = random_network(np_rng, sizes, [middle, "tanh", last], dtype)
        X = np_rng.normal(size=(n, sizes[0])).astype(dtype)
        outputs = net.predict(X)
        assert outputs.dtype == dtype
        assert outputs.shape == (n, sizes[-1])
        expected = numpy_forward(net, X.astype(np.float64))
        if last == "step" or isinstance(last, Step):
            assert (outputs == expected).mean() > 0.99
        else:
            np.testing.assert_allclose(
                outputs, expected, rtol=tolerance, atol=tolerance * max(1, np.abs(expected).max())
            )


def test_elementary_functions_are_accurate(isa):
    x = np.concatenate([np.linspace(-60, 60, 20_000), np.geomspace(1e-30, 1, 500)])
    for dtype, bound in (("float32", 2.5e-7), ("float64", 5e-16)):
        one = np.ones((1, 1), dtype=dtype)
        values = x.astype(dtype)[:, None]
        exact = values.astype(np.longdouble)
        for name, expected in (("tanh", np.tanh(exact)), ("sigmoid", 1 / (1 + np.exp(-exact)))):
            outputs = Network.from_arrays([one], [np.zeros(1, dtype)], name).predict(values)
            error = np.abs(outputs - expected) / np.abs(expected)
            assert error.max() < 2 * bound, (name, dtype, error.max())


def test_extreme_values_do_not_overflow(isa):
    for dtype in ("float32", "float64"):
        big = np.finfo(dtype).max / 4
        X = np.array([[-big], [-1000], [1000], [big]], dtype=dtype)
        for name, expected in (("sigmoid", [0, 0, 1, 1]), ("tanh", [-1, -1, 1, 1])):
            net = Network.from_arrays([np.ones((1, 1), dtype)], [np.zeros(1, dtype)], name)
            np.testing.assert_allclose(net.predict(X).ravel(), expected, atol=1e-30)
        net = Network.from_arrays([np.eye(2, dtype=dtype)], [np.zeros(2, dtype)], "softmax")
        Z = np.array([[1000, 0], [-1000, 1000], [0, 0]], dtype=dtype)
        np.testing.assert_allclose(net.predict(Z), [[1, 0], [0, 1], [0.5, 0.5]], atol=1e-30)
        assert net.loss(Z, [1, 0, 0], "cross_entropy") == pytest.approx(
            (1000 + 2000 + np.log(2)) / 3
        )


@pytest.mark.parametrize("loss", OUTPUTS)
def test_loss_against_numpy(np_rng, isa, loss):
    for output in OUTPUTS[loss]:
        net = random_network(np_rng, [4, 6, 3], ["tanh", output])
        X = np_rng.normal(size=(50, 4))
        y = targets_for(np_rng, 50, 3, loss, output)
        assert net.loss(X, y, loss) == pytest.approx(numpy_loss(net, X, y, loss), rel=1e-12)


def test_initial_weights_are_the_same_on_every_machine():
    many = Network([300, 300], seed=0, dtype="float64")
    assert abs(many.weights[0].mean()) < 0.01
    assert abs(many.weights[0].std() - 1) < 0.01
    assert abs((many.weights[0] ** 4).mean() - 3) < 0.1


@pytest.mark.parametrize(
    ("init", "deviation"),
    [
        ("glorot_normal", (2 / 500) ** 0.5),
        ("glorot_uniform", (2 / 500) ** 0.5),
        ("he_normal", (2 / 300) ** 0.5),
        ("he_uniform", (2 / 300) ** 0.5),
        ("zeros", 0),
    ],
)
def test_inits(init, deviation):
    w = Network([300, 200], init=init, seed=0).weights[0]
    assert w.std() == pytest.approx(deviation, rel=0.02)
    if "uniform" in init:
        assert np.abs(w).max() == pytest.approx(3**0.5 * deviation, rel=0.01)
    assert (Network([300, 200], init=init, seed=0).biases[0] == 0).all()


def test_writing_into_weights_takes_effect():
    net = Network.from_arrays([[[1.0, 2.0]]], [[0.5]], "linear")
    assert net.predict([[1, 1]])[0, 0] == 3.5
    net.weights[0][0, 0] = 10
    net.biases[0][:] = 0
    assert net.predict([[1, 1]])[0, 0] == 12
    net.fit([[1.0, 0.0]], [[10.0]], epochs=1)
    assert net.predict([[1, 0]])[0, 0] == 10


def test_exact_counterpart(np_rng):
    net = random_network(np_rng, [3, 5, 4, 2], ["relu", "relu", "linear"])
    X = np_rng.normal(size=(10, 3))
    exact = net.to_exact()
    assert fractions(exact.predict(X)) == forward(exact, X)
    outputs = exact.predict(X).astype(float)
    np.testing.assert_allclose(net.predict(X), outputs, rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match="'sigmoid' has no exact counterpart"):
        Network([2, 1]).to_exact()


def test_unknown_instruction_set(monkeypatch):
    monkeypatch.setenv("EXACTNET_ISA", "sse9")
    with pytest.raises(ValueError, match=f"'sse9'; this processor supports {', '.join(ISAS)}"):
        Network([2, 1])


nan = float("nan")
NET = dict(layer_sizes=[2, 3, 2])
BAD_NETWORKS = {
    "one size": (dict(layer_sizes=[2]), "layer_sizes must name at least inputs and outputs"),
    "zero size": (dict(layer_sizes=[2, 0]), "layer_sizes[1] must be a positive integer, not 0"),
    "activation": (
        dict(activations="swish"),
        "unknown activation 'swish'; known are linear, sigmoid, tanh, relu, leaky_relu",
    ),
    "activation type": (dict(activations=[3, "relu"]), "an activation must be a name or an object"),
    "too few activations": (dict(activations=["relu"]), "1 activations for 2 layers"),
    "hidden softmax": (dict(activations="softmax"), "softmax is for the last layer only"),
    "init": (dict(init="lecun"), "init must be one of 'normal', 'glorot_normal'"),
    "dtype": (dict(dtype="float16"), "dtype must be one of 'float32', 'float64', not 'float16'"),
    "seed": (dict(seed=-1), "seed must be an integer from 0 to 2**64 - 1, not -1"),
    "slope": (dict(activations=Sigmoid(slope=nan)), "must be finite"),
}


@pytest.mark.parametrize("name", BAD_NETWORKS)
def test_bad_networks(name):
    arguments, text = BAD_NETWORKS[name]
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is checked below
        Network(**{**NET, **arguments})
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_step_and_cross_entropy_refusals():
    with pytest.raises(ValueError, match="step activation cannot be trained"):
        Network([2, 2], activations="step").fit([[0.0, 1.0]], [0])
    with pytest.raises(ValueError, match="cross_entropy needs softmax or sigmoid outputs"):
        Network([2, 2], activations="relu").fit([[0.0, 1.0]], [0], loss="cross_entropy")


@pytest.mark.parametrize("kind", ["strided", "fortran", "float64", "int", "bool", "list"])
def test_other_arrays_are_converted(kind):
    base = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], dtype=np.float32)
    X = {
        "strided": np.repeat(base, 2, axis=0)[::2],
        "fortran": np.asfortranarray(base),
        "float64": base.astype(np.float64),
        "int": base.astype(np.int32),
        "bool": base.astype(bool),
        "list": base.tolist(),
    }[kind]
    net = Network([2, 2], seed=0)
    np.testing.assert_array_equal(net.predict(X), net.predict(base))


def test_no_copy_of_a_fitting_array():
    net = Network([2, 2], seed=0)
    X = np.ones((5, 2), dtype=np.float32)
    assert net._samples(X) is X
