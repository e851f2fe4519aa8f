"""The piecewise linear interpolant of a function, as a network, and how far it is from it."""

from __future__ import annotations

import decimal
import math
import numbers
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet.dense.network import Network
from exactnet.exact.rationals import to_mpq

Array: TypeAlias = npt.NDArray[np.float64]

_UNIT = gmpy2.mpq(1, 2**53)  # the largest relative error of a rounding to float64
_TINY = gmpy2.mpq(1, 2**1022)  # the largest absolute error of one that underflows to 0
HUGE = gmpy2.mpq(2**1024 - 2**971)  # the largest float64
LEAST = math.ulp(0.0)
# By default a float that f returns is taken to be off by so many units in its last place.
_ULPS = 4


class Built(NamedTuple):
    """A network, its largest error, and where the function was interpolated."""

    network: Network
    error: float
    nodes: Array


class Values:
    """The function, with its results checked."""

    def __init__(self, f: Callable[[float], Any], error: Any) -> None:
        self._f = f
        self._error = error  # of floats, an mpq; or None
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
        """Return f(x) as the nearest float64."""
        value = self._f(x)
        if isinstance(value, float) and math.isfinite(value):
            return float(value)  # this way is taken a thousand times for every node
        return to_float(self._checked(value, x)[0], f"f({x!r})")

    def allowance(self, values: list[tuple[Any, bool]]) -> Any:
        """Bound the distance of these values from the true ones."""
        rounded = [abs(y) for y, rational in values if not rational]
        if not rounded:
            return gmpy2.mpq(0)
        if self._error is not None:
            return self._error
        return _ULPS * max(max(rounded) * self._epsilon, gmpy2.mpq(LEAST))


def _epsilon(value: Any) -> Any:
    """Return the distance from 1 to the next number of a float's type."""
    if isinstance(value, np.floating):
        return gmpy2.mpq(float(np.finfo(value.dtype).eps))
    precision = value.precision if isinstance(value, gmpy2.mpfr(0).__class__) else 53
    return gmpy2.mpq(2) / gmpy2.mpz(2) ** precision


def interpolant(nodes: list[float], targets: list[Any]) -> tuple[Network, list[Any], Any]:
    """Return the network through (node, target), what it reaches there, and its rounding error.

    The units are max(0, x - node); the weight of each is the change of the slope at its node. What
    the rounded weights reach is computed exactly, and every weight corrects for the ones before:
    the errors at the nodes do not add up. The rounding error bounds how far float64 inference on
    the interval is from real arithmetic, for any order of the sum, fused or not, with subnormal
    numbers or without; it is infinite where a sum may overflow.
    """
    slope, value = gmpy2.mpq(0), gmpy2.mpq(to_float(targets[0], "f"))
    bias, reached, weights = float(value), [value], []
    exact = [gmpy2.mpq(x) for x in nodes]
    for k in range(len(nodes) - 1):
        length = exact[k + 1] - exact[k]
        weight = to_float((targets[k + 1] - value) / length - slope, "a slope of f")
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
    if (1 + gamma) * magnitude + rounding > HUGE:
        rounding = math.inf  # a partial sum may overflow
    network = Network.from_arrays(
        [np.ones((len(used), 1)), np.array([[weights[k] for k in used]])],
        [np.array([-nodes[k] for k in used]), np.array([bias])],
        ["relu", "linear"],
    )
    return network, reached, rounding


def to_float(value: Any, what: str) -> float:
    """Return the nearest float64 of an mpq."""
    try:
        result = int(value.numerator) / int(value.denominator)  # rounds correctly
    except OverflowError:
        raise ValueError(f"{what} is beyond the range of float64") from None
    return result


def upwards(value: Any) -> float:
    """Return a float64 that is not below an mpq; infinity beyond the range."""
    if value == math.inf:
        return math.inf
    try:
        result = int(value.numerator) / int(value.denominator)
    except OverflowError:
        return math.inf
    return result if gmpy2.mpq(result) >= value else math.nextafter(result, math.inf)


def downwards(value: Any) -> float:
    """Return the largest float64 that is not above an mpq, which is not negative."""
    if value >= HUGE:
        return float(HUGE)
    result = to_float(value, "")
    return result if gmpy2.mpq(result) <= value else math.nextafter(result, 0.0)


def two_digits(value: float) -> str:
    """Return a decimal of two digits that is not below a value, which is not negative."""
    upwards = decimal.Context(prec=2, rounding=decimal.ROUND_CEILING)
    return f"{float(upwards.create_decimal(value)):.1e}"
