"""Many networks at once."""

import multiprocessing
import os
import pickle
import re
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from conftest import interrupt
from exactnet import (
    Dataset,
    DivergenceError,
    EarlyStopping,
    History,
    Network,
    datasets,
    schedules,
    sweep,
)
from exactnet.dense import network as network_module

X, Y, X_TEST, Y_TEST = datasets.load_digits()


def same(a, b):
    pairs = zip((*a.weights, *a.biases), (*b.weights, *b.biases), strict=True)
    return all(np.array_equal(v, w) for v, w in pairs)


@pytest.mark.parametrize("n_jobs", [None, 1, 2, 5])
def test_networks_are_those_of_single_calls(n_jobs):
    of_network = [
        dict(layer_sizes=[64, 5, 10], seed=1),
        dict(layer_sizes=[64, 10], seed=2, dtype="float64", activations="softmax"),
        dict(layer_sizes=(64, 7, 10), seed=3, init="he_normal"),
    ]
    of_fit = [
        dict(learning_rate=3.0, epochs=4),
        dict(loss="cross_entropy", optimizer="adam", learning_rate=0.01),
        dict(momentum=0.5, penalty="l2", alpha=1e-4, dropout=0.1, batch_size=7),
    ]
    common = dict(epochs=2, batch_size=20)
    configs = [a | b for a, b in zip(of_network, of_fit, strict=True)]
    results = sweep(configs, X, Y, n_jobs=n_jobs, validation_data=(X_TEST, Y_TEST), **common)
    for result, arguments, options in zip(results, of_network, of_fit, strict=True):
        net = Network(**arguments)
        history = net.fit(X, Y, validation_data=(X_TEST, Y_TEST), **common | options)
        assert result.error is None
        assert same(result.network, net)
        assert result.history.loss == history.loss
        assert result.history.val_accuracy == history.val_accuracy
        assert result.config == common | arguments | options


@pytest.mark.parametrize("targets", ["column", "values", "labels"])
def test_targets_of_all_kinds(targets):
    y = {"column": X[:, 5], "values": X[:, 5:8], "labels": Y}[targets]
    n = {"column": 1, "values": 3, "labels": 10}[targets]
    configs = [dict(layer_sizes=[64, n], seed=1, dtype=t) for t in ("float32", "float64")]
    for config, result in zip(configs, sweep(configs, X.tolist(), y.tolist()), strict=True):
        net = Network(**config)
        net.fit(X, y)
        assert same(result.network, net)


@pytest.mark.parametrize("as_dataset", [False, True])
def test_data_are_converted_and_packed_once(samples_made, as_dataset):
    data = (Dataset(X.astype(float), Y),) if as_dataset else (X.astype(float), Y)
    configs = [dict(layer_sizes=[64, 10], seed=k) for k in range(32)]
    results = sweep(configs, *data, n_jobs=2, validation_data=(X_TEST, Y_TEST))
    assert all(result.error is None for result in results)
    assert [samples.packings for samples in samples_made] == [1, 0]  # X, and that to validate with


def test_epochs_may_begin_later():
    schedule = schedules.StepDecay(1.0, 0.5, every=1)
    configs = [dict(layer_sizes=[64, 10], seed=1)]
    (late,) = sweep(configs, X, Y, learning_rate=schedule, epochs=3, initial_epoch=2)
    (same_rate,) = sweep(configs, X, Y, learning_rate=0.25)
    assert late.network.epochs_trained == 1
    assert same(late.network, same_rate.network)
    (refused,) = sweep([dict(layer_sizes=[64, 10])], X, Y, epochs=2, initial_epoch=2)
    assert "initial_epoch must be an integer from 0 to 1" in str(refused.error)


def test_errors_do_not_lose_the_others():
    def fail(network, epoch, history):
        raise RuntimeError("enough")

    configs = [
        dict(learning_rate=-1),
        dict(seed=-1),
        dict(callbacks=[fail]),
        dict(layer_sizes=[63, 10]),
        dict(learning_rate=1e30, activations="linear", epochs=20),
        dict(),
    ]
    results = sweep(configs, X, Y, layer_sizes=[64, 10], n_jobs=2)
    kinds = [ValueError, ValueError, RuntimeError, ValueError, DivergenceError, type(None)]
    assert [type(r.error) for r in results] == kinds
    assert [r.network is None for r in results] == [False, True] + [False] * 4
    assert [r.history is None for r in results] == [True] * 5 + [False]
    assert "learning_rate must be positive" in str(results[0].error)
    assert results[3].config == dict(layer_sizes=[63, 10])


