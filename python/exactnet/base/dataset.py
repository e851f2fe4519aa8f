"""Data that are prepared once and used often."""

from __future__ import annotations

import array
import copy
import threading
from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar

import numpy as np

from exactnet.base.checks import entries, shown
from exactnet.base.frames import is_sparse, row_count
from exactnet.base.labels import class_names, texts

T = TypeVar("T")


class Dataset:
    """Points or samples X and their targets y, for functions that get the same data again.

    It is accepted wherever networks are constructed, trained, evaluated or verified on X, or X and
    y: ``net.fit(data)``, ``net.loss(data)``, ``validation_data=data``, ``verify(network, data)``.
    What a function makes of the data, such as the packed samples of a training or the exact columns
    of a verification, is made at its first call and kept for the next ones.

    Parameters
    ----------
    X : array-like (points, features), data frame, or sparse matrix
    y : array-like (points,) or (points, outputs), optional
        What either half takes, names of classes included; None if no function will need it.

    Attributes
    ----------
    X, y : ndarray, tuple, a data frame or a column of one, or a sparse matrix
        The data as they were given, but copied: later changes of the originals have no effect.
        Neither can be set, and arrays are read-only; the others must not be written into.
    classes : tuple of str, or None
        The names in y, sorted, if it is text; networks encode it by theirs, if they have any.

    Raises
    ------
    ValueError, TypeError
        If X and y are not of the same length, or have none. What else may be wrong, such as a
        number that is not finite, is an error of the function that gets the data, as it depends on
        that.

    Examples
    --------
    >>> from exactnet import Dataset, memorize, verify
    >>> data = Dataset([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
    >>> verify(memorize(data), data).exact
    True
    """

    def __init__(self, X: Any, y: Any = None) -> None:
        self._hold(_kept(X), None if y is None else _kept(y))
        if self.y is not None and len(self) != row_count(self.y):
            raise ValueError(f"y has {row_count(self.y)} samples but X has {len(self)}")

    @classmethod
    def _borrow(cls, X: Any, y: Any) -> Dataset:
        """Return one for the time of a call, which does not copy and lets others check."""
        data = cls.__new__(cls)
        data._hold(X, y)
        return data

    def _hold(self, X: Any, y: Any) -> None:
        self._X, self._y = X, y
        self._lock = threading.RLock()
        self._prepared: dict[Hashable, Any] = {}

    @property
    def X(self) -> Any:  # noqa: N802
        """Points or samples."""
        return self._X

    @property
    def y(self) -> Any:
        """Targets, or None."""
        return self._y

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes in y, in sorted order; None if y is no text."""
        labels = self._texts("y")
        return None if labels is None else self._prepare("classes", lambda: class_names(labels))

    def _texts(self, name: str) -> list[str] | None:
        """Return y as `texts` does, once."""
        return self._prepare("texts", lambda: texts(self.y, name))

    def __len__(self) -> int:
        return row_count(self.X)

    def __repr__(self) -> str:
        return f"Dataset({len(self)} points{'' if self.y is None else ' with targets'})"

    def __getstate__(self) -> dict[str, Any]:
        return {"X": self.X, "y": self.y}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def _prepare(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` makes of the data, which is called for the first of equal keys."""
        with self._lock:
            if key not in self._prepared:
                made = make()  # while a signal's handler may make it, too
                self._prepared.setdefault(key, made)
            value: T = self._prepared[key]
            return value


def check_given(X: Any, y: Any, names: tuple[str, str]) -> None:
    """Look whether there are targets, and whether only a Dataset or only y brings them."""
    if not isinstance(X, Dataset):
        if y is None:
            raise ValueError(f"{names[1]} must be given; only a Dataset brings its own")
    elif y is not None:
        raise ValueError(f"{names[1]} must be left out: {names[0]} is a Dataset, with its own")
    elif X.y is None:
        raise ValueError(f"{names[0]} is a Dataset without y, which is needed: Dataset(X, y)")


def pair_of(data: Any, name: str) -> tuple[Any, Any]:
    """Return X and y of an argument that is a pair, or a Dataset and None."""
    if isinstance(data, Dataset):
        return data, None
    pair = entries(data, name, "(X, y)")
    if len(pair) != 2:
        raise ValueError(f"{name} must be (X, y), not {shown(data)}")
    return pair[0], pair[1]


def _kept(values: Any) -> Any:
    """Copy data, so that nobody changes them."""
    if isinstance(values, Iterator):
        values = tuple(values)
    # NumPy must not see lists: it would round integers above 2^63.
    if isinstance(values, list | tuple):
        return tuple(_kept_row(row) for row in values)
    if isinstance(values, array.array | memoryview) or (
        hasattr(values, "__array__") and not hasattr(values, "to_numpy")
    ):
        values = np.asanyarray(values)
    if isinstance(values, np.ndarray):
        if not values.ndim:
            raise ValueError(f"data must have rows, not be the number {shown(values.item())}")
        values = values.copy()
        values.flags.writeable = False
        return values
    if is_sparse(values):
        return values.copy()
    if not hasattr(values, "__len__"):
        raise TypeError(f"data must be arrays or sequences, not {type(values).__name__}")
    return copy.deepcopy(values)  # a frame, or what functions may refuse as it is


def _kept_row(row: Any) -> Any:
    if isinstance(row, list | tuple):
        return tuple(row)
    return row.copy() if isinstance(row, np.ndarray) else row
