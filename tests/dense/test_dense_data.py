"""Data that are prepared once: `Dataset` in the float half."""

import pickle
import threading
from dataclasses import fields
from inspect import signature

import numpy as np
import pytest

from exactnet import Dataset, Network, datasets, diagnostics, sweep
from exactnet.dense import data as data_module
from exactnet.dense import training
from exactnet.dense.options import Options

X, Y, X_TEST, Y_TEST = datasets.load_digits()


def results(net, *given, validation):
    """What all functions that take data make of them."""
    history = net.fit(
        *given, epochs=2, batch_size=10, learning_rate=0.01, validation_data=validation
    )
    yield from (history.loss, history.val_loss, history.val_accuracy, *net.weights)
    yield from (net.loss(*given), net.accuracy(*given))
    yield from (array for layer in net.gradients(*given) for array in layer)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("as_lists", [False, True])
def test_datasets_are_taken_as_their_arrays(dtype, as_lists):
    for y, n, activation in ((Y, 10, "softmax"), (X[:, :3], 3, "linear"), (X[:, 0], 1, "sigmoid")):
        arrays = X[:200], y[:200]
        given = [array.tolist() for array in arrays] if as_lists else arrays
        one, other = (
            Network([64, 8, n], activations=["tanh", activation], seed=0, dtype=dtype)
            for _ in range(2)
        )
        if n == 1 or y is not Y:
            one.accuracy = other.accuracy = lambda *given: 0  # these tell no classes
        dataset = Dataset(*given)
        expected = results(one, *arrays, validation=arrays)
        for a, b in zip(expected, results(other, dataset, validation=dataset), strict=True):
            np.testing.assert_array_equal(a, b)
        assert (one.predict(arrays[0]) == other.predict(dataset)).all()
        if n > 1:
            assert (one.classify(arrays[0]) == other.classify(dataset)).all()
        assert repr(diagnostics.dead_units(one, arrays[0])) == repr(
            diagnostics.dead_units(other, dataset)
        )


def test_a_second_fit_prepares_nothing(samples_made, monkeypatch):
    """No conversion, no look at all numbers, no packing, neither of X nor of y."""
    looks = []
    for owner, name in ((np, "isfinite"), (data_module, "real_array"), (data_module, "_converted")):
        original = getattr(owner, name)

        def counted(*arguments, original=original, name=name):
            looks.append((name, np.shape(arguments[0])))
            return original(*arguments)

        monkeypatch.setattr(owner, name, counted)
    dataset, validation = Dataset(X.tolist(), Y), Dataset(X_TEST, Y_TEST)
    net = Network([64, 10], activations="softmax", seed=0)
    for turn in range(3):
        net.fit(dataset, validation_data=validation, loss="cross_entropy")
        net.loss(dataset)
        net.gradients(dataset)
        net.accuracy(validation)
        net.predict(dataset)
        assert [samples.packings for samples in samples_made] == [1, 0]
        assert bool(looks) == (turn == 0)
        looks.clear()
    net.fit(X, Y)
    net.fit(X, Y)
    assert [samples.packings for samples in samples_made] == [1, 0, 1, 1]
    Network([64, 10], dtype="float64").fit(dataset)
    assert [samples.packings for samples in samples_made] == [1, 0, 1, 1, 1]


