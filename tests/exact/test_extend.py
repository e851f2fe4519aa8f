import pickle
import random
from fractions import Fraction

import pytest

from exactnet import ExactNetwork, _core, memorize, verify
from reference import forward, fractions


def problem(rng, n, n_features, n_outputs, high=60):
    points = set()
    while len(points) < n:
        points.add(tuple(rng.randrange(-high, high) for _ in range(n_features)))
    X = [list(p) for p in sorted(points)]
    rng.shuffle(X)
    return X, [[rng.randrange(-9, 10) for _ in range(n_outputs)] for _ in X]


@pytest.mark.parametrize("construction", ["auto", "one_layer", "one_layer in two"])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_random_points_one_after_the_other(rng, construction, n_outputs):
    for case in range(25):
        n_features = rng.randrange(1, 4)
        X, y = problem(rng, 20, n_features, n_outputs)
        n = rng.randrange(2, 15)
        options = dict(construction=construction)
        if construction == "one_layer in two":
            options = dict(construction="one_layer", hidden=(rng.randrange(1, 4), 20))
        net = memorize(X[:n], y[:n], **options)
        added = n
        while added < 20:
            step = min(rng.randrange(1, 4), 20 - added)
            before = net.layer_sizes
            try:
                net.extend(X[added : added + step], y[added : added + step])
            except ValueError as error:
                message = str(error)
            else:
                message = ""
            if message:  # the direction cannot tell them apart
                assert "cannot tell it from" in message
                assert net.layer_sizes == before
                assert n_features > 1
                break
            added += step
            assert verify(net, X[:added], y[:added]).exact
        if case == 0:
            assert fractions(net.predict(X[:added])) == forward(net, X[:added])
        assert added == 20 or n_features > 1


def test_points_on_the_right_take_one_unit_each():
    X, y = [[k] for k in range(12)], [k * k % 7 for k in range(12)]
    net = memorize(X, y)
    sizes = net.layer_sizes
    row = net.weights[0][0, 0]
    new = [[100 if row > 0 else -100], [200 if row > 0 else -200]]
    net.extend(new, [3, -4])
    assert net.layer_sizes == [1, sizes[1], sizes[2] + 2, 1]
    assert verify(net, X + new, [*y, 3, -4]).exact


def test_a_point_that_is_there():
    X, y = [[0, 1], [2, 3], [4, 4]], [5, 6, 7]
    net = memorize(X, y)
    before = [w.copy() for w in net.weights]
    net.extend([[2, 3]], [6])  # the same target: nothing to do
    assert all((a == b).all() for a, b in zip(net.weights, before, strict=True))
    with pytest.raises(ValueError, match="row 1 of x_new is already there with another target"):
        net.extend([[9, 9], [2, 3]], [1, 8])
    assert all((a == b).all() for a, b in zip(net.weights, before, strict=True))


@pytest.mark.parametrize("how", ["saved", "pickled", "copied"])
def test_without_memory_the_points_are_needed(tmp_path, how):
    rng = random.Random(1)
    X, y = problem(rng, 12, 2, 1)
    net = memorize(X[:10], y[:10])
    if how == "saved":
        net.save(tmp_path / "net.json")
        net = ExactNetwork.load(tmp_path / "net.json")
    elif how == "copied":
        net = ExactNetwork.from_arrays(net.weights, net.biases, net.activations)
    else:
        net = pickle.loads(pickle.dumps(net))
    if net._places is None:
        with pytest.raises(ValueError, match="pass the points memorized so far as X"):
            net.extend(X[10:], y[10:])
    net.extend(X[10:], y[10:], X=X[:10])
    assert verify(net, X, y).exact


def test_refusals():
    X, y = [[0], [1], [2], [3]], [1, 2, 3, 1]
    with pytest.raises(ValueError, match="does not see points along one line"):
        memorize([[0, 1], [1, 5], [2, 2]], [1, 2, 3], construction="integer").extend(
            [[7, 7]], [1], X=[[0, 1], [1, 5], [2, 2]]
        )
    single = memorize([[3], [3]], [1, 1])
    for net in (single, pickle.loads(pickle.dumps(single))):
        with pytest.raises(ValueError, match="pass the point memorized so far"):
            net.extend([[4]], [2])
        with pytest.raises(ValueError, match=r"X are not the points .* it has no direction"):
            net.extend([[4]], [2], X=[[3], [5]])
    net = memorize(X, y)
    with pytest.raises(ValueError, match="y_new has 2 outputs but the network has 1"):
        net.extend([[5]], [[1, 2]])
    with pytest.raises(ValueError, match="2 features"):
        net.extend([[5, 5]], [1])
    with pytest.raises(ValueError, match="X are not the points"):
        net.extend([[9]], [1], X=[[-50], [-60]])
    for activations in (["linear"], ["linear", "linear"], ["relu", "relu"]):
        weights = [[[1]]] * len(activations)
        net = ExactNetwork.from_arrays(weights, [[0]] * len(activations), activations)
        with pytest.raises(ValueError, match="only networks of one or two hidden layers with relu"):
            net.extend([[1]], [2], X=[[0]])


