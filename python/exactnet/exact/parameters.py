"""Weights, biases and activations of an exact network, as plain data."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.labels import checked_classes, listed
from exactnet.exact.data import Data, Table
from exactnet.exact.rationals import to_mpqs

ACTIVATIONS = ("relu", "linear")


class Parameters(NamedTuple):
    """What an `ExactNetwork` holds, for all that works on networks without being one of its doors.

    Attributes
    ----------
    weights : list of ndarray of mpq, each (outputs, inputs)
    biases : list of ndarray of mpq, each (outputs,)
    activations : list of {"relu", "linear"}, one per layer
    classes : tuple of str, or None
    """

    weights: list[npt.NDArray[np.object_]]
    biases: list[npt.NDArray[np.object_]]
    activations: list[str]
    classes: tuple[str, ...] | None = None

    @property
    def layer_sizes(self) -> list[int]:
        """Number of inputs, of the units of every hidden layer, and of outputs."""
        return [self.weights[0].shape[1], *(w.shape[0] for w in self.weights)]

    def check(self) -> None:
        """Check what the attributes, which anyone may change, must fulfil together."""
        n = len(self.weights)
        if n == 0 or len(self.biases) != n or len(self.activations) != n:
            raise ValueError(
                "weights, biases and activations need one entry per layer, not "
                f"{n}, {len(self.biases)} and {len(self.activations)}"
            )
        inputs = self.weights[0].shape[1] if self.weights[0].ndim == 2 else 0
        for k, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            if w.ndim != 2 or w.shape[1] != inputs or b.shape != w.shape[:1] or 0 in w.shape:
                raise ValueError(
                    f"layer {k}: weights {w.shape} and biases {b.shape} do not fit "
                    f"each other or their {inputs} inputs"
                )
            inputs = w.shape[0]
        for activation in self.activations:
            if activation not in ACTIVATIONS:
                raise ValueError(
                    f"unknown activation {activation!r}: an exact network knows "
                    + " and ".join(ACTIVATIONS)
                )
        if self.classes is not None:
            checked_classes(self.classes, len(self.weights[-1]))

    def check_features(self, points: Table, name: str = "X") -> None:
        """Raise ValueError unless the network takes as many features."""
        n_features, expected = points.shape[1], self.weights[0].shape[1]
        if n_features != expected:
            columns = "" if points.labels is None else f" ({listed(points.labels)})"
            raise ValueError(
                f"{name} has {n_features} features{columns} but the network takes {expected}"
            )

    def data(self, X: Any, y: Any = None, names: tuple[str, str] = ("X", "y")) -> Data:
        """Convert points and targets, which may be names of its classes, for the network.

        Raises
        ------
        ValueError, TypeError
            As of `Data`; unless the network takes such points and has such outputs and classes.
        """
        n_outputs = len(self.weights[-1])
        classes = self.classes or ()
        data = Data(X, y, names, classes=classes, n_codes=len(classes) if n_outputs > 1 else None)
        self.check_features(data.points, names[0])
        given = data.targets.shape[1]
        if given != n_outputs:
            raise ValueError(f"{names[1]} has {given} outputs but the network has {n_outputs}")
        return data

    def copy(self) -> Parameters:
        """Return copies of the arrays, which others may write to."""
        weights, biases = ([a.copy() for a in arrays] for arrays in (self.weights, self.biases))
        return Parameters(weights, biases, list(self.activations), self.classes)

    def to_core(self) -> _core.ExactNetwork:
        """Return a copy of the parameters as the C++ core takes them."""
        self.check()
        network = _core.ExactNetwork()
        layers = zip(self.weights, self.biases, self.activations, strict=True)
        for k, (w, b, activation) in enumerate(layers):
            network.add_layer(
                to_mpqs(w.ravel().tolist(), f"weights[{k}]"),
                to_mpqs(b.tolist(), f"biases[{k}]"),
                activation,
            )
        return network
