"""The command line: exactnet demo | memorize | verify."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from typing import Any

import gmpy2

import exactnet
from exactnet import _demo
from exactnet._datafiles import read_data
from exactnet._files import check_writable
from exactnet._progress import ProgressBar
from exactnet.construction import CONSTRUCTIONS, PROJECTIONS, SCALES, memorize
from exactnet.exact_network import ExactNetwork
from exactnet.verification import VerificationReport, verify

_DATA_HELP = "CSV (decimals are taken exactly), .npy (one matrix) or .npz (arrays X and y)"
_TARGET_HELP = "target column: its name in the header line, or its number from 0"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0 only on success."""
    arguments = _parser().parse_args(argv)
    try:
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
    except (ValueError, TypeError, MemoryError) as error:
        return _fail(str(error) or type(error).__name__)


def _fail(reason: str) -> int:
    print("exactnet: error: " + " ".join(reason.split()), file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="exactnet",
        description="ReLU networks that reproduce data without error, constructed and verified "
        "in exact arithmetic.",
    )
    parser.add_argument("--version", action="version", version=f"exactnet {exactnet.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo",
        help="memorize nine points, then 1,797 digits, and verify both",
        description="Memorize the nine points of the article and the 1,797 bundled digits, verify "
        "both exactly, and compare with float64. Takes a second or two.",
    )
    demo.set_defaults(run=_run_demo)

    build = commands.add_parser(
        "memorize",
        help="construct a network that reproduces a data file, verify it and save it",
        description="Construct a network with two hidden layers that reproduces every row of DATA "
        "without error, verify it in exact arithmetic and write it as JSON.",
    )
    build.add_argument("data", metavar="DATA", help=_DATA_HELP)
    build.add_argument("--target", metavar="COLUMN", help=_TARGET_HELP)
    build.add_argument(
        "--hidden", metavar="A1xA2", type=_widths, help="hidden widths; default: smallest square"
    )
    build.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="network file to write"
    )
    build.add_argument("--construction", choices=CONSTRUCTIONS, default="auto")
    build.add_argument("--projection", choices=PROJECTIONS, default="smallest")
    build.add_argument("--scale", choices=SCALES, default="least")
    build.add_argument("--seed", type=int, default=0, help="of random projections; default: 0")
    build.add_argument("--max-bytes", type=int, help="memory the network may take by prediction")
    build.set_defaults(run=_run_memorize)

    check = commands.add_parser(
        "verify",
        help="check in exact arithmetic that a network reproduces a data file",
        description="Evaluate NETWORK at every row of DATA in exact arithmetic. Exit status 0 if "
        "all outputs equal the targets, 1 if not.",
    )
    check.add_argument("network", metavar="NETWORK", help="file that `exactnet memorize` wrote")
    check.add_argument("data", metavar="DATA", help=_DATA_HELP)
    check.add_argument("--target", metavar="COLUMN", help=_TARGET_HELP)
    check.add_argument(
        "--max-bytes", type=int, default=2**30, help="refuse larger network files; default: 1 GiB"
    )
    check.set_defaults(run=_run_verify)

    for command in (build, check):
        command.add_argument("--threads", type=int, default=1, help="default: 1")
    for command in (demo, build, check):
        command.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _widths(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]+)[x,]([0-9]+)", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 43x42")
    return int(match[1]), int(match[2])


def _run_demo(arguments: argparse.Namespace) -> int:
    text, facts = _demo.run()
    print(json.dumps(facts) if arguments.json else text, end="\n" if arguments.json else "")
    return 0 if facts["digits"]["exact"] and facts["nine_points"]["exactnet"]["exact"] else 1


def _run_memorize(arguments: argparse.Namespace) -> int:
    check_writable(arguments.output)
    if os.path.exists(arguments.output) and os.path.samefile(arguments.output, arguments.data):
        raise ValueError(f"{arguments.output}: the network would replace its own data")
    X, y = read_data(arguments.data, arguments.target)
    start = time.perf_counter()
    with ProgressBar("constructing") as bar:
        network = memorize(
            X,
            y,
            hidden=arguments.hidden,
            construction=arguments.construction,
            projection=arguments.projection,
            scale=arguments.scale,
            seed=arguments.seed,
            n_threads=arguments.threads,
            max_bytes=arguments.max_bytes,
            progress=bar,
        )
    seconds = time.perf_counter() - start
    with ProgressBar("verifying") as bar:
        report = verify(network, X, y, n_threads=arguments.threads, progress=bar)
    network.save(arguments.output)
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
