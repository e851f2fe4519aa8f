"""Training on standardised data, of a network that takes the data as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet.base.files import parts
from exactnet.dense.network import Network

Array: TypeAlias = npt.NDArray[Any]

# Columns of a mean or a standard deviation above the first, and data of less than the second in
# all, are far from what the usual initial weights and rates are for.
_LARGE, _SMALL = 2.0, 0.1


@dataclass(frozen=True)
class Standardization:
    """What maps every column to mean 0 and standard deviation 1; a constant one to 0.

    Attributes
    ----------
    mean, spread : ndarray (columns,) of float64
    """

    mean: Array
    spread: Array

    @classmethod
    def of(cls, matrix: Array) -> Standardization:
        """Return that of the columns of a matrix."""
        with np.errstate(over="ignore", invalid="ignore"):  # refused by the training
            mean = matrix.mean(axis=0, dtype=np.float64)
            # by itself a column of equal numbers may differ from its mean in the last bit
            constant = matrix.min(axis=0) == matrix.max(axis=0)
            spread = np.where(constant, 0.0, matrix.std(axis=0, dtype=np.float64))
        return cls(mean, spread)

    @property
    def scale(self) -> Array:
        """What the columns are divided by."""
        return np.where(self.spread > 0, self.spread, 1.0)

    @property
    def is_possible(self) -> bool:
        """Whether the columns are finite, and not too large for their squares to be."""
        return bool(np.isfinite(self.mean).all() and np.isfinite(self.spread).all())

    @property
    def is_needed(self) -> bool:
        """Whether a training on the columns as they are may diverge, or hardly move."""
        size = np.sqrt(np.mean(self.mean**2 + self.spread**2))
        return bool(
            (np.abs(self.mean) > _LARGE).any() or (self.spread > _LARGE).any() or size < _SMALL
        )

    def __call__(self, matrix: Array) -> Array:
        """Return the columns of another matrix, mapped."""
        result = np.empty(matrix.shape)
        for part in parts(result):
            result[part] = (matrix[part] - self.mean) / self.scale
        return result


def folded(
    network: Network, inputs: Standardization | None, outputs: Standardization | None
) -> Network:
    """Return what does on data as they are what a network does on mapped ones.

    The last layer must be linear where the outputs are mapped. The state of the training stays
    behind, for it is one on other columns.
    """
    weights = [w.astype(np.float64) for w in network.weights]
    biases = [b.astype(np.float64) for b in network.biases]
    if inputs is not None:
        weights[0] /= inputs.scale
        biases[0] -= weights[0] @ inputs.mean
    if outputs is not None:
        weights[-1] *= outputs.scale[:, None]
        biases[-1] = biases[-1] * outputs.scale + outputs.mean
    result = Network.from_arrays(
        [w.astype(network.dtype) for w in weights],
        [b.astype(network.dtype) for b in biases],
        network.activations,
    )
    result.classes = network.classes
    return result
