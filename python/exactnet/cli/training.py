"""`exactnet train`."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import numpy.typing as npt

from exactnet.activations import HIDDEN, LAST
from exactnet.base.dataset import Dataset
from exactnet.cli.arguments import (
    FLOAT_DATA_HELP,
    add_data_options,
    add_json,
    add_threads,
    check_output,
    hidden_widths,
)
from exactnet.cli.datafiles import Data, read_named
from exactnet.dense.history import DivergenceError, History, epoch_line
from exactnet.dense.initialization import INITS
from exactnet.dense.layers import LOSSES
from exactnet.dense.network import Network

# Integers from 0 are taken for classes, if not said otherwise, below the first number, and if there
# are no more different ones than the second or a tenth of the rows; and at all below the third, for
# each is an output of the network.
_LIKELY_CLASSES, _FEW_CLASSES, _MOST_CLASSES = 1000, 20, 2**16

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
        f"{_LIKELY_CLASSES - 1} of which 2 to {_FEW_CLASSES}, or a tenth of the rows, differ",
    )
    parser.add_argument(
        "--hidden",
        metavar="WIDTHS",
        type=hidden_widths,
        default="30",
        help="such as 128x64; default: 30",
    )
    parser.add_argument(
        "--activation",
        choices=HIDDEN,
        default="sigmoid",
        help="of the hidden layers; default: sigmoid",
    )
    parser.add_argument(
        "--output-activation",
        choices=(*HIDDEN, *LAST),
        help="default: sigmoid to classify, softmax with cross_entropy, linear to regress, exp "
        "with poisson",
    )
    parser.add_argument(
        "--loss", choices=LOSSES, help="default: quadratic to classify, mse to regress"
    )
    parser.add_argument("--epochs", metavar="N", type=int, default=10, help="default: 10")
    parser.add_argument("--batch-size", metavar="N", type=int, default=10, help="default: 10")
    parser.add_argument(
        "--learning-rate",
        metavar="X",
        type=float,
        help="default: 3 with the quadratic loss, else 0.1",
    )
    parser.add_argument(
        "--momentum", metavar="X", type=float, default=0.0, help="in [0, 1); default: 0"
    )
    parser.add_argument("--nesterov", action="store_true", help="Nesterov's kind of momentum")
    parser.add_argument(
        "--init", choices=INITS, default="normal", help="of the weights; default: normal"
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of weights and shuffles; default: 0"
    )
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do what `exactnet train` is asked, and return the exit status."""
    files = [arguments.data] if arguments.test is None else [arguments.data, arguments.test]
    check_output(arguments.output, *files)
    data, task, n_outputs = _read_training_data(arguments, files)
    # converted and packed once, for training, its validation and the accuracy at its end
    parts = [Dataset._borrow(X, y) for X, y, _ in data]
    loss = arguments.loss or ("quadratic" if task == "classify" else "mse")
    output = arguments.output_activation
    if output is None:
        classes = "softmax" if loss == "cross_entropy" else "sigmoid"
        numbers = "exp" if loss == "poisson" else "linear"
        output = classes if task == "classify" else numbers
    rate = arguments.learning_rate
    if rate is None:
        rate = 3.0 if loss == "quadratic" else 0.1
    said, other = (
        (f"{n_outputs} classes", "regress takes targets as numbers")
        if task == "classify"
        else (f"{n_outputs} outputs", "classify takes integers as classes")
    )
    hint = "" if arguments.task or isinstance(data[0][1], list) else f" (--task {other})"
    network = Network(
        [data[0][0].shape[1], *arguments.hidden, n_outputs],
        activations=[arguments.activation] * len(arguments.hidden) + [output],
        init=arguments.init,
        seed=arguments.seed,
    )

    def print_epoch(_: Network, epoch: int, history: History) -> None:
        if epoch == 0:  # by now nothing is wrong with the data
            print(f"task: {task}, {said}{hint}")
        print(epoch_line(epoch, arguments.epochs, history), flush=True)

    try:
        with data[0].in_lines():
            history = network.fit(
                parts[0],
                epochs=arguments.epochs,
                batch_size=arguments.batch_size,
                learning_rate=rate,
                momentum=arguments.momentum,
                nesterov=arguments.nesterov,
                loss=loss,
                validation_data=parts[1] if len(parts) > 1 else None,
                callbacks=[] if arguments.json else [print_epoch],
                n_threads=arguments.threads,
            )
    except DivergenceError as error:
        raise ValueError(str(error)) from error
    accuracy = [network.accuracy(part) for part in parts] if task == "classify" else []
    network.save(arguments.output)
    if arguments.json:
        facts = {
            "layer_sizes": network.layer_sizes,
            "activations": network.activations,
            "task": task,
            "loss": history.loss,
            "val_loss": history.val_loss,
            "val_accuracy": history.val_accuracy,
            "seconds": history.seconds,
            "accuracy": accuracy[0] if accuracy else None,
            "output": arguments.output,
        }
        print(json.dumps(facts))
    else:
        sizes = ", ".join(map(str, network.layer_sizes))
        print(f"trained [{sizes}] to {task} in {sum(history.seconds):.3g} s")
        for file, share in zip(files, accuracy, strict=False):
            print(f"accuracy {share:.4f} on {file}")
        print(f"wrote {arguments.output}")
    return 0


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
        _FEW_CLASSES, len(labels) // 10
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
