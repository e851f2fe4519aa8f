"""The loop behind `Network.fit`."""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
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
from exactnet.dense.callbacks import Callback, StopTraining, check_callbacks
from exactnet.dense.history import DivergenceError, History, epoch_line

if TYPE_CHECKING:
    from exactnet.dense.network import Network

Array: TypeAlias = npt.NDArray[Any]
Rate: TypeAlias = float | Callable[[int], float]

OPTIMIZERS = ("sgd", "adam")

_TRAINERS: dict[str, Any] = {"float32": _core.DenseTrainer32, "float64": _core.DenseTrainer64}
# Epochs in one call of the core, when nobody wants to hear of every single one.
_EPOCHS_PER_CALL = 4096


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
