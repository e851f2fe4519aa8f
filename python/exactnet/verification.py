"""Exact verification, which trusts nothing about how a network was made."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from exactnet import _core
from exactnet._checks import thread_count
from exactnet._tables import Progress, as_points, as_targets
from exactnet.exact_network import ExactNetwork


@dataclass(frozen=True)
class VerificationReport:
    """What `verify` found; true in a condition if and only if the network is exact.

    Attributes
    ----------
    exact : bool
        Whether every output at every point equals its target.
    max_error : mpq
        Largest absolute difference between an output and its target.
    n_points : int
    n_wrong : int
        Points with at least one output off its target.
    first_wrong : int or None
        The lowest such row of X.
    seconds : float
        Wall-clock time of the verification.
    """

    exact: bool
    max_error: Any
    n_points: int
    n_wrong: int
    first_wrong: int | None
    seconds: float

    def __bool__(self) -> bool:
        return self.exact


def verify(
    network: ExactNetwork,
    X: Any,
    y: Any,
    *,
    n_threads: int = 1,
    progress: Progress | None = None,
) -> VerificationReport:
    """Evaluate a network in exact arithmetic and compare every output with its target.

    The C++ evaluator takes any ReLU network of rational parameters, of any depth, and shares no
    code with the construction. It is fastest where all first-layer rows are multiples of one
    vector, as in all networks of `memorize`; others are evaluated point by point, which for wide
    layers of long rationals takes about a hundred times longer.

    Parameters
    ----------
    network : ExactNetwork
    X : array-like (points, features) of ints, floats, Fractions or mpq
    y : array-like (points,) or (points, outputs), likewise
    n_threads : int
    progress : callable, optional
        Called now and then with the finished share, from 0 to 1.

    Returns
    -------
    VerificationReport

    Raises
    ------
    ValueError
        If X or y is empty, ragged, not finite, or does not fit the network or the other.
    TypeError
        If X or y holds something else than real numbers.
    KeyboardInterrupt
        On Ctrl-C, within a fraction of a second.

    Examples
    --------
    >>> from exactnet import memorize, verify
    >>> X, y = [[0], [1], [2], [3]], [5, -1, 4, 0]
    >>> net = memorize(X, y)
    >>> verify(net, X, y).exact
    True
    >>> net.biases[1][0] += 1
    >>> report = verify(net, X, y)
    >>> report.exact, report.first_wrong, report.max_error
    (False, 0, mpq(1,1))
    """
    start = time.perf_counter()
    if not isinstance(network, ExactNetwork):
        raise TypeError(f"network must be an ExactNetwork, not {type(network).__name__}")
    points = as_points(X)
    network.check_features(points.shape[1])
    targets = as_targets(y, points.shape[0])
    if targets.shape[1] != network.layer_sizes[-1]:
        raise ValueError(
            f"y has {targets.shape[1]} outputs but the network has {network.layer_sizes[-1]}"
        )
    n_points, n_wrong, first_wrong, max_error = _core.verify(
        network.to_core(),
        points.to_core(),
        targets.to_core(),
        thread_count(n_threads),
        progress,
    )
    return VerificationReport(
        exact=n_wrong == 0,
        max_error=max_error,
        n_points=n_points,
        n_wrong=n_wrong,
        first_wrong=first_wrong,
        seconds=time.perf_counter() - start,
    )
