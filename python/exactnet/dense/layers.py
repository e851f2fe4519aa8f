"""The layers of a network: their arrays, and what a training leaves with them."""

from __future__ import annotations

import math
import numbers
import os
import threading
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.activations import LAST, Activation, describe
from exactnet.base.checks import choice, entries, number, shown
from exactnet.base.files import parts
from exactnet.base.labels import Named
from exactnet.dense.history import History, OptimizerState

Array: TypeAlias = npt.NDArray[Any]

_CORE: dict[str, Any] = {"float32": _core.DenseNetwork32, "float64": _core.DenseNetwork64}
DTYPES = tuple(_CORE)
LOSSES = ("quadratic", "mse", "cross_entropy", "pinball", "poisson")
# What is meant by no loss after an activation, where it is not "quadratic".
_USUAL_LOSSES = {"softmax": "cross_entropy", "linear": "mse", "exp": "poisson"}
# Activations of a single output that tells one of two classes, or the only one.
_CLASS_OUTPUTS = ("sigmoid", "step", "softmax")


class Layers(Named):
    """What a network consists of; what it does is in `Network`."""

    _generator: _core.Generator

    def _set(
        self,
        weights: list[Array],
        biases: list[Array],
        activations: Activation | Sequence[Activation],
        dtype: npt.DTypeLike,
    ) -> None:
        """Take copies of the parameters, and empty the lists, which may be all that holds them."""
        check_shapes(weights, biases)
        n = len(weights)
        self._activations = per_layer(activations, n)
        described = [describe(a) for a in self._activations]
        self._dtype = np.dtype(dtype)
        self._arrays = {
            kind: [_owned(arrays.pop(0), self._dtype, f"{kind}[{k}]") for k in range(n)]
            for kind, arrays in (("weights", weights), ("biases", biases))
        }
        self._views = {
            kind: tuple(array.view() for array in arrays) for kind, arrays in self._arrays.items()
        }
        # what the optimiser leaves for the next `fit`
        self._state: OptimizerState | None = None
        self._epochs = 0
        self._history: History | None = None
        self._trainer: Any = None  # of a `fit` that has not handed these two over
        self._training = threading.Lock()  # held by `fit`
        self._core = self._first_layers(n)
        self._names = [name for name, _, _ in described]
        self._n_inputs = self._arrays["weights"][0].shape[1]
        self._n_outputs = len(self._arrays["biases"][-1])

    def _first_layers(self, n: int) -> Any:
        """Return the core's network of so many layers."""
        described = [describe(a) for a in self._activations[:n]]
        weights, biases = self._arrays["weights"][:n], self._arrays["biases"][:n]
        isa = os.environ.get("EXACTNET_ISA", "")
        return _CORE[self._dtype.name](weights, biases, described, isa)

    def _parameters(self, kind: str) -> tuple[Array, ...]:
        """Return the views of the parameters that are for everyone, always the same ones.

        What is done to a view in place, other than to its numbers, does not reach the network, and
        another one takes its place.
        """
        arrays, views = self._arrays[kind], self._views[kind]
        if any(
            (view.shape, view.strides, view.dtype) != (array.shape, array.strides, array.dtype)
            for view, array in zip(views, arrays, strict=True)
        ):
            views = self._views[kind] = tuple(array.view() for array in arrays)
        return views

    @property
    def weights(self) -> tuple[Array, ...]:
        """Matrices (outputs, inputs), one per layer."""
        return self._parameters("weights")

    @property
    def biases(self) -> tuple[Array, ...]:
        """Vectors (outputs,), one per layer."""
        return self._parameters("biases")

    @property
    def activations(self) -> tuple[Activation, ...]:
        """Names or objects, one per layer."""
        return self._activations

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the parameters: float32 or float64."""
        return self._dtype

    @property
    def layer_sizes(self) -> list[int]:
        """Number of inputs, of the units of every hidden layer, and of outputs."""
        matrices = self._arrays["weights"]
        return [matrices[0].shape[1], *(w.shape[0] for w in matrices)]

    @property
    def epochs_trained(self) -> int:
        """Epochs that `fit` has finished, in all calls; kept in files, pickles and copies.

        To go on with a training, pass it as ``initial_epoch``. After an exception such as Ctrl-C
        within an epoch, the weights may be some batches ahead.
        """
        return self._after_training()[1]

    @property
    def history(self) -> History | None:
        """What the last `fit` recorded, also one that an exception ended; not kept in files."""
        return self._history

    def _after_training(self) -> tuple[OptimizerState | None, int]:
        """Return the optimiser's state and the number of epochs that belong to the weights.

        The core keeps them with the weights: Ctrl-C may come before `fit` could take them over.
        """
        trainer = self._trainer
        if trainer is None or trainer.after is None:
            return self._state, self._epochs
        kind, first, second, steps, epochs = trainer.after
        return first and OptimizerState(kind, first, second, steps), self._epochs + epochs

    def _take_over(self, next_trainer: Any = None) -> None:
        """Take over what the last trainer has left; the next one will leave something later."""
        state, epochs = self._after_training()
        # at one go, for Ctrl-C
        self.__dict__.update(_state=state, _epochs=epochs, _trainer=next_trainer)

    def __getstate__(self) -> dict[str, Any]:
        state, epochs = self._after_training()
        return {
            **self._arrays,
            "activations": self._activations,
            "generator": self._generator.state,
            "state": state,
            "epochs": epochs,
            "classes": self._classes,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._generator = _core.Generator(state["generator"])
        # popped, for the lists may be all that holds the arrays
        weights, biases = list(state.pop("weights")), list(state.pop("biases"))
        self._set(weights, biases, state["activations"], weights[0].dtype)
        self._state, self._epochs = state["state"], state["epochs"]
        self.classes = state.get("classes")  # pickles of before have none

    @property
    def _classifies(self) -> bool:
        """Whether the outputs tell classes."""
        return self._tells_classes or self._classes is not None

    @property
    def _is_binary(self) -> bool:
        """Whether a single output tells one class from another."""
        return self._n_outputs == 1 and self._names[-1] in _CLASS_OUTPUTS

    @property
    def _tells_classes(self) -> bool:
        """Whether the core can tell the class from the outputs, rounding none of them."""
        return self._n_outputs > 1 or self._is_binary

    @property
    def _largest_decides(self) -> bool:
        """Whether the class is that of the largest output, and not whether one exceeds 1/2."""
        return self._n_outputs > 1 or self._names[-1] == "softmax"

    def _decided(self, outputs: Array) -> npt.NDArray[np.intp]:
        """Return the classes of outputs."""
        if self._largest_decides:
            classes: npt.NDArray[np.intp] = np.argmax(outputs, axis=1)
            return classes
        if self._is_binary:
            return (outputs[:, 0] > 0.5).astype(np.intp)
        last = len(self._classes or ()) - 1
        return np.clip(np.floor(outputs[:, 0] + 0.5), 0, last).astype(np.intp)

    def _check_classifies(self) -> None:
        if not self._classifies:
            raise ValueError(
                "classes need several outputs, or one of sigmoid or step; this network has one "
                f"of {self._names[-1]}"
            )

    def _objective(self, loss: str | None, quantiles: Any = None) -> tuple[str, list[float]]:
        """Return the loss that is meant, and a quantile for every output if it has them."""
        last = self._names[-1]
        if loss is None:
            loss = _USUAL_LOSSES.get(last, "quadratic")
        given = check_objective(loss, quantiles)
        if loss == "cross_entropy" and last not in ("softmax", "sigmoid"):
            raise ValueError(f"cross_entropy needs softmax or sigmoid outputs, not {last!r}")
        if loss == "poisson" and last != "exp":
            raise ValueError(f"poisson needs exp outputs, not {last!r}")
        if loss == "pinball" and len(given) != self._n_outputs:
            n = self._n_outputs
            what = f"{n} numbers, one for every output" if n > 1 else "one number, for one output"
            raise ValueError(f"quantiles must be {what}, not {shown(quantiles)}")
        return loss, given

    def _trainable(self, loss: str | None, quantiles: Any = None) -> tuple[str, list[float]]:
        """Return as `_objective`, if there is a gradient."""
        if "step" in self._names:
            raise ValueError("a network with a step activation cannot be trained")
        return self._objective(loss, quantiles)


def check_objective(loss: str | None, quantiles: Any) -> list[float]:
    """Check a loss, or None, and its quantiles for any network, and return these as a list."""
    if loss is not None:
        choice(loss, LOSSES, "loss")
    if loss != "pinball":
        if quantiles is not None:
            raise ValueError(f"quantiles={shown(quantiles)} is for loss='pinball'")
        return []
    if quantiles is None:
        return [0.5]
    if isinstance(quantiles, numbers.Real):
        quantiles = [quantiles]
    what = "a number in (0, 1), or one for every output"
    given = [
        number(q, f"quantiles[{k}]") for k, q in enumerate(entries(quantiles, "quantiles", what))
    ]
    if not given:
        raise ValueError(f"quantiles must be {what}, not {shown(quantiles)}")
    for k, q in enumerate(given):
        if not 0 < q < 1:
            raise ValueError(f"quantiles[{k}] must lie between 0 and 1, not {shown(q)}")
    return given


def per_layer(
    activations: Activation | Sequence[Activation], n_layers: int
) -> tuple[Activation, ...]:
    """Return the activation of every layer, checked."""
    if isinstance(activations, Sequence) and not isinstance(activations, str):
        what = "a name or an object for all layers, or one for each"
        each = tuple(entries(activations, "activations", what))
    else:
        each = (activations,) * n_layers
    if len(each) != n_layers:
        raise ValueError(
            f"activations has {len(each)} entr{'y' if len(each) == 1 else 'ies'} for {n_layers} "
            f"layer{'s' * (n_layers > 1)}: one per layer is needed, the output's too"
        )
    for name, _, _ in [describe(a) for a in each][:-1]:
        if name in LAST:
            raise ValueError(f"{name} is for the last layer only")
    return each


def check_shapes(weights: list[Array], biases: list[Array]) -> None:
    """Look whether arrays are those of layers, one on the other."""
    n = len(weights)
    if n == 0 or len(biases) != n:
        raise ValueError(f"there are {n} matrices of weights and {len(biases)} of biases")
    inputs = weights[0].shape[-1] if weights[0].ndim else 0
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        if w.ndim != 2 or w.shape[1] != inputs or b.shape != w.shape[:1] or w.size == 0:
            raise ValueError(
                f"layer {k}: weights {w.shape} and biases {b.shape} do not fit "
                f"each other or their {inputs} inputs"
            )
        inputs = w.shape[0]


def _owned(array: Array, dtype: np.dtype[Any], name: str) -> Array:
    """Copy an array, in another type maybe, into memory that nobody can resize under the core."""
    size = math.prod(array.shape) * dtype.itemsize
    copy: Array = np.frombuffer(bytearray(size), dtype).reshape(array.shape)
    for part in parts(copy):
        with np.errstate(over="ignore"):  # what becomes infinite is refused
            copy[part] = array[part]
        if not np.isfinite(copy[part]).all():
            raise ValueError(f"{name} holds numbers that are not finite")
    return copy
