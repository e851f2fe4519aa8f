from itertools import pairwise, product

import numpy as np
import pytest

from conftest import interrupt
from exactnet import Network, _core, datasets
from exactnet.activations import LeakyReLU, Sigmoid, Step
from exactnet.network import DivergenceError
from reference import (
    forward,
    fractions,
    numpy_forward,
    numpy_loss,
    numpy_pre_activations,
    numpy_train,
)

ISAS = _core.supported_isas()
HIDDEN = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", Sigmoid(0.7, 0.3), LeakyReLU(0.3)]
OUTPUTS = {
    "quadratic": ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "softmax", Sigmoid(2, -0.5)],
    "mse": ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "softmax"],
    "cross_entropy": ["softmax", "sigmoid", Sigmoid(0.5, 1)],
}


@pytest.fixture(params=ISAS)
def isa(request, monkeypatch):
    monkeypatch.setenv("EXACTNET_ISA", request.param)
    return request.param


def random_network(np_rng, sizes, activations, dtype="float64"):
    return Network.from_arrays(
        [(np_rng.normal(size=(b, a)) / a**0.5).astype(dtype) for a, b in pairwise(sizes)],
        [np_rng.normal(size=b).astype(dtype) for b in sizes[1:]],
        activations,
    )


@pytest.fixture
def np_rng(rng):
    return np.random.default_rng(rng.getrandbits(64))


