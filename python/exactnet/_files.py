"""Atomic file writes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise OSError if `path` can surely not be written, before any work is done for it."""
    target = Path(path).resolve()
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, binary: bool = False) -> Iterator[Any]:
    """Write a file, in UTF-8 or binary, that appears whole or not at all.

    The text goes to a temporary file beside it, reaches the disk, and takes the name last. Links
    are followed; pipes and devices are simply written to.
    """
    import tempfile  # here, to keep `import exactnet` fast

    check_writable(path)
    mode, encoding = ("wb", None) if binary else ("w", "utf-8")
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        with open(target, mode, encoding=encoding) as file:
            yield file
        return
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(descriptor, mode, encoding=encoding) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files; give what a plain open() would have given
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