def test_threads_pack_a_dataset_once(samples_made):
    dataset = Dataset(X, Y)
    networks = [Network([64, 10], seed=k) for k in range(8)]
    threads = [threading.Thread(target=net.fit, args=(dataset,)) for net in networks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [samples.packings for samples in samples_made] == [1]
    assert [net.epochs_trained for net in networks] == [1] * 8


class Counted:
    """A network of the core that records what is asked of it."""

    def __init__(self, core):
        self.core, self.calls = core, []

    def __getattr__(self, name):
        self.calls.append(name)
        return getattr(self.core, name)


@pytest.mark.parametrize(
    ("activation", "targets"),
    [
        ("softmax", lambda labels: labels),
        ("sigmoid", lambda labels: np.eye(10)[labels]),
        ("sigmoid", lambda labels: labels > 4),
    ],
)
def test_validation_is_one_forward_pass(activation, targets):
    """With classes to compare with: one call of the core, which gives what two others do."""
    y, validation = targets(Y), (X_TEST, targets(Y_TEST))
    n = 10 if y is Y or y.ndim == 2 else 1
    net = Network([64, 12, n], activations=["tanh", activation], seed=0)
    history = net.fit(X, y, learning_rate=1.0, validation_data=validation)
    assert history.val_loss == [net.loss(*validation)]
    assert history.val_accuracy == [net.accuracy(*validation)]
    data = data_module.Data.of(net, *validation)
    counted = net._core = Counted(net._core)
    training._validate(net, data, net._objective(None), history, 1, None)
    assert counted.calls == ["evaluate"]
    assert history.val_loss[0] == history.val_loss[1]
    assert history.val_accuracy[0] == history.val_accuracy[1] > 0.2


def test_datasets_and_targets_that_do_not_go_together():
    net, bare, full = Network([64, 10], seed=0), Dataset(X), Dataset(X, Y)
    for call, name in (
        (net.fit, "y"),
        (net.loss, "y"),
        (net.gradients, "y"),
        (net.accuracy, "labels"),
        (lambda *data: sweep([dict(layer_sizes=[64, 10])], *data), "y"),
    ):
        with pytest.raises(ValueError, match=f"{name} must be left out: X is a Dataset"):
            call(full, Y)
        with pytest.raises(ValueError, match="X is a Dataset without y"):
            call(bare)
        with pytest.raises(ValueError, match=f"{name} must be given"):
            call(X)
    with pytest.raises(ValueError, match="validation X is a Dataset without y"):
        net.fit(full, validation_data=bare)
    assert net.predict(bare).shape == (len(X), 10)


def test_what_is_wrong_with_a_dataset_is_said_every_time():
    bad = X.copy()
    bad[3, 5] = np.nan
    data, other = Dataset(bad, Y), Dataset(X, np.where(Y == 9, 17, Y))
    net = Network([64, 10], seed=0)
    for call in (net.fit, net.loss, net.gradients, net.accuracy, net.predict) * 2:
        with pytest.raises(ValueError, match=r"^X\[3, 5\] is nan"):
            call(data)
    for call in (net.fit, net.loss, net.gradients) * 2:
        with pytest.raises(
            ValueError, match=r"^y must lie from 0 to 9, not from 0 to 17: label 17 "
        ):
            call(other)
    assert Network([64, 18]).fit(other).loss


def test_options_are_the_parameters_of_fit():
    """Name, order, default and type; what is data is given beside them."""
    parameters = dict(signature(Network.fit).parameters)
    for name in ("self", "X", "y", "sample_weight", "validation_data"):
        del parameters[name]
    assert [(p.name, p.default, p.annotation) for p in parameters.values()] == [
        (field.name, field.default, field.type) for field in fields(Options)
    ]


def test_options_reach_the_core_and_back(monkeypatch):
    """Every parameter of `fit` arrives in Options as it is given."""
    given = dict(
        epochs=7, initial_epoch=2, batch_size=3, learning_rate=0.5, optimizer="sgd",
        momentum=0.0, nesterov=True, betas=(0.1, 0.2), epsilon=0.25, loss="pinball",
        quantiles=0.3, penalty="l1", alpha=0.125, dropout=[0.5], clip_norm=2.0,
        validation_split=0.25, shuffle=False, until=0.75, callbacks=[print],
        record_gradient_norms=True, n_threads=2, verbose=True,
    )  # fmt: skip
    seen = []
    monkeypatch.setattr(training, "fit", lambda *arguments, **_: seen.append(arguments[-1]))
    Network([2, 3, 1]).fit([[0, 1]], [1], **given)
    for field in fields(Options):
        value = getattr(seen[0], field.name)
        assert value == given[field.name] or field.name == "n_threads"
    with pytest.raises(AttributeError):
        seen[0].epochs = 1


def test_pickles_of_datasets_are_prepared_anew(samples_made):
    data = Dataset(X, Y)
    Network([64, 10], seed=0).fit(data)
    Network([64, 10], seed=0).fit(pickle.loads(pickle.dumps(data)))
    assert [samples.packings for samples in samples_made] == [1, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n_features", "density"), [(100, 0.2), (100, 1.0), (3, 1.0)])
def test_bytes_are_taken_as_they_are(np_rng, dtype, n_features, density):
    """They give what their numbers give, to the bit, and are neither converted nor copied."""
    X = np_rng.integers(0, 256, (300, n_features), dtype=np.uint8)
    X[np_rng.random(X.shape) > density] = 0
    y, numbers = np_rng.integers(0, 3, len(X)), X.astype(dtype)
    for given in (X, np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
        one, other = (
            Network([n_features, 8, 3], activations=["tanh", "softmax"], seed=0, dtype=dtype)
            for _ in range(2)
        )
        expected = results(one, numbers, y, validation=(numbers[:50], y[:50]))
        for a, b in zip(
            expected, results(other, given, y, validation=(X[:50], y[:50])), strict=True
        ):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(one.predict(numbers), other.predict(given))
        np.testing.assert_array_equal(one.predict(numbers[:3]), other.predict(given[:3]))
        for net, samples in ((one, numbers), (other, given)):
            net.fit(samples, y, validation_split=0.2, dropout=0.2, optimizer="adam", n_threads=2)
        np.testing.assert_array_equal(one.weights[0], other.weights[0])
    assert data_module.Samples(X, np.dtype(dtype), "X").array is X
    assert repr(diagnostics.dead_units(one, numbers)) == repr(diagnostics.dead_units(one, X))
