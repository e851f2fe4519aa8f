"""What looks at a training after every epoch."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet.base.checks import choice, entries, flag, number, positive_integer, shown
from exactnet.base.files import atomic_write
from exactnet.dense.history import DivergenceError, History

Array: TypeAlias = npt.NDArray[Any]
# with (network, epoch, history); the network is above this module
Callback: TypeAlias = Callable[[Any, int, History], None]


class StopTraining(Exception):  # noqa: N818 - it is no error
    """What a callback raises to end a training in order: `fit` returns the history so far.

    The other callbacks still hear of the epoch.

    Examples
    --------
    >>> from exactnet import Network, StopTraining
    >>> def stop_below_a_half(network, epoch, history):
    ...     if history.loss[-1] < 0.5:
    ...         raise StopTraining
    >>> net = Network([1, 1], activations="linear", seed=0)
    >>> history = net.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=100, callbacks=stop_below_a_half)
    >>> len(history.loss) < 100, history.loss[-1] < 0.5 <= history.loss[-2]
    (True, True)
    """


def check_callbacks(callbacks: Any) -> list[Callback]:
    """Return them, or a single one, as a list."""
    if isinstance(callbacks, type):
        _refuse_class(callbacks, "callbacks")
    if callable(callbacks):
        return [callbacks]
    callbacks = entries(callbacks, "callbacks", "a callable or an iterable of callables")
    for k, callback in enumerate(callbacks):
        if isinstance(callback, type):
            _refuse_class(callback, f"callbacks[{k}]")
        if not callable(callback):
            raise ValueError(f"callbacks[{k}] must be callable, not {shown(callback)}")
    return list(callbacks)


def _refuse_class(callback: type, name: str) -> None:
    """Refuse what can be called but does nothing then."""
    if issubclass(callback, BaseException):
        raise ValueError(
            f"{name} must not be an exception, {callback.__name__}, but a callable that raises it"
        )
    raise ValueError(f"{name} is a class: write {callback.__name__}()")


def check_monitors(callbacks: Iterable[Callback], recorded: Iterable[str]) -> None:
    """Look whether a training records what they need, before it begins."""
    for callback in callbacks:
        if isinstance(callback, _Monitor):
            callback._check(recorded)


class _Monitor:
    """What the callbacks that look at a recorded quantity have in common."""

    def __init__(self, monitor: str, patience: int, min_delta: float) -> None:
        choice(monitor, ("val_loss", "loss", "val_accuracy"), "monitor")
        self.monitor = monitor
        self.patience = positive_integer(patience, "patience")
        self.min_delta = number(min_delta, "min_delta", "at least 0")
        self.best_epoch: int | None = None
        self._best = math.inf
        self._next = 0  # the epoch that continues those seen

    def _check(self, recorded: Iterable[str]) -> None:
        """Raise ValueError unless the quantity is one of those that a training records."""
        if self.monitor not in recorded:
            raise ValueError(
                f"{self.monitor} is not recorded: pass validation_data or validation_split, with "
                "classes for val_accuracy"
            )

    def _recorded(self, history: History) -> float:
        """Return the last value."""
        self._check(name for name, values in vars(history).items() if values)
        values: list[float] = getattr(history, self.monitor)
        return values[-1]

    def _improved(self, epoch: int, value: float) -> bool:
        """Take note of the value of an epoch; return whether it is the best so far."""
        if self.monitor == "val_accuracy":
            value = -value
        better = self.best_epoch is None or value < self._best - self.min_delta
        if better:
            self.best_epoch, self._best = epoch, value
        return better


class EarlyStopping(_Monitor):
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

    Attributes
    ----------
    best_epoch : int or None
        Epoch of the best value, counted from 0, or from `initial_epoch`; None before the first.

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
    >>> stop.best_epoch == history.val_accuracy.index(max(history.val_accuracy))
    True
    """

    def __init__(
        self, monitor: str = "val_loss", patience: int = 10, min_delta: float = 0.0
    ) -> None:
        super().__init__(monitor, patience, min_delta)
        self._best_arrays: list[Array] = []
        self._last_arrays: list[Array] = []  # where the training was when it got the best ones
        self._stopped = False

    def begin(self, network: Any, epoch: int) -> None:
        """Give the network its last weights back if the training goes on; `fit` calls this."""
        arrays = (*network.weights, *network.biases)
        # not if someone has changed the weights since
        if epoch == self._next and all(map(np.array_equal, arrays, self._best_arrays)):
            _write(arrays, self._last_arrays)
        self._last_arrays = []
        if epoch == self._next and self._stopped:
            raise StopTraining

    def __call__(self, network: Any, epoch: int, history: History) -> None:
        """Look at the last epoch."""
        value = self._recorded(history)
        if epoch != self._next:
            self.best_epoch, self._stopped = None, False
        self._next = epoch + 1
        if not math.isfinite(value):
            self.finish(network)
            of = f"epoch {epoch}" if self.best_epoch is None else f"epoch {self.best_epoch}"
            raise DivergenceError(
                f"{self.monitor} is {value} in epoch {epoch}; the weights are those of {of} "
                "(a smaller learning_rate may help)"
            )
        if self._improved(epoch, value):
            self._best_arrays = copies(network)
        elif self.best_epoch is not None and epoch - self.best_epoch >= self.patience:
            self._stopped = True
            raise StopTraining

    def finish(self, network: Any) -> None:
        """Give the network its best weights; `fit` calls this at the end."""
        if self.best_epoch is not None and self.best_epoch + 1 != self._next:
            self._last_arrays = copies(network)
            _write((*network.weights, *network.biases), self._best_arrays)


