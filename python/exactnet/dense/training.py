"""The loop behind `Network.fit`."""

from __future__ import annotations

import math
import numbers
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.checks import (
    choice,
    entries,
    flag,
    is_integer,
    number,
    positive_integer,
    real_array,
    shown,
    thread_count,
)
from exactnet.base.progress import ProgressBar

if TYPE_CHECKING:
    from exactnet.dense.network import Network

Array: TypeAlias = npt.NDArray[Any]
Callback: TypeAlias = Callable[["Network", int, "History"], None]
Rate: TypeAlias = float | Callable[[int], float]

OPTIMIZERS = ("sgd", "adam")

_TRAINERS: dict[str, Any] = {"float32": _core.DenseTrainer32, "float64": _core.DenseTrainer64}
# Epochs in one call of the core, when nobody wants to hear of every single one.
_EPOCHS_PER_CALL = 4096


class DivergenceError(ArithmeticError):
    """The loss of a training, or a parameter, became infinite or not a number."""


class StopTraining(Exception):  # noqa: N818 - it is no error
    """What a callback raises to end a training in order: `fit` returns the history so far.

    The other callbacks still hear of the epoch.
    """


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
        Share of validation samples of the right class, if their targets are labels, one-hot rows,
        or 0 and 1 for a single sigmoid.
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

    If no exception ended it, the network then has the weights of the best epoch; after one,
    ``finish(network)`` gives it those. If the next
    `fit` continues it, with ``initial_epoch`` the number of epochs seen, the network gets its last
    weights back and the object goes on counting, also as a pickle; a training that it has ended
    stays so. Otherwise it starts anew.

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
    DivergenceError
        From `fit`, if the quantity is infinite or not a number; the weights are then the best.

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
        choice(monitor, ("val_loss", "loss", "val_accuracy"), "monitor")
        self.monitor = monitor
        self.patience = positive_integer(patience, "patience")
        self.min_delta = number(min_delta, "min_delta", "at least 0")
        self.best_epoch: int | None = None
        self._best = math.inf
        self._best_arrays: list[Array] = []
        self._last_arrays: list[Array] = []  # where the training was when it got the best ones
        self._next = 0  # the epoch that continues those seen
        self._stopped = False

    def begin(self, network: Network, epoch: int) -> None:
        """Give the network its last weights back if the training goes on; `fit` calls this."""
        arrays = (*network.weights, *network.biases)
        # not if someone has changed the weights since
        if epoch == self._next and all(map(np.array_equal, arrays, self._best_arrays)):
            _write(arrays, self._last_arrays)
        self._last_arrays = []
        if epoch == self._next and self._stopped:
            raise StopTraining

    def __call__(self, network: Network, epoch: int, history: History) -> None:
        """Look at the last epoch."""
        values = getattr(history, self.monitor)
        if not values:
            raise ValueError(
                f"{self.monitor} is not recorded: pass validation_data, with classes for "
                "val_accuracy"
            )
        if epoch != self._next:
            self.best_epoch, self._best, self._stopped = None, math.inf, False
        self._next = epoch + 1
        if not math.isfinite(values[-1]):
            self.finish(network)
            of = f"epoch {epoch}" if self.best_epoch is None else f"epoch {self.best_epoch}"
            raise DivergenceError(
                f"{self.monitor} is {values[-1]} in epoch {epoch}; the weights are those of {of} "
                "(a smaller learning_rate may help)"
            )
        value = -values[-1] if self.monitor == "val_accuracy" else values[-1]
        if self.best_epoch is None or value < self._best - self.min_delta:
            self.best_epoch, self._best = epoch, value
            self._best_arrays = copies(network)
        elif epoch - self.best_epoch >= self.patience:
            self._stopped = True
            raise StopTraining

    def finish(self, network: Network) -> None:
        """Give the network its best weights; `fit` calls this at the end."""
        if self.best_epoch is not None and self.best_epoch + 1 != self._next:
            self._last_arrays = copies(network)
            _write((*network.weights, *network.biases), self._best_arrays)


def copies(network: Network) -> list[Array]:
    """Return copies of all parameters."""
    return [array.copy() for array in (*network.weights, *network.biases)]


def _write(arrays: Iterable[Array], values: list[Array]) -> None:
    """Write values, if there are any, into the parameters of a network."""
    for array, value in zip(arrays, values, strict=False):
        array[...] = value


