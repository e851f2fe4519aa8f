import hashlib
import os
import pickle
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import polars as pl
import pytest

from conftest import ISAS, interrupt, random_network, slow, targets_for
from exactnet import DivergenceError, EarlyStopping, Network, datasets, memorize, sweep, verify
from exactnet.schedules import Exponential, StepDecay
from reference import exact_gradients, numpy_train

nan = float("nan")
NET = dict(layer_sizes=[2, 3, 2])


@pytest.mark.filterwarnings("ignore:y reaches")  # as targets that outputs cannot reach do
@pytest.mark.filterwarnings("ignore:all units")  # which die at rates too large
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


def test_callbacks(np_rng):
    X, y = np_rng.normal(size=(20, 2)), np_rng.random((20, 1))
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
    epoch = int(str(error.value).split("epoch ")[1].split(",")[0])
    assert epoch == len(snapshots)
    arrays = (*net.weights, *net.biases)
    assert all(np.isfinite(a).all() for a in arrays)
    if snapshots:
        assert all((a == b).all() for a, b in zip(arrays, snapshots[-1], strict=True))


@pytest.mark.parametrize("value", [nan, float("inf"), -float("inf")])
def test_weights_that_are_not_finite(value):
    with pytest.raises(ValueError, match=r"weights\[0\] holds numbers that are not finite"):
        Network.from_arrays([[[value]]], [[0.0]])
    with pytest.raises(ValueError, match=r"biases\[0\] holds numbers that are not finite"):
        Network.from_arrays([[[1.0]]], [[value]])
    net = Network([2, 3, 2], seed=0)
    net.weights[1][0, 1] = value  # behind the door
    net.biases[0][:] = 1
    if value == value:  # a sigmoid makes 0 or 1 of infinity: a network, but none that learns on
        net.weights[1][0, 0] = -value
    before = net.weights[0].copy()
    with pytest.raises(ValueError, match=r"weights\[1\] holds numbers that are not finite"):
        net.fit([[0.0, 1.0]], [0])
    assert (net.weights[0] == before).all()
    net = Network([2, 3, 2], seed=0)

    def spoil(network, epoch, history):
        network.biases[1][0] = value

    with pytest.raises(ValueError, match=r"biases\[1\] holds numbers that are not finite"):
        net.fit([[0.0, 1.0]], [0], epochs=2, callbacks=[spoil])
    net = Network([2, 3, 2], seed=0)
    net.fit([[0.0, 1.0]], [0], momentum=0.5)
    net._state.first[1][0][0, 0] = value
    with pytest.raises(ValueError, match="state of the optimizer is not finite"):
        net.fit([[0.0, 1.0]], [0], momentum=0.5)


@pytest.mark.filterwarnings("ignore:y reaches")  # as targets that outputs cannot reach do
@pytest.mark.filterwarnings("ignore:all units")  # which die at rates too large
def test_no_training_leaves_numbers_that_are_not_finite(np_rng):
    """Whatever the rate: all is finite, and after a divergence as before the epoch of it."""

    def pick(*choices):
        return choices[np_rng.integers(len(choices))]

    def state(net):
        moments = [] if net._state is None else [*net._state.first, *(net._state.second or [])]
        arrays = [*net.weights, *net.biases, *(a for pair in moments for a in pair)]
        return arrays, net._generator.state, net._state and net._state.steps

    endings = Counter()
    for case in range(slow(10_000, 500)):
        output = pick("linear", "sigmoid", "softmax", "relu", "tanh")
        loss = pick("quadratic", "mse", *["cross_entropy"] * (output in ("sigmoid", "softmax")))
        kind = pick("sgd", "momentum", "nesterov", "adam", "clip", "penalty")
        options = {
            "sgd": {},
            "momentum": dict(momentum=0.9),
            "nesterov": dict(momentum=0.5, nesterov=True),
            "adam": dict(optimizer="adam", epsilon=pick(1e-8, 1e-30)),
            "clip": dict(clip_norm=1e-3, record_gradient_norms=True),
            "penalty": dict(penalty="l2", alpha=float(10 ** np_rng.uniform(-3, 39)), dropout=0.2),
        }[kind]
        inputs = pick(3, 70)  # 70 are enough for sparse rows
        X = np_rng.normal(size=(13, inputs)) * (np_rng.random((13, inputs)) < pick(0.2, 1))
        X *= pick(1, 1e15)
        options |= dict(
            X=X,
            y=targets_for(np_rng, 13, 2, loss, output),
            loss=loss,
            batch_size=pick(4, 13),
            learning_rate=float(10 ** np_rng.uniform(-3, 39)),
        )
        hidden = pick("sigmoid", "tanh", "relu", "leaky_relu", "linear")
        network = dict(activations=[hidden, output], dtype=pick("float32", "float64"), seed=case)
        net, twin = (Network([inputs, 5, 2], **network) for _ in range(2))
        finished = epochs = pick(1, 2, 5)
        try:
            net.fit(epochs=epochs, **options)
        except DivergenceError as error:
            finished = int(re.search(r"in epoch (\d+)", str(error)).group(1))
        endings[kind, finished == epochs] += 1
        assert all(np.isfinite(a).all() for a in state(net)[0]), (case, kind)
        if finished:
            twin.fit(epochs=finished, **options)
            for mine, other in zip(state(net)[0], state(twin)[0], strict=True):
                assert (mine == other).all(), (case, kind)
            assert state(net)[1:] == state(twin)[1:], (case, kind)
        else:  # the arrays of the optimiser are there, and 0
            initial, generator, _ = state(twin)
            arrays, after, steps = state(net)
            for mine, other in zip(arrays, initial, strict=False):
                assert (mine == other).all(), (case, kind)
            assert not any(a.any() for a in arrays[len(initial) :]), (case, kind)
            assert (after, steps or 0) == (generator, 0), (case, kind)
    assert len(endings) == 12, endings  # both of every kind


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


