"""`exactnet verify`."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from exactnet.cli.arguments import (
    DATA_HELP,
    add_data_options,
    add_json,
    add_threads,
    load_exact,
    options_named,
)
from exactnet.cli.datafiles import Data, read_named
from exactnet.cli.reporting import facts, sentence
from exactnet.exact.data import Table
from exactnet.exact.network import ExactNetwork
from exactnet.exact.rationals import to_floats
from exactnet.exact.verification import VerificationReport, verify

DESCRIPTION = (
    "Evaluate NETWORK at every row of DATA in exact arithmetic. Exit status 0 if "
    "all outputs equal the targets, 1 if not."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `exactnet verify` takes."""
    parser.add_argument("network", metavar="NETWORK", help="file that `exactnet memorize` wrote")
    parser.add_argument("data", metavar="DATA", help=DATA_HELP)
    add_data_options(parser)
    parser.add_argument(
        "--max-bytes", type=int, default=2**30, help="refuse larger network files; default: 1 GiB"
    )
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do what `exactnet verify` is asked, and return the exit status."""
    network = load_exact(arguments.network, arguments.max_bytes)
    names = None if network.classes is None else True
    data = read_named(arguments, arguments.data, names=names)
    with options_named(), data.in_lines():
        report = verify(network, data.X, data.y, n_threads=arguments.threads, progress=True)
    if arguments.json:
        print(json.dumps(facts(report, data.lines)))
    else:
        print(sentence(report, data.lines) + _of_floats(network, data, report))
    return 0 if report.exact else 1


def _of_floats(network: ExactNetwork, data: Data, report: VerificationReport) -> str:
    """Return the end of the sentence where decimals were meant to be floats, or nothing."""
    row = report.first_wrong
    if row is None or not isinstance(data.X, Table):
        return ""

    def nearest(values: Any) -> Any:
        """Return the targets or features of the row, numbers as floats."""
        if not isinstance(values, Table):
            return values[row : row + 1]
        cells = values.rows(np.array([row]))
        columns = [cells.rationals(c) for c in range(cells.shape[1])]
        return to_floats(np.array(columns, dtype=object).T)

    try:
        if not verify(network, nearest(data.X), nearest(data.y)).exact:
            return ""
    except ValueError:  # beyond floats
        return ""
    return (
        "; with the floats nearest to its decimals this row is right: the network is one of floats "
        "(0.1 in CSV is 1/10), to be verified on them in .npy or in Python"
    )
