"""The search for nodes with which an interpolant is within a tolerance, proven or checked."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any, TypeAlias

import gmpy2
import numpy as np

from exactnet.base.memory import available_memory
from exactnet.base.progress import Progress
from exactnet.bridge.interpolation import (
    HUGE,
    LEAST,
    Built,
    Values,
    interpolant,
    two_digits,
    upwards,
)
from exactnet.exact.rationals import to_mpq

Curvature: TypeAlias = float | Callable[[float, float], float]

_NODE_BYTES = 2000  # measured: of a node and its piece
# Pieces shorter than this share of the interval are those of a jump.
_SHORTEST = 2.0**-40
# Where a chord is compared with f: so many points in a piece, and in all of the interval.
_SAMPLES, _GRID = 16, 4096
_GOLDEN = (math.sqrt(5) - 1) / 2
# What is not proven must be within this share of the tolerance there: between the points it is off
# by more.
CAUTION = 0.8


class _InfeasibleError(Exception):
    """An error that is too small for the pieces allowed; `hint` is one that may do."""

    def __init__(self, hint: float) -> None:
        self.hint = hint


class _Pieces:
    """Interpolants of a function, the finer the smaller an error is asked for."""

    def __init__(self, values: Values, low: float, high: float, max_units: int) -> None:
        self.values, self.low, self.high, self.max_units = values, low, high, max_units
        self.caution = 1.0  # the share of a tolerance to be met
        self.progress: Progress | None = None

    def attempt(self, error: float) -> Built:
        """Place nodes for an error of the interpolation, and say what the whole error is."""
        raise NotImplementedError

    def _tell(self, x: float) -> None:
        if self.progress is not None:
            self.progress((x - self.low) / (self.high - self.low))

    def greedy(self, fits: Callable[[float, float], bool], error: float) -> list[float]:
        """Place nodes from the left to the right, each as far as the piece fits."""
        nodes, length = [self.low], (self.high - self.low) / 16
        shortest = (self.high - self.low) * _SHORTEST
        while (left := nodes[-1]) < self.high:
            self._tell(left)
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
        self, values: Values, low: float, high: float, max_units: int, bound: Curvature
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
            raise _InfeasibleError(1.001 * upwards(whole / self.max_units**2))
        _check_nodes(n)
        return sorted({*np.linspace(self.low, self.high, n + 1).tolist()})

    def attempt(self, error: float) -> Built:
        nodes = self._nodes(error)
        pairs = [self.values.exact(x) for x in nodes]
        targets = [y for y, _ in pairs]
        network, reached, rounding = interpolant(nodes, targets)
        allowance = self.values.allowance(pairs)
        # The network, in real arithmetic, is the interpolant of what it reaches at the nodes; this
        # differs from the one of the true values by no more than they do.
        at_nodes = max(abs(y - r) for y, r in zip(targets, reached, strict=True)) + allowance
        worst = gmpy2.mpq(0)
        for k in range(len(nodes) - 1):
            self._tell(nodes[k])
            off = self._off(nodes[k], nodes[k + 1])
            worst = max(worst, off)
            self._doubt(nodes, targets, k, off, allowance)
        total = worst + at_nodes + rounding
        return Built(network, upwards(total), np.array(nodes))

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
                f"f differs from its chord by {upwards(found):.3g} where at most "
                f"{upwards(off):.3g} would be possible"
            )


class _Checked(_Pieces):
    """Interpolants that are only compared with the function."""

    def __init__(self, values: Values, low: float, high: float, max_units: int) -> None:
        super().__init__(values, low, high, max_units)
        self.caution = CAUTION
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

    def attempt(self, error: float) -> Built:
        nodes = self.greedy(lambda left, right: self._fits(left, right, error), error)
        targets = [self.values.exact(x)[0] for x in nodes]
        network, _, _ = interpolant(nodes, targets)
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
        return Built(network, off if math.isfinite(off) else math.inf, array)


def search(
    values: Values,
    low: float,
    high: float,
    tolerance: float,
    max_units: int,
    second_derivative: Curvature | None,
    progress: Progress | None,
) -> Built:
    """Find nodes for which the whole error is within the tolerance, proven if there is a bound."""
    pieces: _Pieces = (
        _Checked(values, low, high, max_units)
        if second_derivative is None
        else _Proven(values, low, high, max_units, second_derivative)
    )
    pieces.progress = progress
    goal = max(LEAST, pieces.caution * tolerance)
    best, error = math.inf, goal
    try:
        for _ in range(12):
            result = pieces.attempt(error)
            if result.error <= goal:
                return result
            best = min(best, result.error)
            # leave room for the other errors, which grow a little with the number of pieces
            others = result.error - error
            if others >= goal:
                break
            error = max(LEAST, min(0.98 * error, max(goal - 1.05 * others, error / 8)))
        error = 1.5 * goal
    except _InfeasibleError as problem:
        error = max(problem.hint, 1.1 * error)
    # It cannot be met, as it seems: what can be?
    worse = 0
    while worse < 2 and math.isfinite(error):
        try:
            result = pieces.attempt(error)
        except _InfeasibleError as problem:
            error = max(problem.hint, 1.1 * error, error + LEAST)
            continue
        if result.error <= goal:
            return result
        if result.error == math.inf:  # sums near the largest float: no small error is in reach
            most = float(HUGE)
            error = min(max(2 * error, 1e290), most) if error < most else math.inf
            continue
        worse = worse + 1 if result.error >= best else 0
        best = min(best, result.error)
        error = max(1.5 * error, (result.error - error) / 8)
    if best == math.inf:
        raise ValueError(
            "no tolerance can be met: second_derivative gives no finite bound, or the values of f "
            "are too large for a float64 network"
        )
    raise out_of_reach(tolerance, best / pieces.caution, f"at most {pieces.max_units} relu units")


def out_of_reach(tolerance: float, reached: float, means: str) -> ValueError:
    """Return the error that says what can be reached."""
    return ValueError(
        f"a tolerance of {tolerance:g} cannot be met with {means} in float64; "
        f"about {two_digits(1.05 * reached)} can be reached"
    )


def _check_nodes(n: int) -> None:
    """Refuse more nodes than fit into memory."""
    if n * _NODE_BYTES > available_memory():
        n = min(n, 10**300)
        raise MemoryError(
            f"{n:.3g} nodes would take about {n * _NODE_BYTES / 2**20:.3g} MiB, more than there "
            "is: use a larger tolerance or a smaller max_units"
        )
