import copy
import pickle
import xml.etree.ElementTree

import numpy as np
import pytest

from conftest import ISAS, random_network, slow, targets_for
from exactnet import Network, _core, diagnostics
from exactnet.activations import LeakyReLU, Sigmoid, Step
from exactnet.base.tables import TextTable
from exactnet.dense.options import Options
from reference import (
    forward,
    fractions,
    numpy_forward,
    numpy_loss,
    numpy_pre_activations,
)

HIDDEN = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", Sigmoid(0.7, 0.3), LeakyReLU(0.3)]
OUTPUTS = {
    "quadratic": [*HIDDEN[:5], "softmax", "exp", Sigmoid(2, -0.5)],
    "mse": [*HIDDEN[:5], "softmax", "exp"],
    "pinball": [*HIDDEN[:5], "softmax", "exp"],
    "poisson": ["exp"],
    "cross_entropy": ["softmax", "sigmoid", Sigmoid(0.5, 1)],
}
QUANTILES = {"pinball": [0.1, 0.5, 0.75]}


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
                y = targets_for(np_rng, 5, 3, loss, output)
                margin = min(np.abs(z).min() for z in numpy_pre_activations(net, X))
                if loss == "pinball":
                    margin = min(margin, np.abs(net.predict(X) - y).min())
            quantiles = QUANTILES.get(loss)
            gradients = net.gradients(X, y, loss, quantiles)
            for (dW, db), w, b in zip(gradients, net.weights, net.biases, strict=True):
                for gradient, values in ((dW, w), (db, b)):
                    index = tuple(int(np_rng.integers(k)) for k in values.shape)
                    original, h = values[index], 1e-5
                    difference = 0.0
                    # fourth order, so that the error is far below the tolerance
                    for factor, step in ((8, h), (-8, -h), (-1, 2 * h), (1, -2 * h)):
                        values[index] = original + step
                        difference += factor * numpy_loss(net, X, y, loss, quantiles)
                    values[index] = original
                    difference /= 12 * h
                    scale = max(abs(difference), np.abs(gradient).max(), 1e-3)
                    assert abs(gradient[index] - difference) < 1e-6 * scale


def test_gradients_of_activations_with_any_parameters(np_rng, isa):
    """One unit of each kind between two weights, at points where it is neither flat nor at a kink.

    The points lie where the parameters put the unit: differences there are as accurate as anywhere.
    """
    extremes = [0.0, 1e-18, 1e18, 1.0]
    for case in range(slow(10_000, 500)):
        magnitude = extremes[case % 4] if case < 8 else 10.0 ** np_rng.uniform(-18, 18)
        sign = 1 if case % 2 else -1
        u = np_rng.uniform(0.1, 3) * np_rng.choice([-1, 1])  # what the function gets
        if case % 3:
            kind, slope = LeakyReLU(magnitude), magnitude
            z = u * 10.0 ** np_rng.uniform(-9, 9)
            h = abs(z) * 1e-3
        else:
            slope = sign * magnitude
            threshold = 10.0 ** np_rng.uniform(-18, 18) * np_rng.choice([0, 1, -1])
            kind = Sigmoid(slope, threshold)
            # z near the threshold, as far as floats tell them apart; else anywhere
            scale = 1 / abs(slope) if slope else 1.0
            z, h = threshold + u * scale, 1e-3 * scale
            if abs(threshold) * 1e-6 > h:
                z = u * scale
        w1, w2 = np_rng.uniform(0.5, 2), np_rng.normal()
        net = Network.from_arrays([[[w1]], [[w2]]], [[0.0], [0.0]], [kind, "linear"])
        x = z / w1

        def loss(bias, net=net, x=x):  # a linear function of the activation
            net.biases[0][0] = bias
            return net.predict([[x]])[0, 0]

        difference = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
        net.biases[0][0] = 0
        output = net.predict([[x]])[0, 0]
        target = output - max(1.0, abs(output))
        error = output - target
        (_, db), _ = net.gradients([[x]], [[target]], "quadratic")
        expected = difference * error
        # what differences of rounded outputs can tell; and sigmoids end at 1e-305 or so, not at 0
        noise = 1e-13 * abs(output * error) / h + 1e-290 * abs(slope)
        assert abs(db[0] - expected) <= 1e-8 * abs(expected) + noise, (kind, x, db, expected)


