import json
from fractions import Fraction
from pathlib import Path

import gmpy2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import random_points, slow
from exactnet import ExactNetwork, capacity, memorize, verify
from exactnet.cli.demo import ARTICLE_PROJECTION, NINE_INPUTS, NINE_TARGETS
from exactnet.datasets import load_digits
from reference import ARTICLE, forward, fractions, least_theorem3

CASES = json.loads((Path(__file__).parents[1] / "data/theorem3_worst_case.json").read_text())


def strings(array):
    return [strings(v) for v in array] if array.ndim > 1 else [str(v) for v in array]


def assert_exact(network, X, y):
    """Zero error by the C++ evaluator and by the one in Fractions."""
    report = verify(network, X, y)
    assert report.exact, report
    assert [row[0] for row in forward(network, X)] == fractions(y)


def test_article_parameters_digit_for_digit():
    net = memorize(NINE_INPUTS, NINE_TARGETS, projection=ARTICLE_PROJECTION, scale="worst_case")
    assert strings(net.weights[0]) == [[str(w) for w in ARTICLE_PROJECTION]] * 3
    assert strings(net.biases[0]) == ARTICLE["b1"]
    assert strings(net.weights[1]) == ARTICLE["W2"]
    assert strings(net.biases[1]) == ARTICLE["b2"]
    assert strings(net.weights[2]) == ARTICLE["W3"]
    assert strings(net.biases[2]) == ARTICLE["b3"]
    assert_exact(net, NINE_INPUTS, NINE_TARGETS)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['a1']}x{c['a2']}")
def test_article_program(case):
    X, y = case["input"], case["output"]
    net = memorize(
        X,
        y,
        hidden=(case["a1"], case["a2"]),
        projection=[int(w) for w in case["W1"][0]],
        scale="worst_case",
    )
    for k in range(3):
        assert strings(net.weights[k]) == case[f"W{k + 1}"]
        assert [[b] for b in strings(net.biases[k])] == case[f"b{k + 1}"]
    assert_exact(net, X, y)


def test_article_points_take_few_bits():
    net = memorize(NINE_INPUTS, NINE_TARGETS, hidden=(3, 3), projection="smallest")
    assert net.bit_sizes().largest <= 32
    assert_exact(net, NINE_INPUTS, NINE_TARGETS)


@pytest.mark.parametrize("seed", range(20))
def test_400_points_take_few_bits(rng, seed):
    X, y = random_points(rng, 400, 5)
    net = memorize(X, y, hidden=(20, 20), seed=seed)
    assert net.bit_sizes().largest <= 300
    assert verify(net, X, y).exact


def test_features_that_are_rarely_not_zero_make_parameters_shorter():
    X, y, X_test, y_test = load_digits()
    X, y = np.concatenate([X, X_test]), np.concatenate([y, y_test])
    net = memorize(X, y)
    assert net.bit_sizes().largest <= 650
    assert verify(net, X, y).exact


def random_number(rng):
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randrange(-(2**80), 2**80)
    if kind == 1:
        return Fraction(rng.randrange(-50, 50), rng.randrange(1, 20))
    if kind == 2:
        return rng.uniform(-1, 1) * 10.0 ** rng.randrange(-20, 20)
    if kind == 3:
        return gmpy2.mpq(rng.randrange(-9, 9), rng.randrange(1, 2**70))
    return rng.randrange(-20, 20)


@pytest.mark.parametrize("block", range(30))
def test_random_cases(rng, block):
    """Any widths up to 8, any number of points, any kind of numbers."""
    for k in range(slow(100, 30)):
        a1, a2 = rng.randint(1, 8), rng.randint(1, 8)
        n_points, n_features = rng.randint(1, a1 * a2), rng.randint(1, 6)
        plain = k % 2 == 0
        X, seen = [], set()
        while len(X) < n_points:
            x = [rng.randrange(-30, 30) if plain else random_number(rng) for _ in range(n_features)]
            if (key := tuple(fractions(x))) not in seen:
                seen.add(key)
                X.append(x)
            elif n_features == 1 and plain and len(seen) == 60:
                break
        y = [rng.randrange(-5, 5) if plain else random_number(rng) for _ in X]
        projection = rng.choice(["smallest", "random", "lexicographic"])
        scale = "worst_case" if a1 * a2 <= 9 and rng.random() < 0.3 else "least"
        net = memorize(
            X, y, hidden=(a1, a2), projection=projection, scale=scale, seed=rng.randrange(2**64)
        )
        assert net.layer_sizes == [n_features, a1, a2, 1]
        assert_exact(net, X, y)


numbers = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**100), 2**100),
    st.fractions(),
    st.floats(allow_nan=False, allow_infinity=False),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), a1=st.integers(1, 4), a2=st.integers(1, 4), n_features=st.integers(1, 3))
def test_adversarial_numbers(data, a1, a2, n_features):
    X = data.draw(
        st.lists(
            st.tuples(*[numbers] * n_features),
            min_size=1,
            max_size=a1 * a2,
            unique_by=lambda x: tuple(fractions(list(x))),
        )
    )
    y = data.draw(st.lists(numbers, min_size=len(X), max_size=len(X)))
    assert_exact(memorize(X, y, hidden=(a1, a2)), X, y)


