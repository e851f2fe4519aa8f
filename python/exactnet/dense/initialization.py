"""Weights and biases to start from."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.activations import Activation, describe

Array: TypeAlias = npt.NDArray[Any]

INITS = ("normal", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "zeros")


def usual_init(activation: Activation) -> str:
    """Return what is meant by no init for a layer: what keeps the variance of its signals."""
    return "he_normal" if describe(activation)[0] in ("relu", "leaky_relu") else "glorot_normal"


def initial(generator: _core.Generator, init: str, n_in: int, n_out: int) -> tuple[Array, Array]:
    """Return weights (n_out, n_in) and biases of one layer, by an entry of INITS."""
    shape, n = (n_out, n_in), n_out * n_in
    biases = np.zeros(n_out)
    if init == "zeros":
        return np.zeros(shape), biases
    if init == "normal":
        weights = generator.normal(n, 1.0).reshape(shape)
        return weights, generator.normal(n_out, 1.0)
    kind, distribution = init.split("_")
    variance = 2 / (n_in + n_out) if kind == "glorot" else 2 / n_in
    if distribution == "normal":
        return generator.normal(n, math.sqrt(variance)).reshape(shape), biases
    return generator.uniform(n, math.sqrt(3 * variance)).reshape(shape), biases