def test_refused_before_any_training(monkeypatch):
    monkeypatch.setattr(network_module.Network, "__init__", None)
    good = dict(layer_sizes=[64, 10])
    for configs, message in (
        ([good, dict(good, lerning_rate=1)], r"configs\[1\] has unknown arguments: 'lerning_rate'"),
        ([good, dict(good, verbose=True)], "unknown arguments: 'verbose'"),
        ([dict(seed=1)], r"configs\[0\] has no layer_sizes"),
        ([[64, 10]], r"configs\[0\] must be a dict"),
    ):
        with pytest.raises(TypeError, match=message):
            sweep(configs, X, Y)
    bad = X.copy()
    bad[3, 5] = np.nan
    for data, message in (
        ((bad, Y), r"X\[3, 5\] is nan"),
        ((X, Y[1:]), "y has 1436 samples but X has 1437"),
        ((X[0], Y), "X must be \\(samples, features\\)"),
        ((X[:0], Y[:0]), "X has no samples"),
        ((X, Y.astype(complex)), "y must hold real numbers"),
        ((X, bad[:, 5]), r"y\[3, 0\] is nan"),
        ((X, Y[:, None, None]), r"y must be \(samples,\) or"),
    ):
        with pytest.raises(ValueError, match=message):
            sweep([good], *data)
    with pytest.raises(ValueError, match=r"validation X\[3, 5\] is nan"):
        sweep([good], X, Y, validation_data=(bad, Y))
    with pytest.raises(ValueError, match="n_jobs must be a positive integer"):
        sweep([good], X, Y, n_jobs=0)
    assert sweep([], X, Y) == []


def test_networks_do_not_share_callbacks():
    stop = EarlyStopping("loss", patience=1)
    configs = [dict(seed=k, learning_rate=1e-6 if k else 1.0) for k in range(4)]
    results = sweep(
        configs, X, Y, layer_sizes=[64, 10], epochs=30, callbacks=iter([stop]), n_jobs=2
    )
    callbacks = [result.config["callbacks"][0] for result in results]
    assert stop.best_epoch is None
    assert len({id(callback) for callback in (stop, *callbacks)}) == 5
    assert callbacks[0].best_epoch is not None


def test_progress_and_what_it_raises():
    shares = []
    configs = [dict(layer_sizes=[64, 10], seed=k) for k in range(4)]
    sweep(configs, X, Y, progress=shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]

    def give_up(share):
        raise KeyboardInterrupt

    begin = time.monotonic()
    long = [*configs[:1], *(dict(config, epochs=10**7) for config in configs)]
    with pytest.raises(KeyboardInterrupt):
        sweep(long, X, Y, n_jobs=2, progress=give_up)
    assert time.monotonic() - begin < 20
    assert not [t for t in threading.enumerate() if t.name.startswith("exactnet-sweep")]


def test_a_callback_may_end_everything():
    def leave(network, epoch, history):
        raise SystemExit(3)

    configs = [dict(epochs=10**7), dict(callbacks=[leave])]
    with pytest.raises(SystemExit):
        sweep(configs, X, Y, layer_sizes=[64, 10], n_jobs=2)


def test_ctrl_c_ends_all():
    script = """
import threading, time
import numpy as np
from exactnet import sweep
X = np.random.default_rng(0).normal(size=(20_000, 200))
configs = [dict(layer_sizes=[200, 3000, 1000, 10], epochs=9, seed=k) for k in range(8)]
y = np.arange(len(X)) % 10
threading.Timer(1.0, print, ["started"], dict(flush=True)).start()
try:
    sweep(configs, X, y, n_jobs=2)
except KeyboardInterrupt:
    print(time.monotonic(), threading.active_count())
"""
    delay, words = interrupt(script, after=0.3)
    print(f"{delay:.3f} s")
    assert delay < 1  # in the middle of epochs of several seconds
    assert words == ["1"]


# ---------------------------------------------------------------- executors


class Once:
    """A callback that ends its process, the first time it is called in any."""

    def __init__(self, path):
        self.path = path

    def __call__(self, network, epoch, history):
        if not self.path.exists():
            self.path.touch()
            os._exit(1)


def leave(network, epoch, history):
    os._exit(1)