BAD_PARAMETERS = {
    "negative": (LeakyReLU(-0.5), "slope of LeakyReLU must be at least 0, not -0.5"),
    "least negative": (LeakyReLU(-5e-324), "slope of LeakyReLU must be 0 or of a magnitude from"),
    "subnormal": (Sigmoid(1e-310), "must be 0 or of a magnitude from 1e-18 to 1e+18, not 1e-310"),
    "large": (Step(1e300), "threshold of Step must be 0 or of a magnitude from 1e-18 to 1e+18"),
    "beyond floats": (Sigmoid(0.5, 10**400), "threshold of Sigmoid must be finite, not 1000"),
    "nan": (LeakyReLU(float("nan")), "slope of LeakyReLU must be finite, not nan"),
    "text": (Sigmoid("a"), "slope of Sigmoid must be a number, not 'a'"),
    "bool": (Step(True), "threshold of Step must be a number, not True"),
}


@pytest.mark.parametrize("name", BAD_PARAMETERS)
def test_bad_parameters_of_activations(name):
    activation, text = BAD_PARAMETERS[name]
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is checked below
        Network([2, 1], activations=activation)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_pickles_with_a_negative_slope_are_refused():
    state = Network([2, 1], activations=LeakyReLU(0.5)).__getstate__()
    state["activations"] = (LeakyReLU(-0.5),)
    with pytest.raises(ValueError, match="slope of LeakyReLU must be at least 0"):
        Network.__new__(Network).__setstate__(state)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 96, 97, 200])
def test_predict_against_numpy(np_rng, isa, dtype, n):
    tolerance = {"float32": 3e-5, "float64": 1e-13}[dtype]
    for activation in [*HIDDEN, "softmax", "exp", "step", Step(0.5)]:
        sizes = [int(k) for k in np_rng.integers(1, 40, 3)] + [int(np_rng.integers(1, 40))]
        last = activation
        middle = "relu" if activation in ("softmax", "exp", "step") else activation
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
        quantiles = QUANTILES.get(loss)
        expected = numpy_loss(net, X, y, loss, quantiles)
        assert net.loss(X, y, loss, quantiles) == pytest.approx(expected, rel=1e-12)


def test_losses_of_scikit_learn(np_rng, isa):
    metrics = pytest.importorskip("sklearn.metrics")
    X, y = np_rng.normal(size=(50, 4)), np_rng.poisson(1.5, 50)
    net = random_network(np_rng, [4, 6, 3], ["relu", "exp"])
    outputs = net.predict(X)
    means = [
        metrics.mean_pinball_loss(y, outputs[:, k], alpha=q) for k, q in enumerate((0.1, 0.5, 0.75))
    ]
    for targets in (y, y[:, None], y.astype(float)):
        value = net.loss(X, targets, "pinball", quantiles=(0.1, 0.5, 0.75))
        assert value == pytest.approx(np.mean(means), rel=1e-12)
    Y = np_rng.poisson(1.5, (50, 3))
    assert (Y == 0).any()
    half_deviances = [metrics.mean_poisson_deviance(Y[:, k], outputs[:, k]) / 2 for k in range(3)]
    assert net.loss(X, Y, "poisson") == pytest.approx(sum(half_deviances), rel=1e-12)


@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_of_pinball_are_exact(np_rng, isa, sparse):
    """Of numbers that floats add without rounding; 0 where an output is its target."""
    X = np_rng.integers(-4, 5, (32, 6)).astype(float)
    if sparse:
        X[np_rng.random(X.shape) < 0.9] = 0
    W, b = np_rng.integers(-3, 4, (4, 6)).astype(float), np_rng.integers(-3, 4, 4).astype(float)
    net = Network.from_arrays([W], [b], "linear")
    y = net.predict(X) + np_rng.integers(-1, 2, (32, 4))
    quantiles = np.array([0.125, 0.25, 0.5, 0.875])
    error = net.predict(X) - y
    assert {-1, 0, 1} == set(error.ravel())
    delta = np.where(error < 0, -quantiles, np.where(error > 0, 1 - quantiles, 0)) / 4
    ((dW, db),) = net.gradients(X, y, "pinball", quantiles)
    assert (dW == delta.T @ X / 32).all()
    assert (db == delta.mean(axis=0)).all()


