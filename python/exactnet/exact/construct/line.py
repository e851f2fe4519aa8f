"""Constructions along a line: Theorems 3 and 4 of Inoue, and one hidden layer.

All see a point as one number t, the projection that the first layer computes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.progress import Progress
from exactnet.exact.network import ExactNetwork

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Line:
    """Points as numbers: t = row . x + constant for every point, all different.

    Attributes
    ----------
    row : ndarray of mpq, (features,)
    constant : mpq
    t : list of mpq, (points,)
    """

    row: Array
    constant: Any
    t: list[Any]

    def first_layer(self, breakpoints: list[Any], width: int) -> tuple[Array, Array]:
        """Return weights and biases of units ReLU(t - breakpoint), and unused ones up to width."""
        weights, biases = zeros(width, len(self.row)), zeros(width)
        for rows in _parts(len(breakpoints), len(self.row)):
            weights[rows] = self.row
        biases[: len(breakpoints)] = [self.constant - b for b in breakpoints]
        return weights, biases


def theorem4(
    line: Line,
    components: list[list[Any]],
    a1: int,
    a2: int,
    scale: str,
    n_threads: int,
    progress: Progress | None,
) -> ExactNetwork:
    """Construct a network of widths a1, a2 for a1 (a2 div m) + (a2 mod m) points, m outputs.

    The second layer is m groups of a2 div m units, each Theorem 3 for one component on the same
    blocks; each of the a2 mod m left-over units corrects one further point on the right of all.
    """
    m, n = len(components), len(line.t)
    depth = a2 // m
    order = in_order(line.t) if n > a1 * depth else list(range(n))
    inside, outside = order[: a1 * depth], order[a1 * depth :]
    groups = _core.construct_theorem3(
        [line.t[k] for k in inside],
        [[y[k] for k in inside] for y in components],
        a1,
        depth,
        scale,
        n_threads,
        progress,
    )
    breakpoints = groups[0][0]
    p = len(breakpoints)
    W1, b1 = line.first_layer(breakpoints, a1)
    W2, b2 = zeros(a2, a1), zeros(a2)
    W3, b3 = zeros(m, a2), zeros(m)
    for component, (_, weights, biases, output_weights, output_bias) in enumerate(groups):
        first, used = component * depth, len(biases)
        for j in range(used):
            W2[first + j, :p] = weights[j * p : (j + 1) * p]
        b2[first : first + used] = biases
        W3[component, first : first + used] = output_weights
        b3[component] = output_bias
    if outside:
        _add_tails(line, components, inside[-1], outside, breakpoints, m * depth, (W2, b2, W3, b3))
    return ExactNetwork([W1, W2, W3], [b1, b2, b3], ["relu", "relu", "linear"])


def _add_tails(
    line: Line,
    components: list[list[Any]],
    last: int,
    outside: list[int],
    breakpoints: list[Any],
    first_unit: int,
    layers: tuple[Array, Array, Array, Array],
) -> None:
    """Let one second-layer unit for each of the points `outside` correct what is there before.

    They lie on the right of all others in the order of t, the unit of point k is ReLU(t - the t
    before), and reads t from the first unit, which is active at all points.
    """
    W2, b2, W3, b3 = layers
    m, p = len(components), len(breakpoints)
    # There every first unit is t - breakpoint. The outputs are not taken from the evaluator, which
    # is to verify the network.
    kinks = W2[:first_unit, :p]
    inner = np.array([sum(row, gmpy2.mpq(0)) for row in kinks], dtype=object)
    shift = [b - sum(row * breakpoints) for row, b in zip(kinks, b2[:first_unit], strict=True)]
    outputs = [
        [sum(row, b) for row, b in zip(W3[:, :first_unit] * np.maximum(z, 0), b3, strict=True)]
        for z in (inner * line.t[k] + shift for k in outside)
    ]
    before = line.t[last]
    slopes = [gmpy2.mpq(0)] * m  # what the new units add at t is slopes t + shifts
    shifts = [gmpy2.mpq(0)] * m
    for unit, (k, values) in enumerate(zip(outside, outputs, strict=True), start=first_unit):
        t = line.t[k]
        W2[unit, 0] = gmpy2.mpq(1)
        b2[unit] = breakpoints[0] - before
        for component, y in enumerate(components):
            error = y[k] - values[component] - slopes[component] * t - shifts[component]
            weight = error / (t - before)
            W3[component, unit] = weight
            slopes[component] += weight
            shifts[component] -= weight * before
        before = t


def in_order(t: list[Any]) -> list[int]:
    """Return the indices that sort t.

    In short runs that are then merged in pairs: between them Ctrl-C is answered.
    """
    step = 2**14
    runs = [range(k, min(k + step, len(t))) for k in range(0, len(t), step)]
    orders = [sorted(run, key=t.__getitem__) for run in runs]
    while len(orders) > 1:
        orders = [
            sorted(itertools.chain(*orders[k : k + 2]), key=t.__getitem__)
            for k in range(0, len(orders), 2)
        ]
    return orders[0]


def predict_one_layer_bytes(line: Line, components: list[list[Any]], order: list[int]) -> int:
    """Predict the bytes of the digits of `one_layer` that a small number does not have.

    A weight is the difference of two slopes: its denominator has the digits of two gaps, its
    numerator those of the longer one, and both have those of three targets.
    """
    bits = before = 0
    for i, k in itertools.pairwise(order):
        gap = line.t[k] - line.t[i]
        here = gap.numerator.bit_length() + gap.denominator.bit_length()
        bits += len(components) * max(0, here + before + max(here, before) - 64)
        before = here
    for values in components:
        lengths = (v.numerator.bit_length() + v.denominator.bit_length() for v in values)
        bits += sum(max(0, 6 * b - 128) for b in lengths)
    return bits // 8


def one_layer(
    line: Line,
    components: list[list[Any]],
    order: list[int],
    width: int,
    a1: int | None = None,
) -> ExactNetwork:
    """Interpolate linearly along t: a unit for every point but the last, in order of t.

    Parameters
    ----------
    order : list of int
        Of the points along t.
    width : int
        Of the layer that interpolates, at least the number of points - 1.
    a1 : int, optional
        Width of a hidden layer before it, which hands t on.
    """
    n, m = len(line.t), len(components)
    t = [line.t[k] for k in order]
    last, last_bias = zeros(m, width), zeros(m)
    for component, values in enumerate(components):
        y = [values[k] for k in order]
        last_bias[component] = y[0]
        before = gmpy2.mpq(0)
        for k in range(n - 1):
            slope = (y[k + 1] - y[k]) / (t[k + 1] - t[k])
            last[component, k] = slope - before
            before = slope
    if a1 is None:
        first, bias = line.first_layer(t[:-1], width)
        return ExactNetwork([first, last], [bias, last_bias], ["relu", "linear"])
    start = t[0] - 1
    first, bias = line.first_layer([start], a1)
    middle, middle_bias = zeros(width, a1), zeros(width)
    middle[: n - 1, 0] = gmpy2.mpq(1)
    middle_bias[: n - 1] = [start - v for v in t[:-1]]
    return ExactNetwork(
        [first, middle, last], [bias, middle_bias, last_bias], ["relu", "relu", "linear"]
    )


def zeros(*shape: int) -> Array:
    """Return an array of mpq 0."""
    array = np.empty(shape, dtype=object)
    zero = gmpy2.mpq(0)
    for rows in _parts(shape[0], *shape[1:]):
        array[rows] = zero
    return array


def _parts(rows: int, columns: int = 1) -> Iterator[slice]:
    """Yield parts of a matrix that are filled in some milliseconds, so that Ctrl-C is answered."""
    step = max(1, 2**20 // columns)
    for begin in range(0, rows, step):
        yield slice(begin, min(begin + step, rows))
