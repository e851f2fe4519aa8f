"""Integer networks that ordinary float inference evaluates without error.

docs/construction.md has the derivation. Every number that an evaluation meets, partial sums
included, is a multiple of one power of two and small enough for the float type to hold it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.progress import Progress
from exactnet.exact.construct.digits import remedy
from exactnet.exact.data import Table
from exactnet.exact.network import ExactNetwork
from exactnet.exact.rationals import LIMITS, trailing_zeros

Array = npt.NDArray[Any]

CANDIDATES = 8  # projections of one size
ENOUGH = 1.03  # blocks, as a multiple of the least number, that end the search
_SLACK = 1 + 1e-9  # for the rounding of bounds that are computed in floats


@dataclass(frozen=True)
class _Projection:
    """Values t = weights . numerators of all points; `magnitude` bounds sum |weight numerator|."""

    weights: Array
    values: Array
    magnitude: float


@dataclass(frozen=True)
class _Targets:
    """Targets as low + step * level, level = 0 ... height, over a denominator; per output."""

    levels: Array  # (points, outputs)
    heights: list[int]
    lows: list[int]
    steps: list[int]
    denominators: list[int]

    @classmethod
    def of(cls, table: Table) -> _Targets:
        y = _as_int64(table, "y")
        lows = y.min(axis=0)
        steps = np.array([math.gcd(*column) or 1 for column in (y - lows).T.tolist()])
        levels = (y - lows) // steps
        heights = np.maximum(levels.max(axis=0), 1)
        return cls(levels, heights.tolist(), lows.tolist(), steps.tolist(), table.denominators)


@dataclass(frozen=True)
class _Design:
    """A network before it is written out.

    Attributes
    ----------
    rows : ndarray of int, (blocks, depth)
        Points of every block in order of t2, -1 behind the last one.
    ends : ndarray of int, (blocks - 1,)
        The largest t1 of every block but the last.
    middle : bool
        Whether a layer in between holds the steps, which lowers the bound.
    """

    t1: _Projection
    t2: _Projection
    rows: Array
    ends: Array
    targets: _Targets
    middle: bool

    @property
    def widths(self) -> tuple[int, ...]:
        blocks, depth = self.rows.shape
        last = 2 * depth * len(self.targets.heights)
        return (2 * blocks - 1, blocks, last) if self.middle else (2 * blocks - 1, last)

    @cached_property
    def offsets(self) -> list[Array]:
        """Of every output: o (blocks, depth), where unit j of block b is o + height * t2."""
        present = self.rows >= 0
        t2 = self.t2.values[self.rows] - self.t2.values.min()
        t2[~present] = -1
        t2 = np.where(present, t2, t2.max(axis=1, keepdims=True) + 1)
        odd = np.arange(self.rows.shape[1]) % 2 == 1
        offsets = []
        for output, height in enumerate(self.targets.heights):
            v = self.targets.levels[self.rows, output]
            v = np.where(present, np.where(odd, height - v, v), 0)
            offsets.append(v - height * t2)
        return offsets

    @cached_property
    def bound(self) -> float:
        """At least the largest sum of magnitudes that an evaluation at a point meets."""
        t2_low, t2_high = int(self.t2.values.min()), int(self.t2.values.max())
        top, reach = int(self.t1.values.max()), t2_high - t2_low
        bound = self.t2.magnitude + abs(t2_low)
        pairs = np.zeros(0)  # the sum of the two units of a step
        if len(self.ends):
            bound = max(bound, self.t1.magnitude + float(np.abs(self.ends).max()) + 1)
            pairs = 2.0 * (top - self.ends) - 1
        if self.middle:
            bound = max(bound, float(pairs.max(initial=0)), reach)
            pairs = np.ones(len(self.ends))
        last = (self.rows >= 0).sum(axis=1) - 1
        values = self.t2.values[self.rows] - t2_low
        ends = np.take_along_axis(values, last[:, None], axis=1)
        parameters = zip(self.offsets, self.targets.heights, strict=True)
        for output, (o, height) in enumerate(parameters):
            sums = pairs @ np.abs(np.diff(o.astype(np.float64), axis=0))
            first = np.abs(o[0].astype(np.float64)) + height
            bound = max(bound, float((sums + first).max()) + float(height) * reach)
            z = np.maximum(
                o.astype(np.float64) + float(height) * ends, 0
            )  # at a block's last point
            clipped = (z + np.maximum(z - height, 0)).sum(axis=1).max()
            low, step = self.targets.lows[output], self.targets.steps[output]
            bound = max(bound, float(clipped) * step + abs(low))
        return bound * _SLACK

    def network(self, denominators: list[int]) -> ExactNetwork:
        blocks, depth = self.rows.shape
        n_steps, n_features = blocks - 1, len(self.t1.weights)
        first = np.empty((2 * n_steps + 1, n_features), dtype=object)
        scale = np.array(denominators, dtype=object)
        first[:-1] = _rationals(self.t1.weights.astype(object) * scale)
        first[-1] = _rationals(self.t2.weights.astype(object) * scale)
        first_bias = np.empty(2 * n_steps + 1, dtype=np.int64)
        first_bias[0:-1:2], first_bias[1::2] = -self.ends, -self.ends - 1
        first_bias[-1] = -self.t2.values.min()
        weights, biases = [first], [_rationals(first_bias)]
        columns = 2  # that a step takes in the layer after it
        if self.middle:
            steps = np.zeros((blocks, 2 * n_steps + 1), dtype=np.int64)
            index = np.arange(n_steps)
            steps[index, 2 * index], steps[index, 2 * index + 1], steps[-1, -1] = 1, -1, 1
            weights.append(_rationals(steps))
            biases.append(_rationals(np.zeros(blocks, dtype=np.int64)))
            columns = 1
        m = len(self.targets.heights)
        second = np.zeros((2 * depth * m, columns * n_steps + 1), dtype=np.int64)
        second_bias = np.empty(len(second), dtype=np.int64)
        last = np.full((m, len(second)), gmpy2.mpq(0), dtype=object)
        last_bias = np.empty(m, dtype=object)
        for output, (o, height) in enumerate(zip(self.offsets, self.targets.heights, strict=True)):
            units = slice(2 * depth * output, 2 * depth * (output + 1))
            kinks = np.repeat(np.diff(o, axis=0).T, 2, axis=0)  # (2 depth, steps)
            second[units, 0:-1:columns] = kinks
            if columns == 2:
                second[units, 1::2] = -kinks
            second[units, -1] = height
            second_bias[units] = np.repeat(o[0], 2)
            second_bias[units.start + 1 : units.stop : 2] -= height
            unit = gmpy2.mpq(self.targets.steps[output], self.targets.denominators[output])
            last[output, units] = [unit, -unit, -unit, unit] * (depth // 2) + [unit, -unit] * (
                depth % 2
            )
            last_bias[output] = gmpy2.mpq(
                self.targets.lows[output], self.targets.denominators[output]
            )
        weights += [_rationals(second), last]
        biases += [_rationals(second_bias), last_bias]
        return ExactNetwork(weights, biases, ["relu"] * (len(weights) - 1) + ["linear"])


def construct_integer(
    points: Table,
    targets: Table,
    hidden: tuple[int, ...] | None,
    dtype: str,
    seed: int,
    check_memory: Callable[[int], None],
    progress: Progress | None,
) -> ExactNetwork:
    """Construct the network; see `exactnet.memorize`. `hidden` are upper limits."""
    working = search_bytes(*points.shape, targets.shape[1])
    check_memory(working)
    try:
        design = _design(points, targets, hidden, dtype, seed, progress)
    except _DigitsError as error:
        advice = remedy(points, targets, lambda X, y: _design(X, y, hidden, dtype, seed, progress))
        raise ValueError(f"{error}{advice}") from None
    sizes = (points.shape[1], *design.widths, targets.shape[1])
    # Measured: an mpq and its place take 120 bytes; the rows of the first layer share theirs.
    pairs = list(pairwise(sizes))
    parameters = 8 * math.prod(pairs[0]) + 120 * sum(a * b for a, b in pairs[1:])
    check_memory(working + parameters)
    return design.network(points.denominators)


class _DigitsError(ValueError):
    """The data have too many digits."""


def _design(
    points: Table,
    targets: Table,
    hidden: tuple[int, ...] | None,
    dtype: str,
    seed: int,
    progress: Progress | None,
) -> _Design:
    """Return a design, or raise what keeps these data from having one."""
    for table, name in ((points, "X"), (targets, "y")):
        for c, d in enumerate(table.denominators):
            if d & (d - 1):
                raise _DigitsError(
                    f"column {c} of {name} has the denominator {d}: no float holds such a number, "
                    'which "integer" needs'
                )
    exponent = 127 if dtype == "float32" else 1023
    for table, name in ((points, "X"), (targets, "y")):
        if max(d.bit_length() for d in table.denominators) > exponent - 60:
            raise _DigitsError(f"{name} holds numbers too small for {dtype}")
    X = _as_int64(points, "X")
    _check_floats(X, dtype)
    return _search(X, _Targets.of(targets), hidden, dtype, seed, progress)


def search_bytes(n: int, d: int, m: int) -> int:
    """Predict what the search takes besides the network; measured.

    X as integers, parts of it and a sample as floats; the weights of all candidates; projections
    with what it takes to cut along them; targets and offsets.
    """
    copies = 8 * n * d + 16 * min(n * d, 2**22) + 16 * min(n, 512) * d
    return copies + 500 * d + (230 if d > 1 else 100) * n + 40 * n * m + 10**5


def _search(
    X: Array,
    targets: _Targets,
    hidden: tuple[int, ...] | None,
    dtype: str,
    seed: int,
    progress: Progress | None,
) -> _Design:
    """Return the design of fewest units whose bound is below that of the type."""
    n, m = targets.levels.shape
    limit = LIMITS[dtype]
    lowest = math.inf  # of all bounds, also of designs that are too wide
    for depth in depths(n, m, hidden):
        best: _Design | None = None
        for t1, t2 in _projections(X, depth, seed, progress):
            reach = float(max(targets.heights) * int(np.ptp(t2.values)))
            if reach >= limit:  # one of the sums is no smaller
                lowest = min(lowest, reach)
                continue
            cut = _cut(t1.values, t2.values, depth)
            if cut is None:
                continue
            for middle in (False, True):
                design = _Design(t1, t2, *cut, targets, middle)
                lowest = min(lowest, design.bound)
                if design.bound >= limit:
                    continue
                if hidden is None or _within(design.widths, hidden):
                    if best is None or sum(design.widths) < sum(best.widths):
                        best = design
                    break
            if best is not None and len(best.rows) <= ENOUGH * -(-n // depth):
                return best
        if best is not None:
            return best
    if lowest < limit or (hidden is not None and not _best_possible(n, m, hidden)):
        depth = _best_depth(n, m)
        raise ValueError(
            f'hidden={hidden} is too narrow for {n} points and {m} outputs: "integer" needs about '
            f"{(2 * -(-n // depth) - 1, 2 * depth * m)}"
        )
    sums = f"its sums must stay below 2**{math.log2(limit):.0f}"
    if lowest == math.inf:
        sums += ", and X alone goes beyond"
    else:
        sums += f", the best found reach 2**{math.log2(lowest):.1f}"
    within = dtype == "float32" and lowest < LIMITS["float64"]
    if within:
        sums += '; dtype="float64" would do'
    raise _DigitsError(f"no integer network for these data is exact in {dtype}: {sums}")


def _best_possible(n: int, m: int, hidden: tuple[int, ...]) -> bool:
    """Whether any cut of n points into blocks stays within the widths."""
    depth = hidden[-1] // (2 * m)
    return len(hidden) in (2, 3) and depth > 0 and 2 * -(-n // depth) - 1 <= hidden[0]


def _within(widths: tuple[int, ...], hidden: tuple[int, ...]) -> bool:
    return len(widths) == len(hidden) and all(a <= b for a, b in zip(widths, hidden, strict=True))


def _best_depth(n: int, m: int) -> int:
    """Minimize 2 blocks - 1 + 2 depth m."""
    return max(1, round(math.sqrt(n / m)))


def depths(n: int, m: int, hidden: tuple[int, ...] | None) -> Iterator[int]:
    """Yield depths, the best first, then such of lower bounds."""
    depth = _best_depth(n, m)
    if hidden is not None:
        depth = min(depth, hidden[-1] // (2 * m))
        if depth:
            # narrow first layers need deeper blocks
            deepest = hidden[-1] // (2 * m)
            if 2 * -(-n // depth) - 1 > hidden[0]:
                depth = deepest
    while depth >= 1:
        yield depth
        depth //= 2


def _projections(
    X: Array, depth: int, seed: int, progress: Progress | None
) -> Iterator[tuple[_Projection, _Projection]]:
    """Yield pairs (t1, t2) of small integer projections, ever the most promising first."""
    low, high = X.min(axis=0), X.max(axis=0)
    varying = np.flatnonzero(low < high)
    largest = np.maximum(np.abs(low), np.abs(high)).astype(np.float64)
    if len(varying) < 2:
        weights = np.zeros(X.shape[1], dtype=np.int64)
        weights[varying] = 1
        column = X[:, varying[0]] if len(varying) else np.zeros(len(X), dtype=np.int64)
        both = _Projection(weights, column.astype(np.int64), float(largest @ weights))
        yield both, both
        return
    generator = _core.Generator(seed)
    # Of the weights -1, 0, 1; t is spread over some four deviations. Their square is a sum of
    # integers, for that of floats would depend on the order in which a machine adds.
    probe = X[:: max(1, len(X) // 256)][:, varying].astype(object)
    squares = len(probe) * (probe * probe).sum() - (probe.sum(axis=0) ** 2).sum()
    deviation = max(1.0, math.sqrt(2 / 3 * (squares / len(probe) ** 2)))
    start = max(1, math.ceil(8 * depth**2 / (4 * deviation)))
    sizes = [start, 2 * start, *(8**k * start for k in range(1, 6))]
    sizes += [start // 2**k for k in range(1, start.bit_length())]
    for size in sizes:
        weights = np.zeros((X.shape[1], CANDIDATES), dtype=np.int64)
        draws = generator.uniform(len(varying) * CANDIDATES, 1.0)  # in [-1, 1)
        drawn = np.floor((draws + 1) / 2 * (2 * size + 1)).astype(np.int64) - size
        weights[varying] = drawn.reshape(len(varying), CANDIDATES)
        magnitudes = largest @ np.abs(weights)
        if magnitudes.max() >= LIMITS["float64"]:
            continue  # the products below would not be exact
        values = np.empty((CANDIDATES, len(X)), dtype=np.int64)
        step = max(1, 2**22 // X.shape[1])
        for begin in range(0, len(X), step):
            part = X[begin : begin + step].astype(np.float64)
            values[:, begin : begin + step] = (part @ weights).T
            if progress is not None:
                progress(0.0)
        candidates = [
            _Projection(weights[:, k], values[k], float(magnitudes[k])) for k in range(CANDIDATES)
        ]
        for other in candidates[1:]:
            yield candidates[0], other
        for candidate in candidates:  # one for both keeps the sums along the blocks short
            yield candidate, candidate


def _cut(t1: Array, t2: Array, depth: int) -> tuple[Array, Array] | None:
    """Return rows and ends of `_Design`, or None if some points cannot be told apart."""
    n = len(t1)
    order = np.lexsort((t2, t1))
    first, second = t1[order], t2[order]
    # where the points begin that share their t1 with the one at a place
    starts = np.arange(n + 1)
    starts[1:n][first[1:] == first[:-1]] = 0
    starts = np.maximum.accumulate(starts)
    bounds = [0]
    while bounds[-1] < n:
        begin = bounds[-1]
        end = int(starts[min(begin + depth, n)])
        if end <= begin:
            return None
        values = second[begin:end]
        sorted_places = np.argsort(values, kind="stable")
        equal = values[sorted_places][1:] == values[sorted_places][:-1]
        if equal.any():
            end = int(starts[begin + int(sorted_places[1:][equal].min())])
            if end <= begin:
                return None
        bounds.append(end)
    rows = np.full((len(bounds) - 1, depth), -1)
    for block, (begin, end) in enumerate(pairwise(bounds)):
        rows[block, : end - begin] = order[begin:end][np.argsort(second[begin:end])]
    return rows, first[np.array(bounds[1:-1], dtype=np.intp) - 1]


def _as_int64(table: Table, name: str) -> Array:
    if table.numerators.dtype == object:
        raise _DigitsError(
            f'{name} holds numbers beyond 2**62 in units of their last bit, too many for "integer"'
        )
    return table.numerators


def _check_floats(X: Array, dtype: str) -> None:
    """Raise ValueError if a column holds numbers of more digits than the type has.

    Sums bound only those columns that have a weight other than 0.
    """
    limit = LIMITS[dtype]
    for c in np.flatnonzero((X.min(axis=0) <= -limit) | (X.max(axis=0) >= limit)):
        column = X[:, c]
        odd = np.abs(column) >> np.maximum(trailing_zeros(column), 0)
        if (odd >= limit).any():
            raise _DigitsError(f"column {c} of X holds numbers that are no {dtype}")


def _rationals(values: Array) -> Array:
    """Return integers as mpq, one object for equal ones."""
    known: dict[int, Any] = {}
    flat = values.ravel().tolist()
    result = np.empty(len(flat), dtype=object)
    for value in flat:
        if value not in known:
            known[value] = gmpy2.mpq(value)
    result[:] = [known[value] for value in flat]
    return result.reshape(values.shape)
