"""`exactnet predict`."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from exactnet.base.files import atomic_write
from exactnet.base.labels import encode, listed
from exactnet.cli.arguments import (
    FLOAT_DATA_HELP,
    add_data_options,
    add_max_bytes,
    add_threads,
    check_output,
    load_network,
)
from exactnet.cli.datafiles import read_named
from exactnet.dense.network import Network

DESCRIPTION = (
    "Print the outputs of NETWORK for every row of DATA, separated by commas: "
    "floats for a trained network, fractions for a memorized one; with --classify its class. If "
    "DATA has targets then, the accuracy goes to stderr."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `exactnet predict` takes."""
    parser.add_argument(
        "network", metavar="NETWORK", help="file that `exactnet train` or `memorize` wrote"
    )
    parser.add_argument(
        "data",
        metavar="DATA",
        help=f"{FLOAT_DATA_HELP} for a trained network; targets may be missing",
    )
    add_data_options(parser, "; it is not an input")
    parser.add_argument(
        "--classify",
        action="store_true",
        help="print the class instead, by its name if the network knows it",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help=".csv or .npy to write instead of printing"
    )
    add_threads(parser)
    add_max_bytes(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do what `exactnet predict` is asked, and return the exit status."""
    kind = "" if arguments.output is None else os.path.splitext(arguments.output)[1].lower()
    if arguments.output is not None:
        if kind not in (".csv", ".npy"):
            raise ValueError(f"{arguments.output}: its name must end in .csv or .npy")
        check_output(arguments.output, arguments.network, arguments.data)
    network = load_network(arguments.network, arguments.max_bytes)
    exact = not isinstance(network, Network)
    if kind == ".npy" and exact and not arguments.classify:
        raise ValueError(f"{arguments.output}: .npy has no place for exact fractions, .csv has")
    classes = network.classes
    data = read_named(
        arguments,
        arguments.data,
        exact=exact,
        n_features=network.layer_sizes[0],
        names=None if classes is None else True,
    )
    result: npt.NDArray[Any]
    with data.in_lines():
        targets = _labels(data.y, classes) if arguments.classify else None
        if isinstance(network, Network):
            compute = network.classify if arguments.classify else network.predict
            result = compute(data.X, n_threads=arguments.threads)
        else:
            function = network.classify if arguments.classify else network.predict
            result = function(data.X, n_threads=arguments.threads, progress=True)
    codes = result
    if arguments.classify and classes is not None:
        result = np.array(classes)[codes]
    rows = result[:, None] if arguments.classify else result
    if kind == ".npy":
        with atomic_write(arguments.output, binary=True) as file:
            np.save(file, result)
    elif kind == ".csv":
        with atomic_write(arguments.output) as file:
            _write(file, rows)
    else:
        _write(sys.stdout, rows)
    if arguments.output is not None:
        print(f"wrote {len(result)} rows to {arguments.output}")
    if targets is not None:
        sys.stdout.flush()
        right = sum(bool(c == t) for c, t in zip(codes.tolist(), targets, strict=True))
        print(f"accuracy {right / len(codes):.4f}: {right} of {len(codes)}", file=sys.stderr)
    return 0


def _write(file: Any, rows: npt.NDArray[Any]) -> None:
    """Write rows as CSV; only names of classes may need quotes."""
    if rows.dtype.kind == "U":
        csv.writer(file, lineterminator="\n").writerows(rows.tolist())
    else:
        file.writelines(",".join(map(str, row)) + "\n" for row in rows)


def _labels(y: Any, classes: tuple[str, ...] | None) -> list[Any] | None:
    """Return targets as codes of classes; None if they are none."""
    if isinstance(y, list):
        if classes is None:
            raise ValueError("the targets are names of classes, of which the network knows none")
        codes: list[Any] = encode(y, classes).tolist()
        return codes
    if y is None or (len(y.shape) > 1 and y.shape[1] > 1):
        return None
    labels: list[Any] = y.ravel().tolist() if isinstance(y, np.ndarray) else y.rationals(0)
    if classes is not None:
        for row, label in enumerate(labels):
            if label not in range(len(classes)):
                raise ValueError(f"y[{row}] is {label}, which is no code of {listed(classes)}")
    return labels