def test_exp_outputs(isa):
    """Their whole range, with what lies beyond it."""
    for dtype, low, high in (("float32", -87, 88.7), ("float64", -708, 709.7)):
        one, zero = np.ones((1, 1), dtype), np.zeros(1, dtype)
        net = Network.from_arrays([one], [zero], "exp")
        z = np.linspace(low, high, 1001).astype(dtype)[:, None]
        expected = np.exp(z.astype(np.longdouble))
        error = np.abs(net.predict(z) / expected - 1).max()
        assert error < 4 * np.finfo(dtype).eps
        assert net.predict(np.array([[high + 1], [-3e3], [3e4]], dtype)).tolist() == [
            [np.inf],
            [0],
            [np.inf],
        ]
        # the gradient of poisson is that of its exponent, without a quotient
        ((_, db),) = net.gradients(z[:1], [[3.0]], "poisson")
        assert db[0] == np.exp(z[0, 0]) - np.dtype(dtype).type(3)
        assert net.loss([[-1e4]], [[0.0]], "poisson") == 0


def test_initial_weights_are_the_same_on_every_machine():
    many = Network([300, 300], init="normal", seed=0, dtype="float64")
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


@pytest.mark.parametrize(
    "name", ["weights", "biases", "activations", "layer_sizes", "dtype", "epochs_trained"]
)
def test_attributes_cannot_be_set(name):
    net = Network([2, 3, 1], seed=0)
    with pytest.raises(AttributeError):
        setattr(net, name, getattr(Network([2, 3, 1], seed=1), name))
    for values in (net.weights, net.biases, net.activations):
        with pytest.raises(TypeError, match="does not support item assignment"):
            values[0] = values[-1]


def test_all_agree_on_what_a_network_is(tmp_path):
    """Whatever has been tried on its attributes, every part of the package sees the same one."""
    net = Network([2, 3, 1], activations=["relu", "linear"], dtype="float64", seed=0)
    before = repr(net), net.predict([[1, 2]]).tolist()
    matrix = net.weights[0]
    net.layer_sizes[0] = 7
    for view in (matrix, matrix.base):
        with pytest.raises(ValueError, match="cannot resize this array"):
            view.resize((1000, 2), refcheck=False)
    matrix.shape = (6,)
    assert net.weights[0].shape == (3, 2)
    net.weights[0].shape = (2, 3)
    assert (repr(net), net.predict([[1, 2]]).tolist()) == before
    matrix[:] = [1, 2, 3, 4, 5, 6]  # still the same memory
    net.save(tmp_path / "net")
    nets = [
        net,
        Network.load(tmp_path / "net"),
        pickle.loads(pickle.dumps(net)),
        copy.copy(net),
        copy.deepcopy(net),
        Network.from_arrays(net.weights, net.biases, net.activations),
    ]
    for other in nets:
        assert repr(other) == before[0]
        assert other.weights[0].tolist() == [[1, 2], [3, 4], [5, 6]]
        assert other.weights[0] is other.weights[0]
        assert other.predict([[1, 2]]).tolist() == net.predict([[1, 2]]).tolist()
        assert float(other.to_exact().predict([[1, 2]])[0, 0]) == pytest.approx(
            net.predict([[1, 2]])[0, 0], rel=1e-12
        )
        assert diagnostics.dead_units(other, [[1, 2]])[0].count == 0
    for other in nets[1:]:
        other.weights[0][0, 0] = -1
        assert net.weights[0][0, 0] == 1


def test_read_only_parameters_are_not_trained():
    X, y = [[0.0, 1.0]], [[1.0]]
    net = Network([2, 3, 1], seed=0)
    before = pickle.dumps(net)
    for array in (*net.weights, *net.biases):
        array.flags.writeable = False
        with pytest.raises(ValueError, match=r"(weights|biases)\[[01]\] is read-only"):
            net.fit(X, y)
        assert net.predict(X).shape == (1, 1)
        assert Network.from_arrays(net.weights, net.biases).fit(X, y).loss  # copies
        array.flags.writeable = True
    assert pickle.dumps(net) == before
    net.fit(X, y)
    assert pickle.dumps(net) != before


