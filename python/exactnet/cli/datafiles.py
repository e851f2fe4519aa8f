"""Data files of the command line: CSV with exact decimals, NPY, NPZ and IDX."""

from __future__ import annotations

import csv
import lzma
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet.base.files import parts, read_all
from exactnet.datasets import read_idx, unit_interval

Data: TypeAlias = tuple[Any, Any]

_IMAGES = re.compile(r"images([-.])idx3")
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_RATIO = re.compile(r"[+-]?[0-9]+/[0-9]+", re.ASCII)
_DECIMAL = re.compile(
    r"(?P<whole>[+-]?[0-9]*)(\.(?P<part>[0-9]*))?([eE](?P<exponent>[+-]?[0-9]+))?", re.ASCII
)
_DIGIT = re.compile(r"[+-]?\.?[0-9]", re.ASCII)  # "." and "-" alone are no decimals
_SHORT = 640  # digits that int() takes under any limit
_MAX_EXPONENT = 400  # that of float64, and some more
_MAX_DIMENSIONS = 32  # of images: NumPy's limit before its version 2
_SPACE = " \t\r\n"  # around cells of CSV
_NPY_HEADER = re.compile(
    rb"\{'descr': '([<>|][biuf][1248])', 'fortran_order': (True|False), "
    rb"'shape': \(([0-9]{1,18},|(?:[0-9]{1,18}, ?)+[0-9]{1,18})?\),? ?\} *\n"
)


def read_data(
    path: str, target: str | None, *, exact: bool = True, n_features: int | None = None
) -> Data:
    """Read (X, y) from a file; its kind is told by its name.

    Parameters
    ----------
    path : str
        ``.npz`` with arrays X and y; ``.npy`` with one matrix; IDX if it contains "images-idx3",
        whose labels are in the file called "labels-idx1" instead, one row of pixels per image;
        anything else is CSV with commas, with or without a header line.
    target : str or None
        The column of CSV and NPY that is y: its name in the header, or its number from 0.
    exact : bool
        Take numbers as they stand. If not, decimals become floats and pixels of a byte
        multiples of 1/255.
    n_features : int, optional
        Of the network that the data are for. If given, there need not be targets: y is None then.

    Raises
    ------
    ValueError
        With the line and the column, if the file is not as described.
    OSError
        If it cannot be read.
    """
    if _IMAGES.search(os.path.basename(path)):
        return _read_images(path, target, exact, n_features is not None)
    ending = os.path.splitext(path)[1].lower()
    try:
        if ending == ".npz":
            return _read_npz(path, n_features is not None)
        if target is None and n_features is None:
            raise ValueError("name the target column with --target")
        if ending == ".npy":
            return _read_npy(path, target, n_features)
        return _read_csv(path, target, exact, n_features)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file in UTF-8") from None
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

        return member("X.npy"), member("y.npy") if "y.npy" in found else None


def _read_npy(path: str, target: str | None, n_features: int | None) -> Data:
    with open(path, "rb") as file:
        matrix = _npy_array(read_all(file))
    if matrix.ndim != 2:
        raise ValueError(f"it holds an array of shape {matrix.shape}, not a matrix")
    k = _column(target, None, matrix.shape[1], n_features)
    if k is None:
        return matrix, None
    X = np.empty((len(matrix), matrix.shape[1] - 1), matrix.dtype)
    for part in parts(X):
        X[part] = np.delete(matrix[part], k, axis=1)
    return X, matrix[:, k]


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
        return X, None
    if file is None:
        raise ValueError(f"{path}: there is no file of its labels, neither {plain} nor {packed}")
    labels = read_idx(file)
    if labels.ndim != 1 or len(labels) != len(X):
        raise ValueError(f"{file}: it holds an array of shape {labels.shape}, not {len(X)} labels")
    return X, labels


