"""Networks of integers, which floats evaluate without error."""

import random
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import random_points
from exactnet import certificate, memorize, verify
from test_constructions import assert_equal, assert_exact, assert_no_wrong_output, distinct_rows

LIMITS = {"float32": 2**24, "float64": 2**53}
DTYPES = tuple(LIMITS)


def assert_float_exact(rng, net, X, y, dtype):
    report = verify(net, X, y)
    assert report.exact, report
    assert_no_wrong_output(rng, net, X, y, dtype)
    proof = certificate(net, X, dtype)
    assert proof.exact
    assert proof.bound < proof.limit == LIMITS[dtype]


INPUTS = {
    "integers": lambda rng: rng.randrange(100),
    "negative": lambda rng: rng.randrange(-50, 10),
    "sixteenths": lambda rng: rng.randrange(-40, 40) / 16,
    "fractions": lambda rng: Fraction(rng.randrange(-40, 40), 8),
}
TARGETS = {
    "labels": lambda rng: rng.randrange(2),
    "digits": lambda rng: rng.randrange(10),
    "negative": lambda rng: rng.randrange(-200, -100),
    "quarters": lambda rng: rng.randrange(-40, 40) / 4,
    "fractions": lambda rng: Fraction(rng.randrange(-9, 9), 2),
    "multiples": lambda rng: 1000 * rng.randrange(-9, 9) + 7,
    "one": lambda rng: -3,
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize("inputs", INPUTS)
def test_integer(rng, inputs, targets, dtype):
    for _ in range(6):
        n_points, n_features, m = rng.randint(1, 40), rng.randint(1, 4), rng.randint(1, 3)
        X = distinct_rows(rng, n_points, n_features, INPUTS[inputs])
        y = [[TARGETS[targets](rng) for _ in range(m)] for _ in X]
        if rng.random() < 0.5:  # a constant column
            constant = INPUTS[inputs](rng)
            X = [[*x, constant] for x in X]
        if rng.random() < 0.5:  # rows that are there already
            again = [rng.randrange(n_points) for _ in range(5)]
            X, y = X + [X[k] for k in again], y + [y[k] for k in again]
        net = memorize(X, y, construction="integer", dtype=dtype, seed=rng.randrange(2**64))
        assert net.layer_sizes[-1] == m
        assert_float_exact(rng, net, X, y, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_integer_networks_compute_in_integers(rng, dtype):
    """Integer data: integer parameters, which are below the limit as all sums are."""
    X, y = random_points(rng, 300, 3)
    net = memorize(X, y, construction="integer", dtype=dtype)
    for values in net.weights + net.biases:
        assert all(v.denominator == 1 and abs(v) < LIMITS[dtype] for v in values.ravel())


# Columns that differ in kind: the sums of a unit, not those of a layer, share a unit.
UNEVEN = {
    "a constant column of tenths": (
        [[k, 0.1] for k in range(12)],
        [[k % 3] for k in range(12)],
        "float64",
    ),
    "a constant column of small fractions": (
        [[k, 2.0**-20] for k in range(12)],
        [[k % 3] for k in range(12)],
        "float32",
    ),
    "a fine column of inputs": (
        [[k, k % 4 / 2**18] for k in range(8)],
        [[k % 2] for k in range(8)],
        "float32",
    ),
    "a fine output": (
        [[k] for k in range(8)],
        [[k % 2 / 2**18, 2**12 * (k % 3) + k] for k in range(8)],
        "float32",
    ),
}


@pytest.mark.parametrize("name", UNEVEN)
def test_integer_of_uneven_columns(rng, name):
    """Whatever `memorize` returns is certified."""
    X, y, dtype = UNEVEN[name]
    net = memorize(X, y, construction="integer", dtype=dtype)
    assert_float_exact(rng, net, X, y, dtype)


RANGES = {
    "float64": [2**30, 2**45, 10**13 + 1],
    "float32": [2**12, 2**16, 10**5 + 1],
}


@pytest.mark.parametrize(("dtype", "high"), [(d, high) for d in DTYPES for high in RANGES[d]])
def test_integer_targets_of_large_range(rng, dtype, high):
    X, _ = random_points(rng, 9, 2, high=10)
    y = [[rng.randrange(-high, high)] for _ in X]
    y[0], y[1] = [-high], [high]
    net = memorize(X, y, construction="integer", dtype=dtype)
    assert_float_exact(rng, net, X, y, dtype)


@pytest.mark.parametrize("high", [2**20, 2**40])
def test_integer_inputs_of_large_range(rng, high):
    X = [[rng.randrange(-high, high) for _ in range(3)] for _ in range(50)]
    y = [[rng.randrange(4)] for _ in X]
    net = memorize(X, y, construction="integer")
    assert_float_exact(rng, net, X, y, "float64")


def test_integer_units(rng):
    """2 p - 1 and 2 q m, for the least p q that hold the points, but for a few blocks more."""
    for n_points, m in [(300, 1), (1000, 1), (400, 4)]:
        X, _ = random_points(rng, n_points, 3)
        y = [[rng.randrange(10) for _ in range(m)] for _ in X]
        _, first, second, _ = memorize(X, y, construction="integer").layer_sizes
        assert first + second <= 1.05 * 4 * (n_points * m) ** 0.5


@pytest.mark.parametrize(("n_points", "n_features"), [(10_000, 1), (3000, 3)])
def test_integer_float32_with_long_projections(rng, n_points, n_features):
    """Projections of range 2^20, or inputs of as many values, with labels 0 and 1."""
    X = distinct_rows(rng, n_points, n_features, lambda r: r.randrange(2**20 // n_features))
    y = [[rng.randrange(2)] for _ in X]
    net = memorize(X, y, construction="integer", dtype="float32")
    proof = certificate(net, X, "float32")
    assert proof.exact
    assert proof.bound < 2**24
    assert verify(net, X, y).exact
    assert_no_wrong_output(rng, net, X, y, "float32")


def points_of_outputs(rng, n_points, m):
    X, _ = random_points(rng, n_points, 3)
    return X, [[rng.randrange(10) for _ in range(m)] for _ in X]


@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("depth", [1, 2, 5, 14, 50, 100])
def test_integer_hidden_are_upper_limits(rng, depth, m):
    """Of whatever shape, from the narrowest second layer to the narrowest first one."""
    X, y = points_of_outputs(rng, 200, m)
    # a tenth more blocks than the least, since blocks may end early
    hidden = (2 * (220 // depth) + 1, 2 * depth * m)
    net = memorize(X, y, construction="integer", hidden=hidden)
    assert len(net.layer_sizes) == 4
    assert all(a <= b for a, b in zip(net.layer_sizes[1:3], hidden, strict=True))
    assert_float_exact(rng, net, X, y, "float64")


@pytest.mark.parametrize("m", [1, 3])
def test_integer_hidden_beyond_need_changes_nothing(rng, m):
    X, y = points_of_outputs(rng, 60, m)
    free = memorize(X, y, construction="integer")
    for hidden in [(10**6, 10**6), free.layer_sizes[1:3]]:
        assert_equal(free, memorize(X, y, construction="integer", hidden=hidden))


binary_fractions = st.builds(
    lambda k, exponent: Fraction(k) * Fraction(2) ** exponent,
    st.integers(-(2**12), 2**12),
    st.integers(-30, 30),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), m=st.integers(1, 2), n_features=st.integers(1, 3))
@pytest.mark.parametrize("dtype", DTYPES)
def test_integer_is_exact_or_refused(dtype, data, m, n_features):
    """Adversarial binary fractions: no network without its certificate."""
    X = data.draw(
        st.lists(st.tuples(*[binary_fractions] * n_features), min_size=1, max_size=8, unique=True)
    )
    y = data.draw(st.lists(st.tuples(*[binary_fractions] * m), min_size=len(X), max_size=len(X)))
    X, y = [list(x) for x in X], [list(v) for v in y]
    try:
        net = memorize(X, y, construction="integer", dtype=dtype)
    except ValueError as error:
        if not re.search(f"exact in {dtype}|holds numbers beyond 2\\*\\*62", str(error)):
            raise
        return
    assert_exact(net, X, y)
    assert_float_exact(random.Random(0), net, X, y, dtype)


@pytest.mark.parametrize(
    ("X", "dtype"),
    [
        ([[0.1]], "float32"),
        ([[0.1, 0], [0.1, 1]], "float32"),
        ([[2**24 + 1], [2**24 + 1]], "float32"),
        ([[2**53 + 1, 0], [2**53 + 1, 1]], "float64"),
        ([[-(2**53) - 1, 0], [4, 1], [5, 1]], "float64"),
    ],
)
def test_integer_refuses_points_that_are_no_floats(X, dtype):
    """Also in columns that need no weight."""
    with pytest.raises(ValueError, match=f"column 0 of X holds numbers that are no {dtype}"):
        memorize(
            X,
            list(range(len(X))) if len(X) > 2 else [1] * len(X),
            construction="integer",
            dtype=dtype,
        )
    assert certificate(
        memorize([[2**60, 0], [2**60, 1]], [1, 2], construction="integer"), [[2**60, 0], [2**60, 1]]
    )


def ordinary_floats(np_rng):
    yield np_rng.random((60, 4)), np.arange(60) % 7
    yield np_rng.normal(size=(200, 10)) * 1e-3, np.arange(200) % 2
    yield np_rng.normal(size=(100, 3)) * 1e6, np.arange(100)
    yield np_rng.random((50, 1)).astype(np.float32), np.arange(50)
    yield np_rng.random((80, 5)), np_rng.random(80)  # which is too long itself
    yield (
        [[Fraction(k, 10), Fraction(k * k, 7)] for k in range(30)],
        [Fraction(k % 4, 5) for k in range(30)],
    )


def test_what_is_advised_for_ordinary_floats_works(np_rng):
    advised, both = 0, set()
    for X, y in ordinary_floats(np_rng):
        for dtype in ("float64", "float32"):
            try:
                memorize(X, y, construction="integer", dtype=dtype)
                continue
            except ValueError as error:
                text = str(error)
            assert "\n" not in text
            if text.endswith("scale or round the data, or use another construction"):
                continue
            advised += 1
            scope = {"np": np, "X": X, "y": y}
            code = re.search("in Python, (.*), and round what you predict by the same$", text)[1]
            both.add(";" in code)
            exec(code, scope)
            net = memorize(scope["X"], scope["y"], construction="integer", dtype=dtype)
            assert verify(net, scope["X"], scope["y"])
            assert certificate(net, scope["X"], dtype).exact
            # and it is the least
            number = re.search(r"(\d+) binary digits? after the point keep|\*\*(\d+) keep", text)
            least = int(number[1]) if number[1] else -int(number[2])
            floats = np.asarray(X, float)
            _, exponent = np.frexp(np.abs(floats).max())
            for k in range(-int(exponent) - 3, least + 1):
                n_rows = len(np.unique(np.round(floats * 2.0**k) + 0.0, axis=0))
                assert (n_rows == len(floats)) == (k == least)
    assert advised >= 8
    assert both == {False, True}


def test_one_digit_is_one():
    with pytest.raises(ValueError, match="; 1 binary digit after the point keeps the rows of X"):
        memorize([[0.4], [0.9], [1.4]], [0, 1, 2], construction="integer", dtype="float32")


def test_nothing_is_advised_where_nothing_helps():
    X = [[2.0**k] for k in range(900)]
    with pytest.raises(ValueError, match="scale or round the data, or use another construction"):
        memorize(X, range(900), construction="integer")