def test_classes_of_one_output(np_rng):
    X = np_rng.normal(size=(200, 3))
    labels = (X[:, 0] + X[:, 1] > 0).astype(int)
    net = Network([3, 1], seed=0)
    options = dict(loss="cross_entropy", learning_rate=0.5, epochs=20)
    history = net.fit(X, labels, validation_data=(X, labels), **options)
    classes = net.classify(X)
    assert (classes == (net.predict(X)[:, 0] > 0.5)).all()
    assert set(classes) == {0, 1}
    for y in (labels, labels[:, None], labels.astype(float), labels.astype(bool)):
        assert net.accuracy(X, y) == history.val_accuracy[-1] == (classes == labels).mean() > 0.9
    assert Network.from_arrays([[[1.0]]], [[0.0]], Step(2)).classify([[1], [3]]).tolist() == [0, 1]
    with pytest.raises(ValueError, match="labels must be 0 or 1, not "):
        net.accuracy(X, labels + 1)
    for activation in ("linear", "tanh", "relu"):
        with pytest.raises(ValueError, match=f"this network has one of {activation}"):
            Network([3, 1], activations=activation).classify(X)
    linear = Network([3, 1], activations="linear", seed=0)
    assert linear.fit(X, labels, validation_data=(X, labels)).val_accuracy == []
    assert net.fit(X, labels, validation_data=(X, labels * 0.5)).val_accuracy == []


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear", "tanh"])
def test_one_hot_targets_have_an_accuracy(np_rng, activation):
    X, labels = np_rng.normal(size=(60, 3)), np_rng.integers(0, 4, 60)
    one_hot = np.eye(4)[labels]
    accuracies = []
    for y in (labels, one_hot, one_hot.astype(np.uint8).tolist()):
        net = Network([3, 4], activations=activation, seed=0)
        history = net.fit(X, labels, epochs=3, validation_data=(X, y))
        assert history.val_accuracy[-1] == net.accuracy(X, y)
        accuracies.append(history.val_accuracy)
    assert accuracies[0] == accuracies[1] == accuracies[2]
    soft = 0.9 * one_hot + 0.025
    assert net.fit(X, labels, validation_data=(X, soft)).val_accuracy == []
    with pytest.raises(ValueError, match="labels must be integers, or one-hot rows"):
        net.accuracy(X, soft)


CROSS_ENTROPY = {
    "below": ("sigmoid", [[0.2, -0.1]], "y[0, 1] is -0.1"),
    "above": ("sigmoid", [[1.5, 1]], "y[0, 0] is 1.5"),
    "softmax below": ("softmax", [[1.5, -0.5]], "y[0, 0] is 1.5"),
    "sum": ("softmax", [[0.5, 0.4]], "y[0] sums to 0.9"),
    "zero": ("softmax", [[0, 0]], "y[0] sums to 0.0"),
}


