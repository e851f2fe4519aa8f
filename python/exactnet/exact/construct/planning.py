"""What each construction takes, before it is built."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from exactnet.base.checks import is_integer, positive_integer, shown
from exactnet.base.dataset import Dataset
from exactnet.base.tables import TextTable, byte_size, count
from exactnet.exact.construct.duplicates import merge_duplicates
from exactnet.exact.construct.memorization import capacity
from exactnet.exact.construct.model import Model, Numbers, Prediction, this_machine
from exactnet.exact.data import Data

_MOST = 2**48  # beyond what any machine holds; keeps all that follows within floats
_HEADER = (
    *("construction", "hidden", "neurons", "parameters", "bits"),
    *("memory", "time", "file", "widths hold", "at most"),
)


class PlanRow(NamedTuple):
    """One construction for the planned data.

    Attributes
    ----------
    construction : {"theorem3", "theorem4", "one_layer", "integer"}
    dtype : {None, "float64", "float32"}
        Of "integer": what the network is to be evaluated in.
    hidden : tuple of int
        Widths of the hidden layers that `memorize` chooses by default. Those of "integer" depend
        on ties in the data: an estimate, usually within a tenth.
    neurons : int
        Hidden units.
    parameters : int
        All weights and biases, zeros included.
    bits : int
        Predicted length of the longest numerator or denominator.
    memory_bytes : int
        Predicted peak of `memorize` beyond X and y themselves; 8 bytes less for every cell of X if
        that is an array of int64, which needs no conversion. Of less than a megabyte, the process
        may have much to spare.
    seconds : float
        Predicted time of `memorize` on one core of this machine.
    file_bytes : int
        Predicted size of the saved network.
    holds : int
        How many points hidden layers of these widths hold for certain, see `capacity`.
    holds_at_most : int
        No network of these widths holds more points, whatever they are.
    """

    construction: str
    dtype: str | None
    hidden: tuple[int, ...]
    neurons: int
    parameters: int
    bits: int
    memory_bytes: int
    seconds: float
    file_bytes: int
    holds: int
    holds_at_most: int


class Bounds(NamedTuple):
    """Widths of fewest units that theorems leave open, or say to suffice, for the planned points.

    Attributes
    ----------
    dimension_count : (int, int)
        The least with N <= (a2 + 1) (a1 + m) / m, which all points on a line need: a network is
        determined by that many numbers.
    yun_necessary : (int, int)
        The least with N <= 2 a1 a2 + a2 + 2 (Yun, Sra and Jadbabaie, 2019).
    yun_sufficient : (int, int)
        The least multiples of 4 and of 4 m with a1 a2 >= 4 N m (the same article).
    one_layer : int
        The least width of a single hidden layer, which holds H + 1 points and at most H + 2.
    """

    dimension_count: tuple[int, int]
    yun_necessary: tuple[int, int]
    yun_sufficient: tuple[int, int]
    one_layer: int


@dataclass(frozen=True)
class Plan:
    """What `plan` found; prints as a table.

    Attributes
    ----------
    n_points, n_features, outputs : int
    rows : tuple of PlanRow
        One for each construction that can be expected to exist.
    bounds : Bounds
    """

    n_points: int
    n_features: int
    outputs: int
    rows: tuple[PlanRow, ...]
    bounds: Bounds

    def __str__(self) -> str:
        return str(self._table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()

    def _table(self) -> TextTable:
        bounds = self.bounds
        return TextTable(
            f"{count(self.n_points, 'point')}, {count(self.n_features, 'feature')}, "
            f"{count(self.outputs, 'output')}",
            _HEADER,
            map(_cells, self.rows),
            [
                f"two hidden layers need at least {_times(bounds.dimension_count)} for any points "
                f"(dimension count); {_times(bounds.yun_necessary)} by Yun et al. 2019, whose "
                f"theorem takes {_times(bounds.yun_sufficient)}",
                f"one hidden layer needs at least {bounds.one_layer}",
            ],
            left=2,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as what JSON can hold.

        Examples
        --------
        >>> from exactnet import plan
        >>> plan(100).to_dict()["rows"][0]["hidden"]
        (10, 10)
        """
        return {
            "n_points": self.n_points,
            "n_features": self.n_features,
            "outputs": self.outputs,
            "rows": [row._asdict() for row in self.rows],
            "bounds": self.bounds._asdict(),
        }


