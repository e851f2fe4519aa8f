"""Data files of the command line: CSV with exact decimals, NPY, NPZ and IDX."""

from __future__ import annotations

import argparse
import lzma
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from exactnet.base.files import parts, read_all
from exactnet.cli.columns import column, ignored_columns
from exactnet.cli.csvfile import Dialect, read_csv
from exactnet.datasets import read_idx, unit_interval

_IMAGES = re.compile(r"images([-.])idx3")
_ROW = re.compile(r"[Xy]\[([0-9]+)[],]")  # in front of an error about a row
_MAX_DIMENSIONS = 32  # of images: NumPy's limit before its version 2
_NPY_HEADER = re.compile(
    rb"\{'descr': '([<>|][biuf][1248])', 'fortran_order': (True|False), "
    rb"'shape': \(([0-9]{1,18},|(?:[0-9]{1,18}, ?)+[0-9]{1,18})?\),? ?\} *\n"
)


class Data(NamedTuple):
    """What a file holds: y is a list of str where the targets are names of classes.

    `lines` has the line of every row of CSV, from 1.
    """

    X: Any
    y: Any
    lines: npt.NDArray[np.int64] | None = None

    @contextmanager
    def in_lines(self) -> Iterator[None]:
        """Add to errors about rows their lines."""
        try:
            yield
        except ValueError as error:
            first = _ROW.match(str(error))
            rows = getattr(error, "rows", (int(first[1]),) if first else ())
            if self.lines is None or not rows:
                raise
            places = " and ".join(str(self.lines[row]) for row in rows)
            raise ValueError(
                f"{error} (line{'s' * (len(rows) > 1)} {places} of the file)"
            ) from None


def read_named(arguments: argparse.Namespace, path: str, **more: Any) -> Data:
    """Read a file as the options of `add_data_options` say."""
    dialect = Dialect(arguments.ignore or (), arguments.decimal, arguments.missing == "drop")
    return read_data(path, arguments.target, dialect=dialect, **more)


def read_data(
    path: str,
    target: str | None,
    *,
    exact: bool = True,
    n_features: int | None = None,
    dialect: Dialect | None = None,
    names: bool | None = None,
) -> Data:
    """Read (X, y) from a file; its kind is told by its name.

    Parameters
    ----------
    path : str
        ``.npz`` with arrays X and y; ``.npy`` with one matrix; IDX if it contains "images-idx3",
        whose labels are in the file called "labels-idx1" instead, one row of pixels per image;
        anything else is CSV with or without a header line, its cells separated by semicolons,
        commas or tabs.
    target : str or None
        The column of CSV and NPY that is y: its name in the header, or its number from 0.
    exact : bool
        Take numbers as they stand; those of CSV come as a `Table`. If not, decimals become floats
        and pixels of a byte multiples of 1/255.
    n_features : int, optional
        Of the network that the data are for. If given, there need not be targets: y is None then.
    dialect : Dialect, optional
        What else a user says of the file; all of it for CSV, ignored columns for NPY.
    names : bool, optional
        Whether targets of CSV are names of classes. By default they are if most are no numbers,
        of those in the first rows.

    Raises
    ------
    ValueError
        With the line and the column, if the file is not as described.
    OSError
        If it cannot be read.
    """
    said = Dialect() if dialect is None else dialect
    ending = os.path.splitext(path)[1].lower()
    is_images = _IMAGES.search(os.path.basename(path))
    if is_images or ending in (".npy", ".npz"):
        if said != Dialect(said.ignore):
            raise ValueError(f"{path}: --decimal and --missing are for CSV")
        if said.ignore and ending != ".npy":
            raise ValueError(f"{path}: --ignore is for CSV and .npy")
    if is_images:
        return _read_images(path, target, exact, n_features is not None)
    try:
        if ending == ".npz":
            return _read_npz(path, n_features is not None)
        if ending == ".npy":
            return _read_npy(path, target, n_features, said.ignore)
        return Data(*read_csv(path, target, said, exact=exact, n_features=n_features, names=names))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file in UTF-8: save it as UTF-8") from None
    except (
        ValueError,
        EOFError,
        OverflowError,  # sizes in the header of an array
        KeyError,  # members that the archive's directory and its other parts name differently
        RuntimeError,  # encrypted archives
        NotImplementedError,  # unknown compression
        struct.error,
        zipfile.BadZipFile,
        lzma.LZMAError,
        zlib.error,
    ) as error:
        raise ValueError(f"{path}: {error}") from None


