"""Atomic file writes, and reads and writes between whose parts Ctrl-C is answered."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

PART = 2**22  # bytes per call of the system
_UNSYNCED = 2**24  # bytes that may wait for the disk: bringing them there cannot be interrupted


def as_name(path: Any) -> str:
    """Check that a path is one, and return it as text."""
    if not isinstance(path, str | bytes | os.PathLike):
        raise TypeError(f"path must be a path, not {path!r:.60}")
    return os.fsdecode(path)


def head_of(name: str) -> bytes:
    """Return the first bytes of a file, for errors about files of other kinds."""
    if not os.path.isfile(name):  # what a pipe held is gone
        return b""
    with open(name, "rb") as file:
        return file.read(4096)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise OSError if `path` can surely not be written, before any work is done for it."""
    name = as_name(path)
    descriptor = descriptor_of(name)
    if descriptor is not None:
        try:
            readable_only = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        except OSError:  # not open
            readable_only = True
        if readable_only:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), name)
        return
    try:
        mode = os.stat(name).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    target = os.path.realpath(name)
    folder = os.path.dirname(target)
    reason, text = 0, ""
    if os.path.isdir(target):
        reason = errno.EISDIR
    elif not stat.S_ISREG(mode):
        reason = 0 if os.access(name, os.W_OK) else errno.EACCES
    elif not os.path.isdir(folder):
        reason = errno.ENOENT
    elif os.path.exists(target) and not os.access(target, os.W_OK):
        reason = errno.EACCES
    elif not _replaceable(folder, target):
        reason = errno.EACCES
        text = "no leave to write in its folder, where files are replaced as a whole"
    if reason:
        raise OSError(reason, text or os.strerror(reason), name)


def _replaceable(folder: str, target: str) -> bool:
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    status = os.stat(folder)
    if not status.st_mode & stat.S_ISVTX or not os.path.exists(target):
        return True
    # in folders like /tmp only the owner may replace a file
    return os.geteuid() in (0, status.st_uid, os.stat(target).st_uid)


def descriptor_of(name: str) -> int | None:
    """Return the descriptor of this process that `name` stands for, as /dev/stdout for 1."""
    for _ in range(40):  # links to links
        folder = os.path.realpath(os.path.dirname(name))
        last = os.path.basename(name)
        if last.isdecimal() and folder in ("/dev/fd", os.path.realpath("/proc/self/fd")):
            return int(last)
        name = os.path.join(folder, last)
        if not os.path.islink(name):
            break
        name = os.path.join(folder, os.readlink(name))
    return None


class _Parts(io.FileIO):
    """Writes in parts, between which Ctrl-C is answered, and brings them to the disk on the way."""

    synced = False
    _waiting = 0

    def write(self, data: Any) -> int:
        n = super().write(memoryview(data)[:PART])
        self._waiting += n or 0  # None from a pipe that does not wait
        if self.synced and self._waiting > _UNSYNCED:
            os.fsync(self.fileno())
            self._waiting = 0
        return n


def _opened(raw: _Parts, binary: bool) -> Any:
    file = io.BufferedWriter(raw)
    return file if binary else io.TextIOWrapper(file, encoding="utf-8")


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, binary: bool = False) -> Iterator[Any]:
    """Write a file, in UTF-8 or binary, that appears whole or not at all.

    The text goes to a temporary file in the same folder, reaches the disk, and takes the name
    last; so the name never stands for less than the old file or the new one, whatever ends the
    process. An existing file's permissions are kept, and its owner and group where the system
    allows it; links are followed. Pipes, devices and the descriptors of this process, as
    /dev/stdout, are simply written to.

    If the process is killed the temporary file stays. It is locked for as long as its writer lives,
    and the next write into the folder removes those that are not.
    """
    check_writable(path)
    name = as_name(path)
    target = os.path.realpath(name)
    temporary = file = None
    # An interrupt may come in the middle of anything, also of tidying up: that is done twice.
    try:
        try:
            descriptor = descriptor_of(name)
            if descriptor is not None:
                raw = _Parts(name, "w", opener=lambda *_: os.dup(descriptor))
            elif os.path.exists(name) and not os.path.isfile(name):
                raw = _Parts(name, "w")
            else:
                mark = _mark()
                _clear(os.path.dirname(target), mark)
                old = os.stat(target) if os.path.exists(target) else None
                # an existing file may be private: its permissions come before the contents
                opener = partial(os.open, mode=0o666 if old is None else 0o600)
                locked = False
                while not locked:
                    temporary = os.path.join(
                        os.path.dirname(target), f"{mark}{os.urandom(8).hex()}.tmp"
                    )
                    raw = _Parts(temporary, "x", opener=opener)
                    locked = _lock(raw)
                    if not locked:
                        raw.close()
                raw.synced = True
                if old is not None:
                    _keep_permissions(raw.fileno(), old)
            file = _opened(raw, binary)
            yield file
            file.flush()
            if temporary is not None:
                os.fsync(raw.fileno())
                os.replace(temporary, target)  # before it is closed, which ends the lock
                _sync_folder(os.path.dirname(target))
            file.close()
        finally:
            _remove(temporary)
            if file is not None:
                with suppress(OSError):  # a full disk once more, in place of what went wrong
                    file.close()
    except OSError as error:
        if error.errno is None or error.filename not in (None, temporary):
            raise
        raise OSError(error.errno, error.strerror, name) from None
    finally:
        _remove(temporary)


