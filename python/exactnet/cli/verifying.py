"""`exactnet verify`."""

from __future__ import annotations

import argparse
import json

from exactnet.cli.arguments import (
    DATA_HELP,
    add_data_options,
    add_json,
    add_threads,
    options_named,
)
from exactnet.cli.datafiles import read_named
from exactnet.cli.reporting import facts, sentence
from exactnet.exact.network import ExactNetwork
from exactnet.exact.verification import verify

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
    network = ExactNetwork.load(arguments.network, max_bytes=arguments.max_bytes, progress=True)
    names = None if network.classes is None else True
    data = read_named(arguments, arguments.data, names=names)
    with options_named(), data.in_lines():
        report = verify(network, data.X, data.y, n_threads=arguments.threads, progress=True)
    if arguments.json:
        print(json.dumps(facts(report, data.lines)))
    else:
        print(sentence(report, data.lines))
    return 0 if report.exact else 1
