"""Data sets to try the package on."""

from __future__ import annotations

import gzip
import math
import os
import struct
import sys
import zlib
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from exactnet.base.files import atomic_write, parts, read_array

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_digits", "load_mnist", "read_idx", "sample_csv", "write_idx"]

# Folders with the MNIST files, compressed by gzip; asked in this order.
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

_DIGITS_TRAIN = 1437
# Size and MD5 of the MNIST files, unpacked.
_MNIST = {
    "train-images-idx3-ubyte": (47_040_016, "6bbc9ace898e44ae57da46a324031adb"),
    "train-labels-idx1-ubyte": (60_008, "a25bea736e30d166cdddb491f175f624"),
    "t10k-images-idx3-ubyte": (7_840_016, "2646ac647ad5339dbf082846283269ea"),
    "t10k-labels-idx1-ubyte": (10_008, "27ae3e4e09519cfbb04c329615203637"),
}
_U1 = np.dtype(np.uint8)

# The element types of the IDX format, all stored with the highest byte first.
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
# Deflate cannot do better than this, so a longer claim cannot be true.
_MAX_GZIP_RATIO = 1032


def load_digits() -> tuple[
    npt.NDArray[np.float32], npt.NDArray[Any], npt.NDArray[np.float32], npt.NDArray[Any]
]:
    """Load the 1,797 handwritten digits of 8 x 8 pixels that come with the package.

    From "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak, UCI Machine
    Learning Repository, 1998 (CC BY 4.0), in its order: the first 1,437 digits are the training
    part and the last 360 the test part. No network access.

    Returns
    -------
    X_train : ndarray of float32, (1437, 64)
        Pixels, multiples of 1/16 in [0, 1].
    y_train : ndarray of int64, (1437,)
        Labels from 0 to 9.
    X_test : ndarray of float32, (360, 64)
    y_test : ndarray of int64, (360,)

    Examples
    --------
    >>> from exactnet.datasets import load_digits
    >>> X_train, y_train, X_test, y_test = load_digits()
    >>> X_train.shape, y_train[:5]
    ((1437, 64), array([0, 1, 2, 3, 4]))
    """
    from importlib.resources import files  # here, to keep `import exactnet` fast

    with (files("exactnet") / "data" / "digits.npz").open("rb") as file:
        data = np.load(file, allow_pickle=False)
        X = data["pixels"].astype(np.float32) / np.float32(16)
        y = data["labels"].astype(np.int64)
    n = _DIGITS_TRAIN
    return X[:n], y[:n], X[n:], y[n:]


def sample_csv() -> str:
    """Return the path of the CSV file that comes with the package: 150 irises of three species.

    Lengths and widths of sepals and petals in cm and, in the last column, the species; measured by
    E. Anderson, published by R. A. Fisher, "The use of multiple measurements in taxonomic
    problems", Annals of Eugenics 7, 1936. ``exactnet sample`` prints it.

    Examples
    --------
    >>> from exactnet.datasets import sample_csv
    >>> with open(sample_csv()) as file:
    ...     print(file.readline(), file.readline(), sep="", end="")
    sepal_length,sepal_width,petal_length,petal_width,species
    5.1,3.5,1.4,0.2,setosa
    """
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "iris.csv")


