"""Adam, penalties, dropout, clipping, weights of samples, schedules and ways to end a training."""

import copy
import pickle
import signal
from fractions import Fraction

import numpy as np
import pytest

from conftest import random_network, slow
from exactnet import (
    Checkpoint,
    DivergenceError,
    EarlyStopping,
    Network,
    ReduceOnPlateau,
    StopTraining,
    datasets,
    schedules,
)

SIZES = [70, 12, 5, 3]


def problem(np_rng, sparse=False, n=23):
    net = random_network(np_rng, SIZES, ["tanh", "sigmoid", "softmax"])
    X = np_rng.normal(size=(n, SIZES[0]))
    if sparse:
        X[np_rng.random(X.shape) < 0.8] = 0
    return net, X, np_rng.integers(0, 3, n)


def follow(net, X, y, epochs, batch_size, step, sample_weight=None):
    """Train a copy with `step(gradients, parameters)` on the gradients of every batch."""
    copy = Network.from_arrays(net.weights, net.biases, net.activations)
    parameters = [a for layer in zip(copy.weights, copy.biases, strict=True) for a in layer]
    for _ in range(epochs):
        for begin in range(0, len(X), batch_size):
            part = slice(begin, begin + batch_size)
            if sample_weight is None:
                layers = copy.gradients(X[part], y[part], "cross_entropy")
                gradients = [g for layer in layers for g in layer]
            else:
                gradients = [np.zeros_like(p) for p in parameters]
                for k in range(len(X))[part]:
                    layers = copy.gradients(X[k : k + 1], y[k : k + 1], "cross_entropy")
                    share = sample_weight[k] / len(X[part])
                    for total, g in zip(gradients, (g for x in layers for g in x), strict=True):
                        total += share * g
            step(gradients, parameters)
    return copy


def same(net, copy, rtol=1e-9):
    pairs = zip((*net.weights, *net.biases), (*copy.weights, *copy.biases), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-11)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_adam_follows_its_formulas(np_rng, isa, sparse, n_threads):
    net, X, y = problem(np_rng, sparse)
    first, second, steps = {}, {}, 0

    def step(gradients, parameters):
        nonlocal steps
        steps += 1
        for k, (g, p) in enumerate(zip(gradients, parameters, strict=True)):
            first[k] = 0.8 * first.get(k, 0) + 0.2 * g
            second[k] = 0.95 * second.get(k, 0) + 0.05 * g**2
            m, v = first[k] / (1 - 0.8**steps), second[k] / (1 - 0.95**steps)
            p -= 0.01 * m / (np.sqrt(v) + 1e-7)

    copy = follow(net, X, y, 4, 6, step)
    options = dict(optimizer="adam", betas=(0.8, 0.95), epsilon=1e-7, n_threads=n_threads)
    options |= dict(batch_size=6, learning_rate=0.01, loss="cross_entropy", shuffle=False)
    net.fit(X, y, epochs=3, **options)
    net.fit(X, y, epochs=1, **options)  # goes on with its moments
    same(net, copy)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", ["plain", "momentum", "nesterov"])
@pytest.mark.parametrize("penalty", ["l1", "l2", 1.5, 0.5, 3])
def test_penalties_follow_their_formulas(np_rng, isa, penalty, kind, sparse):
    net, X, y = problem(np_rng, sparse)
    p = {"l1": 1, "l2": 2}.get(penalty, penalty)
    mu, velocity = (0.0 if kind == "plain" else 0.7), {}

    def step(gradients, parameters):
        for k, (g, w) in enumerate(zip(gradients, parameters, strict=True)):
            if w.ndim == 2:
                smooth = 1e-6 if p < 1 else 0
                g = g + 0.03 * p * w * (w * w + smooth) ** (p / 2 - 1)
            velocity[k] = mu * velocity.get(k, 0) - 0.1 * g
            w += velocity[k] * mu - 0.1 * g if kind == "nesterov" else velocity[k]

    copy = follow(net, X, y, 3, 8, step)
    net.fit(
        X, y, epochs=3, batch_size=8, learning_rate=0.1, loss="cross_entropy", shuffle=False,
        penalty=penalty, alpha=0.03, momentum=mu, nesterov=kind == "nesterov",
    )  # fmt: skip
    same(net, copy, rtol=1e-8)


