"""Training on all samples at once, by the L-BFGS of SciPy."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import optimize

from exactnet.dense.data import Data, sample_weights
from exactnet.dense.network import Network
from exactnet.dense.training import alone

Array: TypeAlias = npt.NDArray[Any]


def minimize(
    network: Network,
    X: Any,
    y: Any,
    weights: Array | None,
    *,
    loss: str,
    quantiles: Any,
    alpha: float,
    divisor: int,
    verbose: bool,
    **options: Any,
) -> tuple[optimize.OptimizeResult, list[float]]:
    """Train a network; return what SciPy says, and the loss after every iteration.

    The objective is the mean loss over the samples, weighted if there are `weights`, and
    ``alpha / 2`` times the sum of all squared weights over the number of samples, or over the sum
    of `weights`; in what is returned the mean loss is divided by `divisor`. `options` are those of
    SciPy's method. Whatever ends the training, the network has the parameters of the last
    iteration.
    """
    loss, levels = network._trainable(loss, quantiles)
    data = Data.of(network, X, y, loss=loss)
    data.samples.require_finite("X")
    total = float(len(data.samples))
    if weights is not None:
        weights = sample_weights(weights, data.samples)
        total = float(weights.sum(dtype=np.float64))
        weights = (weights * (len(weights) / total)).astype(network.dtype)
    last = math.inf
    losses: list[float] = []
    arrays = (*network.weights, *network.biases)
    reached = np.concatenate([array.ravel() for array in arrays], dtype=np.float64)
    ends = np.cumsum([array.size for array in arrays])
    n_weights = ends[len(network.weights) - 1]  # the biases have no penalty

    def write(parameters: Array) -> None:
        for array, part in zip(arrays, np.split(parameters, ends[:-1]), strict=True):
            array[...] = part.reshape(array.shape)

    def objective(parameters: Array) -> tuple[float, Array]:
        nonlocal last
        write(parameters)
        value, gradients = network._core.gradients(data.core, loss, levels, weights)
        kinds = zip(*gradients, strict=True)
        slope = np.concatenate([g.ravel() for kind in kinds for g in kind], dtype=np.float64)
        decayed = parameters[:n_weights]
        penalty = alpha / 2 * float(decayed @ decayed) / total
        last = value / divisor + penalty
        slope[:n_weights] += alpha / total * decayed
        return value + penalty, slope

    def after_iteration(parameters: Array) -> None:
        nonlocal reached
        reached = parameters.copy()
        losses.append(last)
        if verbose:
            print(f"Iteration {len(losses)}, loss = {last:.8f}")

    with alone(network):
        try:
            result = optimize.minimize(
                objective,
                reached,
                method="L-BFGS-B",
                jac=True,
                callback=after_iteration,
                options=options,
            )
            reached = result.x
            if not losses:
                objective(reached)
                losses.append(last)
        finally:
            write(reached)
    return result, losses
