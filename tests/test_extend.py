import pickle
import random

import pytest

from exactnet import ExactNetwork, memorize, verify
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
    with pytest.raises(ValueError, match="no direction in which points differ"):
        memorize([[3]], [1]).extend([[4]], [2])
    net = memorize(X, y)
    with pytest.raises(ValueError, match="y_new has 2 outputs but the network has 1"):
        net.extend([[5]], [[1, 2]])
    with pytest.raises(ValueError, match="2 features"):
        net.extend([[5, 5]], [1])
    with pytest.raises(ValueError, match="X are not the points"):
        net.extend([[9]], [1], X=[[1], [1]])
    with pytest.raises(ValueError, match="only networks of one or two hidden layers"):
        ExactNetwork.from_arrays([[[1]]], [[0]]).extend([[1]], [2], X=[[0]])