def test_clipping_follows_its_formula(np_rng, isa):
    net, X, y = problem(np_rng)
    clipped = []

    def step(gradients, parameters):
        norm = np.sqrt(sum((g**2).sum() for g in gradients))
        clipped.append(norm > 0.5)
        for g, w in zip(gradients, parameters, strict=True):
            w -= 0.3 * g * min(1, 0.5 / norm)

    copy = follow(net, X, y, 5, 4, step)
    assert any(clipped)
    assert not all(clipped)
    net.fit(
        X, y, epochs=5, batch_size=4, learning_rate=0.3, loss="cross_entropy", shuffle=False,
        clip_norm=0.5,
    )  # fmt: skip
    same(net, copy)


def test_sample_weights_follow_their_formula(np_rng, isa):
    net, X, y = problem(np_rng)
    weight = np_rng.random(len(X)) * 3
    weight[4] = 0

    def step(gradients, parameters):
        for g, w in zip(gradients, parameters, strict=True):
            w -= 0.3 * g

    copy = follow(net, X, y, 3, 5, step, weight)
    losses = net.fit(
        X, y, batch_size=5, learning_rate=1e-30, loss="cross_entropy", sample_weight=weight
    ).loss
    each = [net.loss(X[k : k + 1], y[k : k + 1], "cross_entropy") for k in range(len(X))]
    assert losses[0] == pytest.approx(np.mean(weight * each))
    net.fit(
        X, y, epochs=3, batch_size=5, learning_rate=0.3, loss="cross_entropy", shuffle=False,
        sample_weight=weight,
    )  # fmt: skip
    same(net, copy)


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_dropout_drops_its_share_and_scales_the_rest(isa, rate):
    """The gradient of the output weights of one sample shows what each hidden unit passed on."""
    n = 4000
    net = Network.from_arrays(
        [np.ones((n, 1)), np.zeros((1, n))], [np.zeros(n), np.ones(1)], "linear"
    )
    net.fit([[1.0]], [[0.0]], learning_rate=1.0, loss="quadratic", dropout=rate)
    passed = -net.weights[1][0]  # of units that are 1
    kept = passed != 0
    assert kept.mean() == pytest.approx(1 - rate, abs=0.03)
    np.testing.assert_allclose(passed[kept], 1 / (1 - rate), rtol=1e-4)
    neighbours = kept[1:] & kept[:-1]
    assert neighbours.mean() == pytest.approx((1 - rate) ** 2, abs=0.04)


def test_dropped_units_get_no_gradient(np_rng):
    net = random_network(np_rng, [3, 400, 1], ["sigmoid", "linear"])
    before = net.weights[0].copy(), net.weights[1].copy()
    net.fit(np_rng.normal(size=(1, 3)), [[5.0]], dropout=[0.5])
    below = (net.weights[0] != before[0]).any(axis=1)
    above = net.weights[1][0] != before[1][0]
    assert (below == above).all()
    assert 0.4 < below.mean() < 0.6


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_everything_at_once_is_the_same_for_threads_files_and_calls(np_rng, tmp_path, optimizer):
    X = np_rng.random((90, 80)).astype(np.float32)
    X[np_rng.random(X.shape) < 0.7] = 0
    y = np_rng.integers(0, 4, 90)
    options = dict(batch_size=16, optimizer=optimizer, penalty="l1", alpha=1e-3, clip_norm=1.0)
    options |= dict(dropout=[0.3, 0.1], learning_rate=0.05, loss="cross_entropy")
    options |= dict(momentum=0.8, nesterov=True) if optimizer == "sgd" else {}
    results = []
    for kind in ("plain", "threads", "calls", "file"):
        net = Network([80, 20, 10, 4], activations=["relu", "tanh", "softmax"], seed=5)
        if kind in ("plain", "threads"):
            net.fit(X, y, epochs=4, n_threads=2 if kind == "threads" else 1, **options)
        else:
            net.fit(X, y, epochs=1, **options)
            if kind == "file":
                net.save(tmp_path / "net")
                net = Network.load(tmp_path / "net")
            net.fit(X, y, epochs=3, **options)
        results.append([a.tobytes() for a in (*net.weights, *net.biases)])
    assert all(r == results[0] for r in results)


