"""`exactnet sample`."""

from __future__ import annotations

import argparse
import sys

from exactnet.datasets import sample_csv

DESCRIPTION = (
    "Print a CSV file to try the other commands on: 150 irises, four lengths in cm and the species "
    "of each. `exactnet sample > iris.csv` writes it."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `exactnet sample` takes: nothing."""


def run(arguments: argparse.Namespace) -> int:
    """Do what `exactnet sample` is asked, and return the exit status."""
    with open(sample_csv(), encoding="ascii") as file:
        sys.stdout.write(file.read())
    return 0
