"""The loop behind `Network.fit`."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.checks import number
from exactnet.base.dataset import Dataset, pair_of
from exactnet.base.progress import ProgressBar
from exactnet.dense.callbacks import StopTraining, check_monitors
from exactnet.dense.data import Data, sample_weights
from exactnet.dense.history import DivergenceError, History, epoch_line, epoch_postfix
from exactnet.dense.layers import Layers
from exactnet.dense.options import Options

Array: TypeAlias = npt.NDArray[Any]

_TRAINERS: dict[np.dtype[Any], Any] = {
    np.dtype("float32"): _core.DenseTrainer32,
    np.dtype("float64"): _core.DenseTrainer64,
}
# Magnitude of data, and growth of signals in a layer, that may make a training diverge.
_LARGE = 10
# Learning rates that most trainings on scaled data bear, sgd without momentum.
_USUAL_RATES = {"sgd": 0.1, "adam": 0.01}
# Samples to look at for layers that are 0.
_LOOKED_AT = 64
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
    watch_units: bool = False,
    warn: Callable[[str], None] | None = None,
) -> History:
    """Do what `Network.fit` says.

    `poll` is called now and then; what it raises ends the training. `sweep` needs it, whose
    threads do not hear of Ctrl-C; and `warn`, for warnings at the line of its caller. `watch_units`
    is for the warning of dead layers.
    """
    for kind in ("weights", "biases"):
        for k, array in enumerate(network._parameters(kind)):
            if not array.flags.writeable:
                raise ValueError(f"{kind}[{k}] is read-only: fit would have to write into it")
    objective = network._trainable(options.loss, options.quantiles)
    loss, _ = objective
    data = Data.of(network, X, y, loss=loss)
    validation, share = None, options.validation_split
    if share and validation_data is not None:
        raise ValueError("validation_split and validation_data exclude each other: leave one out")
    weights = None if sample_weight is None else sample_weights(sample_weight, data.samples, share)
    if validation_data is not None:
        names = "validation X", "validation y"
        validation = Data.of(
            network, *pair_of(validation_data, "validation_data"), names, loss, data.names
        )
        if validation.names not in (None, data.names, network.classes):
            raise ValueError(f"{names[1]} has names of classes but y has numbers")
        validation.samples.require_finite(names[0])
    elif share:
        whole = data
        if isinstance(X, Dataset):
            data, validation = X._prepare((whole, share), lambda: whole.split(share))
        else:
            data, validation = whole.split(share)
    callbacks = list(options.callbacks)  # type: ignore[arg-type] # it has made a list of one
    recorded = ["loss"] if validation is None else ["loss", "val_loss"]
    if validation is not None and _classes(network, validation) is not None:
        recorded.append("val_accuracy")
    check_monitors(callbacks, recorded)
    n = len(data.samples)
    if n >= 2**32:
        raise ValueError(f"X has {n} samples; fewer than 2**32 are needed")
    trainer = _TRAINERS[network.dtype](
        network._core,
        data.core,
        weights,
        options.for_core(objective, n, len(network._names) - 1),
        poll,
    )
    if not trainer.finite:
        data.samples.require_finite("X")  # which says where
    warning = data.out_of_range(network.activations[-1])
    if warning and warn is not None:
        warn(warning)
    elif warning:
        warnings.warn(warning, stacklevel=3)
    history = History()
    epochs = options.epochs
    each_epoch = validation is not None or options.verbose
    bar = ProgressBar(f"0/{epochs}", delay=0.0) if options.verbose else None
    with alone(network, history), bar or nullcontext():
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
            # a callback may say after how many epochs it wants to be called, which costs time
            waits = [1] if each_epoch else [getattr(c, "_next_call", 1) for c in callbacks]
            per_call = min(waits, default=_EPOCHS_PER_CALL)
            rates = options.rates(epoch, min(per_call, epochs - epoch))
            try:
                for callback in callbacks:  # which are called after every epoch
                    if hasattr(callback, "change_rate"):
                        rate = callback.change_rate(epoch, float(rates[0]))
                        rates[0] = number(rate, "the result of change_rate", "at least 0")
            except StopTraining:
                break
            progress = poll
            if bar is not None:
                progress = partial(_show, bar, epoch - options.initial_epoch, n_epochs)
            try:
                trainer.run(rates, options.shuffle, network._generator, until, progress)
            finally:  # also of epochs before an interruption
                finished = _record(history, rates, trainer.recorded)
            ended = finished > 0 and history.loss[-1] < until
            if finished < len(rates) and not ended:
                raise DivergenceError(
                    f"the loss or a weight is not finite in epoch {epoch + finished}, counted "
                    "from 0; the weights are those before it "
                    f"({_advice(network, data, options, loss, float(rates[finished]))})"
                )
            if validation is not None:
                _validate(network, validation, objective, history, options.n_threads, poll)
            if bar is not None and bar.visible:
                bar.label, bar.postfix = f"{epoch + 1}/{epochs}", epoch_postfix(history)
                _show(bar, epoch - options.initial_epoch, n_epochs, 1.0)
            elif bar is not None:
                print(epoch_line(epoch, epochs, history), file=sys.stderr)
            for callback in callbacks:
                try:
                    callback(network, epoch + finished - 1, history)
                except StopTraining:  # the others shall hear of the epoch, too
                    ended = True
            epoch += finished
        for callback in callbacks:
            if hasattr(callback, "finish"):
                with suppress(StopTraining):  # it has ended
                    callback.finish(network)
    if watch_units and "relu" in network._names[:-1]:
        dead = _dead_layer(network, data)
        if dead is not None:
            rate = max(history.learning_rate, default=0.0)
            advice = _advice(network, data, options, loss, rate)
            if not network._arrays["weights"][dead].any():
                advice = "start from weights that are not all 0: init=None"
            warnings.warn(
                f"all units of hidden layer {dead} are 0 for every sample, so that the network "
                f"gives one output: {advice}",
                stacklevel=3,
            )
    return history


def _dead_layer(network: Layers, data: Data) -> int | None:
    """Return the first hidden layer of relu that is 0 for all samples looked at, if there is one.

    Only where outputs are the same for all samples, though these and their targets are not.
    """
    predict = network._core.predict
    outputs = predict(data.samples.dense(slice(2)))  # which nearly always tell, in little time
    if outputs is None or outputs[0].tobytes() != outputs[-1].tobytes():
        return None
    X, differ = data.some(_LOOKED_AT)
    # Of samples that are all the same no network could tell more.
    whole = predict(data.samples.core) if differ and (X != X[0]).any() else None
    if whole is None or (whole != whole[0]).any():
        return None
    for k, name in enumerate(network._names[:-1]):
        if name == "relu" and not network._first_layers(k + 1).predict(X).any():
            return k
    return None


def _show(bar: ProgressBar, done: int, epochs: int, share: float) -> None:
    """Show epochs that are finished, and the share of the next one that is."""
    bar((done + share) / epochs)


def _record(history: History, rates: Array, recorded: Any) -> int:
    """Add what a run of the core has recorded, if it came to that; return its epochs."""
    if recorded is None:
        return 0
    losses, seconds, norms, finished = recorded
    history.loss += losses[:finished].tolist()
    history.learning_rate += rates[:finished].tolist()
    history.seconds += seconds[:finished].tolist()
    history.gradient_norms += norms[:finished].tolist()
    return int(finished)


def _advice(network: Layers, data: Data, options: Options, loss: str, rate: float) -> str:
    """Say what may keep a training from divergence, from what the case looks like."""
    advice = []
    most = _magnitude(data.samples.array)
    if most > _LARGE:
        how = "(X - X.mean(0)) / X.std(0)" if data.samples.vary() else f"X / {most:g}"
        advice.append(f"scale X, which reaches {most:g}: {how}")
    low, high = data.extent()
    last = network._names[-1]
    if loss in ("mse", "quadratic") and max(-low, high) > _LARGE:
        how = f"y / {high:g}" if last in ("relu", "exp") else "(y - y.mean()) / y.std()"
        advice.append(f"scale y, which reaches {max(-low, high):g}: {how}")
    # those that nothing has trained
    arrays = [] if network.epochs_trained else network._arrays["weights"]
    for name, weights in zip(network._names, arrays, strict=False):
        # the factor of a layer in the variance of its signals, which he_normal makes 1
        with np.errstate(over="ignore"):
            gain = weights.shape[1] * float(np.square(weights, dtype=np.float64).mean()) / 2
        if name in ("relu", "leaky_relu") and gain > _LARGE:
            advice.append("start from smaller weights of relu layers: init=None")
            break
    clipped = options.clip_norm is not None and options.clip_norm <= 1
    if last == "exp" and not clipped:  # whose gradients grow with its outputs
        advice.append("take clip_norm=1" + " or optimizer='adam'" * (options.optimizer == "sgd"))
    usual = _USUAL_RATES[options.optimizer] * (1 - options.momentum)
    smaller = "take a smaller learning_rate"
    if rate > usual or not advice:
        advice.append(f"{smaller}, such as {min(rate / 10, usual):.1g}")
        text = ", and ".join(advice)
    else:
        text = f"{', and '.join(advice)}, or {smaller}"
    return text if clipped or last == "exp" else f"{text}; clip_norm=1 helps too"


def _magnitude(array: Any) -> float:
    return max(float(array.max()), -float(array.min()))


@contextmanager
def alone(network: Layers, history: History | None = None) -> Iterator[None]:
    """Keep other calls from training the network; two would share generator and weights.

    Leaves the history, if any, with the network, and with what ends the training early.
    """
    if not network._training.acquire(blocking=False):
        raise RuntimeError(
            "the network is being trained in another thread, or by the call whose callback this is"
        )
    try:
        network._history = history
        yield
    except (DivergenceError, KeyboardInterrupt) as error:
        with suppress(Exception):  # some take no attributes
            # one of another network, trained by a callback, has its own
            if getattr(error, "history", None) is None:
                error.history = history  # type: ignore[union-attr]
        raise
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


def _classes(network: Layers, data: Data) -> npt.NDArray[np.int64] | None:
    """Return the classes that the accuracy is of, if it is recorded."""
    return data.classes(network) if network._tells_classes else None


def _validate(
    network: Layers,
    data: Data,
    objective: tuple[str, list[float]],
    history: History,
    n_threads: int,
    poll: Callable[[float], None] | None,
) -> None:
    classes = _classes(network, data)
    loss, quantiles = objective
    result = network._core.evaluate(data.core, loss, classes, poll, quantiles, n_threads)
    if result is None:  # someone wrote into X meanwhile
        data.samples.raise_not_finite("validation X")
    history.val_loss.append(result[0])
    if classes is not None:
        history.val_accuracy.append(result[1])
