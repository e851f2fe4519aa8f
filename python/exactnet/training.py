"""The loop behind `Network.fit`."""

from __future__ import annotations

import math
import numbers
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet._checks import positive_integer, thread_count
from exactnet._progress import ProgressBar

if TYPE_CHECKING:
    from exactnet.network import Network

Array: TypeAlias = npt.NDArray[Any]
Callback: TypeAlias = Callable[["Network", int, "History"], None]
Rate: TypeAlias = float | Callable[[int], float]

OPTIMIZERS = ("sgd", "adam")

_TRAINERS: dict[str, Any] = {"float32": _core.DenseTrainer32, "float64": _core.DenseTrainer64}
# Epochs in one call of the core, when nobody wants to hear of every single one.
_EPOCHS_PER_CALL = 4096


class DivergenceError(ArithmeticError):
    """The loss of a training became infinite or not a number."""


class StopTraining(Exception):  # noqa: N818 - it is no error
    """What a callback raises to end a training in order: `fit` returns the history so far."""


@dataclass
class History:
    """What `Network.fit` recorded, one entry per epoch.

    Attributes
    ----------
    loss : list of float
        Mean loss over the training samples, each taken when its batch was trained, without penalty.
    val_loss : list of float
        Mean loss over the validation data, if there is any.
    val_accuracy : list of float
        Share of validation samples of the right class, if they have labels.
    seconds : list of float
        Time of training, without validation and callbacks.
    gradient_norms : list of list of float
        Of every layer's weights, the mean over the batches of the gradient's Euclidean norm, if
        asked for.
    """

    loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    gradient_norms: list[list[float]] = field(default_factory=list)


@dataclass
class OptimizerState:
    """What an optimiser remembers between batches; (weights, biases) of every layer."""

    first: list[tuple[Array, Array]]
    second: list[tuple[Array, Array]] | None = None
    steps: int = 0

    @property
    def kind(self) -> str:
        """Return "sgd" or "adam"."""
        return "sgd" if self.second is None else "adam"


class EarlyStopping:
    """A callback that ends a training when a recorded quantity no longer improves.

    The network then has the weights of the best epoch.

    Parameters
    ----------
    monitor : {"val_loss", "loss", "val_accuracy"}
    patience : int
        Epochs without improvement to wait for one.
    min_delta : float
        By how much a value must be better than the best so far to count as an improvement.

    Raises
    ------
    ValueError
        If an argument is out of range; from `fit`, if the quantity is not recorded.

    Examples
    --------
    >>> from exactnet import EarlyStopping, Network
    >>> from exactnet.datasets import load_digits
    >>> X, y, X_test, y_test = load_digits()
    >>> net = Network([64, 30, 10], seed=0)
    >>> stop = EarlyStopping("val_accuracy", patience=5)
    >>> history = net.fit(X, y, epochs=500, batch_size=10, learning_rate=3.0,
    ...                   validation_data=(X_test, y_test), callbacks=[stop])
    >>> len(history.loss) < 500, net.accuracy(X_test, y_test) == max(history.val_accuracy)
    (True, True)
    """

    def __init__(
        self, monitor: str = "val_loss", patience: int = 10, min_delta: float = 0.0
    ) -> None:
        choices = ("val_loss", "loss", "val_accuracy")
        if monitor not in choices:
            raise ValueError(
                f"monitor must be one of {', '.join(map(repr, choices))}, not {monitor!r}"
            )
        self.monitor = monitor
        self.patience = positive_integer(patience, "patience")
        _check_number(min_delta, "min_delta", "at least 0")
        self.min_delta = min_delta
        self.best_epoch: int | None = None
        self._best = math.inf
        self._arrays: list[Array] = []

    def __call__(self, network: Network, epoch: int, history: History) -> None:
        """Look at the last epoch."""
        values = getattr(history, self.monitor)
        if not values:
            raise ValueError(f"{self.monitor} is not recorded: pass validation_data with labels")
        if epoch == 0:
            self.best_epoch, self._best = None, math.inf
        value = -values[-1] if self.monitor == "val_accuracy" else values[-1]
        if self.best_epoch is None or value < self._best - self.min_delta:
            self.best_epoch, self._best = epoch, value
            self._arrays = [a.copy() for a in (*network.weights, *network.biases)]
        elif epoch - self.best_epoch >= self.patience:
            raise StopTraining

    def finish(self, network: Network) -> None:
        """Give the network its best weights; `fit` calls this at the end."""
        if self.best_epoch is not None:
            arrays = (*network.weights, *network.biases)
            for array, best in zip(arrays, self._arrays, strict=True):
                array[...] = best


