"""`exactnet predict`."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from exactnet.base.files import atomic_write
from exactnet.cli.arguments import (
    FLOAT_DATA_HELP,
    add_max_bytes,
    add_target,
    check_output,
    load_network,
)
from exactnet.cli.datafiles import read_data
from exactnet.dense.network import Network

DESCRIPTION = (
    "Print the outputs of NETWORK for every row of DATA, separated by commas: "
    "floats for a trained network, fractions for a memorized one. If --classify is given and "
    "DATA has targets, the accuracy goes to stderr."
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
    add_target(parser, "; it is not an input")
    parser.add_argument(
        "--classify", action="store_true", help="print the number of the largest output instead"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help=".csv or .npy to write instead of printing"
    )
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
    n_features, n_outputs = network.layer_sizes[0], network.layer_sizes[-1]
    if arguments.classify and n_outputs == 1:
        raise ValueError(f"{arguments.network}: it has one output, --classify needs several")
    if kind == ".npy" and exact and not arguments.classify:
        raise ValueError(f"{arguments.output}: .npy has no place for exact fractions, .csv has")
    X, y = read_data(arguments.data, arguments.target, exact=exact, n_features=n_features)
    result: npt.NDArray[Any]
    if isinstance(network, Network):
        result = network.predict(X)
    else:
        result = network.predict(X, progress=True)
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
