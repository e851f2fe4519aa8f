"""Networks within a tolerance of a function of one variable, by construction."""

from __future__ import annotations

import decimal
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet.base.checks import positive_integer, shown
from exactnet.base.memory import available_memory
from exactnet.bridge import finite_differences
from exactnet.dense.network import Network
from exactnet.exact.data import to_mpq

Array: TypeAlias = npt.NDArray[np.float64]
Curvature: TypeAlias = float | Callable[[float, float], float]

ACTIVATIONS = ("relu", "tanh", "sigmoid")

_UNIT = gmpy2.mpq(1, 2**53)  # the largest relative error of a rounding to float64
_TINY = gmpy2.mpq(1, 2**1022)  # the largest absolute error of one that underflows to 0
_HUGE = gmpy2.mpq(2**1024 - 2**971)  # the largest float64
_LEAST = math.ulp(0.0)
# By default a float that f returns is taken to be off by so many units in its last place.
_ULPS = 4
_NODE_BYTES = 2000  # measured: of a node and its piece
# Pieces shorter than this share of the interval are those of a jump.
_SHORTEST = 2.0**-40
# Where a chord is compared with f: so many points in a piece, and in all of the interval.
_SAMPLES, _GRID = 16, 4096
_GOLDEN = (math.sqrt(5) - 1) / 2
# What is not proven must be within this share of the tolerance there: between the points it is off
# by more.
_CAUTION = 0.8


@dataclass(frozen=True, eq=False, repr=False)
class Approximation:
    """A network of one input that is close to a function on an interval, and how close it is.

    Call it with an array of any shape to evaluate the network at its entries.

    Attributes
    ----------
    network : Network
        Of one hidden layer, float64.
    max_error : float
        A bound of the largest distance from the function on the interval if it is `proven`, and
        else the largest one found on a grid. Both are about ``network.predict``, roundings
        included.
    proven : bool
        Whether `max_error` is proven, for every float64 in the interval, by what the caller said
        of the function.
    n_units : int
        Width of the hidden layer.
    nodes : ndarray (points,)
        Where the function was interpolated.
    interval : (float, float)

    Examples
    --------
    >>> from exactnet import approximate
    >>> square = approximate(lambda x: x * x, (0, 1), 0.1, second_derivative=2)
    >>> square
    Approximation(2 units, within 6.3e-02 on [0.0, 1.0], proven)
    >>> square.nodes, square([0.25, 0.5])
    (array([0. , 0.5, 1. ]), array([0.125, 0.25 ]))
    """

    network: Network
    max_error: float
    proven: bool
    n_units: int
    nodes: Array
    interval: tuple[float, float]

    def __repr__(self) -> str:
        error = f"within {_two_digits(self.max_error)} on {list(self.interval)}"
        how = "proven" if self.proven else "checked on a grid"
        return f"Approximation({self.n_units} units, {error}, {how})"

    def __call__(self, x: Any) -> Array:
        """Evaluate the network.

        Parameters
        ----------
        x : array-like of float, of any shape
            What lies outside the interval is evaluated too, but nothing is known of its error.

        Returns
        -------
        ndarray of the shape of x

        Raises
        ------
        ValueError
            If x is empty or not finite.
        """
        x = np.asarray(x, dtype=np.float64)
        result: Array = self.network.predict(x.reshape(-1, 1)).reshape(x.shape)
        return result


