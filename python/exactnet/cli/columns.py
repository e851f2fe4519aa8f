"""Columns of a file, by name or by number."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

_MOST = 40  # characters of a name in a message


def ignored_columns(
    ignore: Sequence[str], header: list[str] | None, n_columns: int, target: str | None
) -> set[int]:
    """Return the numbers of the columns to be ignored."""
    ignored = {_named(name, header, n_columns) for name in ignore}
    if target is not None and _named(target, header, n_columns) in ignored:
        raise ValueError(f"column {target!r} is the target, it cannot be ignored")
    return ignored


def column(
    target: str | None,
    header: list[str] | None,
    n_columns: int,
    n_features: int | None,
    ignored: set[int],
) -> int | None:
    """Return the number of the target column, or None if there need be none."""
    if target is not None:
        return _named(target, header, n_columns)
    names = header or [str(k) for k in range(n_columns)]
    left = [name for k, name in enumerate(names) if k not in ignored]
    if n_features is None:
        last = max(set(range(n_columns)) - ignored, default=0)
        raise ValueError(
            f"name the target column with --target, such as --target {as_option(last, names)}; "
            f"the columns are {_listed(left)}"
            if left
            else "there are no columns but ignored ones"
        )
    if len(left) == n_features:
        return None
    hint = "; name the target column with --target" if len(left) - 1 == n_features else ""
    raise ValueError(f"it has {len(left)} columns but the network takes {n_features}{hint}")


def _named(name: str, header: list[str] | None, n_columns: int) -> int:
    if header is not None and name in header:
        if header.count(name) > 1:
            raise ValueError(f"there are {header.count(name)} columns {name!r:.{_MOST}}")
        return header.index(name)
    if name in map(str, range(n_columns)):
        return int(name)
    known = f"0 to {n_columns - 1}" if header is None else _listed(header)
    raise ValueError(f"there is no column {name!r:.{_MOST}}; the columns are {known}")


def as_option(k: int, names: list[str]) -> str:
    """Return how an option names a column: as the header does, or by number where that is bad."""
    name = names[k]
    short = name and len(name) <= _MOST and names.count(name) == 1
    return shlex.quote(name) if short or str(k) in names else str(k)


def _listed(names: list[str]) -> str:
    names = [name if len(name) <= _MOST else f"{name[:_MOST]}..." for name in names]
    return ", ".join(names if len(names) < 40 else [*names[:20], "...", *names[-3:]])