@pytest.mark.filterwarnings("ignore:y reaches")  # as targets that outputs cannot reach do
@pytest.mark.parametrize("name", CROSS_ENTROPY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_targets_that_are_no_probabilities(name, dtype):
    output, y, text = CROSS_ENTROPY[name]
    net, X = Network([1, 2], activations=output, dtype=dtype, seed=0), [[1.0]]
    good = [[1.0, 0.0]]
    calls = {
        "fit": lambda: net.fit(X, y, loss="cross_entropy"),
        "loss": lambda: net.loss(X, y, "cross_entropy"),
        "gradients": lambda: net.gradients(X, y, "cross_entropy"),
        "validation": lambda: net.fit(X, good, loss="cross_entropy", validation_data=(X, y)),
    }
    for call in calls:
        with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is checked below
            calls[call]()
        assert text.replace("y[", "validation y[" if call == "validation" else "y[") in str(
            error.value
        ).replace("0.899999976158142", "0.9").replace("-0.10000000149011612", "-0.1")
    for loss in ("quadratic", "mse"):
        assert np.isfinite(net.fit(X, y, loss=loss).loss).all()


def test_remedies_for_targets_of_classes():
    X, y = np.zeros((3, 1)), [[1, 0], [1, 1], [0, 0]]
    with pytest.raises(ValueError, match=r"y holds 0, but softmax of one output is always 1: use"):
        Network([1, 1], activations="softmax").fit(X, [0, 1, 1])
    with pytest.raises(ValueError, match=": row 1 has 2 ones, and accuracy is of one class per"):
        Network([1, 2]).accuracy(X, y)
    for targets, classes in (([0, 1, 2], "; for 3 classes use 3 outputs"), ([0, 1, 3], "y")):
        with pytest.warns(UserWarning, match=f"{classes}$"):
            Network([1, 1]).fit(X, targets)


def test_rounded_probabilities_are_fine(np_rng):
    y = np_rng.random((50, 1000))
    y /= y.sum(axis=1, keepdims=True)
    for rounded in (y.astype(np.float32), y.round(6), y.astype(np.float16)):
        net = Network([1, 1000], activations="softmax", init="zeros")
        assert np.isfinite(net.fit(np.ones((50, 1)), rounded, loss="cross_entropy").loss).all()


def test_exact_counterpart(np_rng):
    net = random_network(np_rng, [3, 5, 4, 2], ["relu", "relu", "linear"])
    X = np_rng.normal(size=(10, 3))
    exact = net.to_exact()
    assert fractions(exact.predict(X)) == forward(exact, X)
    outputs = exact.predict(X).astype(float)
    np.testing.assert_allclose(net.predict(X), outputs, rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match="'sigmoid', which has no exact counterpart"):
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
    "too few activations": (
        dict(activations=["relu"]),
        "activations has 1 entry for 2 layers: one per layer",
    ),
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


def unaligned(array):
    """The same numbers, C-contiguous, from an odd address on."""
    copy = np.ndarray(array.shape, array.dtype, bytearray(array.nbytes + 1), offset=1)
    copy[...] = array
    assert not copy.flags.aligned
    return copy


def field(array):
    """The same numbers between those of other fields, at odd addresses."""
    records = np.zeros(array.shape, [("before", "u1"), ("numbers", array.dtype)])
    records["numbers"] = array
    return records["numbers"]


def swapped(array):
    return array.astype(array.dtype.newbyteorder())


@pytest.mark.parametrize("disguise", [unaligned, field, swapped])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 5, 40])
def test_arrays_at_odd_addresses_and_of_foreign_byte_order(np_rng, disguise, dtype, n):
    """Through every door of the float half they are read as any other array."""
    X, y = np_rng.normal(size=(n, 7)).astype(dtype), np_rng.random((n, 2)).astype(dtype)
    labels, weight = np_rng.integers(0, 2, n), np_rng.random(n).astype(dtype)
    plain = random_network(np_rng, [7, 5, 2], ["tanh", "sigmoid"], dtype)

    def results(change):
        net = Network.from_arrays(
            [change(w) for w in plain.weights],
            [change(b) for b in plain.biases],
            plain.activations,
        )
        yield from (net.predict(change(X)), net.classify(change(X)))
        yield net.accuracy(change(X), change(labels))
        yield from (net.loss(change(X), change(t)) for t in (y, labels))
        for t in (y, labels):
            yield from (a for pair in net.gradients(change(X), change(t)) for a in pair)
            options = dict(epochs=2, batch_size=3, sample_weight=change(weight), momentum=0.5)
            history = net.fit(
                change(X), change(t), validation_data=(change(X), change(t)), **options
            )
            yield from (history.loss, history.val_loss, *net.weights, *net.biases)

    for expected, found in zip(results(np.array), results(disguise), strict=True):
        np.testing.assert_array_equal(expected, found)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_core_reads_no_array_at_an_odd_address(np_rng, dtype):
    net = random_network(np_rng, [3, 2], ["softmax"], dtype)
    X, y, labels = np.ones((4, 3), dtype), np.ones((4, 2), dtype), np.zeros(4, np.int64)
    core, no = net._core, pytest.raises
    assert core.predict(unaligned(X)) is None
    assert _core.all_finite(unaligned(X))
    bits = dtype[-2:]
    samples = getattr(_core, f"DenseSamples{bits}")
    make_data, trainer = (getattr(_core, f"Dense{name}{bits}") for name in ("Data", "Trainer"))
    with no(ValueError, match="X must be aligned"):
        samples(unaligned(X))
    for targets, name in (((unaligned(y), None), "y"), ((None, unaligned(labels)), "labels")):
        with no(ValueError, match=f"{name} must be aligned"):
            make_data(samples(X), *targets)
    data = make_data(samples(X), y, None)
    with no(ValueError, match="labels must be aligned"):
        core.evaluate(data, "mse", unaligned(labels))
    options = Options(momentum=0.5).for_core(("mse", []), len(X), 0)
    with no(ValueError, match="weights must be aligned"):
        trainer(core, data, unaligned(np.ones(4, dtype)), options)
    with no(ValueError, match="state must be aligned"):
        trainer(core, data, None, options).set_state(
            [(unaligned(np.ones((2, 3), dtype)), np.ones(2, dtype))], [], 0
        )
    with no(ValueError, match="weights and biases must be aligned"):
        type(core)([unaligned(np.ones((2, 3), dtype))], [np.ones(2, dtype)], [("tanh", 1, 0)], "")