def approximate(
    f: Callable[[float], Any],
    interval: tuple[float, float],
    tolerance: float,
    activation: str = "relu",
    *,
    second_derivative: Curvature | None = None,
    value_error: float | None = None,
    max_units: int = 10_000,
) -> Approximation:
    """Construct a network within a tolerance of a function on an interval, in the sup norm.

    With "relu", the network is the piecewise linear interpolant of f. Between two nodes at a
    distance h it is off by at most h^2 / 8 max |f''|; given a bound of f'', the nodes are placed
    so that this, plus every rounding, is proven to be within the tolerance. Without one they are
    placed by trying, the result is compared with f on a grid of at least 16 points in every piece
    and 4,097 in all, and is not proven.

    With "tanh" and "sigmoid", f is interpolated by a polynomial in the Chebyshev points, whose
    monomials are central finite differences of units in their weight, as in the proof of the
    universal approximation theorem. Their large weights cancel, which in float64 leaves an error
    of some 1e-8 at best for a function such as the sine on [-3, 3], and far more for those that
    need a high degree. Degree, step and number of units are the first of a list that suffice on a
    grid of 4,097 points.

    What is not proven is asked to be within 0.8 of the tolerance on its grid.

    Parameters
    ----------
    f : callable
        Called with one float in the interval at a time; returns a real number. Fractions and mpq
        are taken exactly.
    interval : (low, high)
    tolerance : float
        The largest distance allowed between f and what ``network.predict`` returns.
    activation : {"relu", "tanh", "sigmoid"}
    second_derivative : float or callable, optional
        For "relu": a bound of abs(f'') on the interval (or of the Lipschitz constant of f'), or a
        function of (left, right) that returns one on [left, right]. With the latter there are
        fewer nodes where f is straighter.
    value_error : float, optional
        For the proof: how far the floats that f returns may be from its true values; by default
        4 units in the last place of the largest of them (2**-50 of it for float64). It is a
        premise, as `second_derivative` is.
    max_units : int
        The most units that the network may have.

    Returns
    -------
    Approximation
        ReLU networks are constant to the left of the interval and go on straight to its right.
        ``approximation.network.to_exact()`` is the same one in rationals; the proof holds for it
        as well.

    Raises
    ------
    ValueError
        If the tolerance cannot be met (the message has one that can), f is not finite where it is
        asked, `second_derivative` is seen not to be a bound or is given for another
        activation than "relu", or an argument is out of range.
    TypeError
        If f is not callable or returns something else than a real number.

    Examples
    --------
    >>> import numpy as np
    >>> from exactnet import approximate
    >>> sine = approximate(np.sin, (-3, 3), 0.01, second_derivative=1)
    >>> sine.n_units, sine.proven, sine.max_error <= 0.01
    (22, True, True)
    >>> x = np.linspace(-3, 3, 1000)
    >>> bool(np.abs(sine(x) - np.sin(x)).max() <= sine.max_error)
    True

    Nodes that follow the curvature: the second derivative of exp is largest at the right.

    >>> approximate(np.exp, (-5, 5), 0.01, second_derivative=np.exp(5)).n_units
    431
    >>> approximate(np.exp, (-5, 5), 0.01, second_derivative=lambda a, b: np.exp(b)).n_units
    90

    Twelve tanh units, made by finite differences:

    >>> smooth = approximate(np.sin, (-3, 3), 1e-3, "tanh")
    >>> smooth.n_units, smooth.proven, smooth.max_error < 1e-3
    (12, False, True)
    """
    if not callable(f):
        raise TypeError(f"f must be callable, not {type(f).__name__}")
    low, high = _interval(interval)
    exact_tolerance = _positive(tolerance, "tolerance")
    tolerance = _downwards(exact_tolerance)
    if not tolerance:
        raise ValueError("tolerance is below the least float64, 4.9e-324")
    if activation not in ACTIVATIONS:
        known = ", ".join(map(repr, ACTIVATIONS))
        raise ValueError(f"activation must be one of {known}, not {shown(activation)}")
    max_units = positive_integer(max_units, "max_units")
    values = _Values(f, value_error)
    if activation != "relu":
        if second_derivative is not None:
            raise ValueError(f'second_derivative is for "relu" only, not for {activation!r}')
        goal = _CAUTION * tolerance
        built = finite_differences.construct(
            values.as_float, low, high, goal, activation, max_units
        )
        if built.error > goal:
            raise _out_of_reach(tolerance, built.error / _CAUTION, f"{activation} units")
        n_units = built.network.layer_sizes[1]
        return Approximation(built.network, built.error, False, n_units, built.nodes, (low, high))
    if second_derivative is None:
        pieces: _Pieces = _Checked(values, low, high, max_units)
    else:
        pieces = _Proven(values, low, high, max_units, second_derivative)
    return _search(pieces, tolerance)