def plan(n_points: Any, n_features: Any = 1, outputs: int = 1) -> Plan:
    """Predict widths, size, memory and time of every construction, without building any.

    Of sizes alone, as ``plan(n_points, n_features, outputs)``, or of data, as ``plan(X, y)`` or
    ``plan(dataset)``: then equal points count once, and ranges of features and targets are those
    of the data.

    Widths, units and parameters of "theorem3", "theorem4" and "one_layer" are exact. The rest is
    predicted for random points: without data, each feature takes about 100 different values (for
    few features, as many as give 4 times as many possible points as there are), independently of
    the others, and targets are integers from 0 to 9. Numbers of more digits, such as floats that
    use all their bits, take longer parameters. Predictions are meant to be within a factor of 2;
    seconds are scaled by small builds that are timed at the first call.

    docs/construction.md says how parameters come to their length. For blocks of points on a line
    they are products of gaps, one for each of the p blocks, and the gaps follow from the range T
    of the projection: the search parts the points of about 6 pairs that collide, or more where
    many features are rarely not 0, so that N random points take a range of about N**2 / 12, by the
    birthday bound. Points that fill much of a grid have fewer different differences than the N**2
    of their pairs; it is these that count then.

    Parameters
    ----------
    n_points : int, or X: array-like (points, features), or Dataset
        Different points, N; or the data, as `memorize` takes them.
    n_features : int, or y: array-like (points,) or (points, outputs)
        Left out with a dataset.
    outputs : int
        Targets of a point, m; those of y with data.

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        If a size is not a positive integer, or is above 2**48; or if data are wrong, as for
        `memorize`: empty, of different length, or equal points with different targets.

    Examples
    --------
    >>> from exactnet import plan
    >>> for row in plan(60_000, 784).rows:
    ...     print(row.construction, row.hidden[-1], row.parameters > 10**6, row.bits < 100)
    theorem3 244 False False
    one_layer 59999 True True
    integer 490 False True
    >>> row, bounds = plan(10_000, 784).rows[0], plan(10_000, 784).bounds
    >>> row.hidden, row.holds, row.holds_at_most, bounds.dimension_count
    ((100, 100), 10000, 10201, (99, 99))

    Of data, in which one point is there twice:

    >>> plan([[0, 0], [0, 1], [1, 0], [1, 1], [1, 1]], [0, 1, 1, 0, 0]).n_points
    4
    """
    numbers, floats = None, True
    if _is_data(n_points):
        if outputs != 1:
            raise ValueError(f"outputs must be left out with data, not {shown(outputs)}")
        y = None if is_integer(n_features) and n_features == 1 else n_features
        data = Data(n_points, y)
        data = data.rows(merge_duplicates(data, None))
        (n, d), m = data.points.shape, data.targets.shape[1]
        numbers = Numbers.of(data.points, data.targets)
        denominators = data.points.denominators + data.targets.denominators
        floats = all(value & (value - 1) == 0 for value in denominators)  # "integer" needs such
    else:
        n = _size(n_points, "n_points")
        d = _size(n_features, "n_features")
        m = _size(outputs, "outputs")
    model = Model(n, d, m, this_machine(), numbers)
    found: list[Prediction | None] = [model.blocks(), model.one_layer()]
    if floats:
        found += [model.integer("float64"), model.integer("float32")]
    rows = tuple(_row(prediction, m) for prediction in found if prediction is not None)
    return Plan(n, d, m, rows, _bounds(n, m))