class OddError(Exception):
    """Cannot be made anew from its text, as pickle does it."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def odd(network, epoch, history):
    raise OddError(1, 2)


def give_up(network, epoch, history):
    raise SystemExit(3)


@pytest.fixture(params=["threads", "processes", "dask", "executor of dask"])
def executor(request):
    if "dask" in request.param:
        client = request.getfixturevalue("client")
        yield client.get_executor() if "executor" in request.param else client
    else:
        with ThreadPoolExecutor(2) if request.param == "threads" else processes() as executor:
            yield executor


def processes():
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


CONFIGS = [dict(seed=k, learning_rate=rate) for k in range(4) for rate in (0.1, 1.0)]
COMMON = dict(layer_sizes=[64, 5, 10], epochs=2)


@pytest.mark.parametrize("as_dataset", [False, True])
def test_networks_of_executors_are_the_same(executor, as_dataset):
    stop = EarlyStopping("val_loss", patience=5)
    configs = [*CONFIGS, dict(learning_rate=-1), dict(layer_sizes=[63, 10])]
    options = dict(validation_data=(X_TEST, Y_TEST), callbacks=[stop], **COMMON)
    data = (Dataset(X, Y),) if as_dataset else (X, Y)
    shares = []
    here = sweep(configs, X, Y, **options)
    there = sweep(configs, *data, executor=executor, progress=shares.append, **options)
    assert [result.config["layer_sizes"] for result in there[-2:]] == [[64, 5, 10], [63, 10]]
    assert shares == [(k + 1) / 10 for k in range(10)]
    for one, other in zip(here, there, strict=True):
        assert repr(one.error) == repr(other.error)
        assert (one.history is None) == (other.history is None) == (one.error is not None)
        if one.error is None:
            assert same(one.network, other.network)
            assert one.history.val_loss == other.history.val_loss
            assert other.config["callbacks"][0].best_epoch == 1


def test_targets_that_are_names_travel():
    names = np.array(["zero", "one", "two", "3", "4", "5", "6", "7", "8", "9"])[Y]
    with processes() as executor:
        for here, there in zip(
            sweep(CONFIGS, X, names, **COMMON),
            sweep(CONFIGS, X, names, executor=executor, **COMMON),
            strict=True,
        ):
            assert same(here.network, there.network)
            assert here.network.classes == there.network.classes


def test_warnings_of_other_processes_are_heard():
    with processes() as executor, pytest.warns(UserWarning, match="y reaches 5") as found:
        sweep(CONFIGS, X, 5.0 * X[:, 5:15], executor=executor, **COMMON)
    assert len(found) == 1
    assert found[0].filename == __file__


def test_data_travel_once_per_worker():
    class Counting(ThreadPoolExecutor):
        def submit(self, task, /, *args, **kwargs):
            sizes.append(len(pickle.dumps((args, kwargs))))
            return super().submit(task, *args, **kwargs)

    sizes = []
    with Counting(2) as executor:
        sweep(CONFIGS, X, Y, executor=executor, **COMMON)
    assert len(sizes) == len(CONFIGS)
    assert [size > 64 * 1437 for size in sizes] == [True] * 2 + [False] * 6


def test_a_network_whose_process_dies_is_trained_again(tmp_path):
    configs = [dict(config) for config in CONFIGS]
    configs[2]["callbacks"] = [Once(tmp_path / "died")]
    with processes() as executor:
        there = sweep(configs, X, Y, executor=executor, **COMMON)
    assert (tmp_path / "died").exists()
    for here, result in zip(sweep(CONFIGS, X, Y, **COMMON), there, strict=True):
        assert result.error is None
        assert same(here.network, result.network)


def test_a_network_that_kills_its_process_has_the_error():
    configs = [dict(config) for config in CONFIGS]
    configs[1]["callbacks"] = configs[6]["callbacks"] = [leave]
    with processes() as executor:
        there = sweep(configs, X, Y, executor=executor, **COMMON)
    for k, (here, result) in enumerate(zip(sweep(CONFIGS, X, Y, **COMMON), there, strict=True)):
        if k in (1, 6):
            assert isinstance(result.error, BrokenProcessPool)
            assert (result.network, result.history) == (None, None)
        else:
            assert same(here.network, result.network)


def test_pools_that_cannot_be_had_again():
    """All that was not finished has the error; in a pool of another kind, or if all die."""

    class Pool(ProcessPoolExecutor):
        pass

    with Pool(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        configs = [dict(seed=0), dict(seed=1, callbacks=[leave]), dict(seed=2), dict(seed=3)]
        results = sweep(configs, X, Y, executor=executor, **COMMON)
    assert results[0].error is None
    assert all(isinstance(result.error, BrokenProcessPool) for result in results[1:])
    with processes() as executor:
        results = sweep(
            [dict(seed=k) for k in range(9)], X, Y, executor=executor, callbacks=[leave], **COMMON
        )
    assert all(isinstance(result.error, BrokenProcessPool) for result in results)


def test_dask_trains_what_a_lost_worker_had(tmp_path, client):
    configs = [dict(config) for config in CONFIGS]
    configs[2]["callbacks"] = [Once(tmp_path / "died")]
    there = sweep(configs, X, Y, executor=client, **COMMON)
    assert (tmp_path / "died").exists()
    for here, result in zip(sweep(CONFIGS, X, Y, **COMMON), there, strict=True):
        assert same(here.network, result.network)


def test_what_cannot_travel_is_an_error_of_its_network():
    configs = [dict(), dict(callbacks=[lambda *args: None]), dict(callbacks=[odd])]
    with processes() as executor:
        results = sweep(configs, X, Y, executor=executor, seed=0, **COMMON)
        assert results[0].error is None
        assert "pickle" in str(results[1].error)
        assert repr(results[2].error) == "RuntimeError('OddError: 1 and 2')"
        with pytest.raises(SystemExit):
            sweep([dict(), dict(callbacks=[give_up])], X, Y, executor=executor, **COMMON)
        executor.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            sweep([dict()], X, Y, executor=executor, **COMMON)


def test_other_executors():
    for wrong in (4, "threads", ThreadPoolExecutor):
        with pytest.raises(TypeError, match=r"executor must be a concurrent\.futures\.Executor or"):
            sweep([], X, Y, executor=wrong)
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(ValueError, match="n_jobs=2 and executor exclude each other"),
    ):
        sweep([], X, Y, executor=executor, n_jobs=2)


def test_results_are_a_list_that_prints_as_a_table():
    configs = [
        dict(layer_sizes=[64, 10], learning_rate=0.01),
        dict(layer_sizes=[64, 10], learning_rate=3.0),
        dict(layer_sizes=[64, 10], learning_rate=-1.0),
        dict(layer_sizes=[64, 5, 10], learning_rate=1.0),
    ]
    stop = EarlyStopping("loss", patience=5)
    results = sweep(configs, X, Y, seed=0, epochs=2, validation_data=(X, Y), callbacks=[stop])
    assert isinstance(results, list)
    assert len(results) == 4
    title, header, *rows = str(results).splitlines()
    assert title == "4 networks"
    assert header.split() == [  # what they have in common is not there
        *("layer_sizes", "learning_rate", "loss", "val_loss", "val_accuracy", "seconds", "error")
    ]
    assert [row.split()[0] for row in rows] == list("0123")
    assert "learning_rate must be positive" in rows[2]
    assert f"{results[1].history.val_loss[-1]:.4g}" in rows[1]
    for sort in ("loss", "val_loss", "val_accuracy", "seconds"):
        order = [int(row.split()[0]) for row in str(results.table(sort=sort)).splitlines()[2:]]
        assert sorted(order) == [0, 1, 2, 3]
        assert order[-1] == 2  # which has none
        history = [results[k].history for k in order[:-1]]
        values = [sum(h.seconds) if sort == "seconds" else getattr(h, sort)[-1] for h in history]
        assert values == sorted(values, reverse=sort == "val_accuracy")
    assert "<td" in results._repr_html_()
    assert str(pickle.loads(pickle.dumps(results))) == str(results)
    with pytest.raises(ValueError, match=r"sort must be one of None, 'loss'.*, not 'accuracy'"):
        results.table("accuracy")
    assert str(sweep([], X, Y)).startswith("0 networks")


def test_reprs_are_one_line():
    good, bad = sweep([{}, dict(learning_rate=-1)], X, Y, layer_sizes=[64, 10], seed=0)
    assert repr(good) == f"SweepResult(layer_sizes=[64, 10], seed=0: {good.history!r})"
    text = "ValueError('learning_rate must be positive, not -1')"
    assert repr(bad) == f"SweepResult(layer_sizes=[64, 10], seed=0, learning_rate=-1: {text})"
    assert re.fullmatch(r"History\(1 epoch, loss [\d.]+, [\d.e-]+ s\)", repr(good.history))
    assert repr(History()) == "History(0 epochs, 0 s)"
