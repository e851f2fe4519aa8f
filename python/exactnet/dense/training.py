"""The loop behind `Network.fit`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np

from exactnet import _core
from exactnet.base.dataset import pair_of
from exactnet.base.progress import ProgressBar
from exactnet.dense.callbacks import StopTraining
from exactnet.dense.data import Data, sample_weights
from exactnet.dense.history import DivergenceError, History, epoch_line, epoch_postfix
from exactnet.dense.layers import Layers
from exactnet.dense.options import Options

_TRAINERS: dict[np.dtype[Any], Any] = {
    np.dtype("float32"): _core.DenseTrainer32,
    np.dtype("float64"): _core.DenseTrainer64,
}
# Epochs in one call of the core, when nobody wants to hear of every single one.
_EPOCHS_PER_CALL = 4096


def fit(
    network: Layers,
    X: Any,
    y: Any,
    sample_weight: Any,
    validation_data: Any,
    options: Options,
    poll: Callable[[float], None] | None = None,
) -> History:
    """Do what `Network.fit` says.

    `poll` is called now and then; what it raises ends the training. `sweep` needs it, whose
    threads do not hear of Ctrl-C.
    """
    for kind in ("weights", "biases"):
        for k, array in enumerate(network._parameters(kind)):
            if not array.flags.writeable:
                raise ValueError(f"{kind}[{k}] is read-only: fit would have to write into it")
    loss, quantiles = network._trainable(options.loss, options.quantiles)
    data = Data.of(network, X, y, loss=loss)
    n = len(data.samples)
    if n >= 2**32:
        raise ValueError(f"X has {n} samples; fewer than 2**32 are needed")
    weights = None if sample_weight is None else sample_weights(sample_weight, data.samples)
    validation = None
    if validation_data is not None:
        names = "validation X", "validation y"
        validation = Data.of(
            network, *pair_of(validation_data, "validation_data"), names, loss, data.names
        )
        if validation.names not in (None, data.names, network.classes):
            raise ValueError(f"{names[1]} has names of classes but y has numbers")
        validation.samples.require_finite(names[0])
    trainer = _TRAINERS[network.dtype](
        network._core,
        data.core,
        weights,
        options.for_core(network, n),
        poll,
    )
    if not trainer.finite:
        data.samples.require_finite("X")  # which says where
    history = History()
    epochs, callbacks = options.epochs, list(options.callbacks)
    per_call = 1 if validation or callbacks or options.verbose else _EPOCHS_PER_CALL
    bar = ProgressBar(f"0/{epochs}", delay=0.0) if options.verbose else None
    with _alone(network), bar or nullcontext():
        state, _ = network._after_training()
        if state is not None and state.kind == options.optimizer and options.has_state:
            trainer.set_state(state.first, state.second or [], state.steps)
        if network.classes is None:
            network.classes = data.names
        network._take_over(trainer)
        until = -math.inf if options.until is None else options.until
        epoch, ended = options.initial_epoch, False
        n_epochs = epochs - epoch
        for callback in reversed(callbacks):  # as they are undone, who ended one after the other
            if hasattr(callback, "begin"):
                try:
                    callback.begin(network, epoch)
                except StopTraining:
                    ended = True
        while epoch < epochs and not ended:
            _check_parameters(network)
            rates = options.rates(epoch, min(per_call, epochs - epoch))
            progress = poll
            if bar is not None:
                progress = partial(_show, bar, epoch - options.initial_epoch, n_epochs)
            losses, seconds, norms, finished = trainer.run(
                rates,
                options.shuffle,
                network._generator,
                until,
                progress,
            )
            history.loss += losses[:finished].tolist()
            history.seconds += seconds[:finished].tolist()
            history.gradient_norms += norms[:finished].tolist()
            ended = finished > 0 and bool(losses[finished - 1] < until)
            if finished < len(rates) and not ended:
                raise DivergenceError(
                    f"the loss or a weight is not finite in epoch {epoch + finished}, counted "
                    "from 0; the weights are those before it (a smaller learning_rate may help)"
                )
            if validation is not None:
                _validate(network, validation, (loss, quantiles), history, poll)
            if bar is not None and bar.visible:
                bar.label, bar.postfix = f"{epoch + 1}/{epochs}", epoch_postfix(history)
                _show(bar, epoch - options.initial_epoch, n_epochs, 1.0)
            elif bar is not None:
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


def _show(bar: ProgressBar, done: int, epochs: int, share: float) -> None:
    """Show epochs that are finished, and the share of the next one that is."""
    bar((done + share) / epochs)


@contextmanager
def _alone(network: Layers) -> Iterator[None]:
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


def _check_parameters(network: Layers) -> None:
    """Look whether someone wrote numbers into the network that no training starts from."""
    for kind in ("weights", "biases"):
        for k, array in enumerate(network._arrays[kind]):
            if not _core.all_finite(array):
                raise ValueError(f"{kind}[{k}] holds numbers that are not finite")


def _validate(
    network: Layers,
    data: Data,
    objective: tuple[str, list[float]],
    history: History,
    poll: Callable[[float], None] | None,
) -> None:
    classes = data.classes(network) if network._tells_classes else None
    loss, quantiles = objective
    result = network._core.evaluate(data.core, loss, classes, poll, quantiles)
    if result is None:  # someone wrote into X meanwhile
        data.samples.raise_not_finite("validation X")
    history.val_loss.append(result[0])
    if classes is not None:
        history.val_accuracy.append(result[1])
