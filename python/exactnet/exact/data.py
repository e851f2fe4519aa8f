"""Exact data: whatever a caller passes as X and y, as integers over one denominator a column."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.dataset import Dataset, check_given
from exactnet.base.files import parts
from exactnet.base.frames import (
    cell_name,
    check_sparse,
    column_cells,
    frame_cells,
    is_frame,
    is_sparse,
    labels_of,
)
from exactnet.base.labels import class_names, encode, texts
from exactnet.base.memory import available_memory
from exactnet.exact.rationals import float_parts, to_ratio, trailing_zeros

# The core's 64-bit path subtracts and adds numerators; this leaves room for that.
SMALL = 2**62

_PART = 2**20  # bytes of pointers to integers that are made in one go


@dataclass(frozen=True)
class Table:
    """Rationals (rows, columns), in memory of its own.

    What a caller passes is read once and copied: its buffers may be refilled, freed or written to
    by other threads as soon as the table is made, while the core computes without the GIL or a task
    waits in an executor's queue.

    Attributes
    ----------
    numerators : ndarray of int64, or of int objects where 64 bits do not suffice
    denominators : list of int, one positive number per column
    labels : tuple of str, names of the columns, or None
    """

    numerators: npt.NDArray[Any]
    denominators: list[int]
    labels: tuple[str, ...] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        rows, columns = self.numerators.shape
        return rows, columns

    def rows(self, index: npt.NDArray[np.intp]) -> Table:
        """Return the table of the given rows."""
        return Table(self.numerators[index], self.denominators)

    def rationals(self, column: int) -> list[Any]:
        """Return one column as a list of mpq."""
        denominator = self.denominators[column]
        return [gmpy2.mpq(n, denominator) for n in self.numerators[:, column].tolist()]

    @cached_property
    def core(self) -> _core.Table:
        """The table as the C++ core takes it, made at its first use."""
        denominators = [gmpy2.mpz(d) for d in self.denominators]
        if self.numerators.dtype == np.int64:
            return _core.Table(np.ascontiguousarray(self.numerators), denominators)
        flat = (
            [gmpy2.mpz(n) for n in self.numerators[part].ravel().tolist()]
            for part in parts(self.numerators, _PART)
        )
        return _core.Table.from_integers(flat, len(self.numerators), denominators)

    def __reduce__(self) -> tuple[Callable[..., Table], tuple[Any, ...]]:
        # other processes make their own core, of integers that travel in as few bytes as hold them
        numerators = self.numerators
        if numerators.dtype == np.int64 and numerators.size:
            low, high = int(numerators.min()), int(numerators.max())
            widest = high if low >= 0 else min(low, -high - 1)
            numerators = numerators.astype(np.min_scalar_type(widest))
        return _arrived, (numerators, self.denominators)


def _arrived(numerators: npt.NDArray[Any], denominators: list[int]) -> Table:
    small = numerators.dtype != object
    return Table(numerators.astype(np.int64) if small else numerators, denominators)


class Data:
    """Points and their targets, converted once: what all behind a public function takes.

    Parameters
    ----------
    X : array-like (points, features), Table, or Dataset
        A dataset is converted at its first use, and keeps the tables.
    y : array-like (points,) or (points, outputs), or Table
        None for a dataset, which has its own.
    names : (str, str)
        What errors call X and y.
    limit : int, optional
        See `as_points`.
    classes : tuple of str, optional
        Names by which targets that are text are encoded, by default their own in sorted order;
        text is an error where there are none, ().
    n_codes : int, optional
        Encode them as so many outputs, 1 for the code and 0 for others, instead of the code itself.

    Attributes
    ----------
    points, targets : Table
    classes : tuple of str, or None where the targets are numbers
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        names: tuple[str, str] = ("X", "y"),
        limit: int | None = None,
        classes: tuple[str, ...] | None = None,
        n_codes: int | None = None,
    ) -> None:
        x_name, y_name = names
        self.points = as_points(X, x_name, limit)
        n_points = self.points.shape[0]
        if isinstance(X, Dataset):
            check_given(X, y, names)
            labels = X._texts(y_name)
        else:
            # read once, whatever it gives at another look
            if isinstance(y, Iterator):
                y = list(y)
            elif hasattr(y, "__array__") and not (hasattr(y, "to_numpy") or np.isscalar(y)):
                y = np.asanyarray(y)
            labels = None if isinstance(y, Table) else texts(y, y_name)
        self.classes: tuple[str, ...] | None = None
        if labels is not None:
            if classes == ():
                raise ValueError(
                    f"{y_name} has names of classes but the network knows none: "
                    "set its attribute `classes`"
                )
            self.classes = classes = class_names(labels) if classes is None else classes

        def convert() -> Table:
            if labels is None:
                return as_targets(X.y if isinstance(X, Dataset) else y, n_points, y_name, limit)
            codes = as_targets(encode(labels, classes or (), y_name), n_points, y_name)
            return codes if n_codes is None else one_hot(codes, n_codes)

        if isinstance(X, Dataset):
            key = "exact targets", self.classes, labels and n_codes
            self.targets = X._prepare(key, convert)
        else:
            self.targets = convert()

    def rows(self, index: npt.NDArray[np.intp]) -> Data:
        """Return the data of the given rows."""
        return Data(self.points.rows(index), self.targets.rows(index))


