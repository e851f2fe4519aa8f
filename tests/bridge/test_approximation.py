"""`approximate`: networks within a tolerance of a function, proven or checked."""

import math
import random
import re
from decimal import Decimal
from fractions import Fraction

import gmpy2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import slow
from exactnet import Approximation, approximate
from exactnet.bridge import finite_differences, interpolation, node_search
from reference import forward, fractions

SMALL = st.fractions(min_value=-10, max_value=10, max_denominator=50)


def polynomial(coefficients):
    """A polynomial that is exact at floats and Fractions."""

    def f(x):
        x, value = Fraction(x), Fraction(0)
        for a in reversed(coefficients):
            value = value * x + a
        return value

    return f


def curvature(coefficients):
    """A bound of the second derivative on [left, right], by the triangle inequality."""

    def bound(left, right):
        size = max(abs(Fraction(left)), abs(Fraction(right)))
        return sum(
            (k * (k - 1) * abs(a) * size ** (k - 2) for k, a in enumerate(coefficients) if k > 1),
            start=Fraction(0),
        )

    return bound


def sample(result, rng, n=60):
    """Floats in the interval: ends, nodes, middles of pieces and any others."""
    low, high = result.interval
    nodes = result.nodes.tolist()
    k = rng.randrange(len(nodes) - 1)
    picked = [nodes[k], (nodes[k] + nodes[k + 1]) / 2, nodes[k + 1], low, high]
    middles = ((result.nodes[1:] + result.nodes[:-1]) / 2).tolist()
    picked += [math.nextafter(nodes[k + 1], low), *rng.sample(middles, min(n, len(middles)))]
    picked += [low + (high - low) * i / n for i in range(n)]
    picked += [rng.uniform(low, high) for _ in range(n)]
    return [min(max(x, low), high) for x in picked]


