"""`exactnet train`."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import numpy.typing as npt

from exactnet.activations import HIDDEN, LAST
from exactnet.base.checks import number
from exactnet.base.dataset import Dataset
from exactnet.cli.arguments import (
    FLOAT_DATA_HELP,
    add_data_options,
    add_json,
    add_threads,
    check_output,
    hidden_widths,
    options_named,
    warnings_told,
)
from exactnet.cli.datafiles import Data, read_named
from exactnet.cli.standardization import Standardization, folded
from exactnet.dense.callbacks import Callback, EarlyStopping, ReduceOnPlateau
from exactnet.dense.history import DivergenceError, History, epoch_line
from exactnet.dense.initialization import INITS
from exactnet.dense.layers import DTYPES, LOSSES
from exactnet.dense.network import Network
from exactnet.dense.options import OPTIMIZERS
from exactnet.schedules import Exponential, StepDecay

# Integers from 0 are taken for classes, if not said otherwise, below the first number, and if there
# are no more different ones than the second or a fiftieth of the rows; and at all below the third,
# for each is an output of the network.
_LIKELY_CLASSES, _FEW_CLASSES, _MOST_CLASSES = 1000, 20, 2**16

# Of the losses that a linear output can have, on standardised targets.
_UNITS = {
    "mse": "shares of their variance",
    "quadratic": "half the shares of their variance",
    "pinball": "in their standard deviations",
}

DESCRIPTION = (
    "Train a dense network by minibatch stochastic gradient descent, print a line "
    "per epoch and write the network as safetensors. The same command gives the same network."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `exactnet train` takes."""
    parser.add_argument("data", metavar="DATA", help=FLOAT_DATA_HELP)
    add_data_options(parser)
    parser.add_argument("--test", metavar="DATA", help="data to evaluate after every epoch")
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="network file to write"
    )
    parser.add_argument(
        "--task",
        choices=("classify", "regress"),
        help="classify has an output for every class, regress one for the target; default: "
        "classify if the targets are names, or integers from 0 to "
        f"{_LIKELY_CLASSES - 1} of which 2 to {_FEW_CLASSES}, or a fiftieth of the rows, differ",
    )
    parser.add_argument(
        "--standardize",
        choices=("auto", "always", "never"),
        default="auto",
        help="train on columns of mean 0 and standard deviation 1, also of the targets to regress "
        "with a linear output; the network that is written takes and gives the data as they are. "
        "auto, the default: where some mean or deviation exceeds 2, or all of them are small",
    )
    parser.add_argument(
        "--hidden",
        metavar="WIDTHS",
        type=hidden_widths,
        default="30",
        help="such as 128x64; default: 30",
    )
    parser.add_argument(
        "--activation", choices=HIDDEN, default="relu", help="of the hidden layers; default: relu"
    )
    parser.add_argument(
        "--output-activation",
        choices=(*HIDDEN, *LAST),
        help="default: softmax to classify, sigmoid with the quadratic loss; to regress linear, "
        "exp with the loss poisson",
    )
    parser.add_argument(
        "--loss",
        choices=LOSSES,
        help="default: cross_entropy to classify, mse to regress",
    )
    parser.add_argument(
        "--quantiles",
        metavar="Q",
        type=float,
        nargs="+",
        help="of the loss pinball, an output each; default: 0.5",
    )
    parser.add_argument("--epochs", metavar="N", type=int, default=10, help="default: 10")
    parser.add_argument("--batch-size", metavar="N", type=int, default=10, help="default: 10")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="sgd", help="default: sgd")
    parser.add_argument(
        "--learning-rate",
        metavar="X",
        type=float,
        help="default: 0.001 with adam, else 3 with the quadratic loss, else 0.1",
    )
    parser.add_argument(
        "--schedule",
        choices=("constant", "step", "exponential", "plateau"),
        default="constant",
        help="of the rate: halved every 10 epochs, times 0.95 after each, or divided by 10 where "
        "the validation loss, or without one the loss, has not improved for 5; default: constant",
    )
    parser.add_argument(
        "--momentum", metavar="X", type=float, default=0.0, help="in [0, 1); default: 0"
    )
    parser.add_argument("--nesterov", action="store_true", help="Nesterov's kind of momentum")
    parser.add_argument(
        "--penalty", choices=("l1", "l2"), help="default: l2 if --alpha is given, else none"
    )
    parser.add_argument(
        "--alpha", metavar="X", type=float, help="factor of the penalty; default: 0.0001 with one"
    )
    parser.add_argument(
        "--dropout",
        metavar="X",
        type=float,
        default=0.0,
        help="share of hidden units that a batch does without, in [0, 1); default: 0",
    )
    parser.add_argument(
        "--clip-norm", metavar="X", type=float, help="greatest norm of the gradient"
    )
    parser.add_argument(
        "--validation-split",
        metavar="X",
        type=float,
        help="share of DATA to validate with instead of --test; default: 0.1 with "
        "--early-stopping and without --test, else 0",
    )
    parser.add_argument(
        "--early-stopping",
        metavar="N",
        type=int,
        help="end after so many epochs without a better validation loss, with the best weights",
    )
    parser.add_argument(
        "--init",
        choices=INITS,
        help="of the weights; default: he_normal before relu and leaky_relu, else glorot_normal",
    )
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="default: float32")
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of weights and shuffles; default: 0"
    )
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do what `exactnet train` is asked, and return the exit status."""
    files = [arguments.data] if arguments.test is None else [arguments.data, arguments.test]
    check_output(arguments.output, *files)
    if arguments.test is not None and arguments.validation_split:
        raise ValueError("--test and --validation-split exclude each other")
    data, task, n_outputs = _read_training_data(arguments, files)
    with options_named():
        return _train(arguments, files, data, task, n_outputs)


def _train(
    arguments: argparse.Namespace, files: list[str], data: list[Data], task: str, n_outputs: int
) -> int:
    """Train on what the files hold."""
    loss = arguments.loss or ("cross_entropy" if task == "classify" else "mse")
    if loss == "pinball" and arguments.quantiles:
        n_outputs = len(arguments.quantiles)
    network = Network(
        [data[0][0].shape[1], *arguments.hidden, n_outputs],
        activations=[arguments.activation] * len(arguments.hidden)
        + [arguments.output_activation or _output_activation(task, loss)],
        init=arguments.init,
        dtype=arguments.dtype,
        seed=arguments.seed,
    )
    inputs = _standardization(arguments.standardize, data[0][0], network)
    outputs = None
    if task == "regress" and network.activations[-1] == "linear":
        outputs = _standardization(arguments.standardize, _columns(data[0][1]), network)
    # converted and packed once, for training, its validation and the accuracy at its end
    parts = [
        Dataset._borrow(
            X if inputs is None else inputs(X), y if outputs is None else outputs(_columns(y))
        )
        for X, y, _ in data
    ]
    callbacks = _callbacks(arguments)
    if not arguments.json:
        heading = _heading(arguments.task, task, data[0].y, n_outputs)
        mapped = ["inputs"] * (inputs is not None)
        if outputs is not None:
            mapped.append(f"targets, so losses are {_UNITS[loss]}")
        if mapped:
            what = " and ".join(mapped)
            heading += f"\nstandardized: {what} (--standardize never leaves them as they are)"
        callbacks.insert(0, _printer(heading, arguments.epochs))
    early = next((c for c in callbacks if isinstance(c, EarlyStopping)), None)
    try:
        with warnings_told(), data[0].in_lines():
            history = network.fit(
                parts[0],
                loss=loss,
                validation_data=parts[1] if len(parts) > 1 else None,
                callbacks=callbacks,
                **_options(arguments, loss),
            )
    except DivergenceError as error:
        raise ValueError(str(error)) from error
    if inputs is not None or outputs is not None:
        network = folded(network, inputs, outputs)
        parts = [Dataset._borrow(X, y) for X, y, _ in data]
    accuracy = [network.accuracy(part) for part in parts] if task == "classify" else []
    r2 = []
    if task == "regress" and loss != "pinball":
        r2 = [_r2(_columns(part.y), network.predict(part)) for part in parts]
    network.save(arguments.output)
    if arguments.json:
        facts = {
            "layer_sizes": network.layer_sizes,
            "activations": network.activations,
            "task": task,
            "standardized": {"inputs": inputs is not None, "targets": outputs is not None},
            "loss": history.loss,
            "val_loss": history.val_loss,
            "val_accuracy": history.val_accuracy,
            "seconds": history.seconds,
            "accuracy": accuracy[0] if accuracy else None,
            "r2": r2[0] if r2 else None,
            "output": arguments.output,
        }
        print(json.dumps(facts))
    else:
        if early is not None and early.best_epoch is not None:
            n_epochs = len(history.loss)
            ended = "stopped" if n_epochs < arguments.epochs else "ended"
            print(f"{ended} after epoch {n_epochs}; weights of epoch {early.best_epoch + 1}")
        sizes = ", ".join(map(str, network.layer_sizes))
        print(f"trained [{sizes}] to {task} in {sum(history.seconds):.3g} s")
        for file, share in zip(files, accuracy, strict=False):
            print(f"accuracy {share:.4f} on {file}")
        for file, share in zip(files, r2, strict=False):
            print(f"R2 {share:.4f} on {file}")
        print(f"wrote {arguments.output}")
    return 0


def _output_activation(task: str, loss: str) -> str:
    if task == "classify":
        return "sigmoid" if loss == "quadratic" else "softmax"
    return "exp" if loss == "poisson" else "linear"


def _options(arguments: argparse.Namespace, loss: str) -> dict[str, Any]:
    """Return the arguments of `Network.fit` that stand for options of the command line."""
    rate = arguments.learning_rate
    if rate is None:
        rate = 0.001 if arguments.optimizer == "adam" else 3.0 if loss == "quadratic" else 0.1
    if arguments.schedule in ("step", "exponential"):
        number(rate, "--learning-rate", "positive")
        rate = StepDecay(rate) if arguments.schedule == "step" else Exponential(rate)
    penalty, alpha = arguments.penalty, arguments.alpha
    split = arguments.validation_split
    if split is None:
        split = 0.1 if arguments.early_stopping and arguments.test is None else 0.0
    return dict(
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=rate,
        optimizer=arguments.optimizer,
        momentum=arguments.momentum,
        nesterov=arguments.nesterov,
        quantiles=arguments.quantiles,
        penalty=penalty or (None if alpha is None else "l2"),
        alpha=alpha if alpha is not None else 0.0 if penalty is None else 1e-4,
        dropout=arguments.dropout,
        clip_norm=arguments.clip_norm,
        validation_split=split,
        n_threads=arguments.threads,
    )


def _callbacks(arguments: argparse.Namespace) -> list[Callback]:
    """Return what options ask for, of what looks at a training after every epoch."""
    callbacks: list[Callback] = []
    if arguments.early_stopping is not None:
        callbacks.append(EarlyStopping(patience=arguments.early_stopping))
    if arguments.schedule == "plateau":
        validated = arguments.test or arguments.validation_split or arguments.early_stopping
        callbacks.append(ReduceOnPlateau("val_loss" if validated else "loss", patience=5))
    return callbacks


def _heading(chosen: str | None, task: str, y: Any, n_outputs: int) -> str:
    """Say what the training is for, and how it would be for something else if nobody chose."""
    said = f"{n_outputs} output{'s' if n_outputs > 1 else ''}"
    other = "classify takes integers as classes"
    if task == "classify":
        said = f"{n_outputs} classes{_occurring(y, n_outputs)}"
        other = "regress takes targets as numbers"
    hint = "" if chosen or isinstance(y, list) else f" (--task {other})"
    return f"task: {task}, {said}{hint}"


def _printer(heading: str, epochs: int) -> Callback:
    """Return what prints a line for every epoch, and the heading before the first one."""

    def print_epoch(_: Network, epoch: int, history: History) -> None:
        if epoch == 0:  # by now nothing is wrong with the data
            print(heading)
        print(epoch_line(epoch, epochs, history), flush=True)

    return print_epoch


def _occurring(y: Any, n_classes: int) -> str:
    """Say how many classes there are samples of, if that is not all."""
    found = n_classes if isinstance(y, list) else len(np.unique(y))
    return "" if found == n_classes else f", of which {found} occur{'s' * (found == 1)}"


def _standardization(
    choice: str, matrix: npt.NDArray[Any], network: Network
) -> Standardization | None:
    if choice == "never" or matrix.ndim != 2 or not matrix.size:
        return None
    # The network that is written must take, and may give, the data as they are.
    if not max(abs(matrix.max()), abs(matrix.min())) <= np.finfo(network.dtype).max:
        return None
    found = Standardization.of(matrix)
    return found if found.is_possible and (choice == "always" or found.is_needed) else None


def _columns(y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return y[:, None] if y.ndim == 1 else y


def _r2(y: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> float:
    """Return the share of the targets' variance that is explained, of all outputs together."""
    total = np.square(y - y.mean(axis=0)).sum()
    return float(1 - np.square(y - predicted).sum() / total) if total > 0 else 0.0