DATA = dict(X=[[0.0, 1.0], [2.0, 3.0]], y=[0, 1])


BAD_FITS = {
    "features": (dict(X=[[1.0]] * 2), "X has 1 features but the network takes 2"),
    "outputs": (dict(y=[[1.0, 2.0, 3.0]] * 2), "but the network has 2 outputs"),
    "length": (dict(y=[0]), "y has shape (1,) but X has 2 samples"),
    "value length": (dict(y=[[0, 1]]), "y has 1 samples but X has 2"),
    "label": (dict(y=[0, 2]), "y must lie from 0 to 1, not from 0 to 2: label 2 needs 3 "
              "outputs, layer_sizes=[..., 3]"),
    "labels from 1": (dict(y=[1, 2]), "not from 1 to 2: labels count from 0: y - 1"),
    "beyond float32": (dict(X=[[0, 1], [2, 5e300]]), "X[1, 1] is 5e+300, beyond float32: scale X, "
                       "or use a network of dtype='float64'"),
    "inf beside": (dict(X=[[0, float("inf")], [2, 5e300]]), "X[0, 1] is inf: only finite"),
    "target beyond float32": (dict(y=[[0, 1], [2, 5e300]]), "y[1, 1] is 5e+300, beyond float32"),
    "nothing": (dict(X=None), "X must hold real numbers, not None"),
    "dict": (dict(X={"a": [1, 2]}), "X must hold real numbers, not a dict"),
    "generator": (dict(X=(x for x in ())), "X must hold real numbers, not a generator: list(X)"),
    "lazy frame": (dict(X=pl.LazyFrame()), "real numbers, not a LazyFrame: X.collect()"),
    "rate by name": (dict(learning_rate="adaptive"), "learning_rate must be a positive number or "
                     "a callable, such as those of exactnet.schedules, not 'adaptive'"),
    "class": (dict(callbacks=EarlyStopping), "callbacks is a class: write EarlyStopping()"),
    "classes": (dict(callbacks=[print, EarlyStopping]), "callbacks[1] is a class: write Early"),
    "negative label": (dict(y=[-1, 1]), "y must lie from 0 to 1, not from -1 to 1"),
    "float labels": (dict(y=[0.0, 0.5]), "y[1] is 0.5: labels of classes are whole numbers"),
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
    "n_threads": (dict(n_threads=0), "n_threads must be a positive integer, not 0"),
    "momentum": (dict(momentum=1.0), "momentum must be in [0, 1), not 1.0"),
    "loss": (dict(loss="hinge"), "loss must be one of 'quadratic', 'mse', 'cross_entropy'"),
    "validation": (dict(validation_data=([[1.0]], [0])), "validation X has 1 features"),
}  # fmt: skip


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


def test_two_networks_train_at_the_same_time():
    """Whatever the order of two threads' steps, each network is the one it is alone."""
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


def test_one_network_is_trained_by_one_thread_at_a_time(np_rng):
    X, y = np_rng.random((500, 64), dtype=np.float32), np_rng.integers(0, 10, 500)
    X_more = X.repeat(40, axis=0)
    net, alone = (Network([64, 50, 10], seed=1) for _ in range(2))
    started, results = threading.Event(), []

    def train():
        try:
            net.fit(X_more, y.repeat(40), epochs=5, callbacks=[lambda *_: started.set()])
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=train)
    thread.start()
    assert started.wait(60)
    with pytest.raises(RuntimeError, match="is being trained in another thread"):
        net.fit(X, y)
    assert np.isfinite(net.predict(X)).all()
    copy = pickle.loads(pickle.dumps(net))  # the lock stays behind
    assert copy.fit(X[:1], y[:1]).loss
    assert thread.is_alive()
    thread.join()
    assert results == []
    alone.fit(X_more, y.repeat(40), epochs=5, callbacks=[lambda *_: None])
    assert net.weights[0].tobytes() == alone.weights[0].tobytes()

    def again(network, epoch, history):
        network.fit(X, y)

    with pytest.raises(RuntimeError, match="or by the call whose callback this is"):
        net.fit(X, y, callbacks=[again])
    assert net.fit(X, y).loss  # the lock is free after an error


