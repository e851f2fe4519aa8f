"""Fewer binary digits, for data that have too many for an integer network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from exactnet.base.tables import count
from exactnet.exact.data import Table

Array = npt.NDArray[np.float64]

_TRIES = 3  # numbers of digits of X
_OF_TARGETS = (24, 16, 12, 8, 4, 0)  # binary digits after the point


def remedy(points: Table, targets: Table, build: Callable[[Table, Table], Any]) -> str:
    """Return the end of an error: the call that rounds data to what `build` takes.

    X gets the least number of binary digits after the point that keeps its rows apart, or one or
    two more; targets stay as they are if that will do. What is advised has been tried.
    """
    X, y = _floats(points), _floats(targets)
    roundings = [] if X is None else list(_roundings(X))
    for digits in (None, *_OF_TARGETS):
        if digits is None:
            rounded_y: Table | None = targets
        else:
            rounded_y = None if y is None else _rounded(y, digits)
        for k, rounded_X in roundings:
            if rounded_y is None:
                continue
            try:
                build(rounded_X, rounded_y)
            except ValueError:
                continue
            least = roundings[0][0]
            verb = "keeps" if least == 1 else "keep"
            text = f"{_digits(least)} {verb} the rows of X apart"
            if k != least:
                text += f", and {_digits(k)} will do"
            calls = [_call("X", k)] + ([] if digits is None else [_call("y", digits)])
            calls_of_all = "; ".join(calls)
            return f"; {text}: in Python, {calls_of_all}, and round what you predict by the same"
    return "; scale or round the data, or use another construction"


def _digits(k: int) -> str:
    return f"{count(k, 'binary digit')} after the point" if k >= 0 else f"multiples of 2**{-k}"


def _call(name: str, digits: int) -> str:
    return f"{name} = np.round(np.asarray({name}, float) * 2.0**{digits}) / 2.0**{digits}"


def _floats(table: Table) -> Array | None:
    """Return the nearest floats, if there are such."""
    result = np.empty(table.shape)
    for c, denominator in enumerate(table.denominators):
        column = table.numerators[:, c]
        if (
            column.dtype == np.int64
            and denominator & (denominator - 1) == 0 < 2**1000 - denominator
        ):
            result[:, c] = column / float(denominator)
        else:
            try:
                result[:, c] = [n / denominator for n in column.tolist()]
            except OverflowError:
                return None
    return result


def _roundings(X: Array) -> Iterator[tuple[int, Table]]:
    """Yield numbers of digits that keep the rows apart, from the least, and the rounded X."""
    _, exponent = np.frexp(np.abs(X).max())
    found = 0
    for digits in range(-int(exponent), 54 - int(exponent)):
        table = _rounded(X, digits)
        if table is not None and _apart(table.numerators):
            yield digits, table
            found += 1
            if found == _TRIES:
                return


def _rounded(values: Array, digits: int) -> Table | None:
    """Return multiples of 2**-digits as np.round makes them, if 64 bits hold these."""
    with np.errstate(over="ignore", under="ignore"):
        multiples = np.round(values * 2.0**digits)
    scaled = np.ldexp(multiples, max(0, -digits))
    if not np.abs(scaled).max() < 2.0**62:
        return None
    return Table(scaled.astype(np.int64), [2 ** max(0, digits)] * values.shape[1])


def _apart(rows: npt.NDArray[np.int64]) -> bool:
    seen = set()
    for row in rows:
        key = hash(row.tobytes())  # of 64 bits, for little memory
        if key in seen:
            return False
        seen.add(key)
    return True
