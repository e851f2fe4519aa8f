"""Rows of X that are equal: they count once, and must have one target."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.checks import shown
from exactnet.base.progress import Progress
from exactnet.exact.data import Data


class ConflictError(ValueError):
    """Two rows of X are equal and their targets are not."""

    rows: tuple[int, int]

    @classmethod
    def of(cls, rows: tuple[int, int], targets: tuple[Any, Any]) -> ConflictError:
        """Return the error about two rows, with their targets as text."""
        error = cls(
            f"rows {rows[0]} and {rows[1]} of X are equal but their targets differ: "
            f"{targets[0]} and {targets[1]}; leave one of them out"
        )
        error.rows = rows
        return error


def merge_duplicates(data: Data, progress: Progress | None) -> npt.NDArray[np.intp]:
    """Return the rows to keep, the first of every set of equal ones."""
    points, targets = data.points, data.targets
    first = _core.first_occurrences(points.core, progress)
    rows = np.arange(len(first))
    kept = first == rows
    if not kept.all():
        differs = (targets.numerators != targets.numerators[first]).any(axis=1)
        for row in rows[~kept & differs][:1]:
            pair = targets.rows(np.array([first[row], row]))
            columns = [pair.rationals(c) for c in range(targets.shape[1])]
            if data.classes is not None:
                columns = [[shown(data.classes[int(code)]) for code in columns[0]]]
            a, b = (", ".join(str(column[k]) for column in columns) for k in (0, 1))
            raise ConflictError.of((int(first[row]), int(row)), (a, b))
    return np.flatnonzero(kept)
