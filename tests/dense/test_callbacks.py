"""What `fit` offers beside the training itself: validation splits, histories, callbacks."""

import csv
import math
import os
import pickle
import signal

import numpy as np
import pytest

from exactnet import (
    Checkpoint,
    CSVLogger,
    Dataset,
    DivergenceError,
    EarlyStopping,
    History,
    Network,
    ReduceOnPlateau,
    StopTraining,
    datasets,
    schedules,
    sweep,
)
from exactnet.dense.data import split_rows

X, Y, _, _ = datasets.load_digits()


def digits_network(**options):
    return Network([64, 8, 10], activations=["relu", "softmax"], seed=0, **options)


def bits(net):
    return [array.tobytes() for array in (*net.weights, *net.biases)]


# ---------------------------------------------------------------- validation_split


@pytest.mark.parametrize(("n", "share", "count"), [(2, 0.5, 1), (100, 0.1, 10), (30, 0.1, 3)])
def test_rows_are_split(n, share, count):
    train, validation = split_rows(n, share)
    assert len(validation) == count
    assert sorted([*train, *validation]) == list(range(n))
    assert list(train) == sorted(train)


def test_a_split_is_a_random_share():
    """Sorted data would otherwise leave whole classes out."""
    _, validation = split_rows(10_000, 0.2)
    parts = np.histogram(validation, 10, (0, 10_000))[0]
    assert parts.min() > 140
    assert parts.max() < 260
    assert not np.array_equal(split_rows(999, 0.2)[1], split_rows(1000, 0.2)[1])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_validation_split_is_that_data(weighted, dtype, samples_made):
    train, held_out = split_rows(len(X), 0.25)
    weights = np.linspace(0.5, 2, len(X)) if weighted else None
    split = digits_network(dtype=dtype)
    history = split.fit(X, Y, epochs=2, validation_split=0.25, sample_weight=weights)
    apart = digits_network(dtype=dtype)
    expected = apart.fit(
        X[train],
        Y[train],
        epochs=2,
        validation_data=(X[held_out], Y[held_out]),
        sample_weight=weights[train] if weighted else None,
    )
    assert bits(split) == bits(apart)
    assert (history.loss, history.val_loss) == (expected.loss, expected.val_loss)
    assert history.val_accuracy == expected.val_accuracy
    data = Dataset(X, Y)
    samples_made.clear()
    for _ in range(2):
        other = digits_network(dtype=dtype)
        other.fit(data, epochs=2, validation_split=0.25, sample_weight=weights)
        assert bits(other) == bits(apart)
    assert [samples.packings for samples in samples_made] == [0, 1, 0]  # all, training, validation
    (result,) = sweep([dict(layer_sizes=[64, 8, 10])], data, activations=["relu", "softmax"],
                      seed=0, dtype=dtype, epochs=2, validation_split=0.25,
                      sample_weight=weights)  # fmt: skip
    assert result.error is None
    assert bits(result.network) == bits(apart)


def test_validation_split_of_names_and_sparse_samples():
    """Classes are those of all samples; rows are taken of what they came as."""
    sparse, names = pytest.importorskip("scipy.sparse"), np.array([*"abcdefghij"])[Y]
    expected = digits_network()
    history = expected.fit(X, Y, validation_split=0.25)
    for data in ((X, names), (sparse.csr_array(X), Y), (Dataset(sparse.coo_array(X), names),)):
        net = digits_network()
        assert net.fit(*data, validation_split=0.25).val_accuracy == history.val_accuracy
        assert bits(net) == bits(expected)
        assert net.classes == (tuple("abcdefghij") if len(data) == 1 or data[1] is names else None)
    few = names[:40].copy()
    few[:] = "a"
    few[split_rows(40, 0.1)[1][0]] = "b"  # for validation only
    net = Network([64, 2], activations="softmax", seed=0)
    net.fit(X[:40], few, validation_split=0.1)
    assert net.classes == ("a", "b")