def test_shapes_of_one_unit_and_one_sample(isa):
    for n_in, n_hidden, n_out, n in product((1, 17), (1, 33), (1, 16), (1, 3)):
        net = Network([n_in, n_hidden, n_out], seed=0)
        net.fit(np.ones((n, n_in)), np.zeros((n, n_out)), epochs=2, batch_size=2)
        assert np.isfinite(net.predict(np.ones((n, n_in)))).all()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_gradients_against_exact_ones(np_rng, isa, depth, sparse):
    """Of ReLU networks with the quadratic loss, in rational arithmetic."""
    sizes = [70, *[int(n) for n in np_rng.integers(1, 6, depth - 1)], 3]
    net = random_network(np_rng, sizes, ["relu"] * (depth - 1) + ["linear"])
    X = np_rng.normal(size=(4, 70))
    if sparse:
        X[np_rng.random(X.shape) < 0.8] = 0
    y = np_rng.normal(size=(4, 3))
    gradients = net.gradients(X, y, "quadratic")
    for (dW, db), exact in zip(gradients, exact_gradients(net, X, y), strict=True):
        for gradient, expected in zip((dW, db), exact, strict=True):
            expected = np.array(expected, dtype=object).astype(np.float64)
            np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-13)


def test_exact_gradients_are_those_of_a_hand_calculation():
    net = Network.from_arrays([[[2.0]], [[3.0]]], [[1.0], [0.5]], ["relu", "linear"])
    # z = 2 x + 1 = 3, a = 3, output 9.5, error 9.5 - 4 = 5.5
    (dW1, db1), (dW2, db2) = exact_gradients(net, [[1.0]], [[4.0]])
    assert dW2 == [[Fraction(33, 2)]]
    assert db2 == [Fraction(11, 2)]
    assert dW1 == [[Fraction(33, 2)]]
    assert db1 == [Fraction(33, 2)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sparse_inputs_are_trained_as_dense_ones(np_rng, isa, dtype):
    """A constant column of tiny numbers makes the same data dense."""
    X = np_rng.random((200, 300))
    X[np_rng.random(X.shape) < 0.85] = 0
    labels = np_rng.integers(0, 10, 200)
    nets = []
    for tiny in (0, 1e-30):
        data = np.where(X == 0, tiny, X).astype(dtype)
        net = Network([300, 40, 10], seed=1, dtype=dtype, init="glorot_normal")
        net.fit(data, labels, epochs=3, learning_rate=0.5, momentum=0.5)
        nets.append(net)
    tolerance = {"float32": 2e-5, "float64": 1e-13}[dtype]
    for a, b in zip(nets[0].weights, nets[1].weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_threads_do_not_change_the_result(np_rng, momentum):
    X = np_rng.random((300, 200), dtype=np.float32)
    X[:, :150][np_rng.random((300, 150)) < 0.9] = 0
    labels = np_rng.integers(0, 10, 300)
    results = []
    for n_threads, validation in ((1, None), (2, None), (2, (X, labels)), (64, None)):
        net = Network([200, 100, 70, 10], seed=1, activations="relu", init="he_normal")
        history = net.fit(
            X,
            labels,
            epochs=3,
            batch_size=32,
            momentum=momentum,
            n_threads=n_threads,
            validation_data=validation,
        )
        results.append((history.loss, [a.tobytes() for a in (*net.weights, *net.biases)]))
    assert all(r == results[0] for r in results)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_one_call_or_several(np_rng, momentum):
    """Epochs in one call of the core, in many, or in many calls of fit: the same training."""
    X, labels = np_rng.normal(size=(50, 6)), np_rng.integers(0, 3, 50)
    options = dict(batch_size=8, learning_rate=0.05, momentum=momentum)
    results = []
    for kind in ("one", "callbacks", "calls"):
        net, losses = Network([6, 5, 3], seed=2), []
        if kind == "calls":
            for _ in range(10):
                losses += net.fit(X, labels, epochs=1, **options).loss
        else:
            callbacks = [lambda *_: None] if kind == "callbacks" else []
            losses = net.fit(X, labels, epochs=10, callbacks=callbacks, **options).loss
        results.append((losses, [a.tobytes() for a in (*net.weights, *net.biases)]))
    assert len(results[0][0]) == 10
    assert results[0] == results[1] == results[2]


def test_more_epochs_than_one_call_of_the_core_takes():
    X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0], [1], [1], [0]])
    net = Network([2, 3, 1], seed=1)
    history = net.fit(X, y, epochs=10_000, batch_size=4, learning_rate=5.0)
    assert len(history.loss) == len(history.seconds) == 10_000
    assert history.loss[-1] < 1e-3 < history.loss[0]


