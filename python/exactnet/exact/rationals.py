"""Real numbers as rationals, and rationals as floats."""

from __future__ import annotations

import math
import numbers
import sys
from collections import Counter
from typing import Any

import gmpy2
import numpy as np
import numpy.typing as npt

# Floats hold all integers up to these, and so all sums whose magnitudes add up to no more.
LIMITS = {"float32": 2**24, "float64": 2**53}

_MPQ = type(gmpy2.mpq(0))
_MPZ = type(gmpy2.mpz(0))


def to_ratio(value: Any, where: str, *index: int) -> tuple[int, int]:
    """Return numerator and denominator of a real number, exactly; `where % index` names it."""
    if isinstance(value, bool | np.bool_ | numbers.Integral):
        return int(value), 1
    if isinstance(value, numbers.Rational) or type(value) in (_MPQ, _MPZ):
        return int(value.numerator), int(value.denominator)
    if hasattr(value, "as_integer_ratio"):  # float, numpy floats, Decimal
        try:
            numerator, denominator = value.as_integer_ratio()
        except (OverflowError, ValueError):
            raise ValueError(
                f"{where % index} is {value}: only finite numbers are allowed"
            ) from None
        return int(numerator), int(denominator)
    if isinstance(value, str | bytes):
        raise TypeError(f"{where % index} is the string {value!r:.40}: numbers are needed")
    raise TypeError(f"{where % index} is of type {type(value).__name__}: real numbers are needed")


def to_mpq(value: Any, where: str, *index: int) -> Any:
    """Convert one real number to mpq exactly; `where % index` names it in errors."""
    return value if type(value) is _MPQ else gmpy2.mpq(*to_ratio(value, where, *index))


def to_mpqs(values: list[Any], where: str) -> list[Any]:
    """Convert real numbers to mpq exactly; the list itself if they are all."""
    if set(map(type, values)) <= {_MPQ}:
        return values
    return [to_mpq(value, where) for value in values]


def to_floats(values: npt.NDArray[np.object_], dtype: str = "float64") -> npt.NDArray[Any]:
    """Return the nearest float of every mpq; infinite beyond the range."""

    def nearest(value: Any) -> float:
        n, d = int(value.numerator), int(value.denominator)
        try:
            result = n / d  # the division of Python's integers rounds correctly
        except OverflowError:
            return math.inf if n > 0 else -math.inf
        if dtype == "float32":
            # The second rounding is that of the rational if the last bit of what it rounds says
            # that the first was inexact: of the two neighbours, take the one with an odd last bit.
            p, q = result.as_integer_ratio()
            error = n * q - p * d
            if error and not np.float64(result).view(np.int64) & 1:
                result = math.nextafter(result, math.inf if error > 0 else -math.inf)
        return result

    flat = [nearest(v) for v in values.ravel()]
    with np.errstate(over="ignore"):
        return np.array(flat, dtype=np.float64).astype(dtype).reshape(values.shape)


def object_array(values: list[Any]) -> npt.NDArray[np.object_]:
    """Return an array of one dimension, whatever the values are."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def float_parts(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (mantissa, exponent) of finite floats of any width: value = mantissa 2**exponent.

    From their bits, since arithmetic takes subnormal numbers for 0 where the process flushes them.
    """
    info = np.finfo(values.dtype)
    native = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    bits = native.view(f"i{native.itemsize}").astype(np.int64)
    sign_bit = 8 * native.itemsize - 1
    field = (bits >> info.nmant) & ((1 << (sign_bit - info.nmant)) - 1)
    mantissa = (bits & ((1 << info.nmant) - 1)) | (np.minimum(field, 1) << info.nmant)
    exponent = np.maximum(field, 1) + (int(info.minexp) - 1 - info.nmant)
    return np.where(bits < 0, -mantissa, mantissa), exponent


def trailing_zeros(integers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return how often 2 divides each; -1 for 0."""
    return np.frexp((integers & -integers).astype(np.float64))[1].astype(np.int64) - 1


def brief(value: Any) -> str:
    """Return an mpq as text that fits into a line: rounded, and as it is where it is short."""
    short = max(value.numerator.bit_length(), value.denominator.bit_length()) <= 128
    exact = str(value) if short else ""
    if short and len(exact) <= 12:
        return exact
    rounded = f"{gmpy2.mpfr(value):.3g}"
    return f"{rounded} = {exact}" if short else rounded


def sizes(array: npt.NDArray[np.object_]) -> tuple[int, int, int]:
    """Return the bits of the longest numerator or denominator, those of all, and about the memory.

    Networks have few different entries: equal ones are looked at once. Entries may also be one
    object, which takes its bytes once.
    """
    entries = array.ravel().tolist()
    largest = total = size = 0
    for entry, times in Counter(entries).items():
        value = to_mpq(entry, "a parameter")
        n, d = value.numerator.bit_length(), value.denominator.bit_length()
        largest = max(largest, n, d)
        total += times * (n + d)
        size += times * sys.getsizeof(entry)
    return largest, total, array.nbytes + size * len(set(map(id, entries))) // max(1, len(entries))
