"""`exactnet plan`."""

from __future__ import annotations

import argparse
import json

from exactnet.cli.arguments import DATA_HELP, add_data_options, add_json, options_named
from exactnet.cli.datafiles import read_named
from exactnet.exact.construct.planning import plan

DESCRIPTION = (
    "Print a table of all constructions with their hidden widths and parameters, "
    "and the bits of the longest parameter, memory, time and file size by prediction, for DATA or, "
    "with --points, for random points. The last two columns are how many points hidden layers of "
    "these widths hold for certain and at most."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `exactnet plan` takes."""
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument("data", metavar="DATA", nargs="?", help=DATA_HELP)
    either.add_argument("--points", metavar="N", type=int, help="different points, without DATA")
    add_data_options(parser)
    parser.add_argument("--features", metavar="N", type=int, help="of these; default: 1")
    parser.add_argument("--outputs", metavar="N", type=int, help="of these; default: 1")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do what `exactnet plan` is asked, and return the exit status."""
    sizes = {"n_features": arguments.features, "outputs": arguments.outputs}
    sizes = {name: value for name, value in sizes.items() if value is not None}
    if arguments.data is None:
        with options_named():
            result = plan(arguments.points, **sizes)
    elif sizes:
        raise ValueError("--features and --outputs are for --points: DATA has its own")
    else:
        found = read_named(arguments, arguments.data)
        with found.in_lines():
            result = plan(found.X, found.y)
    print(json.dumps(result.to_dict()) if arguments.json else result)
    return 0
