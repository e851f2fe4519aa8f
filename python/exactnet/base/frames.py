"""Data frames and their columns, and sparse matrices, known without importing who makes them."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

# As the libraries of frames call what is not there: pandas' NA and NaT.
_MISSING = ("NAType", "NaTType")


def is_sparse(values: Any) -> bool:
    """Whether it is a sparse matrix or array of SciPy."""
    scipy = sys.modules.get("scipy.sparse")  # whoever has one has imported it
    return scipy is not None and bool(scipy.issparse(values))


def check_sparse(values: Any, name: str) -> None:
    """Raise ValueError if the parts of a sparse matrix contradict each other.

    SciPy itself would read beyond them where someone wrote into its arrays.
    """
    try:
        if hasattr(values, "check_format"):
            values.check_format(full_check=True)
        elif hasattr(values, "_check"):  # of coordinates
            values._check()
    except Exception as error:
        raise ValueError(f"{name} is a damaged sparse matrix: {error}") from None


def is_frame(values: Any) -> bool:
    """Whether it is a data frame, of pandas or polars."""
    return hasattr(values, "to_numpy") and hasattr(values, "columns")


def row_count(values: Any) -> int:
    """Return the number of rows, or of entries."""
    return values.shape[0] if is_sparse(values) else len(values)


def labels_of(values: Any) -> tuple[str, ...] | None:
    """Return the names of the columns of a frame, or of a column; None of other data."""
    if not hasattr(values, "to_numpy"):
        return None
    if hasattr(values, "columns"):
        return tuple(map(str, values.columns))
    name = getattr(values, "name", None)
    return None if name is None else (str(name),)


def cell_name(name: str, row: int, column: int, labels: tuple[str, ...] | None = None) -> str:
    """Return what an error calls a cell of data, whose columns may have names."""
    if labels is None:
        return f"{name}[{row}, {column}]"
    return f"{name} column {labels[column]!r} row {row}"


def frame_cells(frame: Any, name: str, *, exact: bool = False) -> npt.NDArray[Any]:
    """Return a frame as an array of real numbers.

    Of objects, where `exact` and its columns have not one type in common, or hold objects: such as
    large integers beside floats, which would be rounded.
    """
    # polars would make dates numbers
    dated = any(hasattr(dtype, "is_temporal") and dtype.is_temporal() for dtype in frame.dtypes)
    if not dated and (not exact or len({str(dtype) for dtype in frame.dtypes}) == 1):
        array = np.asarray(frame)
        if array.dtype.kind in "fiub":
            return array
    labels = labels_of(frame) or ()
    at = frame.iloc if hasattr(frame, "iloc") else frame
    columns = [column_cells(at[:, c], f"{name} column {labels[c]!r}") for c in range(len(labels))]
    if not exact:
        return np.column_stack([column.astype(np.float64) for column in columns])
    array = np.empty((len(frame), len(columns)), dtype=object)
    for c, column in enumerate(columns):
        array[:, c] = column
    return array


def column_cells(column: Any, name: str) -> npt.NDArray[Any]:
    """Return a column as an array of real numbers, or of objects that are no text.

    Raises
    ------
    ValueError, TypeError
        If an entry is missing or text, or the column is of another type.
    """
    if str(column.dtype).startswith("Decimal"):  # of polars, whose arrays of them are floats
        array = np.array([*column.to_list(), None], dtype=object)[:-1]
    else:
        array = column.to_numpy()
    if array.dtype.kind in "fiub":
        return array
    if array.dtype.kind not in "OUT":
        raise TypeError(
            f"{name} is of type {column.dtype}: numbers are needed; convert it or leave it out"
        )
    for row, value in enumerate(array.tolist()):
        if (
            value is None
            or type(value).__name__ in _MISSING
            or (isinstance(value, float) and value != value)
        ):
            raise ValueError(f"{name} row {row} is missing: fill it, or leave the row out")
        if isinstance(value, str):
            raise TypeError(
                f"{name} has text, {value!r:.40} in row {row}: numbers are needed; encode it or "
                "leave the column out"
            )
    return array
