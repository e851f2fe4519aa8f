"""The command line: exactnet demo | memorize | verify | plan | train | predict | draw."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from typing import Any

import gmpy2
import numpy as np
import numpy.typing as npt

import exactnet
from exactnet import plot
from exactnet.base.dataset import Dataset
from exactnet.base.files import atomic_write, check_writable, descriptor_of
from exactnet.base.progress import ProgressBar
from exactnet.cli import demo
from exactnet.cli.datafiles import Data, read_data
from exactnet.dense.network import INITS, LOSSES, DivergenceError, History, Network
from exactnet.dense.training import epoch_line
from exactnet.exact.construct.memorization import CONSTRUCTIONS, PROJECTIONS, SCALES, memorize
from exactnet.exact.construct.planning import plan
from exactnet.exact.data import Data as ExactData
from exactnet.exact.digest import make_claim
from exactnet.exact.file import save as save_exact
from exactnet.exact.network import ExactNetwork
from exactnet.exact.verification import VerificationReport, verify

_FORMATS = (
    "CSV{}, .npy (one matrix), .npz (arrays X and y), or the images of an IDX pair such as MNIST's "
    "train-images-idx3-ubyte.gz, with train-labels-idx1-ubyte.gz beside it{}"
)
_DATA_HELP = _FORMATS.format(" (decimals are taken exactly)", "")
_FLOAT_DATA_HELP = _FORMATS.format("", "; pixels of a byte are scaled to [0, 1]")
_TARGET_HELP = "target column of CSV or .npy: its name in the header line, or its number from 0"
_ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu", "leaky_relu")
# Integers from 0 are taken for classes below the first number, if not said otherwise; and at all
# below the second, for each is an output of the network.
_LIKELY_CLASSES, _MOST_CLASSES = 1000, 2**16


class _Once(argparse.Action):
    """Refuses an option that is given twice, of which argparse would take the last."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if getattr(namespace, self.dest) is not None:
            parser.error(f"{option_string} may be given once only")
        setattr(namespace, self.dest, values)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0 only on success."""
    try:
        arguments = _parser().parse_args(argv)
        output = getattr(arguments, "output", None)
        # A network that goes to standard output has it for itself.
        with redirect_stdout(sys.stderr) if _is_stdout(output) else nullcontext():
            status: int = arguments.run(arguments)
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader went away; keep the interpreter from complaining when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("exactnet: interrupted", file=sys.stderr)
        return 130
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return _fail(reason)
    except (ValueError, TypeError, MemoryError, DivergenceError) as error:
        return _fail(str(error) or "out of memory")


def _is_stdout(output: str | None) -> bool:
    return output is not None and descriptor_of(output) == 1


def _fail(reason: str) -> int:
    print("exactnet: error: " + " ".join(reason.split()), file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="exactnet",
        description="Small dense networks: ReLU networks that reproduce data without error, "
        "constructed and verified in exact arithmetic, and trained networks of floats.",
    )
    parser.add_argument("--version", action="version", version=f"exactnet {exactnet.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo",
        help="memorize nine points, then 1,797 digits, and verify both; train on the digits",
        description="Memorize the nine points of the article and the 1,797 bundled digits, verify "
        "both exactly, and compare with float64. Then train a network of floats on 1,437 of the "
        "digits and test it on the others. Takes a second or two.",
    )
    demo.set_defaults(run=_run_demo)

    build = commands.add_parser(
        "memorize",
        help="construct a network that reproduces a data file, verify it and save it",
        description="Construct a network that reproduces every row of DATA "
        "without error, verify it in exact arithmetic and write it as JSON.",
    )
    build.add_argument("data", metavar="DATA", help=_DATA_HELP)
    build.add_argument("--target", action=_Once, metavar="COLUMN", help=_TARGET_HELP)
    build.add_argument(
        "--hidden",
        metavar="A1xA2",
        type=_hidden,
        help="hidden widths, one or two; default: the least, near-square",
    )
    build.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="network file to write"
    )
    build.add_argument("--construction", choices=CONSTRUCTIONS, default="auto")
    build.add_argument(
        "--dtype",
        choices=("float64", "float32"),
        default="float64",
        help="of the inference that integer networks are for; default: float64",
    )
    build.add_argument("--projection", choices=PROJECTIONS, default="smallest")
    build.add_argument("--scale", choices=SCALES, default="least")
    build.add_argument("--seed", type=int, default=0, help="of random projections; default: 0")
    build.add_argument("--max-bytes", type=int, help="memory the network may take by prediction")
    build.add_argument(
        "--claim",
        action="store_true",
        help="state in the file which data it was verified on, for `python -m exactnet.check`",
    )
    build.set_defaults(run=_run_memorize)

    check = commands.add_parser(
        "verify",
        help="check in exact arithmetic that a network reproduces a data file",
        description="Evaluate NETWORK at every row of DATA in exact arithmetic. Exit status 0 if "
        "all outputs equal the targets, 1 if not.",
    )
    check.add_argument("network", metavar="NETWORK", help="file that `exactnet memorize` wrote")
    check.add_argument("data", metavar="DATA", help=_DATA_HELP)
    check.add_argument("--target", action=_Once, metavar="COLUMN", help=_TARGET_HELP)
    check.add_argument(
        "--max-bytes", type=int, default=2**30, help="refuse larger network files; default: 1 GiB"
    )
    check.set_defaults(run=_run_verify)

    planner = commands.add_parser(
        "plan",
        help="print what each construction takes for data of a size, without building it",
        description="Print a table of all constructions with their hidden widths and parameters, "
        "and the bits of the longest parameter, memory, time and file size by prediction, for "
        "random points. The last two columns are how many points hidden layers of these widths "
        "hold for certain and at most.",
    )
    planner.add_argument("--points", metavar="N", type=int, required=True)
    planner.add_argument("--features", metavar="N", type=int, default=1, help="default: 1")
    planner.add_argument("--outputs", metavar="N", type=int, default=1, help="default: 1")
    planner.set_defaults(run=_run_plan)

    train = commands.add_parser(
        "train",
        help="train a network of floats on a data file and save it",
        description="Train a dense network by minibatch stochastic gradient descent, print a line "
        "per epoch and write the network as safetensors. The same command gives the same network.",
    )
    train.add_argument("data", metavar="DATA", help=_FLOAT_DATA_HELP)
    train.add_argument("--target", action=_Once, metavar="COLUMN", help=_TARGET_HELP)
    train.add_argument("--test", metavar="DATA", help="data to evaluate after every epoch")
    train.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="network file to write"
    )
    train.add_argument(
        "--task",
        choices=("classify", "regress"),
        help="classify has an output for every class, regress one for the target; default: "
        f"classify if the targets are at least two different integers from 0 to "
        f"{_LIKELY_CLASSES - 1}",
    )
    train.add_argument(
        "--hidden", metavar="WIDTHS", type=_hidden, default="30", help="such as 128x64; default: 30"
    )
    train.add_argument(
        "--activation",
        choices=_ACTIVATIONS,
        default="sigmoid",
        help="of the hidden layers; default: sigmoid",
    )
    train.add_argument(
        "--output-activation",
        choices=(*_ACTIVATIONS, "softmax"),
        help="default: sigmoid to classify, softmax with cross_entropy, linear to regress",
    )
    train.add_argument(
        "--loss", choices=LOSSES, help="default: quadratic to classify, mse to regress"
    )
    train.add_argument("--epochs", metavar="N", type=int, default=10, help="default: 10")
    train.add_argument("--batch-size", metavar="N", type=int, default=10, help="default: 10")
    train.add_argument(
        "--learning-rate",
        metavar="X",
        type=float,
        help="default: 3 with the quadratic loss, else 0.1",
    )
    train.add_argument(
        "--momentum", metavar="X", type=float, default=0.0, help="in [0, 1); default: 0"
    )
    train.add_argument("--nesterov", action="store_true", help="Nesterov's kind of momentum")
    train.add_argument(
        "--init", choices=INITS, default="normal", help="of the weights; default: normal"
    )
    train.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of weights and shuffles; default: 0"
    )
    train.set_defaults(run=_run_train)

    predict = commands.add_parser(
        "predict",
        help="evaluate a network at a data file",
        description="Print the outputs of NETWORK for every row of DATA, separated by commas: "
        "floats for a trained network, fractions for a memorized one. If --classify is given and "
        "DATA has targets, the accuracy goes to stderr.",
    )
    predict.add_argument(
        "network", metavar="NETWORK", help="file that `exactnet train` or `memorize` wrote"
    )
    predict.add_argument(
        "data",
        metavar="DATA",
        help=f"{_FLOAT_DATA_HELP} for a trained network; targets may be missing",
    )
    predict.add_argument(
        "--target", action=_Once, metavar="COLUMN", help=f"{_TARGET_HELP}; it is not an input"
    )
    predict.add_argument(
        "--classify", action="store_true", help="print the number of the largest output instead"
    )
    predict.add_argument(
        "-o", "--output", metavar="FILE", help=".csv or .npy to write instead of printing"
    )
    predict.add_argument(
        "--max-bytes", type=int, default=2**30, help="as of verify, for memorized networks"
    )
    predict.set_defaults(run=_run_predict)

    draw = commands.add_parser(
        "draw",
        help="draw a network",
        description="Draw NETWORK with a circle for each unit and a line for each weight, whose "
        "width is its size and whose colour is its sign: blue is positive, vermillion negative. "
        "Wide layers are folded. Needs matplotlib, which comes with exactnet[plot].",
    )
    draw.add_argument(
        "network", metavar="NETWORK", help="file that `exactnet train` or `memorize` wrote"
    )
    draw.add_argument("-o", "--output", metavar="FILE", required=True, help=".png or .svg to write")
    draw.add_argument(
        "--dpi", metavar="N", type=int, default=150, help="of PNG, 8 inches wide; default: 150"
    )
    draw.add_argument(
        "--image",
        metavar="HxW",
        type=_image,
        default="auto",
        help="height and width of the inputs, to draw the first layer's weights as images, or "
        "none; default: a square, if the inputs are a square number from 25",
    )
    draw.add_argument(
        "--max-bytes", type=int, default=2**30, help="as of verify, for memorized networks"
    )
    draw.set_defaults(run=_run_draw)

    for command in (build, check, train):
        command.add_argument("--threads", type=int, default=1, help="default: 1")
    for command in (demo, build, check, planner, train):
        command.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _hidden(text: str) -> list[int]:
    if not re.fullmatch(r"[0-9]+([x,][0-9]+)*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 30 or 128x64")
    return [int(width) for width in re.split("[x,]", text)]


def _image(text: str) -> tuple[int, int] | str | None:
    if text == "none":
        return None
    match = re.fullmatch(r"([0-9]+)x([0-9]+)", text, re.ASCII)
    if text != "auto" and not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 28x28, none or auto")
    return (int(match[1]), int(match[2])) if match else text


def _run_demo(arguments: argparse.Namespace) -> int:
    text, facts = demo.run()
    print(json.dumps(facts) if arguments.json else text, end="\n" if arguments.json else "")
    return 0 if facts["digits"]["exact"] and facts["nine_points"]["exactnet"]["exact"] else 1


def _run_memorize(arguments: argparse.Namespace) -> int:
    _check_output(arguments.output, arguments.data)
    data = Dataset(*read_data(arguments.data, arguments.target))
    start = time.perf_counter()
    with ProgressBar("constructing") as bar:
        network = memorize(
            data,
            hidden=arguments.hidden,
            construction=arguments.construction,
            projection=arguments.projection,
            scale=arguments.scale,
            seed=arguments.seed,
            dtype=arguments.dtype,
            n_threads=arguments.threads,
            max_bytes=arguments.max_bytes,
            progress=bar,
        )
    seconds = time.perf_counter() - start
    with ProgressBar("verifying") as bar:
        report = verify(network, data, n_threads=arguments.threads, progress=bar)
    claim = None
    if arguments.claim:
        claim = make_claim(ExactData(data), report.n_wrong, report.first_wrong)
    save_exact(arguments.output, network._parameters(), claim)
    largest = network.bit_sizes().largest
    if arguments.json:
        facts = {
            "layer_sizes": network.layer_sizes,
            "largest_bits": largest,
            "construction_seconds": seconds,
            "output": arguments.output,
            **_facts(report),
        }
        print(json.dumps(facts))
    else:
        sizes = ", ".join(map(str, network.layer_sizes))
        print(f"constructed [{sizes}] in {seconds:.3g} s, largest parameter {largest} bits")
        print(_sentence(report))
        print(f"wrote {arguments.output}")
    return 0 if report.exact else 1


def _run_verify(arguments: argparse.Namespace) -> int:
    network = ExactNetwork.load(arguments.network, max_bytes=arguments.max_bytes)
    X, y = read_data(arguments.data, arguments.target)
    with ProgressBar("verifying") as bar:
        report = verify(network, X, y, n_threads=arguments.threads, progress=bar)
    print(json.dumps(_facts(report)) if arguments.json else _sentence(report))
    return 0 if report.exact else 1


def _run_plan(arguments: argparse.Namespace) -> int:
    result = plan(arguments.points, arguments.features, arguments.outputs)
    print(json.dumps(result.to_dict()) if arguments.json else result)
    return 0


def _check_output(output: str, *inputs: str) -> None:
    """Raise what can be said against an output file before any work is done for it."""
    check_writable(output)
    for path in inputs:
        if os.path.exists(output) and os.path.samefile(output, path):
            raise ValueError(f"{output}: the output would replace what it is made from")


def _run_train(arguments: argparse.Namespace) -> int:
    files = [arguments.data] if arguments.test is None else [arguments.data, arguments.test]
    _check_output(arguments.output, *files)
    data, task, n_outputs = _read_training_data(files, arguments.target, arguments.task)
    X, y = data[0]
    loss = arguments.loss or ("quadratic" if task == "classify" else "mse")
    output = arguments.output_activation
    if output is None:
        classes = "softmax" if loss == "cross_entropy" else "sigmoid"
        output = classes if task == "classify" else "linear"
    rate = arguments.learning_rate
    if rate is None:
        rate = 3.0 if loss == "quadratic" else 0.1
    network = Network(
        [X.shape[1], *arguments.hidden, n_outputs],
        activations=[arguments.activation] * len(arguments.hidden) + [output],
        init=arguments.init,
        seed=arguments.seed,
    )

    def print_epoch(_: Network, epoch: int, history: History) -> None:
        print(epoch_line(epoch, arguments.epochs, history), flush=True)

    history = network.fit(
        X,
        y,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=rate,
        momentum=arguments.momentum,
        nesterov=arguments.nesterov,
        loss=loss,
        validation_data=data[1] if len(data) > 1 else None,
        callbacks=[] if arguments.json else [print_epoch],
        n_threads=arguments.threads,
    )
    accuracy = [network.accuracy(*part) for part in data] if task == "classify" else []
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
    files: list[str], target: str | None, task: str | None
) -> tuple[list[Data], str, int]:
    """Return (X, y) of every file, the task and the number of outputs it needs."""
    data = [read_data(file, target, exact=False) for file in files]
    for file, (X, _) in zip(files, data, strict=True):
        if X.ndim != 2 or not len(X):
            raise ValueError(f"{file}: X must be (samples, features), not of shape {X.shape}")
    labels = [_as_labels(y) for _, y in data]
    first, y = labels[0], data[0][1]
    if task is None:
        likely = first is not None and first.min() < first.max() < _LIKELY_CLASSES
        task = "classify" if likely else "regress"
    if task == "regress":
        return data, task, y.shape[1] if y.ndim == 2 else 1
    for k, found in enumerate(labels):
        if found is None:
            raise ValueError(
                f"{files[k]}: to classify, targets must be integers from 0 to {_MOST_CLASSES - 1}; "
                "--task regress takes others"
            )
        data[k] = data[k][0], found
    return data, task, max(2, int(data[0][1].max()) + 1)


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


def _run_predict(arguments: argparse.Namespace) -> int:
    kind = "" if arguments.output is None else os.path.splitext(arguments.output)[1].lower()
    if arguments.output is not None:
        if kind not in (".csv", ".npy"):
            raise ValueError(f"{arguments.output}: its name must end in .csv or .npy")
        _check_output(arguments.output, arguments.network, arguments.data)
    network = _load_network(arguments.network, arguments.max_bytes)
    exact = isinstance(network, ExactNetwork)
    n_features, n_outputs = network.layer_sizes[0], network.layer_sizes[-1]
    if arguments.classify and n_outputs == 1:
        raise ValueError(f"{arguments.network}: it has one output, --classify needs several")
    if kind == ".npy" and exact and not arguments.classify:
        raise ValueError(f"{arguments.output}: .npy has no place for exact fractions, .csv has")
    X, y = read_data(arguments.data, arguments.target, exact=exact, n_features=n_features)
    result: npt.NDArray[Any]
    if isinstance(network, ExactNetwork):
        with ProgressBar("predicting") as bar:
            result = network.predict(X, progress=bar)
    else:
        result = network.predict(X)
    if arguments.classify:
        result = np.argmax(result, axis=1)[:, None]
    lines = (",".join(map(str, row)) + "\n" for row in result)
    if kind == ".npy":
        with atomic_write(arguments.output, binary=True) as file:
            np.save(file, result[:, 0] if arguments.classify else result)
    elif kind == ".csv":
        with atomic_write(arguments.output) as file:
            file.writelines(lines)
    else:
        sys.stdout.writelines(lines)
    if arguments.output is not None:
        print(f"wrote {len(result)} rows to {arguments.output}")
    if arguments.classify and y is not None and np.ndim(y) == 1:
        sys.stdout.flush()
        right = sum(bool(c == t) for c, t in zip(result[:, 0].tolist(), y, strict=True))
        print(f"accuracy {right / len(result):.4f}: {right} of {len(result)}", file=sys.stderr)
    return 0


def _run_draw(arguments: argparse.Namespace) -> int:
    plot.check_picture(arguments.output)
    _check_output(arguments.output, arguments.network)
    network = _load_network(arguments.network, arguments.max_bytes)
    try:
        plot.save_network(network, arguments.output, dpi=arguments.dpi, image_shape=arguments.image)
    except ImportError as error:
        return _fail(str(error))
    print(f"wrote {arguments.output}")
    return 0


def _load_network(path: str, max_bytes: int) -> Network | ExactNetwork:
    with open(path, "rb") as file:
        head = file.read(9)
    # A safetensors file begins with the length of its header, in 8 bytes, and the header.
    if head[8:] == b"{":
        return Network.load(path)
    return ExactNetwork.load(path, max_bytes=max_bytes)


def _facts(report: VerificationReport) -> dict[str, Any]:
    return {
        "exact": report.exact,
        "n_points": report.n_points,
        "n_wrong": report.n_wrong,
        "first_wrong": report.first_wrong,
        "max_error": str(report.max_error),
        "verification_seconds": report.seconds,
    }


def _sentence(report: VerificationReport) -> str:
    if report.exact:
        return (
            f"verified in exact arithmetic in {report.seconds:.3g} s: "
            f"all {report.n_points} outputs equal their targets"
        )
    error = str(report.max_error)
    if len(error) > 40:
        error = f"about {gmpy2.mpfr(report.max_error):.3g}"
    return (
        f"NOT exact: {report.n_wrong} of {report.n_points} points are wrong, the first is "
        f"row {report.first_wrong} (counted from 0), the largest error is {error}"
    )
