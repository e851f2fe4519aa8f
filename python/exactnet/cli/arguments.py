"""Arguments that several commands take."""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from exactnet.base.files import check_writable

if TYPE_CHECKING:
    from exactnet.dense.network import Network
    from exactnet.exact.network import ExactNetwork

_FORMATS = (
    "CSV{} with commas, semicolons or tabs, .npy (one matrix), .npz (arrays X and y), or the "
    "images of an IDX pair such as MNIST's train-images-idx3-ubyte.gz, with "
    "train-labels-idx1-ubyte.gz beside it{}"
)
DATA_HELP = _FORMATS.format(" (decimals are taken exactly)", "")
FLOAT_DATA_HELP = _FORMATS.format("", "; pixels of a byte are scaled to [0, 1]")
_TARGET_HELP = (
    "target column of CSV or .npy: its name in the header line, or its number from 0; "
    "in CSV it may hold names of classes"
)


# Arguments of the functions that commands call, where options have other names, ...
_OPTIONS = {
    "n_threads": "--threads",
    "n_points": "--points",
    "n_features": "--features",
    "layer_sizes": "--hidden",
    "image_shape": "--image",
    "validation_data": "--test",
    "patience": "--early-stopping",
    **{
        name: f"--{name.replace('_', '-')}"
        for name in ("learning_rate", "batch_size", "clip_norm", "validation_split", "max_bytes")
    },
}
# ... those that are also words, and are arguments in front of a value or what is said of it, ...
_WORDS = "alpha|dpi|dropout|epochs|hidden|loss|momentum|outputs|penalty|quantiles|seed"
_ARGUMENT = re.compile(
    rf"(?<![\w'\"./-])(?:({'|'.join(_OPTIONS)})\b(?:\[[0-9]+\])?"
    rf"|({_WORDS})(?==)|^({_WORDS})(?:\[[0-9]+\])?(?= (?:must|are for|is for)\b))"
    r"(?:=('[^']*'|\([0-9, ]*\)|\[[^\]]*\]|[^\s;,)]+))?"
)
# ... and advice in Python.
_ADVICE = {
    "(X - X.mean(0)) / X.std(0)": "--standardize always",
    "(y - y.mean()) / y.std()": "--standardize always",
    "init=None": "--init he_normal",
    "activations=[..., 'linear']": "--output-activation linear",
}


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


def add_data_options(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Let the target column be named, and said how a file is written."""
    parser.add_argument("--target", action=_Once, metavar="COLUMN", help=_TARGET_HELP + more)
    parser.add_argument(
        "--ignore",
        action="extend",
        nargs="+",
        metavar="COLUMN",
        help="columns of CSV or .npy to leave out, by name or number",
    )
    parser.add_argument(
        "--decimal", choices=(".", ","), default=".", help="of numbers in CSV; default: ."
    )
    parser.add_argument(
        "--missing",
        choices=("drop",),
        help="drop rows of CSV with an empty cell, ?, NA, NaN or null; by default they are errors",
    )


def add_max_bytes(parser: argparse.ArgumentParser) -> None:
    """Let files be larger, of commands that take networks of either kind."""
    parser.add_argument(
        "--max-bytes", type=int, default=2**30, help="as of verify, for memorized networks"
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Let a command use several threads."""
    parser.add_argument("--threads", type=int, default=1, help="default: 1")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Let a command print for machines."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def hidden_widths(text: str) -> list[int]:
    """Read widths such as 30 or 128x64."""
    if not re.fullmatch(r"[0-9]+([x,][0-9]+)*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 30 or 128x64")
    return [int(width) for width in re.split("[x,]", text)]


@contextmanager
def options_named() -> Iterator[None]:
    """Have errors of functions speak of the options that stand for their arguments."""
    try:
        yield
    except (ValueError, TypeError, MemoryError, ArithmeticError) as error:
        error.args = (in_options(str(error)),)
        raise


@contextmanager
def warnings_told() -> Iterator[None]:
    """Print warnings of functions as a line each, at the end."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield
    for warning in found:
        text = " ".join(in_options(str(warning.message)).split())
        print(f"exactnet: warning: {text}", file=sys.stderr)


def in_options(message: str) -> str:
    """Return a message about arguments as one about options."""

    def option(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[3]
        value = match[4] or ""
        value = (
            value.strip("'(),").replace(", ", "x")
            if value[:1] != "["
            else re.sub("[][,]", "", value)
        )
        value = value and f" {value}"
        return _OPTIONS.get(name, f"--{name}") + value

    message = re.sub(r"\bX / [0-9.e+]+\b", "--standardize always", message)
    for python, words in _ADVICE.items():
        message = message.replace(python, words)
    return _ARGUMENT.sub(option, message)


def check_output(output: str, *inputs: str) -> None:
    """Raise what can be said against an output file before any work is done for it."""
    check_writable(output)
    for path in inputs:
        if os.path.exists(output) and os.path.samefile(output, path):
            raise ValueError(f"{output}: the output would replace what it is made from")


def load_network(path: str, max_bytes: int) -> Network | ExactNetwork:
    """Load a network of either kind; only its half of the package is imported."""
    with open(path, "rb") as file:
        head = file.read(9)
    # A safetensors file begins with the length of its header, in 8 bytes, and the header.
    if head[8:] == b"{":
        from exactnet.dense.network import Network

        return Network.load(path)
    return load_exact(path, max_bytes)


def load_exact(path: str, max_bytes: int) -> ExactNetwork:
    """Load a network of the exact kind."""
    from exactnet.exact.network import ExactNetwork

    with options_named():
        return ExactNetwork.load(path, max_bytes=max_bytes, progress=True)
