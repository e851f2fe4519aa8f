"""Tables of decimals, from their digits and powers of ten."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from exactnet.base.files import parts
from exactnet.exact.data import SMALL, Table, check_column

_POWERS = 10 ** np.arange(19, dtype=np.int64)


def table_of_decimals(
    others: Mapping[int, Mapping[int, Any]],
    mantissas: npt.NDArray[np.int64],
    exponents: npt.NDArray[np.int16],
    highs: npt.NDArray[np.int64],
    name: str,
) -> Table:
    """Return the table of (highs * 10**18 + mantissas) * 10**exponents, all (rows, columns).

    It is what `as_points` makes of the same numbers: denominators are the least ones. `mantissas`
    is used for it, and may be written to.

    Parameters
    ----------
    others : {column: {row: int or mpq}}
        Numbers that stand in place of the decimals there.
    highs : ndarray
        Without columns if all are 0.
    name : str
        What errors call the table.
    """
    lowest = np.minimum(exponents.min(axis=0), 0)
    powers = [10 ** -int(low) for low in lowest]
    if others or highs.size or not _fit(mantissas, exponents, lowest):
        return _large(others, mantissas, exponents - lowest, highs, powers, name)
    if (exponents != lowest).any():
        for part in parts(mantissas):
            mantissas[part] *= _POWERS[exponents[part] - lowest]
    denominators = []
    for c, power in enumerate(powers):
        divisor = _common_divisor(mantissas[:, c], power)
        if divisor > 1:
            mantissas[:, c] //= divisor
        denominators.append(power // divisor)
    return Table(mantissas, denominators)


def _fit(
    mantissas: npt.NDArray[np.int64],
    exponents: npt.NDArray[np.int16],
    lowest: npt.NDArray[np.int16],
) -> bool:
    """Whether 64 bits hold the decimals in units of their columns' last place."""
    if lowest.min(initial=0) < -18:  # nor do they hold the unit then
        return False
    for part in parts(mantissas):
        up = exponents[part] - lowest
        if up.max() > 18 or (np.abs(mantissas[part]) * 10.0**up).max() > 0.99 * SMALL:
            return False
    return True


def _common_divisor(column: npt.NDArray[np.int64], divisor: int) -> int:
    """Return the greatest common divisor of the numbers and another."""
    while divisor > 1:
        rest = column % divisor
        off = np.flatnonzero(rest)[:1000]
        if not len(off):
            break
        divisor = math.gcd(divisor, *rest[off].tolist())
    return divisor


def _large(
    others: Mapping[int, Mapping[int, Any]],
    mantissas: npt.NDArray[np.int64],
    up: npt.NDArray[np.int16],
    highs: npt.NDArray[np.int64],
    powers: list[int],
    name: str,
) -> Table:
    numerators = np.empty(mantissas.shape, dtype=object)
    denominators = []
    before, small = 0, True
    for c, power in enumerate(powers):
        there = others.get(c, {})
        common = math.lcm(power, *{int(value.denominator) for value in there.values()})
        bits = common.bit_length() + (10 ** int(up[:, c].max())).bit_length() - power.bit_length()
        before = check_column(before, len(mantissas), bits, name, c, None)
        factors = {int(u): common // power * 10 ** int(u) for u in np.unique(up[:, c])}
        column = []
        for part in parts(mantissas):
            digits = mantissas[part, c].tolist()
            if highs.size:
                pairs = zip(highs[part, c].tolist(), digits, strict=True)
                digits = [h * 10**18 + m for h, m in pairs]
            column += [m * factors[u] for m, u in zip(digits, up[part, c].tolist(), strict=True)]
        for row, value in there.items():
            column[row] = int(value.numerator) * (common // int(value.denominator))
        divisor = common
        for part in parts(mantissas):
            divisor = math.gcd(divisor, *column[part])
            if divisor == 1:
                break
        else:
            column = [n // divisor for n in column]
        small = small and -SMALL < min(column) and max(column) < SMALL
        numerators[:, c] = column
        denominators.append(common // divisor)
    if small:
        integers = np.empty(numerators.shape, np.int64)
        for part in parts(numerators):
            integers[part] = numerators[part]
        return Table(integers, denominators)
    return Table(numerators, denominators)
