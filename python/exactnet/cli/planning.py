"""`exactnet plan`."""

from __future__ import annotations

import argparse
import json

from exactnet.cli.arguments import add_json
from exactnet.exact.construct.planning import plan

DESCRIPTION = (
    "Print a table of all constructions with their hidden widths and parameters, "
    "and the bits of the longest parameter, memory, time and file size by prediction, for "
    "random points. The last two columns are how many points hidden layers of these widths "
    "hold for certain and at most."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `exactnet plan` takes."""
    parser.add_argument("--points", metavar="N", type=int, required=True)
    parser.add_argument("--features", metavar="N", type=int, default=1, help="default: 1")
    parser.add_argument("--outputs", metavar="N", type=int, default=1, help="default: 1")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do what `exactnet plan` is asked, and return the exit status."""
    result = plan(arguments.points, arguments.features, arguments.outputs)
    print(json.dumps(result.to_dict()) if arguments.json else result)
    return 0
