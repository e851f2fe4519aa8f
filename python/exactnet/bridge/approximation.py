"""Networks within a tolerance of a function of one variable, by construction."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from exactnet.base.checks import choice, positive_integer, shown
from exactnet.base.progress import ProgressOption, reporting
from exactnet.bridge import finite_differences
from exactnet.bridge.interpolation import Array, Values, downwards, two_digits
from exactnet.bridge.node_search import CAUTION, Curvature, out_of_reach, search
from exactnet.dense.network import Network
from exactnet.exact.rationals import to_mpq

ACTIVATIONS = ("relu", "tanh", "sigmoid")


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
        error = f"within {two_digits(self.max_error)} on {list(self.interval)}"
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
    progress: ProgressOption = None,
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
    progress : callable or True, optional
        Called now and then, by the searches for nodes of "relu", with the share of the interval
        that has nodes, from 0 to 1, at every attempt anew; True shows a bar.

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
    tolerance = downwards(exact_tolerance)
    if not tolerance:
        raise ValueError("tolerance is below the least float64, 4.9e-324")
    choice(activation, ACTIVATIONS, "activation")
    max_units = positive_integer(max_units, "max_units")
    error = None if value_error is None else _positive(value_error, "value_error", or_zero=True)
    values = Values(f, error)
    if activation != "relu":
        if second_derivative is not None:
            raise ValueError(f'second_derivative is for "relu" only, not for {activation!r}')
        goal = CAUTION * tolerance
        built = finite_differences.construct(
            values.as_float, low, high, goal, activation, max_units
        )
        if built.error > goal:
            raise out_of_reach(tolerance, built.error / CAUTION, f"{activation} units")
    else:
        with reporting(progress, "approximating") as tell:
            built = search(values, low, high, tolerance, max_units, second_derivative, tell)
    n_units = built.network.layer_sizes[1]
    proven = second_derivative is not None
    return Approximation(built.network, built.error, proven, n_units, built.nodes, (low, high))


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
