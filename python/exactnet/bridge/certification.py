"""Proofs that float inference has no error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from exactnet.base.checks import choice
from exactnet.base.files import parts
from exactnet.base.progress import ProgressOption, reporting
from exactnet.base.tables import count
from exactnet.dense.network import Network
from exactnet.exact.data import Table, as_points
from exactnet.exact.network import ExactNetwork
from exactnet.exact.parameters import ACTIVATIONS
from exactnet.exact.rationals import LIMITS, float_parts, object_array, to_floats, trailing_zeros

Array = npt.NDArray[np.float64]
Bits = npt.NDArray[np.int64]

_EXACT = LIMITS["float64"]  # sums computed here are exact below this
_BLOCK = 2**18  # numbers that a part of the points and its sums take
_NO_BIT = 2**40  # beyond all exponents, also when added to one
_EXPONENTS = {"float32": (-126, 127), "float64": (-1022, 1023)}  # of normal numbers


@dataclass(frozen=True, repr=False)
class FloatCertificate:
    """What `certificate` found; true in a condition if it proves inference exact.

    Attributes
    ----------
    bound : int
        The largest sum of magnitudes, sum |w| |h| + |b|, over all units and points, in units of
        the last bit that occurs in it. Rounded above 2**53.
    limit : int
        2**24 or 2**53: floats hold all integers up to it.
    exact : bool
        Whether the bound lies below the limit and every number is 0 or normal, not subnormal and
        not beyond the range: inputs, parameters, products, sums and partial sums. Then no operation
        rounds, in whatever order, with or without fused multiply-add, and whether or not subnormal
        numbers are flushed to zero. Arithmetic of fewer bits, such as TF32, is another type.
    n_points : int
    """

    bound: int
    limit: int
    exact: bool
    n_points: int

    def __bool__(self) -> bool:
        return self.exact

    def __repr__(self) -> str:
        dtype = next(name for name, limit in LIMITS.items() if limit == self.limit)
        found = "exact" if self.exact else "not proven exact"
        powers = f"2**{math.log2(max(1, self.bound)):.1f} of 2**{math.log2(self.limit):.0f}"
        points = count(self.n_points, "point")
        return f"FloatCertificate({found} in {dtype}: sums up to {powers}, {points})"


def certificate(
    network: ExactNetwork | Network,
    X: Any,
    dtype: str = "float64",
    *,
    progress: ProgressOption = None,
) -> FloatCertificate:
    """Bound all sums of a network's evaluation, to prove that float inference is exact.

    If every number of a layer is a multiple of some power of two and the magnitudes of a sum's
    terms add up to less than 2**24 (2**53) such multiples, then float32 (float64) holds every
    partial sum, and no operation rounds. If that power of two is a normal number, none is
    subnormal, which some frameworks take for 0. The bound is computed from the parameters and the
    data alone, whoever made the network.

    Parameters
    ----------
    network : ExactNetwork or Network
        With activations "relu" and "linear".
    X : array-like (points, features), or Dataset
        The points for which inference is to be exact.
    dtype : {"float64", "float32"}
        The type of the inference.
    progress : callable or True, optional
        Called now and then with the finished share, from 0 to 1; True shows a bar.

    Returns
    -------
    FloatCertificate

    Raises
    ------
    ValueError
        If a parameter or an entry of X is no number of the type, such as 1/3 or, for float32,
        0.1; or an activation or shape does not fit.
    KeyboardInterrupt
        On Ctrl-C, within a fraction of a second.

    Examples
    --------
    >>> from exactnet import certificate, memorize
    >>> X, y = [[3], [1], [4], [1], [5]], [2, 7, 1, 7, 8]
    >>> net = memorize(X, y, construction="integer")
    >>> proof = certificate(net, X, "float32")
    >>> proof.exact, proof.bound < 2**24
    (True, True)
    """
    choice(dtype, tuple(LIMITS), "dtype")
    layers, activations, last_bits, normal = _parameters(network, dtype)
    table = _as_points(X)
    if table.shape[1] != layers[0][0].shape[1]:
        raise ValueError(
            f"X has {table.shape[1]} features but the network takes {layers[0][0].shape[1]}"
        )
    n, limit = table.shape[0], LIMITS[dtype]
    low, high = _EXPONENTS[dtype]
    bound = 0.0
    units, normal_inputs = _columns(table, dtype)
    normal = normal and normal_inputs
    sums = []
    for (W, b), (w_bits, b_bits) in zip(layers, last_bits, strict=True):
        # All terms of a unit's sum are multiples of 2**units of it. As long as the sum of their
        # magnitudes is below 2**53 multiples, the one computed here is exact, too.
        units = np.minimum((w_bits + units).min(axis=1), b_bits)
        sums.append(_Sums(W, b, units))
    widest = max(W.shape[0] + W.shape[1] for W, _ in layers)
    # few enough for caches, and for a product of matrices to end before Ctrl-C has to wait
    rows = max(1, min(_BLOCK // widest, 2**26 // max(W.size for W, _ in layers)))
    with reporting(progress, "certifying") as tell:
        for begin in range(0, n, rows):
            h, positive = _inputs(table, slice(begin, begin + rows)), False
            for k, (of, activation) in enumerate(zip(sums, activations, strict=True)):
                multiples, largest = of.largest(h if positive else np.abs(h), bound, 2.0**high)
                bound = max(bound, multiples)
                if multiples >= _EXACT or largest >= 2.0**high or (of.units < low).any():
                    return FloatCertificate(_rounded(bound), limit, exact=False, n_points=n)
                if k + 1 < len(sums):
                    positive = activation == "relu"
                    h = of.values(h, positive)
            if tell is not None:
                tell(min(1.0, (begin + rows) / n))
    return FloatCertificate(_rounded(bound), limit, exact=normal and bound < limit, n_points=n)


class _Sums:
    """The sums of a layer; units of equal weights, which constructions have, share products.

    `units` are the exponents of which each sum's terms are multiples.
    """

    def __init__(self, W: Array, b: Array, units: Bits) -> None:
        rows: dict[bytes, int] = {}
        self._row = np.array([rows.setdefault(row.tobytes(), len(rows)) for row in W])
        different = np.unique(self._row, return_index=True)[1]
        self._W, self._abs_W = W[different].T, np.abs(W[different]).T
        self._b, self._abs_b, self.units = b, np.abs(b), units

    def largest(self, magnitudes: Array, bound: float, too_large: float) -> tuple[float, float]:
        """Return the largest sum of magnitudes, in multiples of its unit and as it is.

        Sums that no point can bring beyond these limits are not computed: then either number is
        just one within its limit.
        """
        with np.errstate(over="ignore"):
            sums = (magnitudes.max(axis=0) @ self._abs_W)[self._row] + self._abs_b  # or less
            multiples = np.ldexp(sums, -self.units)
            beyond = (multiples > bound) | (sums >= too_large)
            if beyond.any():
                rows, place = np.unique(self._row[beyond], return_inverse=True)
                most = (magnitudes @ self._abs_W[:, rows]).max(axis=0)
                sums[beyond] = most[place] + self._abs_b[beyond]
                multiples = np.ldexp(sums, -self.units)
        return float(multiples[beyond].max(initial=0.0)), float(sums.max())

    def values(self, h: Array, relu: bool) -> Array:
        """Return the layer's outputs."""
        z: Array = h @ self._W
        if z.shape[1] < len(self._row):
            z = z[:, self._row]
        z += self._b
        return np.maximum(z, 0, out=z) if relu else z


