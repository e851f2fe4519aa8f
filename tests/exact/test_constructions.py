"""Theorem 4, one hidden layer, labels, and what all constructions have in common."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import random_points, slow
from exactnet import ExactNetwork, Network, capacity, certificate, memorize, verify
from exactnet.datasets import load_digits
from reference import forward, fractions
from test_memorize import numbers, random_number

KINDS = {
    "integers": lambda rng: rng.randrange(100),
    "negative": lambda rng: rng.randrange(-20, 0),
    "rationals": lambda rng: Fraction(rng.randrange(-50, 50), rng.randrange(1, 20)),
    "floats": lambda rng: rng.uniform(-1, 1) * 10.0 ** rng.randrange(-5, 5),
    "huge": lambda rng: rng.randrange(-(2**90), 2**90),
    "mixed": random_number,
}


def distinct_rows(rng, n_points, n_features, draw):
    rows = {}
    while len(rows) < n_points:
        x = [draw(rng) for _ in range(n_features)]
        rows.setdefault(tuple(fractions(x)), x)
    X = list(rows.values())
    rng.shuffle(X)
    return X


def assert_exact(network, X, y, oracle=True):
    """Zero error by the C++ evaluator and by the one in Fractions; y is (points, outputs)."""
    report = verify(network, X, y)
    assert report.exact, report
    if oracle:
        assert forward(network, X) == fractions(y)


def assert_equal(one, other):
    assert one.activations == other.activations
    pairs = zip(one.weights + one.biases, other.weights + other.biases, strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


# ---------------------------------------------------------------- Theorem 4


def floats_forward(weights, biases, X):
    """Plain NumPy, in the type of the arrays."""
    h = X
    for k, (W, b) in enumerate(zip(weights, biases, strict=True)):
        h = h @ W.T + b
        if k + 1 < len(weights):
            h = np.maximum(h, 0)
    return h


def shuffled(rng, weights, biases):
    """The same network with its hidden units in another order."""
    weights, biases = [w.copy() for w in weights], [b.copy() for b in biases]
    for k in range(len(weights) - 1):
        order = rng.sample(range(len(biases[k])), len(biases[k]))
        weights[k], biases[k] = weights[k][order], biases[k][order]
        weights[k + 1] = weights[k + 1][:, order]
    return weights, biases


def assert_no_wrong_output(rng, net, X, y, dtype):
    """In floats: by `Network` and by NumPy, with units and inputs in several orders."""
    X, y = np.array(X, dtype=np.float64), np.array(y, dtype=np.float64)
    assert (X.astype(dtype) == X).all()
    assert (y.astype(dtype) == y).all()
    X, y = X.astype(dtype), y.astype(dtype)
    floats = net.to_network(dtype)
    assert all(w.dtype == dtype for w in floats.weights)
    weights, biases = list(floats.weights), list(floats.biases)
    pairs = zip(weights + biases, net.weights + net.biases, strict=True)
    assert all((a.astype(object) == b).all() for a, b in pairs)  # nothing was rounded
    for W, b in [(weights, biases), shuffled(rng, weights, biases)]:
        outputs = Network.from_arrays(W, b, net.activations).predict(X)
        assert outputs.dtype == dtype
        assert (outputs == y).all()
        assert (floats_forward(W, b, X) == y).all()
    reverse = [weights[0][:, ::-1], *weights[1:]]
    assert (floats_forward(reverse, biases, X[:, ::-1]) == y).all()


def random_case(rng, a1, a2, m, n_points):
    n_features = rng.randint(1, 4)
    kind = rng.choice(list(KINDS))
    if n_features == 1 and kind in ("integers", "negative"):
        kind = "mixed"  # too few of them are different
    X = distinct_rows(rng, n_points, n_features, KINDS[kind])
    draw = KINDS[rng.choice(list(KINDS))]
    y = [[draw(rng) for _ in range(m)] for _ in X]
    projection = rng.choice(["smallest", "random", "lexicographic"])
    scale = "worst_case" if a1 * (a2 // m) <= 9 and rng.random() < 0.2 else "least"
    net = memorize(
        X,
        y,
        hidden=(a1, a2),
        construction="theorem4",
        projection=projection,
        scale=scale,
        seed=rng.randrange(2**64),
    )
    assert net.layer_sizes == [n_features, a1, a2, m]
    assert net.activations == ["relu", "relu", "linear"]
    return net, X, y


@pytest.mark.parametrize("m", range(1, 7))
@pytest.mark.parametrize("a1", range(1, 6))
def test_theorem4_for_every_number_of_points(rng, a1, m):
    """All widths a2 up to 9 and all N up to the capacity, twice: 3,150 random cases in all."""
    for a2 in range(m, 10):
        most = a1 * (a2 // m) + a2 % m
        for n_points in [*range(1, most + 1)] * slow(2, 1):
            net, X, y = random_case(rng, a1, a2, m, n_points)
            assert_exact(net, X, y, oracle=n_points == most or rng.random() < 0.1)


def test_theorem4_groups_and_tails(rng):
    """Outputs read their own groups and the tails; only points beyond the blocks use tails."""
    a1, a2, m = 3, 11, 4
    depth, tails = a2 // m, a2 % m
    for extra in range(tails + 1):
        X, _ = random_points(rng, a1 * depth + extra, 2)
        y = [[rng.randrange(50) for _ in range(m)] for _ in X]
        net = memorize(X, y, hidden=(a1, a2))
        assert_exact(net, X, y)
        used = net.weights[2] != 0
        for output, unit in product(range(m), range(m * depth)):
            assert used[output, unit] == (unit // depth == output)
        in_use = used[:, m * depth :].any(axis=0).tolist()
        assert in_use == [k < extra for k in range(tails)]


@pytest.mark.parametrize("a2", [2, 4])
def test_theorem4_of_one_output_is_theorem3(rng, a2):
    X, y = random_points(rng, 3 * a2, 2)
    one = memorize(X, y, hidden=(3, a2), construction="theorem3")
    assert_equal(one, memorize(X, y, hidden=(3, a2), construction="theorem4"))
    assert_equal(one, memorize(X, y, hidden=(3, a2)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), a1=st.integers(1, 4), a2=st.integers(1, 7), m=st.integers(1, 4))
def test_theorem4_of_adversarial_numbers(data, a1, a2, m):
    """Any numbers, in particular gaps from 2^-1000 to 2^1000 and equal targets."""
    a2 = max(a2, m)
    gaps = st.one_of(numbers, st.integers(-1000, 1000).map(lambda k: Fraction(2) ** k))
    X = data.draw(
        st.lists(
            gaps,
            min_size=1,
            max_size=a1 * (a2 // m) + a2 % m,
            unique_by=lambda x: fractions([x])[0],
        )
    )
    few = data.draw(st.lists(numbers, min_size=1, max_size=2))
    target = data.draw(st.sampled_from([numbers, st.sampled_from(few)]))
    y = data.draw(st.lists(st.tuples(*[target] * m), min_size=len(X), max_size=len(X)))
    X = [[x] for x in X]
    net = memorize(X, y, hidden=(a1, a2), construction="theorem4")
    assert net.layer_sizes == [1, a1, a2, m]
    assert_exact(net, X, [list(row) for row in y])


def test_default_widths_hold_the_points_in_whole_groups(rng):
    for m in range(1, 6):
        for n_points in (1, 2, 7, 30, 31):
            X, _ = random_points(rng, n_points, 2)
            y = [[rng.randrange(9) for _ in range(m)] for _ in X]
            net = memorize(X, y)
            assert_exact(net, X, y)
            _, a1, a2, _ = net.layer_sizes
            # no other pair that holds them in whole groups is smaller
            least = min(-(-n_points // q) + q * m for q in range(1, n_points + 1))
            assert a1 + a2 == least


# ---------------------------------------------------------------- one hidden layer


@pytest.mark.parametrize("m", range(1, 5))
@pytest.mark.parametrize("kind", KINDS)
def test_one_layer(rng, m, kind):
    """As narrow as possible, wider, and behind a layer that hands the projection on."""
    for _ in range(8):
        n_points, n_features = rng.randint(1, 12), rng.randint(1, 4)
        X = distinct_rows(rng, n_points, n_features, KINDS[kind])
        y = [[KINDS[kind](rng) for _ in range(m)] for _ in X]
        width, a1, spare = max(1, n_points - 1), rng.randint(1, 5), rng.randint(0, 3)
        for hidden, sizes in [
            (None, (width,)),
            ((width,), (width,)),
            ((width + spare,), (width + spare,)),
            ((a1, width), (a1, width)),
            ((a1, width + spare), (a1, width + spare)),
        ]:
            net = memorize(X, y, hidden=hidden, construction="one_layer")
            assert net.layer_sizes == [n_features, *sizes, m]
            assert_exact(net, X, y)


@pytest.mark.parametrize(
    ("n_points", "m", "hidden"),
    [
        (6, 1, (1, 5)),  # Theorem 4 holds 5
        (5, 3, (2, 4)),  # 2 * 1 + 1
        (3, 3, (5, 2)),  # fewer units than outputs
        (4, 1, (3,)),
    ],
)
def test_auto_chooses_one_layer_where_only_that_fits(rng, n_points, m, hidden):
    X, _ = random_points(rng, n_points, 2)
    y = [[rng.randrange(50) for _ in range(m)] for _ in X]
    net = memorize(X, y, hidden=hidden)
    assert net.layer_sizes == [2, *hidden, m]
    assert_exact(net, X, y)
    assert_equal(net, memorize(X, y, hidden=hidden, construction="one_layer"))
    if len(hidden) == 2:
        with pytest.raises(ValueError, match=f"{n_points} distinct points exceed the capacity"):
            memorize(X, y, hidden=hidden, construction="theorem4")


@pytest.mark.parametrize("m", range(1, 5))
@pytest.mark.parametrize("a1", range(1, 5))
def test_capacity_is_what_memorize_accepts(rng, a1, m):
    for a2 in range(1, 9):
        most = capacity(a1, a2, outputs=m)
        X, _ = random_points(rng, most + 1, 2)
        y = [[rng.randrange(50) for _ in range(m)] for _ in X]
        net = memorize(X[:-1], y[:-1], hidden=(a1, a2))
        assert net.layer_sizes == [2, a1, a2, m]
        assert_exact(net, X[:-1], y[:-1], oracle=False)
        with pytest.raises(ValueError, match=f"exceed the capacity {most} of"):
            memorize(X, y, hidden=(a1, a2))


def random_labels(rng, n_points, n_labels):
    labels = [rng.randrange(n_labels) for _ in range(n_points)]
    labels[:2] = [0, n_labels - 1]
    return labels


@pytest.mark.parametrize("construction", ["auto", "theorem4", "one_layer", "integer"])
@pytest.mark.parametrize("n_labels", [2, 3, 7])
def test_one_hot(rng, construction, n_labels):
    X, _ = random_points(rng, 30, 2)
    labels = random_labels(rng, 30, n_labels)
    net = memorize(X, labels, encoding="one_hot", construction=construction)
    one_hot = [[int(k == label) for k in range(n_labels)] for label in labels]
    assert_exact(net, X, one_hot)
    assert net.predict(X).argmax(axis=1).tolist() == labels
    assert_equal(net, memorize(X, one_hot, construction=construction))


@pytest.mark.parametrize("construction", ["auto", "theorem3", "one_layer", "integer"])
def test_scalar(rng, construction):
    X, _ = random_points(rng, 30, 2)
    labels = random_labels(rng, 30, 7)
    net = memorize(X, labels, encoding="scalar", construction=construction)
    assert_exact(net, X, [[label] for label in labels])


@pytest.mark.parametrize(
    "labels", [[0, 2], [0.0, 2.0], np.array([0, 2], dtype=np.uint8), np.array([[0.0], [2.0]])]
)
def test_labels_of_any_type(labels):
    net = memorize([[1], [5]], labels, encoding="one_hot")
    assert fractions(net.predict([[1], [5]])) == [[1, 0, 0], [0, 0, 1]]


def test_one_label_has_two_outputs():
    """So that argmax means something."""
    net = memorize([[1], [5]], [0, 0], encoding="one_hot")
    assert fractions(net.predict([[1], [5]])) == [[1, 0], [1, 0]]


@pytest.mark.parametrize("construction", ["theorem4", "integer"])
def test_digits_one_hot(rng, construction):
    X, labels, X_test, labels_test = load_digits()
    X, labels = np.concatenate([X, X_test]), np.concatenate([labels, labels_test])
    one_hot = np.eye(10, dtype=int)[labels]
    net = memorize(X, labels, encoding="one_hot", construction=construction, n_threads=2)
    assert verify(net, X, one_hot).exact
    assert (net.predict(X[:50]).argmax(axis=1) == labels[:50]).all()
    if construction == "integer":
        assert certificate(net, X).exact
        assert_no_wrong_output(rng, net, X, one_hot, "float64")


# ---------------------------------------------------------------- seeds and threads


@pytest.mark.parametrize("construction", ["theorem4", "one_layer", "integer"])
@pytest.mark.parametrize("projection", ["smallest", "random"])
def test_seeds_and_threads(rng, construction, projection):
    if construction == "integer":
        projection = "smallest"
    X, _ = random_points(rng, 120, 4)
    y = [[rng.randrange(9) for _ in range(3)] for _ in X]
    options = dict(construction=construction, projection=projection)
    net = memorize(X, y, seed=5, **options)
    assert_equal(net, memorize(X, y, seed=5, **options))
    assert_equal(net, memorize(X, y, seed=5, n_threads=3, **options))
    rows = [memorize(X, y, seed=s, **options).weights[0].tolist() for s in range(5)]
    assert any(row != rows[0] for row in rows)


def test_networks_are_of_the_public_kind(rng):
    """What `predict`, `save` and `bit_sizes` take, with any construction."""
    X, _ = random_points(rng, 20, 2)
    y = [[rng.randrange(9)] for _ in X]
    for construction in ("theorem3", "theorem4", "one_layer", "integer"):
        net = memorize(X, y, construction=construction)
        assert isinstance(net, ExactNetwork)
        assert fractions(net.predict(X)) == y