class Checkpoint:
    """A callback that saves the network every so many epochs.

    A training goes on from the file as if it had never stopped, schedules included, with
    ``initial_epoch=network.epochs_trained`` and the other arguments as they were.

    Parameters
    ----------
    path : path-like
        The file, which each time replaces the one before; atomically.
    every : int
        Epochs from one time to the next: after those whose number, from 1, it divides.

    Examples
    --------
    >>> import os, tempfile
    >>> from exactnet import Checkpoint, Network
    >>> X, y = [[0.0], [1.0]], [[1.0], [3.0]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.safetensors")
    ...     net = Network([1, 1], activations="linear", seed=0)
    ...     _ = net.fit(X, y, epochs=9, momentum=0.9, callbacks=[Checkpoint(path, every=5)])
    ...     resumed = Network.load(path)
    >>> resumed.epochs_trained
    5
    >>> _ = resumed.fit(X, y, epochs=9, initial_epoch=resumed.epochs_trained, momentum=0.9)
    >>> bool((net.weights[0] == resumed.weights[0]).all())
    True
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 1) -> None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path must be a path, not {shown(path)}")
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
    initial_epoch: int,
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
    if not is_integer(initial_epoch) or not 0 <= initial_epoch < epochs:
        raise ValueError(
            f"initial_epoch must be an integer from 0 to {epochs - 1}, below epochs, "
            f"not {shown(initial_epoch)}"
        )
    choice(optimizer, OPTIMIZERS, "optimizer")
    momentum = number(momentum, "momentum", "in [0, 1)")
    if optimizer == "adam" and momentum:
        raise ValueError("momentum is for sgd; adam has betas")
    nesterov = flag(nesterov, "nesterov")
    two = entries(betas, "betas", "two numbers in [0, 1)")
    if len(two) != 2:
        raise ValueError(f"betas must be two numbers in [0, 1), not {shown(betas)}")
    adam = [number(beta, f"betas[{k}]", "in [0, 1)") for k, beta in enumerate(two)]
    adam.append(number(epsilon, "epsilon", "positive"))
    power = _power(penalty)
    alpha = number(alpha, "alpha", "at least 0")
    rates_of_layers = _dropout(dropout, len(network.layer_sizes) - 2)
    if clip_norm is not None:
        clip_norm = number(clip_norm, "clip_norm", "positive")
    if until is not None:
        until = number(until, "until", "positive")
    if not callable(learning_rate):
        learning_rate = number(learning_rate, "learning_rate", "positive")
    shuffle = flag(shuffle, "shuffle")
    record_gradient_norms = flag(record_gradient_norms, "record_gradient_norms")
    verbose = flag(verbose, "verbose")
    callbacks = check_callbacks(callbacks)
    for kind in ("weights", "biases"):
        for k, array in enumerate(network._parameters(kind)):
            if not array.flags.writeable:
                raise ValueError(f"{kind}[{k}] is read-only: fit would have to write into it")
    X = network._samples(X, finite=False)  # the trainer will look
    if len(X) >= 2**32:
        raise ValueError(f"X has {len(X)} samples; fewer than 2**32 are needed")
    network._check_trainable(loss)
    targets = network._targets(y, len(X), loss=loss)
    weights = None if sample_weight is None else _weights(network, sample_weight, len(X))
    validation = None
    if validation_data is not None:
        pair = entries(validation_data, "validation_data", "(X, y)")
        if len(pair) != 2:
            raise ValueError(f"validation_data must be (X, y), not {shown(validation_data)}")
        X_val = network._samples(pair[0], "validation X")
        values, labels = network._targets(pair[1], len(X_val), "validation y", loss)
        classes = labels if values is None else network._one_hot(values)
        validation = X_val, values, labels, classes
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
        tuple(adam),
        clip_norm or 0.0,
        0.0 if power is None else alpha,
        power or 2.0,
        rates_of_layers,
        record_gradient_norms,
        poll,
    )
    if not trainer.finite:
        network._samples(X)  # which says where
    history = History()
    per_call = 1 if validation or callbacks or verbose else _EPOCHS_PER_CALL
    with _alone(network), ProgressBar("training") as bar:
        state, _ = network._after_training()
        if state is not None and state.kind == optimizer and (optimizer == "adam" or momentum):
            trainer.set_state(state.first, state.second or [], state.steps)
        network._take_over(trainer)
        epoch, ended = int(initial_epoch), False
        for callback in reversed(callbacks):  # as they are undone, who ended one after the other
            if hasattr(callback, "begin"):
                try:
                    callback.begin(network, epoch)
                except StopTraining:
                    ended = True
        while epoch < epochs and not ended:
            _check_parameters(network)
            rates = _rates(learning_rate, epoch, min(per_call, epochs - epoch))
            progress = poll
            if verbose:
                progress = lambda share, done=epoch: bar((done + share) / epochs)  # noqa: E731
            losses, seconds, norms, finished = trainer.run(
                rates,
                shuffle,
                network._generator,
                -math.inf if until is None else until,
                progress,
            )
            history.loss += losses[:finished].tolist()
            history.seconds += seconds[:finished].tolist()
            history.gradient_norms += norms[:finished].tolist()
            ended = until is not None and finished > 0 and bool(losses[finished - 1] < until)
            if finished < len(rates) and not ended:
                raise DivergenceError(
                    f"the loss or a weight is not finite in epoch {epoch + finished}, counted "
                    "from 0; the weights are those before it (a smaller learning_rate may help)"
                )
            if validation is not None:
                _validate(network, *validation, loss, history, poll)
            if verbose:
                bar.clear()
                print(epoch_line(epoch, epochs, history), file=sys.stderr)
            for callback in callbacks:
                try:
                    callback(network, epoch, history)
                except StopTraining:  # the others shall hear of the epoch, too
                    ended = True
            epoch += finished
        for callback in callbacks:
            if hasattr(callback, "finish"):
                callback.finish(network)
    return history


@contextmanager
def _alone(network: Network) -> Iterator[None]:
    """Keep other calls from training the network; two would share generator and weights."""
    if not network._training.acquire(blocking=False):
        raise RuntimeError(
            "the network is being trained in another thread, or by the call whose callback this is"
        )
    try:
        yield
    finally:
        try:
            network._take_over()
        finally:
            network._training.release()


def check_callbacks(callbacks: Any) -> list[Callback]:
    """Return them as a list."""
    callbacks = entries(callbacks, "callbacks", "an iterable of callables")
    for k, callback in enumerate(callbacks):
        if not callable(callback):
            raise ValueError(f"callbacks[{k}] must be callable, not {shown(callback)}")
    return list(callbacks)


def _check_parameters(network: Network) -> None:
    """Look whether someone wrote numbers into the network that no training starts from."""
    for kind in ("weights", "biases"):
        for k, array in enumerate(network._arrays[kind]):
            if not _core.all_finite(array):
                raise ValueError(f"{kind}[{k}] holds numbers that are not finite")


def _rates(learning_rate: Rate, first: int, count: int) -> npt.NDArray[np.float64]:
    """Return the learning rates of some epochs."""
    if not callable(learning_rate):
        return np.full(count, learning_rate)
    return np.array(
        [
            number(learning_rate(epoch), f"learning_rate({epoch})", "positive")
            for epoch in range(first, first + count)
        ]
    )


def _power(penalty: str | float | None) -> float | None:
    if penalty is None:
        return None
    if isinstance(penalty, str):
        if penalty in ("l1", "l2"):
            return float(penalty[1])
    elif isinstance(penalty, numbers.Real):
        return number(penalty, "penalty", "positive")
    raise ValueError(f"penalty must be 'l1', 'l2', a positive number or None, not {shown(penalty)}")


def _dropout(dropout: float | Sequence[float], n_hidden: int) -> list[float]:
    if isinstance(dropout, numbers.Real):
        return [number(dropout, "dropout", "in [0, 1)")] * n_hidden
    rates = entries(dropout, "dropout", "a number in [0, 1), or one for every hidden layer")
    if len(rates) != n_hidden:
        raise ValueError(f"dropout has {len(rates)} rates for {n_hidden} hidden layers")
    return [number(rate, f"dropout[{k}]", "in [0, 1)") for k, rate in enumerate(rates)]


def _weights(network: Network, sample_weight: Any, n: int) -> Array:
    weights = network._converted(real_array(sample_weight, "sample_weight"))
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has shape {weights.shape} but X has {n} samples")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight must hold finite numbers, none below 0")
    if not weights.any():
        raise ValueError(
            f"sample_weight is 0 for all of {n} samples, which leaves nothing to learn"
        )
    return weights


def _validate(
    network: Network,
    X: Array,
    values: Array | None,
    labels: Array | None,
    classes: Array | None,
    loss: str,
    history: History,
    poll: Callable[[float], None] | None,
) -> None:
    history.val_loss.append(network._core.loss(X, values, labels, loss, poll))
    if classes is not None:
        outputs = network._core.predict(X, poll)
        if outputs is None:  # someone wrote into X meanwhile
            outputs = network.predict(X)  # which says what
        history.val_accuracy.append(float(np.mean(network._decided(outputs) == classes)))


def epoch_line(epoch: int, epochs: int, history: History) -> str:
    """Return what `verbose` prints after an epoch."""
    parts = [f"epoch {epoch + 1}/{epochs}", f"loss {history.loss[-1]:.6g}"]
    if history.val_loss:
        parts.append(f"val_loss {history.val_loss[-1]:.6g}")
    if history.val_accuracy:
        parts.append(f"val_accuracy {history.val_accuracy[-1]:.4f}")
    return "  ".join([*parts, f"{history.seconds[-1]:.3f} s"])