def worst_errors(result, f, xs):
    """Largest exact distances from f: of float inference, and of the weights themselves."""
    floats = fractions(result(xs))
    exact = [row[0] for row in forward(result.network, [[x] for x in xs])]
    truth = [f(x) for x in xs]
    return [
        max(abs(a - b) for a, b in zip(values, truth, strict=True)) for values in (floats, exact)
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(SMALL, min_size=1, max_size=6),
    st.floats(-20, 20),
    st.floats(0.01, 5),
    st.sampled_from([1e-1, 1e-2, 1e-3]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_proof_holds_for_polynomials(coefficients, low, length, share, graded, rng):
    f, bound = polynomial(coefficients), curvature(coefficients)
    high = low + length
    tolerance = float(share * (1 + bound(low, high) * Fraction(length) ** 2))
    given_bound = bound if graded else float(bound(low, high)) * (1 + 1e-15)
    result = approximate(f, (low, high), tolerance, second_derivative=given_bound)
    assert result.proven
    assert result.max_error <= tolerance
    assert result.interval == (low, high) == (result.nodes[0], result.nodes[-1])
    assert (np.diff(result.nodes) > 0).all()
    for error in worst_errors(result, f, sample(result, rng)):
        assert error <= Fraction(result.max_error)


def flushed(network, xs, order):
    """Float inference that takes subnormal numbers for 0 wherever it meets one."""

    def flush(values):
        return np.where(np.abs(values) < 2.0**-1022, 0.0, values)

    w1, b1 = flush(network.weights[0][:, 0]), flush(network.biases[0])
    w2, b2 = flush(network.weights[1][0]), flush(network.biases[1])
    with np.errstate(over="ignore", invalid="ignore"):
        units = np.maximum(flush(flush(np.array(xs)[:, None]) * w1 + b1), 0)
        terms = np.concatenate([flush(units * w2), np.broadcast_to(b2, (len(xs), 1))], axis=1)
        total = np.zeros(len(xs))
        for k in order:
            total = flush(total + terms[:, k])
    return total


def test_proof_holds_at_every_scale(rng):
    """Overflow, underflow and flushing: a proof holds for all, or there is none."""
    proven = 0
    for _ in range(slow(1500, 100)):
        # near the ends of the range every second time
        scale, size = (
            Fraction(2) ** rng.choice([rng.randint(-1000, 1000), -e, e, 0]) for e in (1021, 1020)
        )
        middle = Fraction(rng.choice([0, rng.uniform(-2, 2), rng.uniform(-1e3, 1e3)])) * scale
        try:
            low, high = float(middle - scale), float(middle + scale * rng.choice([1, 0, 2]))
        except OverflowError:
            continue
        coefficients = [
            Fraction(rng.uniform(-1, 1)) * size / scale**k * rng.choice([0, 1, 1]) for k in range(4)
        ]
        f, bound = polynomial(coefficients), curvature(coefficients)
        graded = rng.random() < 0.3
        try:
            tolerance = float(size) * 10.0 ** rng.uniform(-6, 1)
            result = approximate(
                f,
                (low, high),
                tolerance,
                second_derivative=bound if graded else bound(low, high),
                max_units=200,
            )
        except ValueError as error:
            assert "\n" not in str(error)  # noqa: PT017
            continue
        assert result.proven
        assert result.max_error <= tolerance
        proven += 1
        xs = sample(result, rng, 12)
        xs += [v for x in (*xs[:3], 0.0) for v in (math.nextafter(x, low), math.nextafter(x, high))]
        xs += [-5e-324, 2.0**-1022, -(2.0**-1022), 2.0**-1023]
        xs = [x for x in xs if low <= x <= high]
        truth = [f(x) for x in xs]
        order = rng.sample(range(result.n_units + 1), result.n_units + 1)
        for values in (result(xs), flushed(result.network, xs, order)):
            assert np.isfinite(values).all(), (low, high, coefficients)
            error = max(abs(a - b) for a, b in zip(fractions(values), truth, strict=True))
            assert error <= Fraction(result.max_error), (low, high, coefficients)
    assert proven > slow(1500, 100) / 5


@pytest.mark.parametrize(
    ("f", "interval", "tolerance", "bound"),
    [
        (lambda x: x * x, (-1e154, 1e154), 1e306, 2),  # partial sums beyond the largest float
        (lambda x: 1e308 * math.sin(x), (0, 10), 1e307, 1e308),
        (lambda x: 1e308 * math.sin(x), (0, 10), 1e307, 10**400),
        (lambda x: 1e308 * math.sin(x), (0, 10), 1e307, lambda a, b: 10**400),
        (math.sin, (0, 1), 5e-324, 1),
        (math.sin, (0, 1), Fraction(1, 10**400), 1),
        (math.sin, (0, 1e-320), 5e-324, 1),
        (lambda x: 1.0, (0, 5e-324), 1e-300, 0.0),
        (lambda x: 1e300 * x / 5e-324, (0, 5e-324), 1e290, 0.0),
    ],
)
def test_no_proof_without_room(f, interval, tolerance, bound):
    try:
        result = approximate(f, interval, tolerance, second_derivative=bound)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        xs = sample(result, random.Random(0))
        assert max(abs(result(x) - f(x)) for x in xs) <= result.max_error <= tolerance


def test_numbers_beyond_floats():
    """Tolerances are rounded down, what f may be off by not at all."""
    third = approximate(math.sin, (0, 3), Fraction(1, 10), second_derivative=1)
    assert third.proven
    assert Fraction(third.max_error) <= Fraction(1, 10)
    assert approximate(math.sin, (0, 3), 10**400, second_derivative=1).proven
    tiny = Fraction(1, 10**400)
    assert approximate(math.sin, (0, 3), 0.1, second_derivative=1, value_error=tiny).proven
    with pytest.raises(ValueError, match="no tolerance can be met"):
        approximate(math.sin, (0, 3), 0.1, second_derivative=1, value_error=10**400)
    result = approximate(math.sin, (0, 3), 0.1, second_derivative=1, max_units=10**4000)
    assert result.n_units == 4


def test_more_nodes_than_memory_holds(monkeypatch):
    for bound, most in ((1, 10**20), (10**900, 10**1000)):
        with pytest.raises(
            MemoryError, match=r"nodes would take about \S+ MiB, more than there is"
        ):
            approximate(Fraction, (0, 1), 1e-30, second_derivative=bound, max_units=most)
    monkeypatch.setattr(node_search, "available_memory", lambda: 2**20)
    with pytest.raises(MemoryError, match=r"nodes would take about \S+ MiB, more than there is"):
        approximate(Fraction, (0, 1), 1e-9, second_derivative=lambda a, b: 1, max_units=10**5)


@pytest.mark.parametrize("kind", [np.float32, np.float16, lambda x: gmpy2.mpfr(x, 20)])
def test_floats_of_few_bits(kind):
    """What f returns in a shorter type is off by units in the last place of that type."""
    result = approximate(lambda x: kind(math.exp(x)), (0, 3), 0.1, second_derivative=21)
    xs = sample(result, random.Random(1))
    off = max(abs(result(x) - math.exp(x)) for x in xs)
    assert off <= result.max_error
    precise = approximate(math.exp, (0, 3), 0.1, second_derivative=21)
    assert result.n_units > precise.n_units or result.max_error > precise.max_error


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (6.25e-2, "6.3e-02"),
        (9.96, "1.0e+01"),
        (0.0, "0.0e+00"),
        (5e-324, "4.9e-324"),
        (21 * 5e-324, "1.1e-322"),
        (math.inf, "inf"),
    ],
)
def test_two_digits(value, text):
    assert interpolation.two_digits(value) == text


