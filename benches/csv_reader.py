"""The CSV reader of the command line against NumPy's loadtxt, as a Markdown table.

    python benches/csv_reader.py [--megabytes 100] [--repeat 3]

Files of 20 columns with a header, written as programs write them, are read by turns: by loadtxt, to
floats, and exactly, as a network is memorized. The claim: both ways take at most twice the time of
loadtxt. All floats are compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time

import numpy as np

from exact_table import cpu
from exactnet.cli.datafiles import read_data

COLUMNS = 20
FORMS = {
    "integers": lambda v: f"{int(v * 10000)}",
    "three decimals": lambda v: f"{v:.3f}",
    "floats in full": repr,
    "as savetxt writes": lambda v: f"{v:.18e}",
}


def write(path: str, form, size: int) -> None:
    """Write random numbers until the file has that many bytes."""
    rng = np.random.default_rng(0)
    with open(path, "w") as file:
        file.write(",".join(f"c{k}" for k in range(COLUMNS)) + "\n")
        while file.tell() < size:
            rows = rng.random((1000, COLUMNS)).tolist()
            file.write("".join(",".join(map(form, row)) + "\n" for row in rows))


def main() -> int:
    """Print the table; the exit status says whether the claim holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    target = f"c{COLUMNS - 1}"
    readers = {
        "loadtxt": lambda path: np.loadtxt(path, delimiter=",", skiprows=1),
        "floats": lambda path: read_data(path, target, exact=False),
        "exact": lambda path: read_data(path, target),
    }
    print(f"{cpu()}; NumPy {np.__version__}; files of {options.megabytes:g} MB\n")
    print("| numbers | loadtxt | floats | exact | floats / loadtxt | exact / loadtxt |")
    print("|---|---|---|---|---|---|")
    holds = True
    for name, form in FORMS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "data.csv")
            write(path, form, int(options.megabytes * 1e6))
            seconds: dict[str, list[float]] = {reader: [] for reader in readers}
            for _ in range(options.repeat):
                results = {}
                for reader, read in readers.items():
                    start = time.perf_counter()
                    results[reader] = read(path)
                    seconds[reader].append(time.perf_counter() - start)
                table, (X, y, _) = results["loadtxt"], results["floats"]
                assert (X == table[:, :-1]).all()
                assert (y == table[:, -1]).all()
        median = {reader: statistics.median(times) for reader, times in seconds.items()}
        ratios = [median[reader] / median["loadtxt"] for reader in ("floats", "exact")]
        holds = holds and max(ratios) <= 2
        cells = [f"{t:.2f} s" for t in median.values()] + [f"{ratio:.2f}" for ratio in ratios]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nat most twice the time of loadtxt: {'holds' if holds else 'FAILS'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
