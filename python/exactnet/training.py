"""The loop behind `Network.fit`."""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet._checks import positive_integer, thread_count
from exactnet._progress import ProgressBar

if TYPE_CHECKING:
    from exactnet.network import Network

Callback: TypeAlias = Callable[["Network", int, "History"], None]

_TRAINERS: dict[str, Any] = {"float32": _core.DenseTrainer32, "float64": _core.DenseTrainer64}
# Epochs in one call of the core, when nobody wants to hear of every single one.
_EPOCHS_PER_CALL = 4096


class DivergenceError(ArithmeticError):
    """The loss of a training became infinite or not a number."""


@dataclass
class History:
    """What `Network.fit` recorded, one entry per epoch.

    Attributes
    ----------
    loss : list of float
        Mean loss over the training samples, each taken when its batch was trained.
    val_loss : list of float
        Mean loss over the validation data, if there is any.
    val_accuracy : list of float
        Share of validation samples of the right class, if they have labels.
    seconds : list of float
        Time of training, without validation and callbacks.
    """

    loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def fit(
    network: Network,
    X: Any,
    y: Any,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    loss: str,
    validation_data: tuple[Any, Any] | None,
    shuffle: bool,
    callbacks: Iterable[Callback],
    n_threads: int,
    verbose: bool,
) -> History:
    """Do what `Network.fit` says."""
    epochs = positive_integer(epochs, "epochs")
    batch_size = positive_integer(batch_size, "batch_size")
    n_threads = thread_count(n_threads)
    _check_number(learning_rate, "learning_rate", learning_rate > 0, "positive")
    _check_number(momentum, "momentum", 0 <= momentum < 1, "in [0, 1)")
    X = network._samples(X, finite=False)  # the trainer will look
    if len(X) >= 2**32:
        raise ValueError(f"X has {len(X)} samples; fewer than 2**32 are needed")
    network._check_trainable(loss)
    targets = network._targets(y, len(X))
    validation = None
    if validation_data is not None:
        X_val = network._samples(validation_data[0], "validation X")
        validation = X_val, *network._targets(validation_data[1], len(X_val), "validation y")
    batch_size = min(batch_size, len(X))
    trainer = _TRAINERS[network.dtype.name](
        network._core,
        X,
        *targets,
        batch_size,
        loss,
        learning_rate,
        momentum,
        nesterov,
        min(n_threads, batch_size),
    )
    if not trainer.finite:
        network._samples(X)  # which says where
    if momentum and network._velocity is not None:
        trainer.set_velocity(network._velocity)
    callbacks = list(callbacks)
    history = History()
    per_call = 1 if validation or callbacks or verbose else _EPOCHS_PER_CALL
    generator = network._generator if shuffle else None
    with ProgressBar("training") as bar:
        while len(history.loss) < epochs:
            epoch = len(history.loss)
            count = min(per_call, epochs - epoch)
            progress = None
            if verbose:
                progress = lambda share, done=epoch: bar((done + share) / epochs)  # noqa: E731
            try:
                losses, seconds, finished = trainer.run(count, generator, progress)
            finally:
                network._velocity = trainer.velocity()
            history.loss += losses[:finished].tolist()
            history.seconds += seconds[:finished].tolist()
            if finished < count:
                raise DivergenceError(
                    f"the loss is not finite in epoch {epoch + finished}; the weights are those "
                    "before it (a smaller learning_rate may help)"
                )
            if validation is not None:
                _validate(network, *validation, loss, history)
            if verbose:
                bar.clear()
                print(epoch_line(epoch, epochs, history), file=sys.stderr)
            for callback in callbacks:
                callback(network, epoch, history)
    return history


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


def _check_number(value: Any, name: str, valid: bool, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not valid:
        raise ValueError(f"{name} must be {what}, not {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, not {value!r}")