def test_bound_is_tight():
    """The second derivative of x^2 is 2 everywhere: the error is h^2 / 4 in every middle."""
    square = polynomial([0, 0, 1])
    result = approximate(square, (0, 1), 1e-3, second_derivative=2)
    assert result.n_units == 16  # 1 / (4 n^2) <= 1e-3
    middles = ((result.nodes[1:] + result.nodes[:-1]) / 2).tolist()
    error = max(worst_errors(result, square, middles))
    assert error <= Fraction(result.max_error) < error * (1 + Fraction(1, 10**9))


def test_errors_at_the_nodes_do_not_add_up():
    f = polynomial([Fraction(1, 3), Fraction(5, 7), Fraction(1, 9), Fraction(-1, 5)])
    result = approximate(f, (-1, 2), 1e-6, second_derivative=3)
    assert result.n_units > 1500
    nodes = result.nodes.tolist()[1::100]
    reached = [row[0] for row in forward(result.network, [[x] for x in nodes])]
    off = max(abs(a - f(x)) for a, x in zip(reached, nodes, strict=True))
    # the last slope is rounded only; not even the bias, 1/3, is 1e-17 off any more
    assert off < Fraction(1, 10**19)


def test_between_floats():
    """In real arithmetic the proof holds at any real number."""
    f = polynomial([1, -3, 0, 2])
    result = approximate(f, (-1, 2), 1e-3, second_derivative=24)
    exact = result.network.to_exact()
    xs = [Fraction(-3 * k, 1000) + Fraction(2) for k in range(1001)]
    for x, value in zip(xs, exact.predict([[x] for x in xs])[:, 0], strict=True):
        assert abs(Fraction(int(value.numerator), int(value.denominator)) - f(x)) <= Fraction(
            result.max_error
        )


@pytest.mark.parametrize(
    ("coefficients", "interval"),
    [
        ([10**6, 0, 1], (0, 1)),  # a large constant
        ([0, 0, 1], (1000, 1001)),  # far from 0
        ([0, 0, 10**12], (0, 1)),
        ([0, 0, Fraction(1, 10**12)], (-1, 1)),
        ([0, 100, -70, 9, 3], (-7, 5)),
    ],
)
@pytest.mark.usefixtures("isa")
def test_roundings_are_in_the_bound(rng, coefficients, interval):
    """Close to what float64 allows, where roundings are most of the error."""
    f, bound = polynomial(coefficients), curvature(coefficients)
    size = bound(*interval) * Fraction(interval[1] - interval[0]) ** 2 / 8
    with pytest.raises(ValueError, match="can be reached") as caught:
        approximate(f, interval, float(size) * 1e-25, second_derivative=bound, max_units=100)
    result = approximate(f, interval, reachable(caught), second_derivative=bound, max_units=100)
    assert result.n_units <= 100
    xs = sample(result, rng)
    for error in worst_errors(result, f, xs):
        assert error <= Fraction(result.max_error)
    one_by_one = [Fraction(float(result(x))) for x in xs]  # another kernel
    assert max(abs(a - f(x)) for a, x in zip(one_by_one, xs, strict=True)) <= result.max_error