def test_gradient_norms_are_recorded(np_rng):
    net, X, y = problem(np_rng)
    norms = [np.linalg.norm(dW) for dW, _ in net.gradients(X, y, "cross_entropy")]
    history = net.fit(
        X, y, epochs=3, batch_size=len(X), loss="cross_entropy", record_gradient_norms=True
    )
    assert np.shape(history.gradient_norms) == (3, 3)
    np.testing.assert_allclose(history.gradient_norms[0], norms, rtol=1e-9)
    assert net.fit(X, y).gradient_norms == [[]] or net.fit(X, y).gradient_norms == []


def test_schedules_are_followed(np_rng):
    net, X, y = problem(np_rng)
    seen = []

    def rate(epoch):
        seen.append(epoch)
        return 0.1 / (1 + epoch)

    copy = Network.from_arrays(net.weights, net.biases, net.activations)
    net.fit(X, y, epochs=3, learning_rate=rate, shuffle=False)
    assert seen == [0, 1, 2]
    for epoch in range(3):
        copy.fit(X, y, learning_rate=0.1 / (1 + epoch), shuffle=False)
    same(net, copy, rtol=0)
    for bad in (0, -1, float("nan"), "fast"):
        with pytest.raises(ValueError, match=r"learning_rate\(1\) must be"):
            net.fit(X, y, epochs=2, learning_rate=lambda epoch, bad=bad: bad if epoch else 0.1)
    net.fit(X, y, epochs=30, learning_rate=schedules.Exponential(0.5, 0.9))
    net.fit(X, y, epochs=30, learning_rate=schedules.StepDecay(0.5, every=7))


def test_until(np_rng):
    X, y = np_rng.normal(size=(40, 1)), None
    y = 2 * X + 5
    net = Network([1, 1], activations="linear", seed=0)
    history = net.fit(X, y, epochs=10_000, learning_rate=0.1, until=1e-5)
    assert history.loss[-1] < 1e-5
    assert len(history.loss) < 10_000
    assert all(value >= 1e-5 for value in history.loss[:-1])
    calls = []
    again = Network([1, 1], activations="linear", seed=0)
    same_history = again.fit(
        X, y, epochs=10_000, learning_rate=0.1, until=1e-5,
        callbacks=[lambda *_: calls.append(1)],
    )  # fmt: skip
    assert same_history.loss == history.loss
    assert len(calls) == len(history.loss)
    assert len(net.fit(X, y, epochs=5, learning_rate=1e-9, until=1e-30).loss) == 5


def test_early_stopping_restores_the_best(np_rng):
    X, y, X_test, y_test = datasets.load_digits()
    for monitor in ("val_loss", "val_accuracy", "loss"):
        net, stop = Network([64, 20, 10], seed=1), EarlyStopping(monitor, patience=3)
        snapshots = []
        history = net.fit(
            X[:300], y[:300], epochs=60, batch_size=10, learning_rate=8.0,
            validation_data=(X_test, y_test),
            callbacks=[lambda n, *_, s=snapshots: s.append(n.weights[0].copy()), stop],
        )  # fmt: skip
        values = np.array(getattr(history, monitor)) * (-1 if monitor == "val_accuracy" else 1)
        assert stop.best_epoch == int(np.argmin(values))
        assert (net.weights[0] == snapshots[stop.best_epoch]).all()
        assert len(values) in (60, stop.best_epoch + 4)
    stop = EarlyStopping("loss")
    net.fit(X[:300], y[:300], epochs=9, initial_epoch=7, learning_rate=0.01, callbacks=stop)
    assert stop.best_epoch == 8  # counted as `initial_epoch` is
    net = Network([64, 10], seed=0)
    with pytest.raises(ValueError, match="val_loss is not recorded"):
        net.fit(X, y, callbacks=[EarlyStopping()])


OPTIMIZERS = [
    dict(),
    dict(momentum=0.9),
    dict(momentum=0.9, nesterov=True),
    dict(optimizer="adam", betas=(0.8, 0.99), epsilon=1e-6),
]
SCHEDULES = [
    0.05,
    schedules.StepDecay(0.3, 0.3, every=2),
    schedules.Exponential(0.3, 0.7),
    lambda epoch: 0.1 / (1 + epoch),
]