def one_hot(codes: Table, n_outputs: int) -> Table:
    """Return targets with an output for each code: 1 there and 0 elsewhere."""
    targets = np.zeros((len(codes.numerators), n_outputs), dtype=np.int64)
    # By index, for where the buffers of a broadcasting comparison find no memory, NumPy crashes.
    targets[np.arange(len(targets)), codes.numerators[:, 0]] = 1
    return Table(targets, [1] * n_outputs)


def as_points(X: Any, name: str = "X", limit: int | None = None) -> Table:
    """Convert data (points, features) of ints, floats, Fractions or mpq, without rounding.

    A table is returned as it is, and that of a dataset is kept. MemoryError if the conversion
    takes more than `limit` bytes, by default a quarter of what there is.
    """
    if isinstance(X, Table):
        return X
    if isinstance(X, Dataset):
        return X._prepare("exact points", lambda: as_points(X.X, name, limit))
    cells = _as_cells(X, name)
    if isinstance(cells, np.ndarray):
        if cells.ndim != 2:
            raise ValueError(
                f"{name} must be 2-dimensional (points, features), not of shape {cells.shape}"
            )
        if 0 in cells.shape:
            raise ValueError(f"{name} is empty: its shape is {cells.shape}")
        labels = labels_of(X)
        table = replace(_from_array(cells, name, limit, labels), labels=labels)
    else:
        if not cells:
            raise ValueError(f"{name} is empty: it has no rows")
        table = _from_rows([_as_row(row, name, r) for r, row in enumerate(cells)], name, limit)
    if 0 in table.shape:
        raise ValueError(f"{name} is empty: its shape is {table.shape}")
    return table


def as_targets(y: Any, n_points: int, name: str = "y", limit: int | None = None) -> Table:
    """Convert targets (points,) or (points, outputs) without rounding; one per point."""
    cells = y if isinstance(y, Table) else _as_cells(y, name)
    table: Table | None
    if isinstance(cells, Table):
        table = cells
    elif isinstance(cells, np.ndarray):
        if cells.ndim == 1:
            cells = cells[:, None]
        if cells.ndim != 2:
            raise ValueError(
                f"{name} must be (points,) or (points, outputs), not of shape {cells.shape}"
            )
        if cells.shape[1] == 0:
            raise ValueError(f"{name} is empty: its shape is {cells.shape}")
        table = None if cells.size == 0 else _from_array(cells, name, limit, labels_of(y))
    elif any(_is_row(cell) for cell in cells):
        table = _from_rows([_as_row(row, name, r) for r, row in enumerate(cells)], name, limit)
    else:
        table = _from_rows([[cell] for cell in cells], name, limit) if cells else None
    n_targets = 0 if table is None else table.shape[0]
    if table is None or n_targets != n_points:
        raise ValueError(f"{name} has {n_targets} rows but X has {n_points}")
    if table.shape[1] == 0:
        raise ValueError(f"{name} is empty: its shape is {table.shape}")
    return table