def targets_for(np_rng, n, n_outputs, loss, output):
    if loss == "cross_entropy":
        y = np_rng.random((n, n_outputs))
        return y / y.sum(axis=1, keepdims=True) if output == "softmax" else y
    return np_rng.normal(size=(n, n_outputs))


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


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_training_follows_the_formulas(np_rng, isa, momentum, nesterov, batch_size, sparse):
    """Every step of a float64 training against plain NumPy, in the order of the data."""
    for activations, loss in (
        (["sigmoid", "relu", "softmax"], "cross_entropy"),
        (["tanh", "leaky_relu", "linear"], "mse"),
        (["sigmoid", "sigmoid", "sigmoid"], "quadratic"),
    ):
        net = random_network(np_rng, [37, 18, 5, 3], activations)
        X = np_rng.normal(size=(40, 37))
        if sparse:
            X[:, np_rng.random(37) < 0.6] = 0
            X[np_rng.random(X.shape) < 0.5] = 0
        y = targets_for(np_rng, 40, 3, loss, activations[-1])
        weights = [w.copy() for w in net.weights], [b.copy() for b in net.biases]
        losses = numpy_train(net, *weights, X, y, loss, 3, batch_size, 0.02, momentum, nesterov)
        history = net.fit(
            X,
            y,
            epochs=3,
            batch_size=batch_size,
            learning_rate=0.02,
            momentum=momentum,
            nesterov=nesterov,
            loss=loss,
            shuffle=False,
        )
        np.testing.assert_allclose(history.loss, losses, rtol=1e-9)
        for a, b in zip((*net.weights, *net.biases), weights[0] + weights[1], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


def test_labels_are_one_hot_targets(np_rng):
    labels = np_rng.integers(0, 4, 30)
    X = np_rng.normal(size=(30, 5))
    results = []
    for y in (labels, labels.astype(np.uint8), labels.tolist(), np.eye(4)[labels]):
        net = Network([5, 8, 4], seed=3, activations=["tanh", "softmax"])
        history = net.fit(X, y, epochs=2, loss="cross_entropy")
        results.append((history.loss, net.weights[0].tobytes()))
    assert all(r == results[0] for r in results)


@pytest.mark.skipif(len(ISAS) < 3, reason="this processor has one instruction set with FMA")
def test_instruction_sets_with_fma_give_the_same_bits(monkeypatch):
    X, y, _, _ = datasets.load_digits()
    results = []
    for name in ISAS:
        if name == "baseline":
            continue
        monkeypatch.setenv("EXACTNET_ISA", name)
        net = Network([64, 30, 10], seed=1)
        net.fit(X, y, epochs=3, batch_size=10, learning_rate=3.0)
        results.append([a.tobytes() for a in (*net.weights, *net.biases)])
    assert all(r == results[0] for r in results)


def test_a_seed_is_a_network(isa):
    X, y, X_test, y_test = datasets.load_digits()
    results = []
    for seed, validation in ((1, None), (1, (X_test, y_test)), (2, None)):
        net = Network([64, 30, 10], seed=seed)
        net.fit(X, y, epochs=3, batch_size=10, learning_rate=3.0, validation_data=validation)
        results.append([a.tobytes() for a in (*net.weights, *net.biases)])
    assert results[0] == results[1] != results[2]


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


def test_digits_are_learned(isa):
    X, y, X_test, y_test = datasets.load_digits()
    net = Network([64, 30, 10], seed=0)
    history = net.fit(
        X, y, epochs=30, batch_size=10, learning_rate=3.0, validation_data=(X_test, y_test)
    )
    assert net.accuracy(X_test, y_test) == history.val_accuracy[-1] > 0.88
    assert history.loss[-1] < 0.1 * history.loss[0]
    assert len(history.seconds) == len(history.val_loss) == 30
    assert history.val_loss[-1] == pytest.approx(net.loss(X_test, y_test))


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


def test_callbacks(np_rng):
    X, y = np_rng.normal(size=(20, 2)), np_rng.normal(size=(20, 1))
    net, calls = Network([2, 4, 1], seed=0), []
    net.fit(X, y, epochs=3, callbacks=[lambda n, e, h: calls.append((n is net, e, len(h.loss)))])
    assert calls == [(True, 0, 1), (True, 1, 2), (True, 2, 3)]

    def stop(network, epoch, history):
        raise RuntimeError("enough")

    before = net.weights[0].copy()
    with pytest.raises(RuntimeError, match="enough"):
        net.fit(X, y, epochs=3, callbacks=[stop])
    assert (net.weights[0] != before).any()


def test_verbose(capsys, np_rng):
    X, labels = np_rng.normal(size=(20, 2)), np_rng.integers(0, 2, 20)
    Network([2, 2]).fit(X, labels, epochs=2, verbose=True, validation_data=(X, labels))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("epoch 2/2  loss ")
    assert "val_accuracy" in lines[1]


def test_divergence_leaves_the_last_finite_weights(np_rng):
    X, y = np_rng.normal(size=(50, 3)), np_rng.normal(size=(50, 1))
    net = Network([3, 8, 1], activations=["relu", "linear"], seed=0)
    snapshots = []
    keep = [lambda n, e, h: snapshots.append([a.copy() for a in (*n.weights, *n.biases)])]
    with pytest.raises(DivergenceError, match=r"not finite in epoch \d+") as error:
        net.fit(X, y, epochs=1000, batch_size=5, learning_rate=1.0, callbacks=keep)
    epoch = int(str(error.value).split("epoch ")[1].split(";")[0])
    assert epoch == len(snapshots)
    arrays = (*net.weights, *net.biases)
    assert all(np.isfinite(a).all() for a in arrays)
    if snapshots:
        assert all((a == b).all() for a, b in zip(arrays, snapshots[-1], strict=True))


INTERRUPT = """
import time
import numpy as np
from exactnet import Network

rng = np.random.default_rng(0)
X, y = rng.random((20_000, 784), dtype=np.float32), rng.integers(0, 10, 20_000)
net = Network([784, 256, 10], seed=0)
before = net.weights[0].copy()
print("started", flush=True)
try:
    net.fit(X, y, epochs=10_000, batch_size=64)
except KeyboardInterrupt:
    print(time.monotonic(), bool((net.weights[0] != before).any()))
"""


def test_ctrl_c_during_fit():
    delay, (changed,) = interrupt(INTERRUPT, after=0.7)
    assert changed == "True"
    assert delay < 0.2


nan = float("nan")
NET = dict(layer_sizes=[2, 3, 2])
DATA = dict(X=[[0.0, 1.0], [2.0, 3.0]], y=[0, 1])
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
BAD_FITS = {
    "features": (dict(X=[[1.0]] * 2), "X has 1 features but the network takes 2"),
    "outputs": (dict(y=[[1.0, 2.0, 3.0]] * 2), "but the network has 2 outputs"),
    "length": (dict(y=[0]), "y has shape (1,) but X has 2 samples"),
    "value length": (dict(y=[[0, 1]]), "y has 1 samples but X has 2"),
    "label": (dict(y=[0, 2]), "y must lie from 0 to 1, not from 0 to 2"),
    "negative label": (dict(y=[-1, 1]), "y must lie from 0 to 1, not from -1 to 1"),
    "float labels": (dict(y=[0.0, 1.0]), "y must be integer labels or (samples, outputs)"),
    "nan": (dict(X=[[0, 1], [2, nan]]), "X[1, 1] is nan: only finite"),
    "inf": (dict(X=[[0, -float("inf")], [2, 1]]), "X[0, 1] is -inf: only finite"),
    "nan target": (dict(y=[[0, 1], [nan, 1]]), "y[1, 0] is nan: only finite"),
    "empty": (dict(X=np.zeros((0, 2)), y=[]), "X has no samples"),
    "one dimension": (dict(X=[1.0, 2.0]), "X must be (samples, features), not of shape (2,)"),
    "strings": (dict(X=[["a", "b"]] * 2), "X must hold real numbers, not <U1"),
    "complex": (dict(X=np.zeros((2, 2), complex)), "X must hold real numbers, not complex128"),
    "epochs": (dict(epochs=0), "epochs must be a positive integer, not 0"),
    "batch_size": (dict(batch_size=-3), "batch_size must be a positive integer, not -3"),
    "learning_rate": (dict(learning_rate=0), "learning_rate must be positive, not 0"),
    "nan rate": (dict(learning_rate=nan), "learning_rate must be positive, not nan"),
    "infinite rate": (dict(learning_rate=float("inf")), "learning_rate must be finite, not inf"),
    "momentum": (dict(momentum=1.0), "momentum must be in [0, 1), not 1.0"),
    "loss": (dict(loss="hinge"), "loss must be one of 'quadratic', 'mse', 'cross_entropy'"),
    "validation": (dict(validation_data=([[1.0]], [0])), "validation X has 1 features"),
}


@pytest.mark.parametrize("name", BAD_NETWORKS)
def test_bad_networks(name):
    arguments, text = BAD_NETWORKS[name]
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is checked below
        Network(**{**NET, **arguments})
    assert text in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", BAD_FITS)
def test_bad_fits(name):
    arguments, text = BAD_FITS[name]
    arguments = {**DATA, **arguments}
    net = Network(**NET, seed=0)
    before = net.weights[0].copy()
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is checked below
        net.fit(arguments.pop("X"), arguments.pop("y"), **arguments)
    assert text in str(error.value)
    assert "\n" not in str(error.value)
    assert (net.weights[0] == before).all()


def test_step_and_cross_entropy_refusals():
    with pytest.raises(ValueError, match="step activation cannot be trained"):
        Network([2, 2], activations="step").fit(**DATA)
    with pytest.raises(ValueError, match="cross_entropy needs softmax or sigmoid outputs"):
        Network([2, 2], activations="relu").fit(**DATA, loss="cross_entropy")


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


def test_two_networks_train_at_the_same_time():
    """Whatever the order of two threads' steps, each network is the one it is alone."""
    import threading

    X, y, _, _ = datasets.load_digits()

    def train(seed, out):
        net = Network([64, 50, 10], seed=seed)
        net.fit(X, y, epochs=20, batch_size=10)
        out[seed] = net.weights[0].tobytes()

    alone, together = {}, {}
    for seed in (1, 2):
        train(seed, alone)
    threads = [threading.Thread(target=train, args=(seed, together)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alone == together


def test_shapes_of_one_unit_and_one_sample(isa):
    for n_in, n_hidden, n_out, n in product((1, 17), (1, 33), (1, 16), (1, 3)):
        net = Network([n_in, n_hidden, n_out], seed=0)
        net.fit(np.ones((n, n_in)), np.zeros((n, n_out)), epochs=2, batch_size=2)
        assert np.isfinite(net.predict(np.ones((n, n_in)))).all()
