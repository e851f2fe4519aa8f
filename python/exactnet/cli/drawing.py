"""`exactnet draw`."""

from __future__ import annotations

import argparse
import re

from exactnet.cli.arguments import add_max_bytes, check_output, load_network, options_named
from exactnet.plot.networks import check_picture, save_network

DESCRIPTION = (
    "Draw NETWORK with a circle for each unit and a line for each weight, whose "
    "width is its size and whose colour is its sign: blue is positive, vermillion negative. "
    "Wide layers are folded. Needs matplotlib, which comes with exactnet[plot]."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `exactnet draw` takes."""
    parser.add_argument(
        "network", metavar="NETWORK", help="file that `exactnet train` or `memorize` wrote"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help=".png or .svg to write"
    )
    parser.add_argument(
        "--dpi", metavar="N", type=int, default=150, help="of PNG, 8 inches wide; default: 150"
    )
    parser.add_argument(
        "--image",
        metavar="HxW",
        type=_image,
        default="auto",
        help="height and width of the inputs, to draw the first layer's weights as images, or "
        "none; default: a square, if the inputs are a square number from 25",
    )
    add_max_bytes(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do what `exactnet draw` is asked, and return the exit status."""
    check_picture(arguments.output)
    check_output(arguments.output, arguments.network)
    network = load_network(arguments.network, arguments.max_bytes)
    try:
        with options_named():
            save_network(network, arguments.output, dpi=arguments.dpi, image_shape=arguments.image)
    except ImportError as error:
        raise ValueError(str(error)) from None
    print(f"wrote {arguments.output}")
    return 0


def _image(text: str) -> tuple[int, int] | str | None:
    if text == "none":
        return None
    match = re.fullmatch(r"([0-9]+)x([0-9]+)", text, re.ASCII)
    if text != "auto" and not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 28x28, none or auto")
    return (int(match[1]), int(match[2])) if match else text