def as_integers(values: Any, name: str) -> list[int]:
    """Convert a sequence of integers, of any size; floats with a fraction are refused."""
    cells = _as_cells(values, name)
    if isinstance(cells, np.ndarray):
        if cells.ndim != 1:
            raise ValueError(f"{name} must be 1-dimensional, not of shape {cells.shape}")
        cells = cells.tolist()
    result = []
    for k, cell in enumerate(cells):
        numerator, denominator = to_ratio(cell, f"{name}[%d]", k)
        if denominator != 1:
            raise ValueError(f"{name}[{k}] is {cell}, not an integer")
        result.append(numerator)
    return result


def _as_cells(values: Any, name: str) -> npt.NDArray[Any] | list[Any]:
    """Return an array as it is and anything else as a list.

    NumPy must not see lists: it would round integers above 2^63 on the way to float64.
    """
    if isinstance(values, np.ma.MaskedArray):
        if np.ma.is_masked(values):
            raise ValueError(f"{name} has masked entries: only complete data is allowed")
        return values.data
    if isinstance(values, np.ndarray):
        return np.asarray(values)  # no np.matrix, whose rows are matrices
    if is_frame(values):
        return frame_cells(values, name, exact=True)
    if is_sparse(values):
        check_sparse(values, name)
        return np.asarray(values.toarray())
    if hasattr(values, "to_numpy"):
        labels = labels_of(values)
        return column_cells(values, f"{name} column {labels[0]!r}" if labels else name)
    if hasattr(values, "__array__") and not np.isscalar(values):
        return np.asarray(values)  # pandas, PyTorch
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be an array or a list, not {type(values).__name__}")
    return list(values)


def _is_row(cell: Any) -> bool:
    return isinstance(cell, Sequence | np.ndarray) and not isinstance(cell, str | bytes)


def _as_row(row: Any, name: str, r: int) -> list[Any]:
    if not _is_row(row):
        raise ValueError(
            f"{name} must be 2-dimensional (points, features), but its row {r} is {row!r:.40}"
        )
    return row.tolist() if isinstance(row, np.ndarray) else list(row)


def _from_array(
    array: npt.NDArray[Any], name: str, limit: int | None, labels: tuple[str, ...] | None
) -> Table:
    """Convert a matrix, whose columns may have names."""
    kind = array.dtype.kind
    if kind in "biu":
        return Table(_from_integers(array), [1] * array.shape[1])
    if kind == "f" and array.dtype.itemsize <= 8:
        return _from_floats(array, name, limit, labels)
    if kind in "fO":
        return _from_rows([list(row) for row in array], name, limit, labels)
    raise TypeError(f"{name} must hold real numbers, not {array.dtype}")


