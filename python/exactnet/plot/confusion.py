"""Confusion matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet.plot.axes import axes_size, font_size, given_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array: TypeAlias = npt.NDArray[Any]

# Smaller numbers in a confusion matrix cannot be read.
_LEAST_FONT = 4.0
_MOST_CLASSES, _MOST_TICKS = 1000, 30


def confusion_matrix(
    labels: Any, predicted: Any, ax: Axes | None = None, *, classes: Sequence[Any] | None = None
) -> Axes:
    """Draw how many samples of every class were taken for which.

    Parameters
    ----------
    labels, predicted : array-like (samples,) of int or str
        The true classes, and for example those of `Network.classify`. If one of them has names
        and the other codes, `classes` must be given.
    ax : matplotlib Axes, optional
    classes : sequence, optional
        The classes in their order; by default those that occur, sorted. With names, such as the
        `classes` of a network, integers are the codes 0, 1, ... of these.

    Returns
    -------
    matplotlib Axes
        Rows are the true classes. Numbers are counts, if there is room for them; colours are
        shares of the row.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If labels are no integers or strings, differ in number, are none, or are not in `classes`.

    Examples
    --------
    >>> from exactnet import plot
    >>> ax = plot.confusion_matrix([0, 0, 1, 1, 1], [0, 1, 1, 1, 1])
    >>> [text.get_text() for text in ax.texts]
    ['1', '1', '0', '3']
    """
    counts, names = _confusion(labels, predicted, classes)
    n = len(names)
    ax = given_or_new(ax, (6.0, 5.2) if n <= 12 else (8.0, 7.0))
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    image = ax.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    width, height = axes_size(ax)
    cell = min(width, height) / n
    digits = [f"{count:,}" for count in counts.ravel()]
    size = min(font_size(digits, 0.85 * cell, 11), 72 * 0.6 * cell)
    for k, text in enumerate(digits if size >= _LEAST_FONT else []):
        i, j = divmod(k, n)
        color = "black" if shares[i, j] > 0.5 else "white"
        ax.text(j, i, text, ha="center", va="center", color=color, fontsize=size)
    every = math.ceil(n / _MOST_TICKS)
    ticks, shown = range(0, n, every), names[::every]
    size = min(font_size(shown, 1.2, 10), 72 * 0.7 * cell * every)
    narrow = font_size(shown, 0.9 * cell * every, size) < size
    ax.set_xticks(ticks, shown, fontsize=size, rotation=90 if narrow else 0)
    ax.set_yticks(ticks, shown, fontsize=size)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    ax.figure.colorbar(image, ax=ax, label="share of the true class", shrink=0.85)
    return ax


def _confusion(labels: Any, predicted: Any, classes: Any) -> tuple[Array, list[str]]:
    """Return the counts, (true classes, predicted classes), and the names of the classes."""
    vectors = []
    for name, values in (("labels", labels), ("predicted", predicted)):
        vector = np.asarray(values)
        if vector.ndim != 1:
            raise ValueError(f"{name} must be (samples,), not of shape {vector.shape}")
        if not vector.size:
            raise ValueError(f"{name} is empty")
        if vector.dtype.kind not in "iubU":
            raise ValueError(f"{name} must hold integers or strings, not {vector.dtype}")
        vectors.append(vector.tolist())
    true, taken = vectors
    if len(true) != len(taken):
        raise ValueError(f"there are {len(true)} labels but {len(taken)} predicted ones")
    known = None if classes is None else list(classes)
    if known and all(isinstance(value, str) for value in known):
        true, taken = _named(true, known, "labels"), _named(taken, known, "predicted")
    if isinstance(true[0], str) != isinstance(taken[0], str):
        raise ValueError(
            "labels and predicted must both be integers or both be strings: pass "
            "classes=net.classes, or np.array(net.classes)[net.classify(X)]"
        )
    known = sorted({*true, *taken}) if known is None else known
    if len(known) > _MOST_CLASSES:
        raise ValueError(f"there are {len(known)} classes; at most {_MOST_CLASSES} can be drawn")
    place = {value: k for k, value in enumerate(known)}
    if len(place) < len(known):
        raise ValueError("classes holds a class twice")
    counts = np.zeros((len(known), len(known)), dtype=np.int64)
    for t, p in zip(true, taken, strict=True):
        for value in (t, p):
            if value not in place:
                raise ValueError(f"the label {value!r} is not in classes")
        counts[place[t], place[p]] += 1
    return counts, [str(value) for value in known]


def _named(values: list[Any], classes: list[str], name: str) -> list[Any]:
    """Return the names of integers, which are codes 0, 1, ... of the classes, and names as are."""
    if isinstance(values[0], str):
        return values
    for value in values:
        if not 0 <= value < len(classes):
            raise ValueError(f"{name} has the code {value} where there are {len(classes)} classes")
    return [classes[value] for value in values]