def _read_csv(path: str, target: str | None, exact: bool, n_features: int | None) -> Data:
    number = _number if exact else _float
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = _csv_rows(file)
        _, first = next(rows, (0, None))
        if first is None:
            raise ValueError("the file is empty")
        header = _header(first, target)
        names = header or [str(k) for k in range(len(first))]
        k = _column(target, header, len(first), n_features)
        X, y = [], []
        if header is None:
            rows = _chain((1, first), rows)
        for line, cells in rows:
            if len(cells) != len(names):
                raise ValueError(
                    f"line {line} has {len(cells)} cells, the first line has {len(names)}"
                )
            numbers = [number(c, line, n) for c, n in zip(cells, names, strict=True)]
            if k is not None:
                y.append(numbers.pop(k))
            X.append(numbers)
    if not X:
        raise ValueError("there are no rows below the header")
    if not X[0]:
        raise ValueError("there are no columns besides the target")
    targets = None if k is None else y
    if exact:
        return X, targets
    matrix = np.empty((len(X), len(X[0])))
    for part in parts(matrix):
        matrix[part] = X[part]
        X[part] = [[]] * (part.stop - part.start)  # to free all at once would take long
    return matrix, targets and np.array(targets)


def _header(first: list[str], target: str | None) -> list[str] | None:
    """Return the first line if it holds names.

    That is so if no cell is a number, or if the target is named by a cell that is none. Anything
    else is data: a typing error in the first row must not make it disappear.
    """
    names = [cell for cell in first if not _is_number(cell)]
    return first if len(names) == len(first) or target in names else None


def _csv_rows(file: Any) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file, skipinitialspace=True, strict=True)
    try:
        for row in reader:
            if row:  # blank lines are no rows
                yield reader.line_num, [cell.strip(_SPACE) for cell in row]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None


def _chain(
    first: tuple[int, list[str]], rest: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    yield first
    yield from rest


def _column(
    target: str | None, header: list[str] | None, n_columns: int, n_features: int | None
) -> int | None:
    """Return the number of the target column, or None if all columns are features."""
    if target is None:
        if n_columns == n_features:
            return None
        hint = "; name the target column with --target" if n_columns - 1 == n_features else ""
        raise ValueError(f"it has {n_columns} columns but the network takes {n_features}{hint}")
    if header is not None and target in header:
        if header.count(target) > 1:
            raise ValueError(f"there are {header.count(target)} columns {target!r}")
        return header.index(target)
    if target in map(str, range(n_columns)):
        return int(target)
    known = f"0 to {n_columns - 1}" if header is None else ", ".join(header)
    raise ValueError(f"there is no column {target!r}; the columns are {known}")


def _is_number(cell: str) -> bool:
    return bool(_RATIO.fullmatch(cell) or (_DECIMAL.fullmatch(cell) and _DIGIT.match(cell)))


def _number(cell: str, line: int, column: str) -> Any:
    """Convert a decimal or p/q exactly: 0.1 is one tenth. gmpy2 has no limit on digits."""
    if _INTEGER.fullmatch(cell) and len(cell) <= _SHORT:
        return int(cell)
    import gmpy2  # here, for files of floats can do without it

    if _INTEGER.fullmatch(cell):
        return int(gmpy2.mpz(cell))
    where = f"line {line}, column {column!r}: {cell!r:.40}"
    if _RATIO.fullmatch(cell):
        try:
            return gmpy2.mpq(cell.removeprefix("+"))
        except ZeroDivisionError:
            raise ValueError(f"{where} divides by 0") from None
    match = _DECIMAL.fullmatch(cell)
    if match is None or not _DIGIT.match(cell):
        raise ValueError(f"{where} is not a number")
    exponent, part = match["exponent"] or "0", match["part"] or ""
    if len(exponent.lstrip("+-0")) > 3 or abs(int(gmpy2.mpz(exponent))) > _MAX_EXPONENT:
        raise ValueError(f"{where} has too large an exponent")
    power = int(gmpy2.mpz(exponent)) - len(part)
    digits = gmpy2.mpz((match["whole"] + part).removeprefix("+"))
    return gmpy2.mpq(digits * 10 ** max(power, 0), gmpy2.mpz(10) ** max(-power, 0))


def _float(cell: str, line: int, column: str) -> float:
    """Convert a decimal or p/q to the nearest float."""
    if not _DECIMAL.fullmatch(cell) or not _DIGIT.match(cell):  # float() also takes nan and 1_0
        value = _number(cell, line, column)
        try:
            return int(value.numerator) / int(value.denominator)  # rounds correctly
        except OverflowError:
            pass
    elif math.isfinite(float(cell)):
        return float(cell)
    raise ValueError(f"line {line}, column {column!r}: {cell!r:.40} is too large for a float")