class _InfeasibleError(Exception):
    """An error that is too small for the pieces allowed; `hint` is one that may do."""

    def __init__(self, hint: float) -> None:
        self.hint = hint


class _Values:
    """The function, with its results checked."""

    def __init__(self, f: Callable[[float], Any], value_error: float | None) -> None:
        self._f = f
        self._error = None if value_error is None else _positive(value_error, "value_error", True)
        self._epsilon = gmpy2.mpq(0)  # of the least precise floats that f has returned

    def exact(self, x: float) -> tuple[Any, bool]:
        """Return f(x) as mpq, and whether f gave it as a rational."""
        return self._checked(self._f(x), x)

    def _checked(self, value: Any, x: float) -> tuple[Any, bool]:
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value[()]  # what np.where returns
        rational = isinstance(value, numbers.Rational) or type(value) is type(_UNIT)
        if not rational:
            self._epsilon = max(self._epsilon, _epsilon(value))
        return to_mpq(value, f"f({x!r})"), rational

    def as_float(self, x: float) -> float:
        value = self._f(x)
        if isinstance(value, float) and math.isfinite(value):
            return float(value)  # this way is taken a thousand times for every node
        return _to_float(self._checked(value, x)[0], f"f({x!r})")

    def allowance(self, values: list[tuple[Any, bool]]) -> Any:
        """Bound the distance of these values from the true ones."""
        rounded = [abs(y) for y, rational in values if not rational]
        if not rounded:
            return gmpy2.mpq(0)
        if self._error is not None:
            return self._error
        return _ULPS * max(max(rounded) * self._epsilon, gmpy2.mpq(_LEAST))


def _epsilon(value: Any) -> Any:
    """Return the distance from 1 to the next number of a float's type."""
    if isinstance(value, np.floating):
        return gmpy2.mpq(float(np.finfo(value.dtype).eps))
    precision = value.precision if isinstance(value, gmpy2.mpfr(0).__class__) else 53
    return gmpy2.mpq(2) / gmpy2.mpz(2) ** precision


class _Pieces:
    """Interpolants of a function, the finer the smaller an error is asked for."""

    def __init__(self, values: _Values, low: float, high: float, max_units: int) -> None:
        self.values, self.low, self.high, self.max_units = values, low, high, max_units
        self.caution = 1.0  # the share of a tolerance to be met

    def attempt(self, error: float) -> Approximation:
        """Place nodes for an error of the interpolation, and say what the whole error is."""
        raise NotImplementedError

    def greedy(self, fits: Callable[[float, float], bool], error: float) -> list[float]:
        """Place nodes from the left to the right, each as far as the piece fits."""
        nodes, length = [self.low], (self.high - self.low) / 16
        shortest = (self.high - self.low) * _SHORTEST
        while (left := nodes[-1]) < self.high:
            if len(nodes) % 4096 == 0:
                _check_nodes(len(nodes))
            if len(nodes) > self.max_units:
                # pieces are as long as the root of the error, about
                share = (left - self.low) / (self.high - self.low)
                raise _InfeasibleError(error * min(64.0, 1.1 / max(share, 1e-9) ** 2))
            rest = self.high - left
            good, bad, factor = 0.0, math.inf, 1.1  # lengths, and how far to look for them
            while bad > 1.05 * good:
                if good and bad < math.inf:
                    length = (good + bad) / 2
                elif good or bad < math.inf:
                    length = good * factor if good else bad / factor
                    factor *= factor
                right = self.high if length >= rest else left + length
                if bad <= shortest or right <= left:
                    raise _InfeasibleError(8 * error)
                if fits(left, right):
                    good = length
                    if right == self.high:
                        break
                else:
                    bad = min(length, rest)
            length = good
            nodes.append(self.high if length >= rest else left + length)
        return nodes


