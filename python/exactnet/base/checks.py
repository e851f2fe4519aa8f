"""Checks of arguments: numbers, flags, choices, arrays of floats."""

from __future__ import annotations

import math
import numbers
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from exactnet.base.frames import column_cells, frame_cells, is_frame, is_sparse, labels_of

_RANGES: dict[str, Callable[[float], bool]] = {
    "a number": lambda value: True,
    "positive": lambda value: value > 0,
    "at least 0": lambda value: value >= 0,
    "in [0, 1)": lambda value: 0 <= value < 1,
}


def shown(value: Any) -> str:
    """Return what an error says of a value: one short line, whatever it is."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # of integers that are too long to print, for example
        text = f"a {type(value).__name__} that cannot be printed"
    return text if len(text) <= 80 else f"{text[:77]}..."


def is_integer(value: Any) -> bool:
    """Whether it is an integer; neither a truth value nor a time, which pass as such."""
    if type(value) is int:  # asked first, for the abstract classes take their time
        return True
    return isinstance(value, numbers.Integral) and not isinstance(value, bool | np.timedelta64)


def number(value: Any, name: str, what: str = "a number") -> float:
    """Check a real number and return it as a float; `what` is a key of `_RANGES`."""
    real = (
        type(value) is float
        or is_integer(value)
        or (isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral))
    )
    try:
        result = float(value) if real else math.nan
    except OverflowError:
        result = math.inf if value > 0 else -math.inf
    if not real or not _RANGES[what](result):
        raise ValueError(f"{name} must be {what}, not {shown(value)}")
    if not math.isfinite(result):
        raise ValueError(f"{name} must be finite, not {shown(value)}")
    return result


def flag(value: Any, name: str) -> bool:
    """Check what is to be True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, not {shown(value)}")
    return bool(value)


def choice(value: Any, choices: tuple[str | None, ...], name: str) -> None:
    """Check a name, or None where that is a choice."""
    if not isinstance(value, str | None) or value not in choices:
        raise ValueError(
            f"{name} must be one of {', '.join(map(repr, choices))}, not {shown(value)}"
        )


def entries(values: Any, name: str, what: str) -> list[Any]:
    """Return what an iterable holds."""
    if isinstance(values, Iterable) and not isinstance(values, str | bytes):
        try:
            return list(values)
        except (TypeError, NotImplementedError):  # arrays without a dimension, memoryviews of two
            pass
    raise ValueError(f"{name} must be {what}, not {shown(values)}")


def refuse_mask(values: Any, name: str) -> None:
    """Refuse arrays with masked entries, whose masks conversions would drop."""
    ma = sys.modules.get("numpy.ma")  # whoever has such an array has imported it
    if ma is not None and ma.is_masked(values):
        raise ValueError(f"{name} has masked entries: fill them, or leave their rows out")


def real_array(values: Any, name: str) -> npt.NDArray[Any]:
    """Return an array of real numbers; no copy of one."""
    refuse_mask(values, name)
    if type(values) is not np.ndarray:
        if is_sparse(values):
            raise TypeError(f"{name} cannot be sparse: pass {name}.toarray()")
        if is_frame(values):
            return frame_cells(values, name)
    try:
        array = np.asarray(values)
    except MemoryError:
        raise
    except Exception as error:  # what an object's conversion may raise: ragged lists, tensors
        reason = " ".join(str(error).split())
        raise ValueError(f"{name} cannot be read as an array: {reason}") from None
    if array.dtype.kind == "O" and hasattr(values, "to_numpy"):
        labels = labels_of(values)
        column = column_cells(values, f"{name} column {labels[0]!r}" if labels else name)
        array = column.astype(np.float64) if column.dtype.kind == "O" else column
    if array.dtype.kind not in "fiub":
        what = str(array.dtype) if array.ndim or array.dtype.kind != "O" else _said(values, name)
        raise ValueError(f"{name} must hold real numbers, not {what}")
    return array


def _said(values: Any, name: str) -> str:
    """Return what an error calls what is no array, with what makes it one if that is known."""
    if values is None:
        return "None"
    if isinstance(values, Iterator):
        return f"a {type(values).__name__}: list({name})"
    if hasattr(values, "collect"):  # lazy frames
        return f"a {type(values).__name__}: {name}.collect()"
    return f"a {type(values).__name__}"


def thread_count(value: Any) -> int:
    """Check a number of threads; more than there are processors only cost time."""
    count = positive_integer(value, "n_threads")
    return count if count == 1 else min(count, os.cpu_count() or 1)  # which reads a file


def positive_integer(value: Any, name: str) -> int:
    """Check a count such as a width."""
    if not is_integer(value) or value < 1:
        raise ValueError(f"{name} must be a positive integer, not {shown(value)}")
    return int(value)
