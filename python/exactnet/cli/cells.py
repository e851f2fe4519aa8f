"""Cells of CSV: what is a number, and which."""

from __future__ import annotations

import math
import re
from typing import Any

_RATIO = re.compile(r"[+-]?[0-9]+/[0-9]+", re.ASCII)
_DECIMAL = re.compile(
    r"(?P<whole>[+-]?[0-9]*)(\.(?P<part>[0-9]*))?([eE](?P<exponent>[+-]?[0-9]+))?", re.ASCII
)
_DIGIT = re.compile(r"[+-]?\.?[0-9]", re.ASCII)  # "." and "-" alone are no decimals
_MAX_EXPONENT = 400  # that of float64, and some more
_MISSING = ("", "?", "na", "n/a", "#n/a", "nan", "null")  # in any case


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return cell.lower() in _MISSING


def is_number(cell: str, decimal: str = ".") -> bool:
    """Whether a cell is a decimal or a fraction p/q."""
    cell = with_point(cell, decimal)
    return bool(_RATIO.fullmatch(cell) or (_DECIMAL.fullmatch(cell) and _DIGIT.match(cell)))


def with_point(cell: str, decimal: str) -> str:
    """Return a number with a decimal point; what has a point already is none then."""
    if decimal == ".":
        return cell
    return "" if "." in cell else cell.replace(",", ".")


def exact_number(cell: str) -> Any:
    """Return (mantissa, power of ten) of a decimal that 64 bits hold, or an int or mpq.

    None if it is no number. A ValueError says what is wrong with one.
    """
    import gmpy2  # here, for files of floats can do without it

    match = _DECIMAL.fullmatch(cell)
    if match is None or not _DIGIT.match(cell):
        if not _RATIO.fullmatch(cell):
            return None
        try:
            return gmpy2.mpq(cell.removeprefix("+"))
        except ZeroDivisionError:
            raise ValueError("divides by 0") from None
    exponent, part = match["exponent"] or "0", match["part"] or ""
    size = exponent.lstrip("+-0") or "0"
    if len(size) > 3 or int(size) > _MAX_EXPONENT:
        raise ValueError("has too large an exponent")
    power = (-int(size) if exponent[0] == "-" else int(size)) - len(part)
    digits = match["whole"] + part
    if len(digits) <= 18:
        return int(digits), power if int(digits) else 0
    mantissa = gmpy2.mpz(digits.removeprefix("+"))  # which has no limit on digits
    return gmpy2.mpq(mantissa * 10 ** max(power, 0), gmpy2.mpz(10) ** max(-power, 0))


def to_float(cell: str) -> float | None:
    """Return the float nearest to a decimal or p/q, likewise."""
    if _DECIMAL.fullmatch(cell) and _DIGIT.match(cell):  # float() also takes nan and 1_0
        value = float(cell)
        if math.isfinite(value):
            return value
    else:
        ratio = exact_number(cell)
        if ratio is None:
            return None
        try:
            return int(ratio.numerator) / int(ratio.denominator)  # rounds correctly
        except OverflowError:
            pass
    raise ValueError("is too large for a float")