def test_validation_split_of_values():
    net = Network([64, 1], activations="linear", seed=0)
    y = X[:, 0]
    _, held_out = split_rows(len(X), 0.5)
    history = net.fit(X, y, validation_split=0.5, learning_rate=0.01)
    assert history.val_loss == [net.loss(X[held_out], y[held_out])]
    assert not history.val_accuracy


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(validation_split=1.0), "validation_split must be in"),
        (dict(validation_split=-0.1), "validation_split must be in"),
        (dict(validation_split="a"), "validation_split must be in"),
        (
            dict(validation_split=0.01),
            "validation_split=0.01 of 20 samples leaves none to validate with: take at least 0.05$",
        ),
        (
            dict(validation_split=0.99),
            "validation_split=0.99 of 20 samples leaves none to train with: take at most 0.95$",
        ),
        (
            dict(validation_split=0.5, sample_weight=np.arange(20) == split_rows(20, 0.5)[1][0]),
            "sample_weight is 0 for all of 10 samples that validation_split=0.5 leaves: there",
        ),
        (
            dict(validation_split=0.5, validation_data=(X, Y)),
            "validation_split and validation_data exclude each other",
        ),
    ],
)
def test_bad_splits(options, text):
    with pytest.raises(ValueError, match=text):
        digits_network().fit(X[:20], Y[:20], **options)


def test_errors_of_split_data_name_their_rows():
    broken = X.copy()
    broken[7, 3] = np.nan
    with pytest.raises(ValueError, match=r"X\[7, 3\] is nan"):
        digits_network().fit(broken, Y, validation_split=0.5)


# ---------------------------------------------------------------- histories


def test_divergence_keeps_the_history():
    net = Network([1, 1], activations="linear", seed=0, dtype="float64")
    with pytest.raises(DivergenceError) as caught:
        net.fit([[1.0]], [[0.0]], epochs=10_000, learning_rate=2.0)
    history = caught.value.history
    assert history is net.history
    assert len(history.loss) == len(history.seconds) == net.epochs_trained > 100
    assert history.learning_rate == [2.0] * len(history.loss)
    assert pickle.loads(pickle.dumps(caught.value)).history == history