def _read_training_data(
    arguments: argparse.Namespace, files: list[str]
) -> tuple[list[Data], str, int]:
    """Return what the files hold, the task and the number of outputs it needs."""
    found: list[Data] = []
    for file in files:  # their targets are all names of classes, or none is
        names = isinstance(found[0].y, list) if found else None
        found.append(read_named(arguments, file, exact=False, names=names))
        X = found[-1].X
        if X.ndim != 2 or not len(X):
            raise ValueError(f"{file}: X must be (samples, features), not of shape {X.shape}")
    y, task = found[0].y, arguments.task
    if isinstance(y, list):
        if task == "regress":
            raise ValueError(f"{files[0]}: to regress, targets must be numbers, not {y[0]!r:.40}")
        n_classes = len(set(y))
        if n_classes < 2:
            raise ValueError(f"{files[0]}: all targets are {y[0]!r:.40}, there is one class")
        if task is None and len(y) >= _FEW_CLASSES and 2 * n_classes > len(y):
            raise ValueError(
                f"{files[0]}: the targets are {n_classes} different names in {len(y)} rows, such "
                f"as {y[0]!r:.40}: --target another column and --ignore this one, or take them as "
                "classes with --task classify"
            )
        return found, "classify", n_classes
    labels = [_as_labels(data.y) for data in found]
    if task is None:
        task = "classify" if labels[0] is not None and _likely(labels[0]) else "regress"
    if task == "regress":
        return found, task, y.shape[1] if y.ndim == 2 else 1
    data = []
    for file, part, classes in zip(files, found, labels, strict=True):
        if classes is None:
            raise ValueError(
                f"{file}: to classify, targets must be integers from 0 to {_MOST_CLASSES - 1}; "
                "--task regress takes others"
            )
        data.append(part._replace(y=classes))
    return data, task, max(2, int(data[0][1].max()) + 1)


def _likely(labels: npt.NDArray[np.int64]) -> bool:
    """Whether targets that could be classes are."""
    n_different = len(np.unique(labels))
    return labels.max() < _LIKELY_CLASSES and 2 <= n_different <= max(
        _FEW_CLASSES, len(labels) // 50
    )


def _as_labels(y: npt.NDArray[Any]) -> npt.NDArray[np.int64] | None:
    """Return targets as classes, or None if they cannot be such."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or not y.size or y.dtype.kind not in "fiub":
        return None
    if not ((y >= 0) & (y < _MOST_CLASSES)).all():
        return None
    labels = y.astype(np.int64)
    return labels if (labels == y).all() else None