@pytest.mark.parametrize("construction", ["auto", "one_layer"])
def test_known_points_with_duplicates(construction):
    X, y = [[0], [1], [1], [4], [0]], [5, 2, 2, 3, 5]
    net = memorize(X, y, construction=construction)
    for x_new, y_new in [([[9]], [1]), ([[2], [2]], [7, 7]), ([[1]], [2])]:
        net.extend(x_new, y_new, X=X)
        X, y = X + x_new, y + y_new
        assert verify(net, X, y)
    with pytest.raises(ValueError, match="already there with another target"):
        net.extend([[1]], [3], X=X)


@pytest.mark.parametrize("hidden", [None, (1,), (4,), (1, 1), (3, 2), (2, 6)])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_networks_of_one_point(rng, hidden, n_outputs):
    if n_outputs == 2 and hidden == (1, 1):
        hidden = (1, 2)
    for _ in range(10):
        X, y = problem(rng, 8, 2, n_outputs, high=5)
        X = [[a, Fraction(b, 3)] for a, b in X]
        n = rng.randint(1, 6)
        net = memorize(X[:1] * 2, y[:1] * 2, hidden=hidden)
        net.extend(X[:1], y[:1], X=X[:1])  # nothing to do, nor a direction to be had
        net.extend(X[1 : n + 1], y[1 : n + 1], X=X[:1] * 2)
        assert verify(net, X[: n + 1], y[: n + 1])
        try:  # from here on it knows its points
            net.extend(X[n + 1 :], y[n + 1 :])
        except ValueError as error:
            assert "cannot tell it from" in str(error)  # noqa: PT017 - it need not be raised
        else:
            assert verify(net, X, y)


@pytest.mark.parametrize("change", ["scale", "shift", "replace", "none"])
def test_first_layer_that_was_written_to(rng, change):
    """Places remembered of another first layer are not trusted."""
    X, y = problem(rng, 9, 2, 1)
    net = memorize(X, y)
    if change == "scale":
        net.weights[0] *= 2
        net.biases[0] *= 2
        net.weights[1] /= 2
    elif change == "shift":
        net.biases[0] += 1
        y = net.predict(X).tolist()
    elif change == "replace":
        net.weights = [w * 1 for w in net.weights]
        net.weights[0] = net.weights[0] * 3
        net.biases[0] = net.biases[0] * 3
        net.weights[1] = net.weights[1] / 3
    assert verify(net, X, y)
    new, targets = [[x + 100 for x in X[0]], [x - 100 for x in X[1]]], [[20], [30]]
    if change != "none":
        before = net.layer_sizes
        with pytest.raises(ValueError, match="pass the points memorized so far as X"):
            net.extend(new, targets)
        assert net.layer_sizes == before
    net.extend(new, targets, X=None if change == "none" else X)
    assert verify(net, X + new, y + targets)
    net.extend([[7, 1000]], [3])  # and knows them again
    assert verify(net, [*X, *new, [7, 1000]], [*y, *targets, [3]])


def test_no_construction_asks_the_evaluator(rng, monkeypatch):
    """What `verify` computes with decides on no parameter, so that its faults cannot hide there."""

    def fail(*args):
        raise AssertionError("the evaluator was called")

    X, y = problem(rng, 14, 2, 3)
    with monkeypatch.context() as patch:
        patch.setattr(_core, "predict", fail)
        patch.setattr(_core, "verify", fail)
        # a second layer of 3 * 3 + 2 units: two points have a unit of their own
        nets = [
            memorize(X[:11], y[:11], hidden=(3, 11)),
            memorize(X[:11], y[:11], construction="one_layer"),
        ]
        for net in nets:
            net.extend(X[11:], y[11:])
        nets.append(memorize(X, y, construction="integer"))
    for net in nets:
        assert verify(net, X, y)
