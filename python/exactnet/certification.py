"""Proofs that float inference has no error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from exactnet._integer import LIMITS
from exactnet._tables import Progress, Table, as_points
from exactnet.exact_network import ExactNetwork, to_floats
from exactnet.network import Network

Array = npt.NDArray[np.float64]

_EXACT = LIMITS["float64"]  # sums computed here are exact below this
_NO_BIT = 10_000  # beyond all exponents, also when added to one
_EXPONENTS = {"float32": (-126, 127), "float64": (-1022, 1023)}  # of normal numbers


@dataclass(frozen=True)
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
        Whether the bound lies below the limit and all exponents in the type's range: then no sum,
        partial sum or product is ever rounded, in whatever order and with or without fused
        multiply-add.
    n_points : int
    """

    bound: int
    limit: int
    exact: bool
    n_points: int

    def __bool__(self) -> bool:
        return self.exact


def certificate(
    network: ExactNetwork | Network,
    X: Any,
    dtype: str = "float64",
    *,
    progress: Progress | None = None,
) -> FloatCertificate:
    """Bound all sums of a network's evaluation, to prove that float inference is exact.

    If every number of a layer is a multiple of some power of two and the magnitudes of a sum's
    terms add up to less than 2**24 (2**53) such multiples, then float32 (float64) holds every
    partial sum, and no operation rounds. The bound is computed from the parameters and the data
    alone, whoever made the network.

    Parameters
    ----------
    network : ExactNetwork or Network
        With activations "relu" and "linear".
    X : array-like (points, features)
        The points for which inference is to be exact.
    dtype : {"float64", "float32"}
        The type of the inference.
    progress : callable, optional
        Called now and then with the finished share, from 0 to 1.

    Returns
    -------
    FloatCertificate

    Raises
    ------
    ValueError
        If a parameter or an entry of X is no number of the type, such as 1/3 or, for float32,
        0.1; or an activation or shape does not fit.

    Examples
    --------
    >>> from exactnet import certificate, memorize
    >>> X, y = [[3], [1], [4], [1], [5]], [2, 7, 1, 7, 8]
    >>> net = memorize(X, y, construction="integer")
    >>> proof = certificate(net, X, "float32")
    >>> proof.exact, proof.bound < 2**24
    (True, True)
    """
    if dtype not in LIMITS:
        known = ", ".join(map(repr, LIMITS))
        raise ValueError(f"dtype must be one of {known}, not {dtype!r}")
    layers, activations = _parameters(network, dtype)
    table = as_points(X)
    if table.shape[1] != layers[0][0].shape[1]:
        raise ValueError(
            f"X has {table.shape[1]} features but the network takes {layers[0][0].shape[1]}"
        )
    n, limit = table.shape[0], LIMITS[dtype]
    low, high = _EXPONENTS[dtype]
    bound = 0.0
    # The last bits that occur in a layer: of every weight, of the biases, of the inputs.
    last_bits = [(_last_bits(W), _last_bits(b)) for W, b in layers]
    input_units = _units(table)
    rows = max(1, 2**20 // max(W.shape[0] + W.shape[1] for W, _ in layers))
    for begin in range(0, n, rows):
        part = table.rows(np.arange(begin, min(n, begin + rows)))
        h, units = _inputs(part, dtype), input_units
        for (W, b), (w_bits, b_bits), activation in zip(
            layers, last_bits, activations, strict=True
        ):
            # All terms of a unit's sum are multiples of 2**units of it. As long as the sum of
            # their magnitudes is below 2**53 multiples, the one computed here is exact, too.
            units = np.minimum((w_bits + units).min(axis=1), b_bits)
            with np.errstate(over="ignore"):
                sums = (np.abs(h) @ np.abs(W).T + np.abs(b)).max(axis=0)
                multiples = float(np.ldexp(sums, -units).max())
            bound = max(bound, multiples)
            used = units < _NO_BIT // 2
            in_range = (units[used] >= low).all() and (sums < 2.0**high).all()
            if multiples >= _EXACT or not in_range:
                return FloatCertificate(_rounded(bound), limit, exact=False, n_points=n)
            h = h @ W.T + b
            if activation == "relu":
                h = np.maximum(h, 0)
        if progress is not None:
            progress(min(1.0, (begin + rows) / n))
    return FloatCertificate(_rounded(bound), limit, exact=bound < limit, n_points=n)


def _rounded(bound: float) -> int:
    return int(bound) if math.isfinite(bound) else 2**1024


def _parameters(
    network: ExactNetwork | Network, dtype: str
) -> tuple[list[tuple[Array, Array]], list[str]]:
    if isinstance(network, Network):
        activations = network.to_exact().activations  # which refuses others
        pairs = zip(network.weights, network.biases, strict=True)
        layers = [(W.astype(np.float64), b.astype(np.float64)) for W, b in pairs]
    elif isinstance(network, ExactNetwork):
        network._check()
        activations = network.activations
        layers = []
        for k, (W, b) in enumerate(zip(network.weights, network.biases, strict=True)):
            floats = []
            for name, array in (("weights", W), ("biases", b)):
                values = to_floats(array)
                for value, exact in zip(values.ravel().tolist(), array.ravel(), strict=True):
                    if not math.isfinite(value) or value != exact:
                        raise ValueError(f"{name}[{k}] holds {exact!s:.60}, which is no float64")
                floats.append(values)
            layers.append((floats[0], floats[1]))
    else:
        raise TypeError(
            f"network must be an ExactNetwork or a Network, not {type(network).__name__}"
        )
    for k, layer in enumerate(layers):
        for name, values in zip(("weights", "biases"), layer, strict=True):
            _check_type(values, dtype, f"{name}[{k}]")
    return layers, list(activations)


def _units(table: Table) -> npt.NDArray[np.int64]:
    """Return the exponent of the last bit that occurs in every column."""
    units = np.full(table.shape[1], _NO_BIT)
    for c, denominator in enumerate(table.denominators):
        column = table.numerators[:, c]
        bits = int(np.bitwise_or.reduce(column))
        if bits:
            units[c] = (bits & -bits).bit_length() - denominator.bit_length()
    return units


def _inputs(table: Table, dtype: str) -> Array:
    """Return the points as floats, which they must be exactly."""
    numerators = table.numerators
    if numerators.dtype == object:
        columns = zip(numerators.T.tolist(), table.denominators, strict=True)
        result: Array = np.array([[_nearest(n, d) for n in column] for column, d in columns]).T
        exact = np.array(
            [
                [math.isfinite(x) and x.as_integer_ratio() == _lowest(n, d) for x, n in pairs]
                for pairs, d in zip(
                    (zip(r, c, strict=True) for r, c in zip(result.T, numerators.T, strict=True)),
                    table.denominators,
                    strict=True,
                )
            ]
        ).T
    else:
        powers = np.array([d.bit_length() - 1 for d in table.denominators])
        values = numerators.astype(np.float64)
        result = np.ldexp(values, -powers)
        dyadic = np.array([d & (d - 1) == 0 for d in table.denominators])
        exact = (values.astype(np.int64) == numerators) & dyadic
    for c in np.flatnonzero(~exact.all(axis=0)):
        raise ValueError(f"column {c} of X holds numbers that are no {dtype}")
    _check_type(result, dtype, "X")
    return result


def _nearest(n: int, d: int) -> float:
    try:
        return n / d  # the division of Python's integers rounds correctly
    except OverflowError:
        return math.inf


def _lowest(n: int, d: int) -> tuple[int, int]:
    common = math.gcd(n, d)
    return n // common, d // common


def _check_type(values: Array, dtype: str, name: str) -> None:
    if dtype == "float32":
        with np.errstate(over="ignore"):
            wrong = values.astype(np.float32) != values
        if wrong.any():
            raise ValueError(f"{name} holds {values[wrong][0]!r}, which is no float32")


def _last_bits(values: Array) -> npt.NDArray[np.int64]:
    """Return for every number the exponent of its last bit; a great one for 0."""
    fractions, exponents = np.frexp(values)
    mantissas = (fractions * 2.0**53).astype(np.int64)
    lowest = np.frexp((mantissas & -mantissas).astype(np.float64))[1] - 1
    result: npt.NDArray[np.int64] = np.where(
        values == 0, _NO_BIT, exponents.astype(np.int64) - 53 + lowest
    )
    return result
