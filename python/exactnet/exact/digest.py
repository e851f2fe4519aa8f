"""The claim in a network file: which data the network reproduces exactly."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet.exact.data import Data, Table

_ENTRIES = ("points", "features", "outputs", "sha256")
_ROWS = 1000  # per part, for memory to stay small


def make_claim(data: Data, n_wrong: int, first_wrong: int | None) -> dict[str, Any]:
    """Return the claim of a network that was verified on these data with that result.

    Raises
    ------
    ValueError
        If the network was found not to be exact.
    """
    if n_wrong:
        raise ValueError(
            f"the network is not exact, nothing can be claimed: its output at row "
            f"{first_wrong} (counted from 0) is not the target, nor at "
            f"{n_wrong - 1} other rows"
        )
    sizes = (*data.points.shape, data.targets.shape[1])
    return dict(zip(_ENTRIES, (*sizes, data_digest(data)), strict=True))


def check_claim(entry: Any, n_features: int, n_outputs: int) -> None:
    """Raise ValueError unless it has the form of a claim for a network of these sizes."""
    if not isinstance(entry, dict) or set(entry) != set(_ENTRIES):
        raise ValueError("claim must have the entries " + ", ".join(_ENTRIES))
    for name in _ENTRIES[:3]:
        if type(entry[name]) is not int or entry[name] < 1:
            raise ValueError(f"claim: {name} must be a positive integer")
    if (entry["features"], entry["outputs"]) != (n_features, n_outputs):
        raise ValueError(
            f"claim: it is of {entry['features']} features and {entry['outputs']} outputs, "
            f"but the network has {n_features} and {n_outputs}"
        )
    if not isinstance(entry["sha256"], str) or not re.fullmatch("[0-9a-f]{64}", entry["sha256"]):
        raise ValueError("claim: sha256 must be 64 lowercase hexadecimal digits")


def data_digest(data: Data) -> str:
    """Return the SHA-256 of the canonical form of data, which docs/file-format.md defines."""
    points, targets = data.points, data.targets
    (n_points, n_features), n_outputs = points.shape, targets.shape[1]
    digest = hashlib.sha256(f"exactnet-data 1 {n_points} {n_features} {n_outputs}\n".encode())
    for start in range(0, n_points, _ROWS):
        part = slice(start, start + _ROWS)
        features, outputs = _texts(points, part), _texts(targets, part)
        rows = [f"{x},{y}\n" for x, y in zip(features, outputs, strict=True)]
        digest.update("".join(rows).encode())
    return digest.hexdigest()


def _texts(table: Table, part: slice) -> Iterator[str]:
    """Yield every row as its rationals in lowest terms, separated by commas."""
    numerators = table.numerators[part]
    if numerators.dtype == np.int64 and max(table.denominators) == 1:
        yield from (",".join(map(str, row)) for row in numerators.tolist())
        return
    columns = [
        _column_texts(numerators[:, c], denominator)
        for c, denominator in enumerate(table.denominators)
    ]
    yield from map(",".join, zip(*columns, strict=True))


def _column_texts(numerators: npt.NDArray[Any], denominator: int) -> list[str]:
    if numerators.dtype == np.int64 and denominator < 2**63:
        divisors = np.gcd(numerators, denominator)
        pairs = zip(
            (numerators // divisors).tolist(), (denominator // divisors).tolist(), strict=True
        )
        return [f"{n}" if d == 1 else f"{n}/{d}" for n, d in pairs]
    # str of gmpy2's numbers has no limit on digits and takes less than quadratic time
    return [str(gmpy2.mpq(n, denominator)) for n in numerators.tolist()]