def test_interrupts_keep_the_history():
    """Of one call of the core, and of a callback."""

    def ring(*_):
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, ring)
    net = digits_network()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(KeyboardInterrupt) as caught:
            net.fit(X, Y, epochs=100_000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert caught.value.history is net.history
    assert len(net.history.loss) == len(net.history.learning_rate) == net.epochs_trained > 1
    assert net.history.loss[-1] < net.history.loss[0]

    def interrupt(network, epoch, history):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        net.fit(X, Y, epochs=9, validation_split=0.2, callbacks=interrupt)
    assert caught.value.history is net.history
    assert len(net.history.loss) == len(net.history.val_loss) == 3


def test_exceptions_that_take_no_history():
    class Closed(KeyboardInterrupt):
        def __setattr__(self, name, value):
            if name == "history":
                raise TypeError

    def close(*_):
        raise Closed

    net, inner = digits_network(), Network([1, 1], activations="linear", seed=0)
    with pytest.raises(Closed):
        net.fit(X, Y, callbacks=close)
    assert len(net.history.loss) == 1

    def diverge(*_):
        inner.fit([[1.0]], [[0.0]], epochs=10_000, learning_rate=2.0)

    with pytest.raises(DivergenceError) as caught:
        net.fit(X, Y, callbacks=diverge)
    assert caught.value.history is inner.history


def test_history_of_a_network(tmp_path):
    net = digits_network()
    assert net.history is None
    history = net.fit(X, Y)
    assert net.history is history
    with pytest.raises(ValueError, match="epochs"):
        net.fit(X, Y, epochs=0)
    assert net.history is history
    net.save(tmp_path / "net")
    assert Network.load(tmp_path / "net").history is None
    with pytest.raises(AttributeError):
        net.history = history


# ---------------------------------------------------------------- callbacks


def test_a_single_callback_needs_no_list():
    seen = []

    def callback(network, epoch, history):
        seen.append(epoch)
        if epoch == 1:
            raise StopTraining

    assert len(digits_network().fit(X, Y, epochs=5, callbacks=callback).loss) == 2
    assert seen == [0, 1]
    (result,) = sweep([dict(layer_sizes=[64, 10])], X, Y, epochs=5, callbacks=callback)
    assert len(result.history.loss) == 2


@pytest.mark.parametrize("method", ["begin", "change_rate", "finish"])
def test_every_method_may_stop_in_order(method):
    seen = []

    class Callback:
        def __call__(self, network, epoch, history):
            seen.append(epoch)

        def finish(self, network):
            seen.append("finish")

    def stop(self, *_):
        raise StopTraining

    first = type("Stopping", (Callback,), {method: stop})()
    net = digits_network()
    history = net.fit(X, Y, epochs=2, callbacks=[first, Callback()])
    assert history is net.history
    assert len(history.loss) == net.epochs_trained == (2 if method == "finish" else 0)
    assert seen == ([0, 0, 1, 1, "finish"] if method == "finish" else ["finish"] * 2)


@pytest.mark.parametrize("callbacks", [StopTraining, [StopTraining]])
def test_an_exception_is_no_callback(callbacks):
    with pytest.raises(ValueError, match="must not be an exception, StopTraining, but a callable"):
        digits_network().fit(X, Y, callbacks=callbacks)


def rates_of(plateau, values, rate=1.0):
    """The rates that a callback gives to epochs whose recorded values are these."""
    history, rates = History(), []
    plateau.begin(None, 0)
    for epoch, value in enumerate(values):
        rates.append(plateau.change_rate(epoch, rate))
        getattr(history, plateau.monitor).append(value)
        plateau(None, epoch, history)
    return rates


def test_rates_on_plateaus():
    assert rates_of(ReduceOnPlateau(factor=0.5, patience=2), [3, 2, 2, 2, 2, 2, 1, 1]) == [
        1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25,
    ]  # fmt: skip
    assert rates_of(ReduceOnPlateau("val_accuracy", 0.5, 1), [1, 2, 2, 3, 1]) == [1, 1, 1, 0.5, 0.5]
    assert rates_of(ReduceOnPlateau("loss", 0.5, 1, min_delta=0.1), [1, 0.95, 0.8, 0.8]) == [
        1, 1, 0.5, 0.5,
    ]  # fmt: skip
    assert rates_of(ReduceOnPlateau("loss", 0.5, 1, min_rate=0.3), [1] * 5) == [1, 1, 0.5, 0.3, 0.3]
    assert rates_of(ReduceOnPlateau("loss", 0.5, 1, min_rate=2), [1] * 3) == [1, 1, 1]
    assert rates_of(ReduceOnPlateau("loss", 0.5, 1), [math.nan, math.inf, 1, 1, 1]) == [
        1, 0.5, 0.5, 0.5, 0.25,
    ]  # fmt: skip
    plateau = ReduceOnPlateau("loss", 0.5, 1)
    rates_of(plateau, [1] * 9)
    assert rates_of(plateau, [1] * 3) == [1, 1, 0.5]  # another training


def test_rates_on_plateaus_are_those_of_the_training():
    """Beside a schedule, early stopping and checkpoints: as a schedule of the recorded rates."""
    options = dict(epochs=12, validation_split=0.5, batch_size=10)
    decay = schedules.Exponential(2.0, 0.95)
    net, stop = digits_network(), EarlyStopping(patience=4)
    history = net.fit(
        X[:200], Y[:200], learning_rate=decay, callbacks=[stop, ReduceOnPlateau(patience=1)],
        **options,
    )  # fmt: skip
    rates = history.learning_rate
    assert rates[0] == 2.0
    assert rates[-1] < 0.1 * decay(len(rates) - 1)
    same = digits_network()
    again = same.fit(
        X[:200], Y[:200], learning_rate=rates.__getitem__, callbacks=EarlyStopping(patience=4),
        **options | dict(epochs=len(rates)),
    )  # fmt: skip
    assert bits(same) == bits(net)
    assert again.loss == history.loss


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(monitor="accuracy"), "monitor"),
        (dict(factor=1.0), "factor must lie between 0 and 1, not 1.0"),
        (dict(factor=0.0), "factor must be positive"),
        (dict(patience=0), "patience"),
        (dict(min_delta=-1), "min_delta"),
        (dict(min_rate=-1), "min_rate"),
    ],
)
def test_bad_plateaus(options, text):
    with pytest.raises(ValueError, match=text):
        ReduceOnPlateau(**options)