def read_idx(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Read an array from a file in the IDX format of MNIST, plain or compressed by gzip.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    ndarray
        Of the file's shape and element type, in the machine's byte order.

    Raises
    ------
    ValueError
        If the file is no IDX file, or longer or shorter than its header says. The header is
        checked against the file's size before memory is taken.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile, os, numpy as np
    >>> from exactnet.datasets import read_idx, write_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "numbers-idx2-short.gz")
    ...     write_idx(path, np.array([[1, 2], [3, -4]], dtype=np.int16))
    ...     read_idx(path)
    array([[ 1,  2],
           [ 3, -4]], dtype=int16)
    """
    name = os.fspath(path)
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        most = os.fstat(file.fileno()).st_size * (_MAX_GZIP_RATIO if compressed else 1)
        try:
            if not compressed:
                return _read_idx(file, most)
            with gzip.GzipFile(fileobj=file) as stream:
                return _read_idx(stream, most)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{name}: damaged gzip file: {error}") from None
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


def _read_idx(stream: IO[bytes] | gzip.GzipFile, most: int) -> npt.NDArray[Any]:
    magic = stream.read(4)
    if len(magic) != 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_TYPES or magic[3] == 0:
        raise ValueError(f"not an IDX file: it begins with {magic.hex() or 'nothing'}")
    header = stream.read(4 * magic[3])
    if len(header) != 4 * magic[3]:
        raise ValueError("truncated in its header")
    shape = struct.unpack(f">{magic[3]}I", header)
    dtype = np.dtype(_IDX_TYPES[magic[2]])
    size = math.prod(shape) * dtype.itemsize
    if size > most:
        raise ValueError(f"truncated: a shape of {shape} needs {size} bytes, it has at most {most}")
    array = read_array(stream, shape, dtype)
    if stream.read(1):
        raise ValueError(f"there are further bytes behind the {size} of its shape {shape}")
    if not dtype.isnative:
        for part in parts(array):
            array[part].byteswap(inplace=True)
    return array.view(dtype.newbyteorder("="))


def write_idx(path: str | os.PathLike[str], array: Any) -> None:
    """Write an array in the IDX format, compressed if the name ends in ".gz"; atomically.

    Parameters
    ----------
    path : path-like
    array : array-like of uint8, int8, int16, int32, float32 or float64, of 1 to 255 dimensions

    Raises
    ------
    ValueError
        If the type or the shape has no place in the format.
    OSError
        If the file cannot be written.
    """
    values = np.asarray(array)
    codes = {np.dtype(t).newbyteorder("="): code for code, t in _IDX_TYPES.items()}
    code = codes.get(values.dtype.newbyteorder("="))
    if code is None:
        known = ", ".join(str(dtype) for dtype in codes)
        raise ValueError(f"IDX files hold {known}, not {values.dtype}")
    if values.ndim == 0 or any(n >= 2**32 for n in values.shape):
        raise ValueError(f"a shape of {values.shape} has no place in an IDX file")
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, code, values.ndim, *values.shape)
    # With nothing of the time in it: the same array, the same file.
    packer = zlib.compressobj(9, wbits=31) if os.fspath(path).endswith(".gz") else None
    with atomic_write(path, binary=True) as file:
        file.write(packer.compress(header) if packer else header)
        for part in parts(values, 2**18):
            data = values[part].astype(_IDX_TYPES[code]).tobytes()
            file.write(packer.compress(data) if packer else data)
        if packer:
            file.write(packer.flush())


def load_mnist(
    path: str | os.PathLike[str] | None = None, download: bool = False
) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any], npt.NDArray[np.float32], npt.NDArray[Any]]:
    """Load MNIST, the 70,000 handwritten digits of 28 x 28 pixels of LeCun, Cortes and Burges.

    Parameters
    ----------
    path : path-like, optional
        The folder with the four IDX files, each plain or with ".gz"; by default `$EXACTNET_DATA`,
        and without that the user's cache: ``exactnet/mnist`` in `$XDG_CACHE_HOME` or ``~/.cache``,
        on macOS in ``~/Library/Caches``.
    download : bool
        Fetch what is missing in the cache from `MIRRORS`: 11 MB, 55 MB when unpacked. A file is
        checked by its MD5 before it takes its name. Never done for a `path` or `$EXACTNET_DATA`.

    Returns
    -------
    X_train : ndarray of float32, (60000, 784)
        Pixels in [0, 1].
    y_train : ndarray of int64, (60000,)
        Labels from 0 to 9.
    X_test : ndarray of float32, (10000, 784)
    y_test : ndarray of int64, (10000,)

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ConnectionError
        If no mirror has a good copy of a file; with the reason of each. A mirror fails when it
        sends nothing for 15 seconds, takes more than 300 for a file, or sends something else.
    OSError
        If a file cannot be read or the cache not be written.
    ValueError
        If a file is damaged, or there are not as many labels as images.

    Examples
    --------
    >>> from exactnet.datasets import load_mnist
    >>> X_train, y_train, X_test, y_test = load_mnist(download=True)  # doctest: +SKIP
    """
    from pathlib import Path  # here, for `import exactnet` to be fast

    given = path if path is not None else os.environ.get("EXACTNET_DATA") or None
    folder = Path(given) if given is not None else _cache()
    missing = [name for name in _MNIST if not _path(folder, name).is_file()]
    if missing and given is None and download:
        _fetch_mnist(missing, folder)
    elif missing:
        advice = (
            "pass download=True to fetch it, or the folder that has it as path or in EXACTNET_DATA"
            if given is None
            else "a given folder is not downloaded into"
            if download
            else "the four IDX files of MNIST are needed"
        )
        raise FileNotFoundError(
            f"{folder} holds neither {missing[0]} nor {missing[0]}.gz: {advice}"
        )
    arrays: list[npt.NDArray[Any]] = []
    for prefix in ("train", "t10k"):
        images = read_idx(_path(folder, f"{prefix}-images-idx3-ubyte"))
        labels = read_idx(_path(folder, f"{prefix}-labels-idx1-ubyte"))
        if images.ndim != 3 or labels.ndim != 1 or {images.dtype, labels.dtype} != {_U1}:
            raise ValueError(f"{folder}: the {prefix} files are not images and labels")
        if len(images) != len(labels):
            raise ValueError(f"{folder}: {len(images)} {prefix} images but {len(labels)} labels")
        arrays += [unit_interval(images.reshape(len(images), -1)), labels.astype(np.int64)]
    return arrays[0], arrays[1], arrays[2], arrays[3]


def unit_interval(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return bytes as multiples of 1/255."""
    result = np.empty(pixels.shape, np.float32)
    for part in parts(result):
        np.divide(pixels[part], np.float32(255), out=result[part])
    return result


def _cache() -> Path:
    from pathlib import Path

    base = os.environ.get("XDG_CACHE_HOME", "")
    if sys.platform == "darwin":
        folder = Path.home() / "Library" / "Caches"
    elif os.path.isabs(base):  # the specification wants others ignored
        folder = Path(base)
    else:
        folder = Path.home() / ".cache"
    return folder / "exactnet" / "mnist"


def _fetch_mnist(names: list[str], folder: Path) -> None:
    from exactnet.base.download import fetch  # here, for `import exactnet` to be fast

    mirrors = list(MIRRORS)
    for name in names:
        data = fetch(mirrors, f"{name}.gz", *_MNIST[name])
        folder.mkdir(parents=True, exist_ok=True)
        # Under a name of its own until it is whole: other processes may do the same meanwhile.
        with atomic_write(folder / name, binary=True) as file:
            file.write(data)


def _path(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.is_file() else folder / f"{name}.gz"


def __dir__() -> list[str]:
    return sorted(__all__)