def copies(network: Any) -> list[Array]:
    """Return copies of all parameters."""
    return [array.copy() for array in (*network.weights, *network.biases)]


def _write(arrays: Iterable[Array], values: list[Array]) -> None:
    """Write values, if there are any, into the parameters of a network."""
    for array, value in zip(arrays, values, strict=False):
        array[...] = value


class ReduceOnPlateau(_Monitor):
    """A callback that lowers the learning rate when a recorded quantity no longer improves.

    The rate of `fit`, which may be a schedule, is multiplied by `factor` once more after every
    `patience` epochs without improvement. If the next `fit` continues the training, with
    ``initial_epoch`` the number of epochs seen, the object goes on, also as a pickle; otherwise it
    starts anew. `History.learning_rate` has the rates.

    Parameters
    ----------
    monitor : {"val_loss", "loss", "val_accuracy"}
    factor : float in (0, 1)
    patience : int
    min_delta : float
        By how much a value must be better than the best so far to count as an improvement.
    min_rate : float
        The rate is not lowered below.

    Raises
    ------
    ValueError
        If an argument is out of range; from `fit`, if the quantity is not recorded.

    Examples
    --------
    >>> from exactnet import Network, ReduceOnPlateau
    >>> from exactnet.datasets import load_digits
    >>> X, y, _, _ = load_digits()
    >>> net = Network([64, 30, 10], activations=["relu", "softmax"], seed=0)
    >>> history = net.fit(X, y, epochs=30, learning_rate=0.5, validation_split=0.2,
    ...                   callbacks=ReduceOnPlateau(factor=0.5, patience=2))
    >>> history.learning_rate[0], history.learning_rate[-1] < 0.5
    (0.5, True)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 0.0,
        min_rate: float = 0.0,
    ) -> None:
        super().__init__(monitor, patience, min_delta)
        self.factor = number(factor, "factor", "positive")
        if self.factor >= 1:
            raise ValueError(f"factor must lie between 0 and 1, not {shown(factor)}")
        self.min_rate = number(min_rate, "min_rate", "at least 0")
        self._start()

    def _start(self) -> None:
        self.best_epoch = None
        self._reductions = 0
        self._waited = 0

    def begin(self, network: Any, epoch: int) -> None:
        """Start anew unless the training goes on; `fit` calls this."""
        if epoch != self._next:
            self._start()

    def change_rate(self, epoch: int, rate: float) -> float:
        """Return the rate to take; `fit` calls this before every epoch."""
        for _ in range(self._reductions):  # products, whose bits are the same everywhere
            if rate * self.factor < self.min_rate:
                return min(rate, self.min_rate)
            rate *= self.factor
        return rate

    def __call__(self, network: Any, epoch: int, history: History) -> None:
        """Look at the last epoch."""
        value = self._recorded(history)
        self._next = epoch + 1
        improved = not math.isnan(value) and self._improved(epoch, value)
        self._waited = 0 if improved else self._waited + 1
        if self._waited >= self.patience:
            self._reductions += 1
            self._waited = 0


class CSVLogger:
    """A callback that writes a line of comma-separated values after every epoch.

    Its columns are epoch, counted from 0 or from `initial_epoch`, loss, val_loss, val_accuracy,
    learning_rate and seconds; what is not recorded is empty. Lines end as RFC 4180 has it.

    Parameters
    ----------
    path : path-like
    append : bool
        Add to the file, if there is one, and do not begin it anew with every `fit`.

    Raises
    ------
    OSError
        From `fit`, if the file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> from exactnet import CSVLogger, Network
    >>> net = Network([1, 1], activations="linear", seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "log.csv")
    ...     _ = net.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=3, callbacks=CSVLogger(path))
    ...     with open(path) as file:
    ...         lines = file.read().splitlines()
    >>> lines[0]
    'epoch,loss,val_loss,val_accuracy,learning_rate,seconds'
    >>> [line.split(",")[0] for line in lines[1:]]
    ['0', '1', '2']
    """

    _COLUMNS = ("loss", "val_loss", "val_accuracy", "learning_rate", "seconds")

    def __init__(self, path: str | os.PathLike[str], append: bool = False) -> None:
        self.path = _checked_path(path)
        self.append = flag(append, "append")

    def begin(self, network: Any, epoch: int) -> None:
        """Write the first line; `fit` calls this."""
        if self.append and os.path.exists(self.path) and os.path.getsize(self.path):
            return
        with atomic_write(self.path) as file:
            file.write(",".join(("epoch", *self._COLUMNS)) + "\r\n")

    def __call__(self, network: Any, epoch: int, history: History) -> None:
        """Write the line of the last epoch."""
        recorded = [getattr(history, name) for name in self._COLUMNS]
        cells = [epoch, *(values[-1] if values else "" for values in recorded)]
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            file.write(",".join(map(str, cells)) + "\r\n")


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
        self.path = _checked_path(path)
        self.every = positive_integer(every, "every")

    def __call__(self, network: Any, epoch: int, history: History) -> None:
        """Save after the last of `every` epochs."""
        if (epoch + 1) % self.every == 0:
            network.save(self.path)


def _checked_path(path: Any) -> str | os.PathLike[str]:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a path, not {shown(path)}")
    return path