def reachable(caught):
    return float(re.search(r"about (\S+) can be reached", str(caught.value)).group(1))


def test_rounding_is_limiting(rng):
    """Many units whose terms cancel: the sum alone is off by more than the tolerance."""
    f = polynomial([0, 10**12, 1])
    with pytest.raises(ValueError, match="can be reached") as caught:
        approximate(f, (-1, 1), 1e-5, second_derivative=2)
    limit = reachable(caught)
    assert 1e-4 < limit < 1e-1
    result = approximate(f, (-1, 1), limit, second_derivative=2)
    assert result.n_units < 100
    assert max(worst_errors(result, f, sample(result, rng))) <= Fraction(result.max_error) <= limit


def test_values_in_floats():
    """The allowance for the values that f returns."""
    exact = approximate(polynomial([3, 0, 1]), (0, 1), 1e-2, second_derivative=2)
    rounded = approximate(lambda x: 3 + x * x, (0, 1), 1e-2, second_derivative=2)
    doubtful = approximate(lambda x: 3 + x * x, (0, 1), 1e-2, second_derivative=2, value_error=1e-3)
    assert rounded.max_error - exact.max_error == pytest.approx(4 * 2**-50, rel=0.01)
    assert doubtful.max_error - exact.max_error == pytest.approx(1e-3, rel=0.01)
    with pytest.raises(ValueError, match=r"about 1\.\de-03 can be reached"):
        approximate(math.exp, (0, 1), 1e-4, second_derivative=3, value_error=1e-3)
    # off by less than it says: still a proof
    off = approximate(
        lambda x: x * x + 1e-3 * math.sin(1e6 * x),
        (0, 1),
        1e-2,
        second_derivative=2,
        value_error=1e-3,
    )
    errors = worst_errors(off, polynomial([0, 0, 1]), np.linspace(0, 1, 500).tolist())
    assert max(errors) <= off.max_error <= 1e-2


def test_number_of_units_follows_the_root_of_the_error():
    sizes = [
        approximate(math.sin, (-3, 3), tolerance, second_derivative=1).n_units
        for tolerance in (1e-2, 1e-4, 1e-6)
    ]
    assert sizes == [22, 213, 2122]  # 6 sqrt(1 / (8 tolerance)), rounded up


def test_graded_nodes():
    even = approximate(math.exp, (-5, 5), 1e-3, second_derivative=math.exp(5))
    graded = approximate(math.exp, (-5, 5), 1e-3, second_derivative=lambda a, b: math.exp(b))
    checked = approximate(math.exp, (-5, 5), 1e-3)
    assert 4 * graded.n_units < even.n_units
    assert checked.n_units < 1.3 * graded.n_units
    lengths = np.diff(graded.nodes)
    assert lengths[0] > 20 * lengths[-2]
    # a bound that is infinite on long pieces only is good enough
    cautious = approximate(
        math.exp, (-5, 5), 1e-3, second_derivative=lambda a, b: math.exp(b) if b < a + 1 else np.inf
    )
    assert cautious.proven


def test_straight_lines():
    line = approximate(polynomial([1, 3]), (-2, 5), 1e-9, second_derivative=0)
    assert (line.n_units, line.nodes.tolist()) == (1, [-2, 5])
    assert line([-2, 0, 5]).tolist() == [-5, 1, 16]
    constant = approximate(lambda x: 7, (-2, 5), 1e-9)
    assert constant.n_units == 1
    assert constant([-2, 0, 5]).tolist() == [7, 7, 7]
    assert constant.max_error == 0