def test_least_constants_equal_the_naive_solution(rng):
    for _ in range(200):
        a1, a2 = rng.randint(1, 6), rng.randint(1, 6)
        t = rng.sample(range(a1 * a2 * rng.choice([1, 3, 50])), a1 * a2)
        y = [rng.randrange(50) for _ in t]
        if a1 * a2 > 2:
            y[:2] = [0, 1]  # nothing to shift or to divide by
            rng.shuffle(y)
        else:
            y = [0] * len(y)
        net = memorize([[v] for v in t], y, hidden=(a1, a2), projection=[1])
        weights, biases, base = least_theorem3(t, y, a2)
        assert fractions(net.weights[1]) == weights
        assert fractions(net.biases[1]) == biases
        assert fractions(net.biases[2]) == [base]


@pytest.mark.parametrize("scale", ["least", "worst_case"])
def test_every_number_of_points(rng, scale):
    """Blocks that stay short, and units that stay unused, for all N up to the capacity."""
    for a1, a2 in [(1, 5), (5, 1), (3, 4), (4, 3)]:
        for n_points in range(1, a1 * a2 + 1):
            X, y = random_points(rng, n_points, 2)
            assert_exact(memorize(X, y, hidden=(a1, a2), scale=scale), X, y)


def test_default_widths_are_the_smallest_near_square():
    for n_points, widths in [(1, (1, 1)), (2, (2, 1)), (9, (3, 3)), (10, (4, 3)), (1797, (43, 42))]:
        X = [[k] for k in range(n_points)]
        assert memorize(X, [k % 7 for k in range(n_points)]).layer_sizes == [1, *widths, 1]


def test_equal_rows_with_equal_targets_count_once():
    X, y = [[1, 2], [3, 4], [1, 2], [1.0, 2.0], [5, 6]], [7, 8, 7, 7, 9]
    net = memorize(X, y, hidden=(3, 1))
    assert_exact(net, X, y)


def test_parameters_do_not_depend_on_threads(rng):
    X, y = random_points(rng, 300, 4)
    one, three = memorize(X, y), memorize(X, y, n_threads=3)
    for k in range(3):
        assert (one.weights[k] == three.weights[k]).all()
        assert (one.biases[k] == three.biases[k]).all()


def test_seed_decides_random_projections(rng):
    X, y = random_points(rng, 60, 6)
    rows = [memorize(X, y, projection="random", seed=s).weights[0][0].tolist() for s in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]


def test_smallest_range_of_all_projections(rng):
    """Best of many draws is no worse than the first one that separates."""
    X, y = random_points(rng, 200, 5)
    data = np.array(X, dtype=object)
    ranges = {}
    for projection in ("smallest", "random", "lexicographic"):
        t = data @ memorize(X, y, projection=projection).weights[0][0]
        assert len(set(t)) == len(X)
        ranges[projection] = max(t) - min(t)
    assert ranges["smallest"] < ranges["random"] < ranges["lexicographic"]


def test_constant_columns_and_common_factors_cost_nothing():
    base = [[k, (7 * k) % 11] for k in range(20)]
    X = [[1000 + 6 * a, 5, Fraction(b, 64)] for a, b in base]
    y = [3 + 10 * (k % 4) for k in range(20)]
    plain = memorize(base, [k % 4 for k in range(20)])
    net = memorize(X, y)
    assert_exact(net, X, y)
    assert all(w == 0 for w in net.weights[0][:, 1])
    assert (net.weights[1] == plain.weights[1]).all()


@pytest.mark.parametrize("target", [0, -(10**30), Fraction(1, 3)])
def test_constant_targets(target):
    X = [[k, -k] for k in range(12)]
    assert_exact(memorize(X, [target] * 12), X, [target] * 12)


def test_array_likes(rng):
    X, y = random_points(rng, 30, 3)
    expected = memorize(X, y)
    for convert in (np.array, tuple, lambda v: np.array(v, dtype=object), np.asfortranarray):
        net = memorize(convert(X), convert(y))
        assert (net.weights[1] == expected.weights[1]).all()
    net = memorize(np.array(X, dtype=np.uint8), np.array(y, dtype=np.float32)[:, None])
    assert (net.weights[1] == expected.weights[1]).all()


def test_capacity():
    assert capacity(3, 3) == 9
    assert capacity(400, 250, 10) == 10_000
    assert capacity(5, 7, 3) == 5 * 2 + 1
    assert capacity(1, 1) == 2  # one hidden unit: two points on a line
    assert capacity(2, 3, 4) == 4


def test_progress_reaches_the_caller(rng):
    X, y = random_points(rng, 3600, 5)
    shares = []
    net = memorize(X, y, progress=shares.append)
    assert isinstance(net, ExactNetwork)
    assert shares
    assert all(0 <= s <= 1 for s in shares)
    assert shares == sorted(shares)


def test_exception_in_progress_ends_the_work(rng):
    X, y = random_points(rng, 3600, 5)

    def stop(share):
        raise RuntimeError("enough")

    for n_threads in (1, 2):
        with pytest.raises(RuntimeError, match="enough"):
            memorize(X, y, n_threads=n_threads, progress=stop)