class Checkpoint:
    """A callback that saves the network every so many epochs.

    A training goes on from the file as if it had never stopped.

    Parameters
    ----------
    path : path-like
        The file, which each time replaces the one before; atomically.
    every : int
        Epochs from one time to the next.

    Examples
    --------
    >>> import os, tempfile
    >>> from exactnet import Checkpoint, Network
    >>> X, y = [[0.0], [1.0]], [[1.0], [3.0]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.safetensors")
    ...     net = Network([1, 1], activations="linear", seed=0)
    ...     _ = net.fit(X, y, epochs=5, momentum=0.9, callbacks=[Checkpoint(path, every=5)])
    ...     resumed = Network.load(path)
    >>> _ = net.fit(X, y, epochs=5, momentum=0.9), resumed.fit(X, y, epochs=5, momentum=0.9)
    >>> bool((net.weights[0] == resumed.weights[0]).all())
    True
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 1) -> None:
        self.path = path
        self.every = positive_integer(every, "every")

    def __call__(self, network: Network, epoch: int, history: History) -> None:
        """Save after the last of `every` epochs."""
        if (epoch + 1) % self.every == 0:
            network.save(self.path)


def fit(
    network: Network,
    X: Any,
    y: Any,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: Rate,
    optimizer: str,
    momentum: float,
    nesterov: bool,
    betas: tuple[float, float],
    epsilon: float,
    loss: str,
    penalty: str | float | None,
    alpha: float,
    dropout: float | Sequence[float],
    clip_norm: float | None,
    sample_weight: Any,
    validation_data: tuple[Any, Any] | None,
    shuffle: bool,
    until: float | None,
    callbacks: Iterable[Callback],
    record_gradient_norms: bool,
    n_threads: int,
    verbose: bool,
    poll: Callable[[float], None] | None = None,
) -> History:
    """Do what `Network.fit` says.

    `poll` is called now and then; what it raises ends the training. `sweep` needs it, whose
    threads do not hear of Ctrl-C.
    """
    epochs = positive_integer(epochs, "epochs")
    batch_size = positive_integer(batch_size, "batch_size")
    n_threads = thread_count(n_threads)
    if optimizer not in OPTIMIZERS:
        known = ", ".join(map(repr, OPTIMIZERS))
        raise ValueError(f"optimizer must be one of {known}, not {optimizer!r}")
    _check_number(momentum, "momentum", "in [0, 1)")
    if optimizer == "adam" and momentum:
        raise ValueError("momentum is for sgd; adam has betas")
    for k, beta in enumerate(betas):
        _check_number(beta, f"betas[{k}]", "in [0, 1)")
    _check_number(epsilon, "epsilon", "positive")
    power = _power(penalty)
    _check_number(alpha, "alpha", "at least 0")
    rates_of_layers = _dropout(dropout, len(network.weights) - 1)
    if clip_norm is not None:
        _check_number(clip_norm, "clip_norm", "positive")
    if until is not None:
        _check_number(until, "until", "positive")
    if not callable(learning_rate):
        _check_number(learning_rate, "learning_rate", "positive")
    X = network._samples(X, finite=False)  # the trainer will look
    if len(X) >= 2**32:
        raise ValueError(f"X has {len(X)} samples; fewer than 2**32 are needed")
    network._check_trainable(loss)
    targets = network._targets(y, len(X))
    weights = None if sample_weight is None else _weights(network, sample_weight, len(X))
    validation = None
    if validation_data is not None:
        X_val = network._samples(validation_data[0], "validation X")
        validation = X_val, *network._targets(validation_data[1], len(X_val), "validation y")
    batch_size = min(batch_size, len(X))
    trainer = _TRAINERS[network.dtype.name](
        network._core,
        X,
        *targets,
        weights,
        batch_size,
        loss,
        min(n_threads, batch_size),
        optimizer,
        momentum,
        nesterov,
        (*betas, epsilon),
        clip_norm or 0.0,
        0.0 if power is None else alpha,
        power or 2.0,
        rates_of_layers,
        record_gradient_norms,
    )
    if not trainer.finite:
        network._samples(X)  # which says where
    state = network._state
    if state is not None and state.kind == optimizer and (optimizer == "adam" or momentum):
        trainer.set_state(state.first, state.second or [], state.steps)
    callbacks = list(callbacks)
    history = History()
    per_call = 1 if validation or callbacks or verbose else _EPOCHS_PER_CALL
    with ProgressBar("training") as bar:
        try:
            while len(history.loss) < epochs:
                epoch = len(history.loss)
                rates = _rates(learning_rate, epoch, min(per_call, epochs - epoch))
                progress = poll
                if verbose:
                    progress = lambda share, done=epoch: bar((done + share) / epochs)  # noqa: E731
                try:
                    losses, seconds, norms, finished = trainer.run(
                        rates, shuffle, network._generator, until or -1.0, progress
                    )
                finally:
                    first, second, steps = trainer.state()
                    network._state = first and OptimizerState(first, second, steps)
                history.loss += losses[:finished].tolist()
                history.seconds += seconds[:finished].tolist()
                history.gradient_norms += norms[:finished].tolist()
                reached = until is not None and finished > 0 and losses[finished - 1] < until
                if finished < len(rates) and not reached:
                    raise DivergenceError(
                        f"the loss is not finite in epoch {epoch + finished}; the weights are "
                        "those before it (a smaller learning_rate may help)"
                    )
                if validation is not None:
                    _validate(network, *validation, loss, history)
                if verbose:
                    bar.clear()
                    print(epoch_line(epoch, epochs, history), file=sys.stderr)
                for callback in callbacks:
                    callback(network, epoch, history)
                if reached:
                    break
        except StopTraining:
            pass
    for callback in callbacks:
        if hasattr(callback, "finish"):
            callback.finish(network)
    return history


def _rates(learning_rate: Rate, first: int, count: int) -> npt.NDArray[np.float64]:
    """Return the learning rates of some epochs."""
    if not callable(learning_rate):
        return np.full(count, float(learning_rate))
    rates = []
    for epoch in range(first, first + count):
        rate = learning_rate(epoch)
        _check_number(rate, f"learning_rate({epoch})", "positive")
        rates.append(float(rate))
    return np.array(rates)


def _power(penalty: str | float | None) -> float | None:
    if penalty is None or penalty in ("l1", "l2"):
        return None if penalty is None else float(str(penalty)[1])
    if isinstance(penalty, str):
        raise ValueError(f"penalty must be 'l1', 'l2', a positive number or None, not {penalty!r}")
    _check_number(penalty, "penalty", "positive")
    return float(penalty)


def _dropout(dropout: float | Sequence[float], n_hidden: int) -> list[float]:
    single = isinstance(dropout, numbers.Real)
    rates = [dropout] * n_hidden if single else list(dropout)  # type: ignore[arg-type]
    if len(rates) != n_hidden:
        raise ValueError(f"dropout has {len(rates)} rates for {n_hidden} hidden layers")
    for k, rate in enumerate(rates):
        name = "dropout" if single else f"dropout[{k}]"
        _check_number(rate, name, "in [0, 1)")
    if single and not n_hidden:
        _check_number(dropout, "dropout", "in [0, 1)")
    return [float(rate) for rate in rates]  # type: ignore[arg-type]


def _weights(network: Network, sample_weight: Any, n: int) -> Array:
    weights = network._converted(np.asarray(sample_weight))
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has shape {weights.shape} but X has {n} samples")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight must hold finite numbers, none below 0")
    return weights


def _validate(
    network: Network,
    X: npt.NDArray[Any],
    values: npt.NDArray[Any] | None,
    labels: npt.NDArray[Any] | None,
    loss: str,
    history: History,
) -> None:
    history.val_loss.append(network._core.loss(X, values, labels, loss))
    if labels is not None:
        classes = np.argmax(network._core.predict(X), axis=1)
        history.val_accuracy.append(float(np.mean(classes == labels)))


def epoch_line(epoch: int, epochs: int, history: History) -> str:
    """Return what `verbose` prints after an epoch."""
    parts = [f"epoch {epoch + 1}/{epochs}", f"loss {history.loss[-1]:.6g}"]
    if history.val_loss:
        parts.append(f"val_loss {history.val_loss[-1]:.6g}")
    if history.val_accuracy:
        parts.append(f"val_accuracy {history.val_accuracy[-1]:.4f}")
    return "  ".join([*parts, f"{history.seconds[-1]:.3f} s"])


_RANGES: dict[str, Callable[[Any], bool]] = {
    "positive": lambda value: value > 0,
    "at least 0": lambda value: value >= 0,
    "in [0, 1)": lambda value: 0 <= value < 1,
}


def _check_number(value: Any, name: str, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not _RANGES[what](value):
        raise ValueError(f"{name} must be {what}, not {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, not {value!r}")
