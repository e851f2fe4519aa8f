"""Polynomials as networks of tanh or sigmoid units: the universal approximation theorem, built.

The k-th derivative of s(w t + c) with respect to w is t^k s^(k)(c) at w = 0, so that finite
differences of units in their weight w give every monomial of t, unless s is a polynomial (Leshno,
Lin, Pinkus and Schocken, "Multilayer feedforward networks with a nonpolynomial activation function
can approximate any function", 1993; the proof is for these s).

With m units of weights w_1, ..., w_m around 0 and Taylor coefficients s_k = s^(k)(c) / k!, a layer
of output weights v_j is sum_k t^k s_k sum_j v_j w_j^k. The v_j are chosen so that the terms below m
are those of a given polynomial. Two errors remain: the terms from m on, which shrink with the
weights w, and the rounding of the v_j and of the units, which grows as the weights shrink, because
the v_j become large and cancel. Where their sum is least is found by trying.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import gmpy2
import numpy as np

from exactnet.bridge.interpolation import Array, Built
from exactnet.dense.network import Network

# What is tried. The numbers are those for tanh; a sigmoid is a tanh of half its argument.
_DEGREES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 22, 24)
_EXTRA_UNITS = (0, 4, 8)  # more than the degree needs: so many unwanted terms are 0
_CENTRES = (0.5, 0.9, 1.2)  # c: at 0 half of the derivatives vanish
_SPREADS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6)  # the largest |w|; the series ends near pi / 2
_SCALES = {"tanh": 1.0, "sigmoid": 2.0}

_BITS = 192  # of the numbers here: what cancels is at most about 2^90 times the result
_GRID = 4096  # pieces of the grid of the check
_STRIDE = 16  # of its points, those at which candidates are compared


def construct(
    f: Callable[[float], float],
    low: float,
    high: float,
    tolerance: float,
    activation: str,
    max_units: int,
) -> Built:
    """Return the network of lowest degree within tolerance, or the best one there is."""
    x = np.linspace(low, high, _GRID + 1)
    y = np.array([f(v) for v in x.tolist()])
    t = np.linspace(-1, 1, _GRID + 1)
    polynomials = []
    if max_units < 2:
        raise ValueError(f"max_units must be 2 or more for {activation!r}, not {max_units}")
    for degree in _DEGREES:
        if degree + 1 > max_units:
            break
        nodes, coefficients = _polynomial(f, low, high, degree)
        with np.errstate(over="ignore", invalid="ignore"):
            error = np.abs(np.polynomial.polynomial.polyval(t, coefficients) - y).max()
        polynomials.append((float(error), nodes, coefficients))
    # those that suffice first, by degree; the others only to know what can be reached
    polynomials.sort(key=lambda p: (p[0] > tolerance, len(p[1])))
    best: Built | None = None
    for error, nodes, coefficients in polynomials:
        if best is not None and error > max(tolerance, best.error):
            continue
        for network in _candidates(coefficients, low, high, activation, max_units):
            off = _error(network, x[::_STRIDE], y[::_STRIDE])
            if off > tolerance and best is not None and off >= best.error:
                continue
            built = Built(network, _error(network, x, y), nodes)
            if built.error <= tolerance:
                return built
            if best is None or built.error < best.error:
                best = built
    if best is None or best.error == math.inf:
        raise ValueError("the values of f are too large for a float64 network")
    return best


def _error(network: Network, x: Array, y: Array) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        error = float(np.abs(network.predict(x[:, None])[:, 0] - y).max())
    return error if math.isfinite(error) else math.inf


def _polynomial(
    f: Callable[[float], float], low: float, high: float, degree: int
) -> tuple[Array, Array]:
    """Interpolate f in the Chebyshev points; coefficients of the powers of t in [-1, 1]."""
    middle, half = low / 2 + high / 2, high / 2 - low / 2
    t = np.polynomial.chebyshev.chebpts1(degree + 1)
    nodes = np.clip(middle + half * t, low, high)
    values = np.array([f(x) for x in nodes.tolist()])
    with np.errstate(over="ignore", invalid="ignore"):
        # The discrete orthogonality of Chebyshev's polynomials in these points.
        series = np.polynomial.chebyshev.chebvander(t, degree).T @ values * (2 / (degree + 1))
        series[0] /= 2
        powers = np.polynomial.chebyshev.cheb2poly(series)
    return nodes, np.pad(powers, (0, degree + 1 - len(powers)))


def _candidates(
    coefficients: Array, low: float, high: float, activation: str, max_units: int
) -> Iterator[Network]:
    scale = _SCALES[activation]
    for extra in _EXTRA_UNITS:
        n_units = len(coefficients) + extra
        if n_units > max_units:
            return
        for centre in _CENTRES:
            for spread in _SPREADS:
                # a step of few bits makes the weights multiples of it exactly
                step = float(np.float16(2 * spread * scale / (n_units - 1)))
                network = _network(coefficients, low, high, activation, n_units, centre, step)
                if network is not None:
                    yield network


def _network(
    coefficients: Array,
    low: float,
    high: float,
    activation: str,
    n_units: int,
    centre: float,
    step: float,
) -> Network | None:
    """Return the network of a polynomial, or None if its weights overflow."""
    centre *= _SCALES[activation]
    moments = []
    with gmpy2.context(precision=_BITS):
        taylor = _taylor(activation, centre, len(coefficients))
        for k, a in enumerate(coefficients.tolist()):
            # the constant is the bias of the output
            moments.append(gmpy2.mpfr(a) / (taylor[k] * gmpy2.mpfr(step) ** k) if k else 0)
        offsets, inverse = _stencil(n_units)
        outputs = [float(sum(a * b for a, b in zip(row, moments, strict=False))) for row in inverse]
        # t = (2 x - low - high) / (high - low)
        width = gmpy2.mpfr(high) - low
        middle = (gmpy2.mpfr(high) + low) / width
        inputs = [float(w * step * 2 / width) for w in offsets]
        biases = [float(centre - w * step * middle) for w in offsets]
    constant = float(coefficients[0])
    if not all(map(math.isfinite, (*outputs, *inputs, *biases, constant))):
        return None
    return Network.from_arrays(
        [np.array(inputs)[:, None], np.array([outputs])],
        [np.array(biases), np.array([constant])],
        [activation, "linear"],
    )


@lru_cache(maxsize=64)
def _taylor(activation: str, centre: float, n: int) -> tuple[Any, ...]:
    """Return s_0, ..., s_n in _BITS bits, from tanh' = 1 - tanh^2, sigmoid' = sigmoid - sigmoid^2.

    The caches hold numbers of the precision in which they are called: always _BITS.
    """
    z = gmpy2.mpfr(centre)
    series = [gmpy2.tanh(z) if activation == "tanh" else 1 / (1 + gmpy2.exp(-z))]
    for k in range(n):
        square = sum(series[i] * series[k - i] for i in range(k + 1))
        linear = (1 if k == 0 else 0) if activation == "tanh" else series[k]
        series.append((linear - square) / (k + 1))
    return tuple(series)


@lru_cache(maxsize=64)
def _stencil(n: int) -> tuple[list[Any], list[list[Any]]]:
    """Return n central offsets of distance 1 and the inverse of their Vandermonde matrix.

    Row j has the coefficients of Lagrange's polynomial that is 1 at offset j and 0 at the others;
    so sum_k row[k] m_k are weights whose moments sum_j v_j offset_j^k are m_k.
    """
    offsets = [gmpy2.mpfr(2 * j - (n - 1)) / 2 for j in range(n)]
    rows = []
    for j, here in enumerate(offsets):
        row = [gmpy2.mpfr(1)]
        for i, other in enumerate(offsets):
            if i != j:
                shifted, constant = [gmpy2.mpfr(0), *row], [*row, gmpy2.mpfr(0)]
                row = [
                    (a - other * b) / (here - other) for a, b in zip(shifted, constant, strict=True)
                ]
        rows.append(row)
    return offsets, rows
