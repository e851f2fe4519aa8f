"""`exactnet memorize`."""

from __future__ import annotations

import argparse
import json
import time

from exactnet.base.dataset import Dataset
from exactnet.base.progress import ProgressBar
from exactnet.cli.arguments import (
    DATA_HELP,
    add_data_options,
    add_json,
    add_threads,
    check_output,
    hidden_widths,
    options_named,
)
from exactnet.cli.datafiles import read_named
from exactnet.cli.reporting import facts, sentence
from exactnet.exact.construct.memorization import CONSTRUCTIONS, PROJECTIONS, SCALES, memorize
from exactnet.exact.data import Data
from exactnet.exact.digest import make_claim
from exactnet.exact.file import save
from exactnet.exact.verification import verify

DESCRIPTION = (
    "Construct a network that reproduces every row of DATA "
    "without error, verify it in exact arithmetic and write it as JSON."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `exactnet memorize` takes."""
    parser.add_argument("data", metavar="DATA", help=DATA_HELP)
    add_data_options(parser)
    parser.add_argument(
        "--hidden",
        metavar="A1xA2",
        type=hidden_widths,
        help="hidden widths, one or two; default: the least, near-square",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="network file to write"
    )
    parser.add_argument("--construction", choices=CONSTRUCTIONS, default="auto")
    parser.add_argument(
        "--dtype",
        choices=("float64", "float32"),
        default="float64",
        help="of the inference that integer networks are for; default: float64",
    )
    parser.add_argument("--projection", choices=PROJECTIONS, default="smallest")
    parser.add_argument("--scale", choices=SCALES, default="least")
    parser.add_argument("--seed", type=int, default=0, help="of random projections; default: 0")
    parser.add_argument("--max-bytes", type=int, help="memory the network may take by prediction")
    parser.add_argument(
        "--claim",
        action="store_true",
        help="state in the file which data it was verified on, for `python -m exactnet.check`",
    )
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do what `exactnet memorize` is asked, and return the exit status."""
    check_output(arguments.output, arguments.data)
    found = read_named(arguments, arguments.data)
    data = Dataset._borrow(found.X, found.y)
    start = time.perf_counter()
    with options_named(), found.in_lines():
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
            progress=True,
        )
    seconds = time.perf_counter() - start
    report = verify(network, data, n_threads=arguments.threads, progress=True)
    claim = None
    if arguments.claim:
        claim = make_claim(Data(data), report.n_wrong, report.first_wrong)
    with ProgressBar("saving") as bar:
        save(arguments.output, network._parameters(), claim, bar)
    largest = network.bit_sizes().largest
    if arguments.json:
        result = {
            "layer_sizes": network.layer_sizes,
            "largest_bits": largest,
            "construction_seconds": seconds,
            "output": arguments.output,
            **facts(report, found.lines),
        }
        print(json.dumps(result))
    else:
        sizes = ", ".join(map(str, network.layer_sizes))
        if network.classes is not None:
            print(f"targets: {_classes(network.classes)}")
        bits = f"{largest} bit{'s' * (largest != 1)}"
        print(f"constructed [{sizes}] in {seconds:.3g} s, largest parameter {bits}")
        print(sentence(report, found.lines))
        print(f"wrote {arguments.output}")
    return 0 if report.exact else 1


def _classes(names: tuple[str, ...]) -> str:
    """Say what text was taken for."""
    first = [" ".join(name.split())[:40] for name in names[:10]]
    more = ", ..." if len(names) > 10 else ""
    count = f"{len(names)} class{'es' * (len(names) != 1)}"
    return f"{count} by name ({', '.join(first)}{more})"
