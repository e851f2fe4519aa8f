"""What looks at a training after every epoch."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet.base.checks import choice, entries, number, positive_integer, shown
from exactnet.dense.history import DivergenceError, History

Array: TypeAlias = npt.NDArray[Any]
# with (network, epoch, history); the network is above this module
Callback: TypeAlias = Callable[[Any, int, History], None]


class StopTraining(Exception):  # noqa: N818 - it is no error
    """What a callback raises to end a training in order: `fit` returns the history so far.

    The other callbacks still hear of the epoch.
    """


def check_callbacks(callbacks: Any) -> list[Callback]:
    """Return them as a list."""
    callbacks = entries(callbacks, "callbacks", "an iterable of callables")
    for k, callback in enumerate(callbacks):
        if not callable(callback):
            raise ValueError(f"callbacks[{k}] must be callable, not {shown(callback)}")
    return list(callbacks)


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

    def __call__(self, network: Any, epoch: int, history: History) -> None:
        """Save after the last of `every` epochs."""
        if (epoch + 1) % self.every == 0:
            network.save(self.path)
