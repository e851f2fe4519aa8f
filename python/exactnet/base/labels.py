"""Classes with names: targets that are text, and their codes 0, 1, ..."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from exactnet.base.checks import shown

# How many names an error lists.
_LISTED = 10


def texts(y: Any, name: str = "y") -> list[str] | None:
    """Return targets that are text as a list, one string per sample, or None if they are none.

    Text is what lists, arrays, and columns of data frames hold as strings, of shape (samples,) or
    (samples, 1). Strings of digits are text; truth values are numbers.

    Raises
    ------
    ValueError
        If only some entries are text, or they are in several columns.
    """
    values: Any = y
    if not isinstance(y, list | tuple):
        if not hasattr(y, "__array__") or getattr(getattr(y, "dtype", None), "kind", "O") in "biuf":
            return None
        try:
            array = np.asarray(y)
        except Exception:  # those who need an array say what is wrong with it
            return None
        if array.dtype.kind == "S":
            array = np.char.decode(array, "utf-8")
        if array.dtype.kind not in "UTO" or not array.ndim:
            return None
        values = array.tolist()
    kinds = set(map(type, values))
    if kinds and kinds <= {list, tuple}:
        if set(map(len, values)) == {1}:
            values = [row[0] for row in values]
            kinds = set(map(type, values))
        elif any(isinstance(cell, str) for cell in values[0]):
            raise ValueError(f"{name} has text in several columns: classes are one column of names")
    if kinds == {str}:
        return list(values)
    if not any(issubclass(kind, str) for kind in kinds):
        return None
    for row, value in enumerate(values):
        if not isinstance(value, str):
            raise ValueError(
                f"{name}[{row}] is {shown(value)} where others are text: each needs the name of "
                "a class; leave out rows without one"
            )
    return [str(value) for value in values]


def class_names(y: Any, name: str = "y") -> tuple[str, ...]:
    """Return the names of the classes in targets that are text, in sorted order."""
    found = texts(y, name)
    if not found:
        raise ValueError(f"{name} must hold names of classes, not {shown(y)}")
    return tuple(sorted(set(found)))


def encode(y: Any, classes: tuple[str, ...], name: str = "y") -> npt.NDArray[np.int64]:
    """Return targets that are text as codes (samples,), the places of their names in `classes`.

    Raises
    ------
    ValueError
        If they are no text, or a name is not among the classes, with its row.
    """
    found = texts(y, name)
    if found is None:
        raise ValueError(f"{name} must hold names of classes, not {shown(y)}")
    codes = {label: code for code, label in enumerate(classes)}
    try:
        return np.fromiter(map(codes.__getitem__, found), np.int64, len(found))
    except KeyError:
        row = next(row for row, label in enumerate(found) if label not in codes)
        raise ValueError(
            f"{name}[{row}] is {shown(found[row])}, which is none of the classes {listed(classes)}"
        ) from None


def listed(classes: tuple[str, ...]) -> str:
    """Return names as an error shows them: the first ones, if they are many."""
    names = ", ".join(shown(label) for label in classes[:_LISTED])
    return names if len(classes) <= _LISTED else f"{names}, ... ({len(classes)} in all)"


def checked_classes(classes: Any, n_outputs: int, two: bool) -> tuple[str, ...] | None:
    """Check names that a network is given for its classes.

    Parameters
    ----------
    classes : iterable of str, or None for no names
    n_outputs : int
        As many names, but any number for a single output,
    two : bool
        unless that tells two classes.
    """
    if classes is None:
        return None
    try:
        names = () if isinstance(classes, str | bytes) else tuple(classes)
    except TypeError:
        names = ()
    if not names or not all(isinstance(label, str) for label in names):
        raise ValueError(f"classes must be a sequence of names, or None, not {shown(classes)}")
    names = tuple(map(str, names))
    if len(set(names)) < len(names):
        twice = max(names, key=names.count)
        raise ValueError(f"classes must be different names; {shown(twice)} is there twice")
    needed = n_outputs if n_outputs > 1 else 2 if two else len(names)
    if len(names) != needed:
        raise ValueError(
            f"classes has {len(names)} name{'s' * (len(names) > 1)}, but the network tells "
            f"{needed} classes: it has {n_outputs} output{'s' * (n_outputs > 1)}"
        )
    return names