class _Proven(_Pieces):
    """Interpolants with a bound of the second derivative."""

    def __init__(
        self, values: _Values, low: float, high: float, max_units: int, bound: Curvature
    ) -> None:
        super().__init__(values, low, high, max_units)
        self._bound = bound
        if not callable(bound):
            self._curvature(low, high)  # which checks it

    def _curvature(self, left: float, right: float) -> Any:
        """Return the bound of |f''| as mpq, or infinity."""
        if callable(self._bound):
            value, where = self._bound(left, right), f"second_derivative({left!r}, {right!r})"
            if isinstance(value, numbers.Real) and value == math.inf:
                return math.inf  # may well be finite on a shorter piece
        else:
            value, where = self._bound, "second_derivative"
        bound = to_mpq(value, where)
        if bound < 0:
            raise ValueError(f"{where} is {value}: a bound of abs(f'') is not negative")
        return bound

    def _off(self, left: float, right: float) -> Any:
        return (gmpy2.mpq(right) - gmpy2.mpq(left)) ** 2 / 8 * self._curvature(left, right)

    def _nodes(self, error: float) -> list[float]:
        if callable(self._bound):
            return self.greedy(lambda left, right: bool(self._off(left, right) <= error), error)
        whole = self._off(self.low, self.high)
        # the square root, rounded up
        pieces = math.ceil(whole / gmpy2.mpq(error))
        n = max(1, math.isqrt(max(0, pieces - 1)) + 1)
        if n > self.max_units:
            raise _InfeasibleError(1.001 * _upwards(whole / self.max_units**2))
        _check_nodes(n)
        return sorted({*np.linspace(self.low, self.high, n + 1).tolist()})

    def attempt(self, error: float) -> Approximation:
        nodes = self._nodes(error)
        pairs = [self.values.exact(x) for x in nodes]
        targets = [y for y, _ in pairs]
        network, reached, rounding = _interpolant(nodes, targets)
        allowance = self.values.allowance(pairs)
        # The network, in real arithmetic, is the interpolant of what it reaches at the nodes; this
        # differs from the one of the true values by no more than they do.
        at_nodes = max(abs(y - r) for y, r in zip(targets, reached, strict=True)) + allowance
        worst = gmpy2.mpq(0)
        for k in range(len(nodes) - 1):
            off = self._off(nodes[k], nodes[k + 1])
            worst = max(worst, off)
            self._doubt(nodes, targets, k, off, allowance)
        total = worst + at_nodes + rounding
        return _approximation(network, _upwards(total), True, nodes)

    def _doubt(
        self, nodes: list[float], targets: list[Any], k: int, off: Any, allowance: Any
    ) -> None:
        """Refuse a bound that the function breaks in the middle of a piece."""
        middle = nodes[k] + (nodes[k + 1] - nodes[k]) / 2
        value = self.values.exact(middle)
        left, right = gmpy2.mpq(nodes[k]), gmpy2.mpq(nodes[k + 1])
        share = (gmpy2.mpq(middle) - left) / (right - left)
        chord = targets[k] + share * (targets[k + 1] - targets[k])
        found = abs(value[0] - chord)
        # a cautious doubt: the chord and the value may each be off by the allowance
        if found > off + 2 * max(allowance, self.values.allowance([value])):
            raise ValueError(
                f"second_derivative is no bound of abs(f'') in [{nodes[k]!r}, {nodes[k + 1]!r}]: "
                f"f differs from its chord by {_upwards(found):.3g} where at most "
                f"{_upwards(off):.3g} would be possible"
            )


