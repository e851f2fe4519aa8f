"""Classes with names: targets that are text, and their codes 0, 1, ..."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from exactnet.base.checks import entries, shown

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
    if type(y) is np.ndarray and y.dtype.kind in "biuf":
        return None
    values: Any = y
    if not isinstance(y, list | tuple):
        if not hasattr(y, "__array__") or getattr(getattr(y, "dtype", None), "kind", "O") in "biuf":
            return None
        try:
            array = np.asarray(y)
        except Exception:  # those who need an array say what is wrong with it
            return None
        if array.dtype.kind == "S":
            try:
                array = np.char.decode(array, "utf-8")
            except UnicodeDecodeError:
                raise ValueError(f"{name} has bytes that are no text in UTF-8: decode it") from None
        if array.dtype.kind not in "UTO" or not array.ndim:
            return None
        # NumPy's own strings end at zeros that others keep.
        foreign = array.dtype.kind == "U" and hasattr(y, "to_list")
        values = y.to_list() if foreign else array.tolist()
    kinds = set(map(type, values))
    if kinds and kinds <= {list, tuple}:
        if set(map(len, values)) == {1}:
            values = [row[0] for row in values]
            kinds = set(map(type, values))
        elif any(isinstance(cell, str) for cell in values[0]):
            raise ValueError(f"{name} has text in several columns: classes are one column of names")
    if kinds == {str}:
        return list(values)
    if kinds == {bytes}:
        return texts(np.array(values), name)
    if not any(issubclass(kind, str) for kind in kinds):
        return None
    for row, value in enumerate(values):
        if not isinstance(value, str):
            raise ValueError(
                f"{name}[{row}] is {shown(value)} where others are text: each needs the name of "
                "a class; leave out rows without one"
            )
    return [str.__str__(value) for value in values]  # of enumerations, too, what they equal


def class_names(y: Any, name: str = "y") -> tuple[str, ...]:
    """Return the names of the classes in targets that are text, in sorted order."""
    found = texts(y, name)
    if not found:
        raise ValueError(f"{name} must hold names of classes, not {shown(y)}")
    return checked_names(sorted(set(found)), name)


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


def checked_classes(classes: Any, n_outputs: int, binary: bool = False) -> tuple[str, ...]:
    """Check names for the classes of a network; `binary` if its single output tells but two."""
    names = entries(classes, "classes", "different names, or None")
    if not names or not all(isinstance(label, str) for label in names):
        raise ValueError(f"classes must be different names, or None, not {shown(classes)}")
    if isinstance(classes, Set):
        raise ValueError(f"classes must be in an order, such as sorted({shown(classes)})")
    if len(set(names)) < len(names):
        twice = next(label for k, label in enumerate(names) if label in names[:k])
        raise ValueError(f"classes must be different names; {shown(twice)} is there twice")
    needed = n_outputs if n_outputs > 1 else 2 if binary else len(names)
    if len(names) != needed:
        raise ValueError(
            f"classes must be {needed} names for {n_outputs} output{'s' * (n_outputs > 1)}, "
            f"not {len(names)}: {listed(tuple(names))}"
        )
    return checked_names([str.__str__(label) for label in names], "classes")


def checked_names(names: Sequence[str], name: str) -> tuple[str, ...]:
    """Return names of classes; NumPy's strings would lose a zero at the end of one."""
    for label in names:
        if "\0" in label:
            raise ValueError(
                f"{name} has the name {shown(label)}, with a zero character: remove it"
            )
    return tuple(names)


class Named:
    """What both kinds of networks have in common: the names of their classes."""

    _classes: tuple[str, ...] | None = None

    @property
    def layer_sizes(self) -> list[int]:
        """Number of inputs, of the units of every hidden layer, and of outputs."""
        raise NotImplementedError

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes 0, 1, ..., or None.

        By them targets that are text are encoded, and they go with the network into files and
        copies. As many as outputs; two for one output that tells two classes, and any number for
        one whose value is the code.
        """
        return self._classes

    @classes.setter
    def classes(self, classes: Iterable[str] | None) -> None:
        if classes is not None:
            classes = checked_classes(classes, self.layer_sizes[-1], self._is_binary)
        self._classes = classes

    @property
    def _is_binary(self) -> bool:
        """Whether a single output tells one class from another."""
        return False