def _from_integers(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a copy as int64, or as objects where 64 bits do not suffice."""
    unsigned = array.dtype.kind == "u" and array.dtype.itemsize == 8
    result = np.empty(array.shape, dtype=np.uint64 if unsigned else np.int64)
    small = True
    step = max(1, 2**20 // max(1, array.shape[1]))
    for r in range(0, len(array), step):  # in parts, between which Ctrl-C is answered
        part = result[r : r + step]
        part[...] = array[r : r + step]
        if array.dtype.itemsize == 8 and part.size:
            small = small and -SMALL < int(part.min()) and int(part.max()) < SMALL
    return result.view(np.int64) if small else result.astype(object)


def _from_floats(
    array: npt.NDArray[Any], name: str, limit: int | None, labels: tuple[str, ...] | None
) -> Table:
    """Scale binary fractions to integers, column by column to keep temporaries small."""
    numerators: npt.NDArray[Any] = np.empty(array.shape, dtype=np.int64)
    denominators = []
    before = 0  # bytes of the columns so far that 64 bits do not hold
    for c in range(array.shape[1]):
        column = array[:, c].copy()
        if not np.isfinite(column).all():
            # name the first one in reading order, not in column order
            r, c = np.argwhere(~np.isfinite(array))[0]
            where = cell_name(name, r, c, labels)
            raise ValueError(f"{where} is {array[r, c]}: only finite numbers are allowed")
        mantissa, exponent = float_parts(column)
        used = mantissa != 0
        lowest_bit = trailing_zeros(mantissa)
        shift = int(np.min((exponent + lowest_bit)[used], initial=0))
        denominators.append(1 << -shift)
        up = np.where(used, exponent - shift, 0)
        width = np.finfo(column.dtype).nmant + 1
        highest = int(np.max(exponent[used], initial=-width)) + width - shift
        column_numerators: npt.NDArray[Any]
        if highest < 62:
            column_numerators = np.where(
                up >= 0, mantissa << np.clip(up, 0, 62), mantissa >> np.clip(-up, 0, 62)
            )
        else:
            before = check_column(before, len(array), highest, name, c, limit)
            column_numerators = np.array(
                [
                    m << u if u >= 0 else m >> -u
                    for m, u in zip(mantissa.tolist(), up.tolist(), strict=True)
                ],
                dtype=object,
            )
        if numerators.dtype != column_numerators.dtype == object:
            smaller, numerators = numerators, np.empty(array.shape, dtype=object)
            for part in parts(numerators, _PART):
                numerators[part, :c] = smaller[part, :c]
        numerators[:, c] = column_numerators
    return Table(numerators, denominators)


def _from_rows(
    rows: list[list[Any]], name: str, limit: int | None, labels: tuple[str, ...] | None = None
) -> Table:
    width = len(rows[0])
    for r, row in enumerate(rows):
        if len(row) != width:
            raise ValueError(f"{name} is ragged: row {r} has {len(row)} entries, row 0 has {width}")
    columns, denominators = [], []
    small = True
    before = 0
    for c, cells in enumerate(zip(*rows, strict=True)):
        if set(map(type, cells)) == {int}:
            column, common = list(cells), 1
        else:
            where = f"{name}[%d, {c}]"
            if labels is not None:
                where = f"{name} column {labels[c]!r} row".replace("%", "%%") + " %d"
            ratios = [to_ratio(cell, where, r) for r, cell in enumerate(cells)]
            common = math.lcm(*{d for _, d in ratios})
            before = check_column(before, len(rows), common.bit_length(), name, c, limit)
            column = [n * (common // d) for n, d in ratios]
        small = small and -SMALL < min(column) and max(column) < SMALL
        columns.append(column)
        denominators.append(common)
    numerators = np.empty((len(rows), width), dtype=np.int64 if small else object)
    for c, column in enumerate(columns):
        numerators[:, c] = column
    return Table(numerators, denominators)


def check_column(before: int, rows: int, bits: int, name: str, c: int, limit: int | None) -> int:
    """Refuse a column that with those before it would not fit into memory, before scaling it."""
    predicted = before + rows * bits // 8
    if predicted > 2**17 and predicted > (available_memory() // 4 if limit is None else limit):
        reason = "its numbers are of too different kinds"
        if limit is not None:
            reason = f"max_bytes is {limit}; leave it out or pass more"
        raise MemoryError(
            f"column {c} of {name} would take about {predicted / 2**20:.3g} MiB over its common "
            f"denominator of {bits} bits: {reason}"
        )
    return predicted