def test_summary_and_notebooks():
    net = Network([784, 30, 10], activations=[Sigmoid(0.04), "softmax"], seed=0)
    assert str(net.summary()).splitlines() == [
        "Network: 2 layers, 23,860 parameters",
        "layer  activation                          inputs  units  parameters",
        "1      Sigmoid(slope=0.04, threshold=0.0)     784     30      23,550",
        "2      softmax                                 30     10         310",
        "float32, 95.4 kB of memory, trained 0 epochs",
    ]
    assert repr(net.summary()) == str(net.summary())
    net.fit(np.zeros((1, 784)), [0], epochs=2)
    assert str(net.summary()).endswith("trained 2 epochs")
    html = net._repr_html_()
    assert html == net.summary()._repr_html_()
    named = Network([2, 2], seed=0)
    named.fit([[0, 1], [1, 0]], ["<b>", "a"])
    assert str(named.summary()).endswith("trained 1 epoch\nclasses ['<b>', 'a']")
    xml.etree.ElementTree.fromstring(named._repr_html_())
    xml.etree.ElementTree.fromstring(html)
    assert '<td style="text-align: right">23,550</td>' in html


def test_html_is_escaped():
    table = TextTable("<a & b>", ("<th>",), [("<td>",)], ["</div>"])
    html = table._repr_html_()
    xml.etree.ElementTree.fromstring(html)
    for text in ("&lt;a &amp; b&gt;", "&lt;th&gt;", "&lt;td&gt;", "&lt;/div&gt;"):
        assert text in html


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_do_not_change_predictions(np_rng, dtype):
    sizes = [130, 70, 10]
    net = Network(sizes, activations=["tanh", "softmax"], dtype=dtype, seed=0)
    for zeros in (0, 0.8):
        X = np_rng.normal(size=(3001, 130)).astype(dtype)
        X[np_rng.random(X.shape) < zeros] = 0
        y = np_rng.integers(0, 10, len(X))
        for n_threads in (2, 5):
            for one, several in (
                (net.predict(X), net.predict(X, n_threads=n_threads)),
                (net.predict(X.tolist()), net.predict(X.tolist(), n_threads=n_threads)),
                (net.classify(X), net.classify(X, n_threads=n_threads)),
                (net.accuracy(X, y), net.accuracy(X, y, n_threads=n_threads)),
                (net.loss(X, y), net.loss(X, y, n_threads=n_threads)),
            ):
                np.testing.assert_array_equal(one, several)
        X[1234, 5] = np.nan
        with pytest.raises(ValueError, match=r"^X\[1234, 5\] is nan"):
            net.predict(X, n_threads=3)
    for call in (net.predict, net.classify, lambda X, **a: net.loss(X, y, **a)):
        with pytest.raises(ValueError, match=r"^n_threads must be a positive integer, not 0$"):
            call(X, n_threads=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zeros_that_are_skipped_change_no_bit(np_rng, isa, dtype):
    """Rows give the same whether they come with others full of zeros or with full ones."""
    net = Network([100, 37], activations="linear", dtype=dtype, seed=0)
    X = np_rng.normal(size=(960, 100)).astype(dtype)
    X[np_rng.random(X.shape) < 0.8] = 0
    X[5] = 0
    full = X.copy()
    full[::96] = 1  # the row that decides for 96 of them
    full[300] = -X[300]
    rest = np.setdiff1d(np.arange(len(X)), [*range(0, 960, 96), 300])
    bias, weights = net.biases[0], net.weights[0]
    for bias[0], weights[0, 0] in ((0.5, 1), (0, 1), (-0.0, 1), (-0.0, -1), (1, np.inf)):
        assert net.predict(X)[rest].tobytes() == net.predict(full)[rest].tobytes()
    assert np.isnan(net.predict(X)).any()  # of 0 times infinity