@pytest.mark.alone
def test_another_thread_runs_during_fit(np_rng):
    X, labels = np_rng.random((5000, 300), dtype=np.float32), np_rng.integers(0, 10, 5000)
    net = Network([300, 200, 10], seed=0)
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        start = time.perf_counter()
        net.fit(X, labels, epochs=10)
        end = time.perf_counter()
    finally:
        stop.set()
        thread.join()
    # With the GIL held there would be next to none.
    assert sum(start < t < end for t in ticks) > 0.1 * (end - start) / 0.001


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted on Linux")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_no_threads_are_left(np_rng, n_threads):
    def threads():
        return len(os.listdir("/proc/self/task"))

    X, labels = np_rng.random((500, 200), dtype=np.float32), np_rng.integers(0, 3, 500)
    before = threads()
    during = []
    net = Network([200, 100, 3], seed=0)  # so large that a second thread may pay
    net.fit(
        X,
        labels,
        epochs=2,
        batch_size=64,
        n_threads=n_threads,
        callbacks=[lambda *_: during.append(threads() - before)],
    )
    assert during == [min(n_threads, os.cpu_count()) - 1] * 2
    with pytest.raises(ZeroDivisionError):
        net.fit(X, labels, n_threads=n_threads, callbacks=[lambda *_: 1 / 0])
    exact = memorize(np.arange(300)[:, None], np.arange(300) % 7, n_threads=n_threads)
    assert verify(exact, np.arange(300)[:, None], np.arange(300) % 7, n_threads=n_threads)
    sweep([dict(layer_sizes=[200, 4, 3])] * 3, X, labels, n_jobs=n_threads)
    deadline = time.monotonic() + 5  # the system lists an ended thread for a moment longer
    while threads() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threads() == before


@pytest.mark.alone
def test_import_is_quick():
    """With the float half 30 ms beyond NumPy's import, or 0.4 of it where the machine is slower.

    At the best of some runs. The exact half comes with its first use: gmpy2 alone may take that
    long.
    """
    code = (
        "import time; start = time.perf_counter(); import numpy; middle = time.perf_counter(); "
        "import exactnet; exactnet.Network, exactnet.datasets; "
        "print(middle - start, time.perf_counter() - middle); "
        "import sys; assert not {'gmpy2', 'tqdm', 'pathlib'} & set(sys.modules)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    numpys, ours = [], []
    while len(ours) < 7 and (not ours or min(ours) >= max(0.03, 0.4 * min(numpys))):
        output = subprocess.check_output([sys.executable, "-c", code], env=environment)
        for times, seconds in zip((numpys, ours), output.split(), strict=True):
            times.append(float(seconds))
    assert min(ours) < max(0.03, 0.4 * min(numpys)), (numpys, ours)


def trained_digest(init, dtype, activations, **options):
    """Train on the digits and return a digest of the parameters' bits and the losses."""
    X, y, X_test, y_test = datasets.load_digits()
    net = Network([64, 20, 10], activations=activations, init=init, dtype=dtype, seed=3)
    history = net.fit(X, y, epochs=3, validation_data=(X_test, y_test), **options)
    digest = hashlib.sha256()
    for array in (*net.weights, *net.biases, np.array(history.loss), np.array(history.val_loss)):
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


KNOWN_ANSWERS = [
    ("d01cc52b45ee3ecf", "normal", "float32", "sigmoid", dict(learning_rate=3.0, batch_size=10)),
    ("b5762a59dc5b6283", "he_normal", "float64", ["relu", "softmax"],
     dict(loss="cross_entropy", optimizer="adam", learning_rate=Exponential(0.003, 0.9))),
    ("0a5f7f762d207bd9", "he_uniform", "float32", ["relu", "softmax"],
     dict(loss="cross_entropy", momentum=0.9, dropout=0.2, learning_rate=StepDecay(0.05, 0.7, 1))),
    ("47f3b132fda22971", "glorot_uniform", "float64", ["tanh", "sigmoid"],
     dict(loss="cross_entropy", penalty=1.3, alpha=1e-4, clip_norm=0.5)),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "init", "dtype", "activations", "options"), KNOWN_ANSWERS)
def test_whole_trainings_have_known_bits(isa, expected, init, dtype, activations, options):
    """Recorded once: initial weights, shuffles, schedules, training and losses, all bindings in."""
    if isa != "baseline":  # which rounds products and sums separately
        assert trained_digest(init, dtype, activations, **options) == expected