@pytest.mark.parametrize("kind", [EarlyStopping, ReduceOnPlateau])
def test_what_is_not_recorded_is_refused_before_any_training(kind):
    net = digits_network()
    before = bits(net)
    with pytest.raises(ValueError, match="val_loss is not recorded: pass validation_data or"):
        net.fit(X, Y, callbacks=[print, kind()])
    values = Network([64, 1], activations="linear", seed=0)
    with pytest.raises(ValueError, match="val_accuracy is not recorded: pass validation_data or"):
        values.fit(X, X[:, 0], validation_split=0.5, callbacks=kind("val_accuracy"))
    assert net.epochs_trained == values.epochs_trained == 0
    assert bits(net) == before
    assert net.history is None
    net.fit(X, Y, validation_split=0.5, callbacks=kind("val_accuracy"))
    assert net.epochs_trained == 1


def test_rates_of_callbacks_are_checked():
    class Wrong:
        def __call__(self, *_):
            pass

        def change_rate(self, epoch, rate):
            return -rate

    with pytest.raises(ValueError, match="the result of change_rate must be at least 0"):
        digits_network().fit(X, Y, callbacks=Wrong())


def read(path):
    data = path.read_bytes()
    assert data.endswith(b"\r\n")
    assert data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")
    with open(path, newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_logs_are_histories(tmp_path):
    path = tmp_path / "log.csv"
    net, logger = digits_network(), CSVLogger(path)
    histories = [net.fit(X, Y, epochs=2, validation_split=0.2, callbacks=logger)]
    rows = read(path)
    for name in ("loss", "val_loss", "val_accuracy", "learning_rate", "seconds"):
        assert [float(row[name]) for row in rows] == getattr(histories[0], name)
    assert [row["epoch"] for row in rows] == ["0", "1"]
    net.fit(X, Y, epochs=3, initial_epoch=2, callbacks=CSVLogger(path, append=True))
    assert [row["epoch"] for row in read(path)] == ["0", "1", "2"]
    assert read(path)[-1]["val_loss"] == read(path)[-1]["val_accuracy"] == ""
    net.fit(X, Y, callbacks=pickle.loads(pickle.dumps(logger)))
    assert len(read(path)) == 1
    path.unlink()
    net.fit(X, Y, callbacks=CSVLogger(os.fspath(path), append=True))
    assert len(read(path)) == 1


def test_logs_have_every_epoch_at_once(tmp_path):
    path, net, lengths = tmp_path / "log.csv", digits_network(), []

    def look(network, epoch, history):
        lengths.append(len(read(path)))
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        net.fit(X, Y, epochs=5, callbacks=[CSVLogger(path), look, Checkpoint(tmp_path / "net")])
    assert lengths == [1, 2, 3]
    assert os.listdir(tmp_path).count("log.csv") == 1


def test_bad_logs(tmp_path):
    with pytest.raises(TypeError, match="path must be a path, not 3"):
        CSVLogger(3)
    with pytest.raises(ValueError, match="append must be"):
        CSVLogger("log", append=2)
    with pytest.raises(FileNotFoundError):
        digits_network().fit(X, Y, callbacks=CSVLogger(tmp_path / "none" / "log.csv"))