def _rounded(bound: float) -> int:
    return int(bound) if math.isfinite(bound) else 2**1024


def _parameters(
    network: ExactNetwork | Network, dtype: str
) -> tuple[list[tuple[Array, Array]], list[str], list[tuple[Bits, Bits]], bool]:
    """Return weights and biases, activations, last bits, and whether no parameter is subnormal."""
    layers: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]
    if isinstance(network, Network):
        activations = list(network._names)
        for name in activations:
            if name not in ACTIVATIONS:
                raise ValueError(f"the network has {name!r}, which has no exact counterpart")
        pairs = zip(network.weights, network.biases, strict=True)
        layers = [(W.copy(), b.copy()) for W, b in pairs]  # read twice, while others may write
    elif isinstance(network, ExactNetwork):
        parameters = network._parameters()
        parameters.check()
        activations = list(parameters.activations)
        layers = []
        for k, (W, b) in enumerate(zip(parameters.weights, parameters.biases, strict=True)):
            layers.append((_as_floats(W, f"weights[{k}]"), _as_floats(b, f"biases[{k}]")))
    else:
        raise TypeError(
            f"network must be an ExactNetwork or a Network, not {type(network).__name__}"
        )
    last_bits, normal = [], True
    for k, layer in enumerate(layers):
        bits = []
        for name, values in zip(("weights", "biases"), layer, strict=True):
            if not np.isfinite(values).all():
                raise ValueError(f"{name}[{k}] holds numbers that are not finite")
            mantissas, exponents = float_parts(values)
            first, last = _bits(mantissas, exponents)
            wrong, subnormal = _outside(first, last, dtype)
            if wrong.any():
                raise ValueError(f"{name}[{k}] holds {values[wrong][0]!r}, which is no {dtype}")
            normal = normal and not subnormal
            bits.append(last)
        last_bits.append((bits[0], bits[1]))
    copies = [(W.astype(np.float64), b.astype(np.float64)) for W, b in layers]
    return copies, activations, last_bits, normal