class _Checked(_Pieces):
    """Interpolants that are only compared with the function."""

    def __init__(self, values: _Values, low: float, high: float, max_units: int) -> None:
        super().__init__(values, low, high, max_units)
        self.caution = _CAUTION
        x = np.linspace(low, high, _GRID + 1)
        self._grid = x
        self._on_grid = np.array([values.as_float(v) for v in x.tolist()])

    def _fits(self, left: float, right: float, error: float) -> bool:
        f = self.values.as_float
        n = max(_SAMPLES, math.ceil(_GRID / 4 * ((right - left) / (self.high - self.low))))
        y0, y1 = f(left), f(right)
        for k in range(1, n + 1):
            # multiples of the golden ratio: no period of f is met in the same phase only
            share = k * _GOLDEN % 1
            x = left + share * (right - left)
            if not abs(f(x) - (y0 + share * (y1 - y0))) <= error:
                return False
        return True

    def attempt(self, error: float) -> Approximation:
        nodes = self.greedy(lambda left, right: self._fits(left, right, error), error)
        targets = [self.values.exact(x)[0] for x in nodes]
        network, _, _ = _interpolant(nodes, targets)
        array = np.array(nodes)
        shares = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
        inner = (array[:-1, None] + np.diff(array)[:, None] * shares).ravel()
        x = np.concatenate([self._grid, array, inner])
        y = np.concatenate(
            [self._on_grid, [self.values.as_float(v) for v in (*nodes, *inner.tolist())]]
        )
        with np.errstate(over="ignore", invalid="ignore"):
            # in parts, between which Ctrl-C is answered
            parts = range(0, len(x), 1024)
            outputs = [network.predict(x[k : k + 1024, None])[:, 0] for k in parts]
            off = float(np.abs(np.concatenate(outputs) - y).max())
        return _approximation(network, off if math.isfinite(off) else math.inf, False, nodes)


def _search(pieces: _Pieces, tolerance: float) -> Approximation:
    """Find nodes for which the whole error is within the tolerance."""
    goal = max(_LEAST, pieces.caution * tolerance)
    best, error = math.inf, goal
    try:
        for _ in range(12):
            result = pieces.attempt(error)
            if result.max_error <= goal:
                return result
            best = min(best, result.max_error)
            # leave room for the other errors, which grow a little with the number of pieces
            others = result.max_error - error
            if others >= goal:
                break
            error = max(_LEAST, min(0.98 * error, max(goal - 1.05 * others, error / 8)))
        error = 1.5 * goal
    except _InfeasibleError as problem:
        error = max(problem.hint, 1.1 * error)
    # It cannot be met, as it seems: what can be?
    worse = 0
    while worse < 2 and math.isfinite(error):
        try:
            result = pieces.attempt(error)
        except _InfeasibleError as problem:
            error = max(problem.hint, 1.1 * error, error + _LEAST)
            continue
        if result.max_error <= goal:
            return result
        if result.max_error == math.inf:  # sums near the largest float: no small error is in reach
            most = float(_HUGE)
            error = min(max(2 * error, 1e290), most) if error < most else math.inf
            continue
        worse = worse + 1 if result.max_error >= best else 0
        best = min(best, result.max_error)
        error = max(1.5 * error, (result.max_error - error) / 8)
    if best == math.inf:
        raise ValueError(
            "no tolerance can be met: second_derivative gives no finite bound, or the values of f "
            "are too large for a float64 network"
        )
    raise _out_of_reach(tolerance, best / pieces.caution, f"at most {pieces.max_units} relu units")


def _out_of_reach(tolerance: float, reached: float, means: str) -> ValueError:
    return ValueError(
        f"a tolerance of {tolerance:g} cannot be met with {means} in float64; "
        f"about {_two_digits(1.05 * reached)} can be reached"
    )


def _two_digits(value: float) -> str:
    """Return a decimal of two digits that is not below a value, which is not negative."""
    upwards = decimal.Context(prec=2, rounding=decimal.ROUND_CEILING)
    return f"{float(upwards.create_decimal(value)):.1e}"