def _mark() -> str:
    """Return how the names of temporary files begin; locks may not hold between machines."""
    return f".exactnet-{zlib.crc32(os.uname().nodename.encode()):08x}-"


def _lock(raw: _Parts) -> bool:
    """Mark a new file as one whose writer lives; False if `_clear` was faster."""
    try:
        fcntl.flock(raw, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks on this file system: nothing is ever removed there
        pass
    return os.fstat(raw.fileno()).st_nlink > 0


def _clear(folder: str, mark: str) -> None:
    """Remove the temporary files of writers that were killed."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (entry.name.startswith(mark) and entry.name.endswith(".tmp")):
                continue
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    with open(entry.path, "r+b") as file:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        os.unlink(entry.path)


def _keep_permissions(descriptor: int, old: os.stat_result) -> None:
    try:
        os.fchown(descriptor, old.st_uid, old.st_gid)
    except OSError:
        with suppress(OSError):
            os.fchown(descriptor, -1, old.st_gid)
    mode = old.st_mode & 0o777
    if os.fstat(descriptor).st_gid != old.st_gid:
        mode &= ~0o070  # they were another group's
    with suppress(PermissionError):  # file systems without permissions
        os.fchmod(descriptor, mode)


def _sync_folder(folder: str) -> None:
    """Bring the new name to the disk, where the system lets folders be opened and synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(temporary: str | None) -> None:
    if temporary is not None:
        with suppress(OSError):  # it has got its name, or was removed already
            os.unlink(temporary)


def parts(array: npt.NDArray[Any], size: int = PART) -> Iterator[slice]:
    """Yield slices of rows, of about `size` bytes, for Ctrl-C to be answered between them."""
    step = max(1, size * len(array) // max(1, array.nbytes))
    for k in range(0, len(array), step):
        yield slice(k, min(k + step, len(array)))


def read_all(file: Any) -> bytearray:
    """Read a binary file to its end."""
    data = bytearray()
    while part := file.read(PART):
        data += part
    return data


def read_array(file: Any, shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
    """Read an array from where a binary file stands; ValueError if it ends before."""
    array = np.empty(shape, dtype)
    rest = array.reshape(-1).view(np.uint8).data
    while len(rest):
        n = file.readinto(rest[:PART])
        if not n:
            size = array.nbytes
            raise ValueError(
                f"truncated: a shape of {shape} needs {size} bytes, it has {size - len(rest)}"
            )
        rest = rest[n:]
    return array


_SPACE = re.compile(r"[ \t\n\r]*")
# Up to a hundred strings of a list, each with the comma behind it.
_STRINGS = re.compile(r'(?:[ \t\n\r]*"[^"\\\x00-\x1f]*"[ \t\n\r]*,){1,100}')
_DEPTH = 4  # of the lists that are read in parts: the cells of network files lie in the fourth


def read_json(file: Any, pairs_hook: Callable[[list[tuple[str, Any]]], Any]) -> Any:
    """Do what `json.load` does, with Ctrl-C answered between the parts of long lists."""
    text = "".join(iter(partial(file.read, PART), ""))
    decoder = json.JSONDecoder(object_pairs_hook=pairs_hook)
    if len(text) <= PART:
        return decoder.decode(text)
    value, end = _json_value(text, _past_space(text, 0), decoder, 0)
    end = _past_space(text, end)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def _past_space(text: str, k: int) -> int:
    match = _SPACE.match(text, k)
    return match.end() if match else k


def _json_value(text: str, k: int, decoder: json.JSONDecoder, depth: int) -> tuple[Any, int]:
    """Return the value that begins at `k`, and where it ends."""
    opening = text[k : k + 1]
    closing = {"[": "]", "{": "}"}.get(opening)
    if closing is None or depth == _DEPTH or (closing == "}" and depth):
        return decoder.raw_decode(text, k)
    items: list[Any] = []
    k = _past_space(text, k + 1)
    if text[k : k + 1] == closing:
        k += 1
    else:
        while True:
            strings = _STRINGS.match(text, k) if closing == "]" else None
            if strings:
                items += json.loads(f"[{strings[0][:-1]}]")
                k = _past_space(text, strings.end())
            key = None
            if closing == "}":
                if text[k : k + 1] != '"':
                    raise json.JSONDecodeError("Expecting property name", text, k)
                key, k = decoder.raw_decode(text, k)
                k = _past_space(text, k)
                if text[k : k + 1] != ":":
                    raise json.JSONDecodeError("Expecting ':' delimiter", text, k)
                k = _past_space(text, k + 1)
            item, k = _json_value(text, k, decoder, depth + 1)
            items.append(item if key is None else (key, item))
            k = _past_space(text, k)
            if text[k : k + 1] == closing:
                k += 1
                break
            if text[k : k + 1] != ",":
                raise json.JSONDecodeError("Expecting ',' delimiter", text, k)
            k = _past_space(text, k + 1)
    return (items if closing == "]" else decoder.object_pairs_hook(items)), k