def _read_npz(path: str, optional: bool) -> Data:
    with zipfile.ZipFile(path) as archive:
        found = archive.namelist()
        missing = [n for n in (["X"] if optional else ["X", "y"]) if f"{n}.npy" not in found]
        if missing:
            raise ValueError(f"it holds no array {' and no array '.join(missing)}")

        def member(name: str) -> npt.NDArray[Any]:
            with archive.open(name) as file:
                return _npy_array(read_all(file))

        return Data(member("X.npy"), member("y.npy") if "y.npy" in found else None)


def _read_npy(path: str, target: str | None, n_features: int | None, ignore: Sequence[str]) -> Data:
    with open(path, "rb") as file:
        matrix = _npy_array(read_all(file))
    if matrix.ndim != 2:
        raise ValueError(f"it holds an array of shape {matrix.shape}, not a matrix")
    ignored = ignored_columns(ignore, None, matrix.shape[1], target)
    k = column(target, None, matrix.shape[1], n_features, ignored)
    out = [*ignored] if k is None else [*ignored, k]
    if not out:
        return Data(matrix, None)
    X = np.empty((len(matrix), matrix.shape[1] - len(out)), matrix.dtype)
    for part in parts(X):
        X[part] = np.delete(matrix[part], out, axis=1)
    return Data(X, None if k is None else matrix[:, k])


def _npy_array(data: bytes | bytearray) -> npt.NDArray[Any]:
    """Return the array of real numbers in an NPY file; its bytes are all there is to it.

    np.load also takes text that is only similar to a header, and data beyond the shape.
    """
    if data[:8] not in (b"\x93NUMPY\1\0", b"\x93NUMPY\2\0", b"\x93NUMPY\3\0"):
        raise ValueError("it is not an NPY file of version 1, 2 or 3")
    start = 10 if data[6] == 1 else 12
    end = start + int.from_bytes(data[8:start], "little")
    match = _NPY_HEADER.fullmatch(data[start:end])
    if match is None:
        raise ValueError(f"its header is not that of an array of numbers: {data[start:end]!r:.99}")
    descr, shape = match[1].decode(), tuple(map(int, re.findall(rb"[0-9]+", match[3] or b"")))
    if descr[1:] in ("b2", "b4", "b8", "f1") or (descr[0] == "|" and descr[2] != "1"):
        raise ValueError(f"its element type {descr!r} is none")
    dtype = np.dtype(descr)
    size = math.prod(shape) * dtype.itemsize
    if len(data) - end != size:
        raise ValueError(f"a shape of {shape} needs {size} bytes, it has {max(0, len(data) - end)}")
    found = np.frombuffer(data, dtype, offset=end) if size else np.empty(0, dtype)
    array = np.empty(found.shape, dtype.newbyteorder("="))
    for part in parts(array):
        if dtype == np.bool_ and (found[part].view(np.uint8) > 1).any():
            raise ValueError("it holds a truth value that is neither 0 nor 1")
        array[part] = found[part]
    order: Literal["C", "F"] = "F" if match[2] == b"True" else "C"
    return array.reshape(shape, order=order)


def _read_images(path: str, target: str | None, exact: bool, optional: bool) -> Data:
    if target is not None:
        raise ValueError(f"{path}: --target is not for IDX files, whose labels are in another file")
    images = read_idx(path)
    if not 2 <= images.ndim <= _MAX_DIMENSIONS or not images.size:
        raise ValueError(f"{path}: it holds an array of shape {images.shape}, not images")
    X = images.reshape(len(images), -1)
    if not exact and X.dtype == np.uint8:
        X = unit_interval(X)
    folder, name = os.path.split(path)
    plain = os.path.join(folder, _IMAGES.sub(r"labels\1idx1", name)).removesuffix(".gz")
    packed = f"{plain}.gz"
    candidates = (packed, plain) if path.endswith(".gz") else (plain, packed)
    file = next((candidate for candidate in candidates if os.path.exists(candidate)), None)
    if file is None and optional:
        return Data(X, None)
    if file is None:
        raise ValueError(f"{path}: there is no file of its labels, neither {plain} nor {packed}")
    labels = read_idx(file)
    if labels.ndim != 1 or len(labels) != len(X):
        raise ValueError(f"{file}: it holds an array of shape {labels.shape}, not {len(X)} labels")
    return Data(X, labels)