def _as_points(X: Any) -> Table:
    """Return points as the function of this name does, but pixels in the memory they take."""
    if type(X) is np.ndarray and X.dtype.kind == "u" and X.itemsize <= 4 and X.ndim == 2 and X.size:
        return Table(X.copy(), [1] * X.shape[1])
    return as_points(X)


def _as_floats(array: npt.NDArray[Any], name: str) -> Array:
    """Return an array of mpq as float64; ValueError if one is none."""
    rows: dict[bytes, int] = {}  # by the objects in them, of which constructions have few
    matrix = array.reshape(len(array), -1)
    place = [rows.setdefault(row.tobytes(), len(rows)) for row in matrix]
    cells = matrix[np.unique(place, return_index=True)[1]].ravel().tolist()
    keys = list(map(id, cells))
    exact = dict(zip(keys, cells, strict=True))
    try:
        floats = list(map(float, exact.values()))
        same = list(map(int, floats)) == list(exact.values())
    except OverflowError:
        same = False
    if not same:  # not all are integers
        floats = to_floats(object_array(list(exact.values()))).tolist()
        for value, number in zip(floats, exact.values(), strict=True):
            ratio = number.numerator, number.denominator
            if not math.isfinite(value) or value.as_integer_ratio() != ratio:
                raise ValueError(f"{name} holds {number!s:.60}, which is no float64")
    float_of = dict(zip(exact, floats, strict=True))
    different = np.array(list(map(float_of.__getitem__, keys)))
    return np.asarray(different.reshape(len(rows), -1)[place].reshape(array.shape))


def _columns(table: Table, dtype: str) -> tuple[Bits, bool]:
    """Return the last bit that occurs in every column, and whether all numbers are 0 or normal.

    ValueError if one is no float of the type.
    """
    units = np.full(table.shape[1], _NO_BIT)
    normal = True
    unions = np.zeros(table.shape[1], dtype=table.numerators.dtype)
    for part in parts(table.numerators):
        unions |= np.bitwise_or.reduce(np.abs(table.numerators[part]), axis=0)
    for c, (denominator, union) in enumerate(zip(table.denominators, unions.tolist(), strict=True)):
        column, power = table.numerators[:, c], denominator.bit_length() - 1
        if not union:
            continue
        units[c] = (union & -union).bit_length() - 1 - power
        # as wide as the type: then so is every number; else each is looked at
        ends = np.array([union.bit_length() - 1 - power]), units[c : c + 1]
        wrong, subnormal = _outside(*ends, dtype)
        if wrong.any() or subnormal or units[c] < _EXPONENTS[dtype][0]:
            if column.dtype == object:
                numbers = [int(n) for n in column if n]
                first = np.array([n.bit_length() - 1 - power for n in numbers])
                last = np.array([(n & -n).bit_length() - 1 - power for n in numbers])
            else:
                first, last = _bits(column, -power)
            wrong, subnormal = _outside(first, last, dtype)
        if wrong.any() or denominator & (denominator - 1):
            raise ValueError(f"column {c} of X holds numbers that are no {dtype}")
        normal = normal and not subnormal
    return units, normal


def _inputs(table: Table, rows: slice) -> Array:
    """Return points as the float64 that `_columns` found them to be."""
    numerators = table.numerators[rows]
    result: Array
    if numerators.dtype == object:
        columns = zip(numerators.T.tolist(), table.denominators, strict=True)
        result = np.array([[n / d for n in column] for column, d in columns]).T
    else:
        powers = np.array([d.bit_length() - 1 for d in table.denominators])
        result = numerators.astype(np.float64)
        if powers.any():
            result = np.ldexp(result, -powers)
    return result


def _bits(integers: npt.NDArray[np.int64], exponents: Bits | int) -> tuple[Bits, Bits]:
    """Return the exponents of the first and the last bit of integers 2**exponents; of 0 _NO_BIT."""
    first = np.frexp(np.abs(integers).astype(np.float64))[1] - 1 + exponents
    last = trailing_zeros(integers) + exponents
    return np.where(integers == 0, _NO_BIT, first), np.where(integers == 0, _NO_BIT, last)


def _outside(first: Bits, last: Bits, dtype: str) -> tuple[npt.NDArray[np.bool_], bool]:
    """Return which numbers of such bits are none of the type, and whether one is subnormal."""
    digits = LIMITS[dtype].bit_length() - 1
    low, high = _EXPONENTS[dtype]
    used = first != _NO_BIT
    wrong = used & ((first - last >= digits) | (last <= low - digits) | (first > high))
    return wrong, bool((used & (first < low)).any())