def seed_2(x):
    """The harder function of the article."""
    if x < 0:
        return x * np.sin(x * 2 * np.pi)
    return -x * np.sin(x * np.pi) + np.exp(x / 2) - np.exp(0)


CURVES = {  # with the number of units times the root of the tolerance, about
    "sine": (math.sin, (-3, 3), 2.5),
    "article": (seed_2, (-3, 3), 12),
    "waves": (lambda x: math.sin(64 * math.pi * x), (0, 1), 75),
    "root": (math.sqrt, (0, 2), 2),
    "kink": (abs, (-3, 2), 1),
    "peak": (lambda x: 1 / (1 + 1e4 * (x - 0.3) ** 2), (0, 1), 3),
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("tolerance", [1e-1, 1e-3])
def test_checked(rng, name, tolerance):
    f, interval, most = CURVES[name]
    result = approximate(f, interval, tolerance)
    assert not result.proven
    assert result.max_error <= tolerance
    xs = [rng.uniform(*interval) for _ in range(3000)] + np.linspace(*interval, 4097).tolist()
    off = max(abs(a - f(x)) for a, x in zip(result(xs).tolist(), xs, strict=True))
    assert off <= min(tolerance, 1.2 * result.max_error)
    assert result.max_error < 2 * off  # it is no wild guess either
    assert result.n_units < most / math.sqrt(tolerance)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize(
    ("f", "interval", "tolerance"),
    [
        (math.sin, (-3, 3), 0.3),
        (math.sin, (-3, 3), 1e-3),
        (math.sin, (-3, 3), 1e-6),
        (math.exp, (-1, 1), 1e-9),
        (lambda x: math.cos(x - 1000), (999, 1001), 1e-5),
        (lambda x: 1e6 * x**3, (0, 1), 1),
        (lambda x: 1e-9 * x**2, (-1e-6, 1e6), 1),
        (lambda x: 2 * x + 5, (-3, 3), 1e-6),
        (lambda x: 5, (-3, 3), 1e-12),
    ],
)
def test_smooth(rng, activation, f, interval, tolerance):
    result = approximate(f, interval, tolerance, activation)
    assert result.network.activations == (activation, "linear")
    assert result.network.layer_sizes == [1, result.n_units, 1]
    assert result.n_units <= 33
    assert not result.proven
    xs = [rng.uniform(*interval) for _ in range(3000)]
    off = max(abs(a - f(x)) for a, x in zip(result(xs).tolist(), xs, strict=True))
    assert off <= tolerance
    assert result.max_error <= tolerance
    assert off <= 1.3 * result.max_error
    assert interval[0] <= result.nodes.min() <= result.nodes.max() <= interval[1]


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_smooth_units_are_a_stencil(activation):
    """Equidistant weights around 0 and one centre: a finite difference in the weight."""
    result = approximate(math.sin, (-1, 1), 1e-4, activation)
    weights, biases = result.network.weights[0][:, 0], result.network.biases[0]
    np.testing.assert_allclose(weights, -weights[::-1])
    np.testing.assert_allclose(np.diff(weights), weights[1] - weights[0])
    assert len(set(biases.tolist())) == 1


def test_stencils():
    with gmpy2.context(precision=finite_differences._BITS):
        offsets, inverse = finite_differences._stencil(3)
        # moments 0, 0, 2: the second central difference
        assert [float(2 * row[2]) for row in inverse] == [1, -2, 1]
        assert [float(row[1]) for row in inverse] == [-0.5, 0, 0.5]
        for n in (2, 9, 32):
            offsets, inverse = finite_differences._stencil(n)
            for k in range(n):
                for column in range(n):
                    moment = sum(
                        row[column] * o**k for row, o in zip(inverse, offsets, strict=True)
                    )
                    assert abs(moment - (k == column)) < 1e-15


@pytest.mark.parametrize(
    ("activation", "f"), [("tanh", math.tanh), ("sigmoid", lambda z: 1 / (1 + math.exp(-z)))]
)
def test_taylor_series(activation, f):
    with gmpy2.context(precision=finite_differences._BITS):
        series = finite_differences._taylor(activation, 0.75, 40)
    for h in (-0.5, 0.1, 0.5):
        assert sum(float(s) * h**k for k, s in enumerate(series)) == pytest.approx(f(0.75 + h))


@pytest.mark.parametrize(
    ("f", "interval", "options"),
    [
        (math.sin, (-3, 3), dict(second_derivative=1, max_units=50)),
        (math.sin, (-3, 3), dict(second_derivative=lambda a, b: 1, max_units=50)),
        (math.sin, (-3, 3), dict(max_units=50)),
        (math.sin, (-3, 3), dict(max_units=1)),
        (math.sin, (-3, 3), dict(second_derivative=1, max_units=1)),
        (lambda x: float(x > 1 / 3), (0, 1), {}),
        (lambda x: 1e20 * x * x, (0, 1), dict(max_units=50)),
        (math.sin, (-3, 3), dict(activation="tanh")),
        (math.sin, (-3, 3), dict(activation="sigmoid", max_units=9)),
        (abs, (-3, 3), dict(activation="tanh")),
        (lambda x: 1e20 * x * x, (0, 1), dict(activation="sigmoid")),
    ],
)
def test_what_cannot_be_met(f, interval, options):
    """The error says what can be."""
    with pytest.raises(ValueError, match=r"a tolerance of 1e-11 cannot be met with") as caught:
        approximate(f, interval, 1e-11, **options)
    result = approximate(f, interval, reachable(caught), **options)
    assert result.max_error <= reachable(caught)
    assert result.n_units <= options.get("max_units", 10_000)


def test_reachable_is_near_the_best():
    with pytest.raises(ValueError, match="can be reached") as caught:
        approximate(math.sin, (-3, 3), 1e-11, second_derivative=1, max_units=50)
    assert 36 / 2500 / 8 < reachable(caught) < 1.2 * 36 / 2500 / 8


def test_infinite_second_derivative():
    with pytest.raises(ValueError, match="no finite bound"):
        approximate(
            math.sqrt,
            (0, 1),
            1e-3,
            second_derivative=lambda a, b: a**-1.5 / 4 if a else math.inf,
        )


@pytest.mark.parametrize("bound", [0.1, 0, lambda a, b: 0.1])
def test_wrong_bounds_are_noticed(bound):
    with pytest.raises(ValueError, match=r"second_derivative is no bound of abs\(f''\) in \["):
        approximate(math.sin, (0, 6), 1e-3, second_derivative=bound)


@pytest.mark.parametrize(
    "convert", [float, np.float64, Fraction, Decimal, gmpy2.mpq, np.array, np.float32]
)
def test_types_of_values(convert):
    result = approximate(lambda x: convert(x) * convert(x), (0, 1), 0.1, second_derivative=2)
    assert result([0, 0.5, 1]).tolist() == [0, 0.25, 1]
    assert approximate(lambda x: convert(x) * convert(x), (0, 1), 0.1).max_error <= 0.1
    assert approximate(lambda x: convert(x) * convert(x), (0, 1), 0.1, "tanh").max_error <= 0.1


def test_calls():
    result = approximate(math.sin, (-3, 3), 0.1)
    assert result(1).shape == ()
    assert result([[1, 2, 3], [0, 1, 2]]).shape == (2, 3)
    assert result(1) == result([1])[0] == result.network.predict([[1]])[0, 0]
    assert result.network.dtype == np.float64
    assert result(-100) == result(-3)  # constant to the left
    assert result(101) - result(100) == pytest.approx(result(100) - result(99))
    with pytest.raises(ValueError, match="finite"):
        result([1, math.nan])
    assert re.fullmatch(
        r"Approximation\(\d units, within \S+ on \[-3.0, 3.0\], checked on a grid\)", repr(result)
    )
    assert isinstance(result, Approximation)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_values_that_are_not_finite(activation, bad):
    with pytest.raises(ValueError, match=r"f\(\S+\) is -?(nan|inf): only finite"):
        approximate(lambda x: bad if x > 0.9 else x, (0, 1), 0.1, activation)
    if activation == "relu":
        with pytest.raises(ValueError, match=r"f\(1\.0\) is -?(nan|inf): only finite"):
            approximate(lambda x: bad if x == 1 else x, (0, 1), 0.1, second_derivative=1)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("value", ["1", None, 1j, [1], np.array([1.0])])
def test_values_that_are_no_numbers(activation, value):
    with pytest.raises(TypeError, match=r"f\(\S+\) is "):
        approximate(lambda x: value, (0, 1), 0.1, activation)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_values_beyond_float64(activation):
    with pytest.raises(ValueError, match=r"beyond the range of float64"):
        approximate(lambda x: 10**400, (0, 1), 0.1, activation)
    with pytest.raises(ValueError, match=r"beyond|too large|can be reached"):
        approximate(lambda x: 1e308 * math.cos(100 * x), (0, 1e-3), 0.1, activation, max_units=20)


def test_errors_of_the_function_come_through():
    with pytest.raises(ZeroDivisionError):
        approximate(lambda x: 1 / x, (0, 1), 0.1)
    with pytest.raises(ZeroDivisionError):
        approximate(math.sin, (0, 1), 0.1, second_derivative=lambda a, b: 1 / a)


@pytest.mark.parametrize(
    ("error", "match", "change"),
    [
        (TypeError, "f must be callable, not int", dict(f=3)),
        (ValueError, "two numbers", dict(interval=3)),
        (ValueError, "two numbers", dict(interval=(1, 2, 3))),
        (ValueError, "two numbers", dict(interval=("a", "b"))),
        (ValueError, "two numbers", dict(interval=(0, 10**400))),
        (ValueError, "low < high", dict(interval=(1, 1))),
        (ValueError, "low < high", dict(interval=(2, 1))),
        (ValueError, "must be finite", dict(interval=(0, math.inf))),
        (ValueError, "must be finite", dict(interval=(math.nan, 1))),
        (ValueError, "must be finite", dict(interval=(-1e308, 1e308))),
        (ValueError, "tolerance must be positive", dict(tolerance=0)),
        (ValueError, "tolerance must be positive", dict(tolerance=-1e-3)),
        (ValueError, "tolerance must be positive", dict(tolerance=math.nan)),
        (ValueError, "tolerance must be positive", dict(tolerance=math.inf)),
        (ValueError, "tolerance must be positive", dict(tolerance="small")),
        (ValueError, "'relu', 'tanh', 'sigmoid'", dict(activation="step")),
        (ValueError, "'relu', 'tanh', 'sigmoid'", dict(activation=None)),
        (ValueError, "max_units", dict(max_units=0)),
        (ValueError, "max_units must be 2", dict(max_units=1, activation="tanh")),
        (ValueError, "value_error must be not neg", dict(value_error=-1)),
        (ValueError, "value_error must be not neg", dict(value_error=math.nan)),
        (ValueError, "only, not for 'tanh'", dict(second_derivative=1, activation="tanh")),
        (ValueError, "not negative", dict(second_derivative=-1)),
        (ValueError, "second_derivative is nan", dict(second_derivative=math.nan)),
        (ValueError, "second_derivative is inf", dict(second_derivative=math.inf)),
        (TypeError, "second_derivative is the string", dict(second_derivative="1")),
        (ValueError, r"derivative\(0.0, .* not negative", dict(second_derivative=lambda a, b: -1)),
        (ValueError, r"derivative\(0.0, .*nan", dict(second_derivative=lambda a, b: math.nan)),
        (TypeError, r"derivative\(0.0, ", dict(second_derivative=lambda a, b: None)),
    ],
)
def test_bad_input(error, match, change):
    arguments = dict(f=math.sin, interval=(0, 1), tolerance=0.1) | change
    with pytest.raises(error, match=match):
        approximate(**arguments)