def test_parts_of_a_training_are_the_whole(rng, np_rng, tmp_path):
    """1 + 2 epochs are 3 epochs, to the bit: weights, states, histories and what callbacks know."""

    def everything(net):
        arrays = [*net.weights, *net.biases]
        for moments in (net._state.first, net._state.second or []) if net._state else ():
            arrays += [a for layer in moments for a in layer]
        steps = net._state.steps if net._state else None
        return [a.tobytes() for a in arrays], net._generator.state, steps, net.epochs_trained

    def another_process(kind, net, callbacks):
        if kind == "file":
            net.save(tmp_path / "net")
            net = Network.load(tmp_path / "net")
        elif kind == "copy":
            net = copy.deepcopy(net)
        elif kind == "pickle":
            net = pickle.loads(pickle.dumps(net))
        if kind in ("file", "pickle"):
            callbacks = pickle.loads(pickle.dumps(callbacks))
        return net, callbacks

    stopped = reduced = 0
    for case in range(slow(1500, 100)):
        n, n_classes = rng.randrange(5, 30), rng.randrange(2, 4)
        X, y = np_rng.normal(size=(n, 6)), np_rng.integers(0, n_classes, n)
        options = dict(
            learning_rate=SCHEDULES[case % 4],
            batch_size=rng.randrange(1, 12),
            shuffle=rng.random() < 0.7,
            dropout=rng.choice([0.0, 0.3]),
            penalty=rng.choice([None, "l1", "l2", 0.5, 1.5]),
            clip_norm=rng.choice([None, 0.3]),
            sample_weight=rng.choice([None, np_rng.random(n) + 0.1]),
            record_gradient_norms=rng.random() < 0.2,
            **OPTIMIZERS[case // 4 % 4],
        )
        options["alpha"] = 1e-3 if options["penalty"] else 0.0
        if rng.random() < 0.5:
            options["validation_split"] = 0.3
        else:
            held_out = np_rng.normal(size=(9, 6)), np_rng.integers(0, n_classes, 9)
            options["validation_data"] = held_out
        kinds = rng.choice(["", "loss", "val_loss", "val_accuracy"])
        path, patience = tmp_path / "checkpoint", rng.randrange(1, 4)

        def new_callbacks(kinds=kinds, path=path, patience=patience):
            stop = [EarlyStopping(kinds, patience)] if kinds else []
            return [*stop, ReduceOnPlateau("val_loss", 0.3, 1), Checkpoint(path, every=2)]

        first, epochs = rng.randrange(1, 5), rng.randrange(5, 9)
        dtype = rng.choice(["float32", "float64"])
        whole = Network([6, 4, n_classes], seed=case, dtype=dtype)
        parts = copy.copy(whole)
        callbacks = new_callbacks()
        history = whole.fit(X, y, epochs=epochs, callbacks=callbacks, **options)
        saved = everything(Network.load(path)) if path.exists() else None
        path.unlink(missing_ok=True)

        second = new_callbacks()
        before = parts.fit(X, y, epochs=first, callbacks=second, **options)
        parts, second = another_process(rng.choice(["", "file", "copy", "pickle"]), parts, second)
        assert parts.epochs_trained == len(before.loss)
        after = parts.fit(
            X, y, epochs=epochs, initial_epoch=parts.epochs_trained, callbacks=second, **options
        )
        assert everything(parts) == everything(whole)
        reduced += len(set(history.learning_rate)) > 1 and case % 4 == 0
        for name in ("loss", "val_loss", "val_accuracy", "learning_rate", "gradient_norms"):
            assert getattr(before, name) + getattr(after, name) == getattr(history, name)
        assert saved == (everything(Network.load(path)) if path.exists() else None)
        if kinds:
            assert second[0].best_epoch == callbacks[0].best_epoch
            stopped += len(history.loss) < epochs
        path.unlink(missing_ok=True)
    assert stopped > 3
    assert reduced > 3


def test_epochs_are_counted(np_rng, tmp_path, capsys):
    net, X, y = problem(np_rng)
    assert net.epochs_trained == 0
    seen = []
    net.fit(X, y, epochs=5, initial_epoch=3, verbose=True, callbacks=[lambda *a: seen.append(a[1])])
    assert seen == [3, 4]
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == ["4/5", "5/5"]
    assert net.epochs_trained == 2  # in all calls, wherever these began
    net.fit(X, y, epochs=10_000, batch_size=23, until=1e9)
    assert net.epochs_trained == 3
    net.save(tmp_path / "net")
    for other in (Network.load(tmp_path / "net"), copy.copy(net), pickle.loads(pickle.dumps(net))):
        assert other.epochs_trained == 3


def test_until_may_be_any_positive_number(np_rng):
    net, X, y = problem(np_rng)
    assert len(net.fit(X, y, epochs=5, until=1e300).loss) == 1
    assert len(net.fit(X, y, epochs=5, until=5e-324).loss) == 5


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_early_stopping_says_what_is_not_finite(np_rng, value):
    net, X, y = problem(np_rng)
    stop, snapshots = EarlyStopping("val_loss"), []

    def spoil(network, epoch, history):
        snapshots.append(network.weights[0].copy())
        history.val_loss[-1] = [2.0, 1.0, 3.0, value][epoch]

    with pytest.raises(DivergenceError, match=f"val_loss is {value} in epoch 3; .* of epoch 1 "):
        net.fit(X, y, epochs=9, validation_data=(X, y), callbacks=[spoil, stop])
    assert (net.weights[0] == snapshots[1]).all()


def test_schedules_are_products_of_floats():
    """Against exact powers, and to the bit against the same products."""
    for factor in (0.5, 0.95, 0.1, 1 / 3, 1.5):
        for n in (0, 1, 2, 3, 7, 100, 257):
            exact = Fraction(factor) ** n
            value = schedules.power(factor, n)
            assert abs(Fraction(value) - exact) <= exact * 2 * (n + 1) * Fraction(1, 2**53)
    assert schedules.power(0.1, 3) == 0.1 * (0.1 * 0.1)
    assert schedules.power(0.1, 6) == (0.1 * 0.1) * ((0.1 * 0.1) * (0.1 * 0.1))
    assert schedules.power(10.0, 400) == float("inf")
    assert schedules.Exponential(0.5, 0.9)(6) == 0.5 * schedules.power(0.9, 6)
    assert schedules.StepDecay(0.5, 0.9, every=3)(20) == 0.5 * schedules.power(0.9, 6)


def test_a_callback_ends_a_training_in_order(np_rng):
    net, X, y = problem(np_rng)

    def enough(network, epoch, history):
        if epoch == 2:
            raise StopTraining

    assert len(net.fit(X, y, epochs=10, callbacks=[enough]).loss) == 3
    heard = []  # the others hear of the last epoch, too
    net.fit(X, y, epochs=10, callbacks=[enough, lambda n, epoch, h: heard.append(epoch)])
    assert heard == [0, 1, 2]


def test_checkpoints_resume(np_rng, tmp_path):
    X, y = np_rng.normal(size=(30, 6)), np_rng.integers(0, 2, 30)
    rate = schedules.StepDecay(0.01, every=3)
    options = dict(batch_size=7, optimizer="adam", dropout=0.2, learning_rate=rate)
    net = Network([6, 9, 2], seed=3)
    net.fit(X, y, epochs=10, callbacks=[Checkpoint(tmp_path / "net", every=4)], **options)
    resumed = Network.load(tmp_path / "net")  # of epoch 8
    assert resumed.epochs_trained == 8
    resumed.fit(X, y, epochs=10, initial_epoch=resumed.epochs_trained, **options)
    same(net, resumed, rtol=0)


nan = float("nan")
BAD = {
    "optimizer": (dict(optimizer="rmsprop"), "optimizer must be one of 'sgd', 'adam', not"),
    "both": (dict(optimizer="adam", momentum=0.5), "momentum is for sgd"),
    "nesterov of adam": (dict(optimizer="adam", nesterov=True), "nesterov is for sgd; adam has"),
    "alpha of nothing": (dict(alpha=0.1), "alpha=0.1 is for a penalty, such as penalty='l2'"),
    "beta": (dict(betas=(0.9, 1.0)), "betas[1] must be in [0, 1), not 1.0"),
    "epsilon": (dict(epsilon=0), "epsilon must be positive, not 0"),
    "penalty": (dict(penalty=-1), "penalty must be positive, not -1"),
    "penalty name": (dict(penalty="l3"), "penalty must be 'l1', 'l2', a positive number or None"),
    "alpha": (dict(alpha=nan), "alpha must be at least 0, not nan"),
    "dropout": (dict(dropout=1.0), "dropout must be in [0, 1), not 1.0"),
    "dropout of a layer": (dict(dropout=[0.1, -0.1]), "dropout[1] must be in [0, 1), not -0.1"),
    "dropout rates": (dict(dropout=[0.1]), "dropout has 1 rates for 2 hidden layers"),
    "clip": (dict(clip_norm=0), "clip_norm must be positive, not 0"),
    "initial_epoch": (
        dict(epochs=2, initial_epoch=2),
        "initial_epoch must be an integer from 0 to 1",
    ),
    "early epoch": (
        dict(epochs=2, initial_epoch=-1),
        "initial_epoch must be an integer from 0 to 1",
    ),
    "until": (dict(until=-1), "until must be positive, not -1"),
    "weights": (dict(sample_weight=[1.0]), "sample_weight has shape (1,) but X has 23 samples"),
    "negative": (dict(sample_weight=[-1.0] * 23), "sample_weight must hold finite numbers, none"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_options(np_rng, name):
    net, X, y = problem(np_rng)
    options, text = BAD[name]
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is checked below
        net.fit(X, y, **options)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_callbacks():
    for arguments, text in (
        (dict(monitor="accuracy"), "monitor must be one of"),
        (dict(patience=0), "patience must be a positive integer"),
        (dict(min_delta=-1), "min_delta must be at least 0"),
    ):
        with pytest.raises(ValueError, match=text):
            EarlyStopping(**arguments)
    with pytest.raises(ValueError, match="every must be a positive integer"):
        Checkpoint("net", every=0)


def test_two_early_stoppings_continue():
    """Whose best epochs differ: what the one wrote is not what the training goes on from."""
    for seed in range(20, 26):
        g = np.random.default_rng(seed)
        X, y = g.uniform(-1, 1, (12, 3)), g.random((12, 2))
        options = dict(
            batch_size=3,
            learning_rate=2.0,
            momentum=0.9,
            validation_data=(g.uniform(-1, 1, (9, 3)), g.random((9, 2))),
        )

        def stops():
            return [EarlyStopping("loss", patience=4), EarlyStopping("val_loss", patience=4)]

        whole, parts = Network([3, 4, 2], seed=seed), Network([3, 4, 2], seed=seed)
        expected = whole.fit(X, y, epochs=8, callbacks=stops(), **options).loss
        callbacks = stops()
        losses = parts.fit(X, y, epochs=4, callbacks=callbacks, **options).loss
        callbacks = pickle.loads(pickle.dumps(callbacks))
        losses += parts.fit(X, y, epochs=8, initial_epoch=4, callbacks=callbacks, **options).loss
        assert losses == expected
        assert all(map(np.array_equal, whole.weights, parts.weights))


def test_interrupts_leave_state_and_epochs_of_the_weights(np_rng):
    """Wherever the signal lands, velocities and the number of epochs are those of the weights."""
    X, y = np_rng.random((64, 30), dtype=np.float32), np_rng.integers(0, 2, 64)
    options = dict(epochs=400, batch_size=64, momentum=0.9, learning_rate=0.1, shuffle=False)

    def numbers(network):
        state = network.__getstate__()
        return pickle.dumps((state["weights"], state["biases"], state["state"]))

    net, states = Network([30, 20, 2], seed=1), []
    net.fit(X, y, callbacks=[lambda n, *_: states.append(numbers(n))], **options)

    def ring(*_):
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, ring)
    interrupted = 0
    try:
        for _ in range(slow(1000, 100)):
            net = Network([30, 20, 2], seed=1)
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-3 + 0.02 * np_rng.random())
                net.fit(X, y, callbacks=[lambda *_: None], **options)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted += 1
            if net.epochs_trained == 0:
                continue
            # which may not be recorded as far as that
            assert len(net.history.loss) in (net.epochs_trained, net.epochs_trained - 1)
            # an epoch is one batch: it may be in the weights and not yet be counted
            assert numbers(net) in states[net.epochs_trained - 1 : net.epochs_trained + 1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert interrupted > 10