def _interpolant(nodes: list[float], targets: list[Any]) -> tuple[Network, list[Any], Any]:
    """Return the network through (node, target), what it reaches there, and its rounding error.

    The units are max(0, x - node); the weight of each is the change of the slope at its node. What
    the rounded weights reach is computed exactly, and every weight corrects for the ones before:
    the errors at the nodes do not add up. The rounding error bounds how far float64 inference on
    the interval is from real arithmetic, for any order of the sum, fused or not, with subnormal
    numbers or without; it is infinite where a sum may overflow.
    """
    slope, value = gmpy2.mpq(0), gmpy2.mpq(_to_float(targets[0], "f"))
    bias, reached, weights = float(value), [value], []
    exact = [gmpy2.mpq(x) for x in nodes]
    for k in range(len(nodes) - 1):
        length = exact[k + 1] - exact[k]
        weight = _to_float((targets[k + 1] - value) / length - slope, "a slope of f")
        weights.append(weight)
        slope += gmpy2.mpq(weight)
        value += slope * length
        reached.append(value)
    used = [k for k, w in enumerate(weights) if w] or [0]  # a straight line goes on
    sizes = [abs(gmpy2.mpq(weights[k])) for k in used]
    # Higham, Accuracy and Stability of Numerical Algorithms, 3.1: a sum of n products in any order
    # has a relative error of gamma_n in the sum of magnitudes, here largest at the right end. The
    # unit x - node is one rounding more, the product x * 1 none.
    magnitude = abs(gmpy2.mpq(bias)) + sum(
        size * (exact[-1] - exact[k]) for k, size in zip(used, sizes, strict=True)
    )
    n = len(used) + 4
    gamma = n * _UNIT / (1 - n * _UNIT)
    # Processors may take subnormal numbers for 0: x, the node and their difference, each times the
    # weight; the weight, times the unit; and products, sums and the bias.
    flushed = sum(4 * size + exact[-1] - exact[k] for k, size in zip(used, sizes, strict=True))
    rounding = gamma * magnitude + _TINY * (2 * n + (1 + gamma) * flushed)
    if (1 + gamma) * magnitude + rounding > _HUGE:
        rounding = math.inf  # a partial sum may overflow
    network = Network.from_arrays(
        [np.ones((len(used), 1)), np.array([[weights[k] for k in used]])],
        [np.array([-nodes[k] for k in used]), np.array([bias])],
        ["relu", "linear"],
    )
    return network, reached, rounding


def _approximation(
    network: Network, max_error: float, proven: bool, nodes: list[float]
) -> Approximation:
    n_units = network.layer_sizes[1]
    return Approximation(
        network, max_error, proven, n_units, np.array(nodes), (nodes[0], nodes[-1])
    )


def _to_float(value: Any, what: str) -> float:
    """Return the nearest float64 of an mpq."""
    try:
        result = int(value.numerator) / int(value.denominator)  # rounds correctly
    except OverflowError:
        raise ValueError(f"{what} is beyond the range of float64") from None
    return result


def _upwards(value: Any) -> float:
    """Return a float64 that is not below an mpq; infinity beyond the range."""
    if value == math.inf:
        return math.inf
    try:
        result = int(value.numerator) / int(value.denominator)
    except OverflowError:
        return math.inf
    return result if gmpy2.mpq(result) >= value else math.nextafter(result, math.inf)


def _downwards(value: Any) -> float:
    """Return the largest float64 that is not above an mpq, which is not negative."""
    if value >= _HUGE:
        return float(_HUGE)
    result = _to_float(value, "")
    return result if gmpy2.mpq(result) <= value else math.nextafter(result, 0.0)


def _interval(interval: Any) -> tuple[float, float]:
    try:
        low, high = (float(v) for v in interval)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"interval must be two numbers (low, high), not {shown(interval)}"
        ) from None
    if not (math.isfinite(low) and math.isfinite(high) and math.isfinite(high - low)):
        raise ValueError(f"interval must be finite, not {shown(interval)}")
    if not low < high:
        raise ValueError(f"interval must have low < high, not {shown(interval)}")
    return low, high


def _positive(value: Any, name: str, or_zero: bool = False) -> Any:
    """Return a number as mpq."""
    valid = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not valid or not (0 < value < math.inf or (or_zero and value == 0)):
        what = "not negative and finite" if or_zero else "positive and finite"
        raise ValueError(f"{name} must be {what}, not {shown(value)}")
    return to_mpq(value, name)


def _check_nodes(n: int) -> None:
    """Refuse more nodes than fit into memory."""
    if n * _NODE_BYTES > available_memory():
        n = min(n, 10**300)
        raise MemoryError(
            f"{n:.3g} nodes would take about {n * _NODE_BYTES / 2**20:.3g} MiB, more than there "
            "is: use a larger tolerance or a smaller max_units"
        )
