"""What goes on inside a network: gradients, dead units, contributions, linear regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet.base.checks import entries, real_array, shown
from exactnet.dense.network import Network
from exactnet.exact.network import ExactNetwork
from exactnet.exact.rationals import to_mpq

__all__ = [
    "DeadUnits",
    "LinearRegions",
    "UnitContributions",
    "dead_units",
    "gradient_norms",
    "linear_regions",
    "unit_contributions",
]

Array = npt.NDArray[Any]
Rationals = npt.NDArray[np.object_]


def gradient_norms(
    network: Network,
    X: Any,
    y: Any = None,
    loss: str | None = None,
    quantiles: float | Sequence[float] | None = None,
) -> list[float]:
    """Return the L2 norm of the mean loss's gradient by the weights, for every layer.

    In deep networks of sigmoid units they fall by some factor from each layer to the one before,
    as its derivative is 1/4 at most: the gradient vanishes.

    Parameters
    ----------
    network : Network
    X : array-like (samples, features), or Dataset
    y : array-like (samples, outputs), or integer labels (samples,)
    loss, quantiles : optional
        As of `Network.loss`.

    Returns
    -------
    list of float
        From the first layer to the last.

    Raises
    ------
    ValueError
        As of `Network.gradients`.
    TypeError
        If network is not a `Network`.

    Examples
    --------
    >>> import numpy as np
    >>> from exactnet import Network, diagnostics
    >>> X, y = np.linspace(-1, 1, 20)[:, None], np.zeros((20, 1))
    >>> sizes = [1] + [10] * 5 + [1]
    >>> deep = Network(sizes, init="glorot_normal", dtype="float64", seed=0)
    >>> norms = diagnostics.gradient_norms(deep, X, y)
    >>> len(norms), norms[1] < 0.01 * norms[-1]
    (6, True)
    """
    _check_network(network)
    gradients = network.gradients(X, y, loss, quantiles)
    return [float(np.linalg.norm(dW.astype(np.float64))) for dW, _ in gradients]


@dataclass(frozen=True, eq=False)
class DeadUnits:
    """The units of a hidden ReLU layer that are 0 at all samples.

    Attributes
    ----------
    layer : int
        Number of the layer; 0 is the first hidden one.
    count : int
    units : ndarray (count,) of int
        Their indices in the layer.
    """

    layer: int
    count: int
    units: npt.NDArray[np.intp]


def dead_units(network: Network, X: Any) -> list[DeadUnits]:
    """Find the hidden ReLU units that are 0 at all samples.

    Their weights get no gradient from these samples.

    Parameters
    ----------
    network : Network
    X : array-like (samples, features)

    Returns
    -------
    list of DeadUnits
        One for every hidden layer of "relu", the first layer first.

    Raises
    ------
    ValueError
        If X is empty, not finite or has another number of features than the network.
    TypeError
        If network is not a `Network`.

    Examples
    --------
    >>> from exactnet import Network, diagnostics
    >>> net = Network.from_arrays(
    ...     [[[1.0], [-1.0], [1.0]], [[1, 2, 3]]], [[0, -2, -5], [0]], ["relu", "linear"])
    >>> diagnostics.dead_units(net, [[0.0], [1.0], [2.0]])
    [DeadUnits(layer=0, count=2, units=array([1, 2]))]
    """
    _check_network(network)
    result = []
    h = network._samples(X)
    for k, activation in enumerate(network.activations[:-1]):
        h = _layer(network, k).predict(h)
        if activation == "relu":
            units = np.flatnonzero(~h.any(axis=0))
            result.append(DeadUnits(k, len(units), units))
    return result


class UnitContributions(NamedTuple):
    """The terms of which the output of a network with one hidden layer is the sum.

    Attributes
    ----------
    units : ndarray (units, points) of float64
        Output weight times value of every hidden unit.
    bias : float
        Of the output. ``units.sum(axis=0) + bias`` is the output.
    """

    units: npt.NDArray[np.float64]
    bias: float


def unit_contributions(network: Network, x: Any) -> UnitContributions:
    """Split the output of a network of one input and one hidden layer into its units' parts.

    Parameters
    ----------
    network : Network
        Of one input, one hidden layer and one linear output.
    x : array-like (points,) or (points, 1)

    Returns
    -------
    UnitContributions
        (units, bias); the sum differs from ``network.predict`` by roundings only.

    Raises
    ------
    ValueError
        If the network is another one, or x is empty, not finite or of another shape.
    TypeError
        If network is not a `Network`.

    Examples
    --------
    >>> from exactnet import Network, diagnostics
    >>> net = Network.from_arrays(
    ...     [[[1.0], [1.0]], [[2, -3]]], [[0, -1], [5]], ["relu", "linear"])
    >>> parts = diagnostics.unit_contributions(net, [0, 1, 2])
    >>> parts.units + 0.0
    array([[ 0.,  2.,  4.],
           [ 0.,  0., -3.]])
    >>> parts.units.sum(axis=0) + parts.bias
    array([5., 7., 6.])
    """
    _check_network(network)
    sizes = network.layer_sizes
    if len(sizes) != 3 or sizes[0] != 1 or sizes[-1] != 1 or network.activations[1] != "linear":
        raise ValueError(
            "a network of one input, one hidden layer and one linear output is needed, "
            f"not {network}"
        )
    points = real_array(x, "x")
    if points.ndim == 1:
        points = points[:, None]
    values = _layer(network, 0).predict(network._samples(points, "x"))
    weights = network.weights[1][0].astype(np.float64)
    return UnitContributions(
        weights[:, None] * values.T.astype(np.float64), float(network.biases[1][0])
    )


@dataclass(frozen=True, eq=False)
class LinearRegions:
    """A network of one input as the piecewise linear function that it is.

    Attributes
    ----------
    count : int
        Number of regions, one more than the breakpoints.
    breakpoints : list of mpq
        Where one region ends and the next one begins, in ascending order.
    slopes, intercepts : ndarray (count, outputs) of mpq
        Region r maps x to ``slopes[r] * x + intercepts[r]``.
    """

    count: int
    breakpoints: list[Any]
    slopes: Rationals
    intercepts: Rationals


def linear_regions(
    network: Network | ExactNetwork, interval: tuple[Any, Any] | None = None
) -> LinearRegions:
    """Find the linear regions of a ReLU network of one input, exactly.

    A region is a largest interval on which all outputs are linear functions (with a constant) of
    the input: what counts is the function, not the units. Where units switch without a kink in
    any output (as one that no later one uses, or two whose kinks cancel), no region ends. Float
    parameters are taken as the rationals that they are, and nothing is rounded.

    The regions are carried through the network layer by layer, and split where a unit of the
    layer changes its sign. The work is proportional to the number of regions of the layers and the
    number of weights; the length of the rationals grows with the depth.

    Parameters
    ----------
    network : Network or ExactNetwork
        With activations "relu" and "linear" only.
    interval : (low, high), optional
        Count the regions that meet the inside of this interval; by default, the whole line.

    Returns
    -------
    LinearRegions

    Raises
    ------
    ValueError
        If the network has several inputs or another activation, or interval is not two finite
        numbers in ascending order.
    TypeError
        If network is not a network, or interval holds something else than real numbers.

    Examples
    --------
    The tent that maps [0, 1] twice onto itself, and three of it in a row (Telgarsky,
    "Representation benefits of deep feedforward networks", 2015):

    >>> from exactnet import ExactNetwork, diagnostics
    >>> net = ExactNetwork.from_arrays(
    ...     [[[1], [1]], [[2, -4], [2, -4]], [[2, -4], [2, -4]], [[2, -4]]],
    ...     [[0, -0.5], [0, -0.5], [0, -0.5], [0]])
    >>> regions = diagnostics.linear_regions(net, (0, 1))
    >>> regions.count, regions.breakpoints[:3]
    (8, [mpq(1,8), mpq(1,4), mpq(3,8)])
    >>> diagnostics.linear_regions(net).count
    10
    """
    if isinstance(network, Network):
        exact = network.to_exact()
    elif isinstance(network, ExactNetwork):
        network._parameters().check()
        exact = network
    else:
        raise TypeError(
            f"network must be a Network or an ExactNetwork, not {type(network).__name__}"
        )
    if exact.layer_sizes[0] != 1:
        raise ValueError(f"network must have one input, not {exact.layer_sizes[0]}")
    low, high = (None, None) if interval is None else _interval(interval)
    one, zero = np.array([gmpy2.mpq(1)]), np.array([gmpy2.mpq(0)])
    breakpoints: list[Any] = []
    pieces = [(one, zero)]  # slopes and intercepts of all units of a layer
    for k, (W, b, activation) in enumerate(
        zip(exact.weights, exact.biases, exact.activations, strict=True)
    ):
        W, b = _rationals(W, f"weights[{k}]"), _rationals(b, f"biases[{k}]")
        pieces = [(W @ slopes, W @ intercepts + b) for slopes, intercepts in pieces]
        if activation == "relu":
            breakpoints, pieces = _rectified(low, high, breakpoints, pieces)
        # merging here, too, keeps the later layers from working on pieces that are one
        breakpoints, pieces = _merged(breakpoints, pieces)
    return LinearRegions(
        len(pieces),
        breakpoints,
        np.array([slopes for slopes, _ in pieces]),
        np.array([intercepts for _, intercepts in pieces]),
    )


_Piece = tuple[Rationals, Rationals]


def _rectified(
    low: Any, high: Any, breakpoints: list[Any], pieces: list[_Piece]
) -> tuple[list[Any], list[_Piece]]:
    """Split the pieces where a unit crosses 0 and set it to 0 where it is negative."""
    new_breakpoints: list[Any] = []
    new_pieces: list[_Piece] = []
    for (left, right), (slopes, intercepts) in zip(
        pairwise([low, *breakpoints, high]), pieces, strict=True
    ):
        crossings = {-c / a for a, c in zip(slopes, intercepts, strict=True) if a}
        inside = sorted(
            x for x in crossings if (left is None or left < x) and (right is None or x < right)
        )
        ends = [left, *inside, right]
        for a, b in pairwise(ends):
            # no unit changes its sign in here, so that any inner point tells it
            on = slopes * _between(a, b) + intercepts > 0
            new_pieces.append((np.where(on, slopes, _ZERO), np.where(on, intercepts, _ZERO)))
        new_breakpoints += [*inside, right]
    return new_breakpoints[:-1], new_pieces


def _merged(breakpoints: list[Any], pieces: list[_Piece]) -> tuple[list[Any], list[_Piece]]:
    """Join neighbours that are the same function."""
    new_breakpoints, new_pieces = [], pieces[:1]
    for x, piece in zip(breakpoints, pieces[1:], strict=True):
        # they meet at x: with equal slopes, they have equal intercepts
        if (piece[0] != new_pieces[-1][0]).any():
            new_breakpoints.append(x)
            new_pieces.append(piece)
    return new_breakpoints, new_pieces


_ZERO = gmpy2.mpq(0)


def _between(a: Any, b: Any) -> Any:
    if a is None:
        return _ZERO if b is None else b - 1
    return a + 1 if b is None else (a + b) / 2


def _interval(interval: Any) -> tuple[Any, Any]:
    bounds = entries(interval, "interval", "two numbers (low, high)")
    if len(bounds) != 2:
        raise ValueError(f"interval must be two numbers (low, high), not {shown(interval)}")
    low, high = to_mpq(bounds[0], "interval[0]"), to_mpq(bounds[1], "interval[1]")
    if not low < high:
        raise ValueError(f"interval must have low < high, not {shown(interval)}")
    return low, high


def _rationals(array: Rationals, name: str) -> Rationals:
    """Convert parameters, which anyone may have changed, to mpq."""
    result = np.empty(array.shape, dtype=object)
    for index, value in np.ndenumerate(array):
        result[index] = to_mpq(value, name)
    return result


def _layer(network: Network, k: int) -> Network:
    """Return one layer as a network."""
    return Network.from_arrays([network.weights[k]], [network.biases[k]], [network.activations[k]])


def _check_network(network: Any) -> None:
    if not isinstance(network, Network):
        raise TypeError(f"network must be a Network, not {type(network).__name__}")


def __dir__() -> list[str]:
    return sorted(__all__)