def _row(prediction: Prediction, m: int) -> PlanRow:
    hidden = prediction.hidden
    return PlanRow(
        neurons=sum(hidden),
        holds=hidden[0] + 1 if len(hidden) == 1 else capacity(hidden[-2], hidden[-1], m),
        holds_at_most=_at_most(hidden, m),
        **prediction._asdict(),
    )


def _is_data(value: Any) -> bool:
    if isinstance(value, str | bytes):
        return False
    return isinstance(value, Dataset | Iterable) or bool(getattr(value, "shape", ()))


def _size(value: Any, name: str) -> int:
    size = positive_integer(value, name)
    if size > _MOST:
        raise ValueError(f"{name} must be at most 2**48, not {shown(size)}")
    return size


# ---------------------------------------------------------------- bounds


def _bounds(n: int, m: int) -> Bounds:
    # (a2 + 1) (a1 + m) >= N m; and 2 a1 a2 + a2 + 2 >= N, that is (2 a1 + 1) a2 >= N - 2
    one = _least_sum(n * m, lambda v: max(1, v - m), lambda u: max(1, u - 1), m)
    a2 = max(1, math.isqrt(max(1, n - 2) // 2))
    candidates = ((max(1, -(-(-(-(n - 2) // b) - 1) // 2)), b) for b in (a2, a2 + 1))
    two = min(candidates, key=sum)
    # in units of 4 and of 4 m: 4 s1 s2 >= N with the least s1 + m s2
    quarter = -(-n // 4)
    s = math.isqrt(quarter // m)
    s2 = min(range(max(1, s), s + 3), key=lambda s2: -(-quarter // s2) + m * s2)
    # with more outputs, H + 2 points have more numbers than the network
    one_layer = max(1, n - 2 if n - 2 >= m else n - 1)
    return Bounds(one, two, (4 * -(-quarter // s2), 4 * m * s2), one_layer)


def _least_sum(
    product: int, first: Callable[[int], int], second: Callable[[int], int], m: int
) -> tuple[int, int]:
    """Return first(v), second(u) of least sum with u v >= product, v > m and u > 1."""
    root = math.isqrt(product - 1) + 1
    narrowest = -(-product // (m + 1))  # u where v is at its limit
    candidates = {max(2, u) for u in (root, root - 1, min(root, narrowest))}
    pairs = ((first(max(m + 1, -(-product // u))), second(u)) for u in candidates)
    return min(pairs, key=lambda pair: (sum(pair), pair))


def _at_most(hidden: tuple[int, ...], m: int) -> int:
    """Of all points, those on a line are the hardest: one feature.

    There the first layer is determined by a number for every unit and every other hidden unit by
    one less than it has parameters, as ReLU lets a positive factor of a unit pass to the next
    layer. What N points with m outputs can be, N m numbers, must not have more dimensions.
    """
    numbers = hidden[0] + sum(a * b for a, b in pairwise(hidden)) + m * (hidden[-1] + 1)
    most = numbers // m
    if len(hidden) == 1:
        return min(most, hidden[0] + 2)
    if len(hidden) == 2:
        return min(most, 2 * hidden[0] * hidden[1] + hidden[1] + 2)
    return most


# ---------------------------------------------------------------- text


def _cells(row: PlanRow) -> tuple[str, ...]:
    return (
        row.construction + (f", {row.dtype}" if row.dtype else ""),
        _times(row.hidden),
        f"{row.neurons:,}",
        f"{row.parameters:,}",
        f"{row.bits:,}",
        byte_size(row.memory_bytes),
        _time(row.seconds),
        byte_size(row.file_bytes),
        f"{row.holds:,}",
        f"{row.holds_at_most:,}",
    )


def _times(widths: tuple[int, ...]) -> str:
    return " x ".join(map(str, widths))


def _time(seconds: float) -> str:
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= 2 * length:
            return f"{seconds / length:,.3g} {unit}"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.1 else f"{seconds * 1000:.2g} ms"
