"""Construction and verification: seconds, memory and parameter sizes, as a Markdown table.

    python benches/exact_table.py
    python benches/exact_table.py --scaling     # 10^3 to 10^6 random points, all constructions

Every row is measured in a process of its own, on one thread, and compared in the same process with
the plain Fraction programs of tests/reference.py, where those finish in reasonable time.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import gmpy2
import numpy as np

import exactnet
from exactnet import datasets, memorize, verify

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

# name: (a1, a2, repetitions, seconds to build, seconds to verify, MB of memory) that must hold
CASES = {
    "20 x 20 random points": (20, 20, 21, 0.010, 0.050, 500),
    "100 x 100 random points": (100, 100, 5, 0.5, 2.0, 500),
    "1,797 digits": (43, 42, 9, None, None, 500),
}


def data(name):
    """Draw the points as the article does: 5 features and a target, all in [0, 100)."""
    if name == "1,797 digits":
        X_train, y_train, X_test, y_test = datasets.load_digits()
        return np.concatenate([X_train, X_test]), np.concatenate([y_train, y_test])
    a1, a2 = CASES[name][:2]
    rng = random.Random(0)
    points = set()
    while len(points) < a1 * a2:
        points.add(tuple(rng.randrange(100) for _ in range(5)))
    X = [list(p) for p in sorted(points)]
    rng.shuffle(X)
    return X, [rng.randrange(100) for _ in X]


def seconds(call, repetitions):
    """Return the median time of a call and its last result."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
    return statistics.median(times), result


def plain_seconds(network, X, y, a1, a2):
    """Time the same construction and the same check in Fractions."""
    from reference import forward, fractions, least_theorem3

    row = fractions(network.weights[0][0])
    t = [sum(w * v for w, v in zip(row, x, strict=True)) for x in fractions(X)]
    low, targets = min(y), [v - min(y) for v in y]
    build, (weights, _, base) = seconds(lambda: least_theorem3([int(v) for v in t], targets, a2), 1)
    assert weights == fractions(network.weights[1])
    assert base + low == fractions(network.biases[2])[0]
    check, outputs = seconds(lambda: forward(network, X), 1)
    assert [o[0] for o in outputs] == y
    return build, check


def measure(name):
    """Measure one case; prints JSON for the parent process."""
    import resource

    a1, a2, repetitions = CASES[name][:3]
    X, y = data(name)
    build, network = seconds(lambda: memorize(X, y, hidden=(a1, a2)), repetitions)
    check, report = seconds(lambda: verify(network, X, y), repetitions)
    assert report.exact
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kB on Linux
    plain = plain_seconds(network, X, y, a1, a2) if a1 * a2 <= 400 else None
    bits = network.bit_sizes().largest
    print(json.dumps([build, check, bits, memory, plain]))


SIZES = [1000, 10_000, 100_000, 1_000_000]
CONSTRUCTIONS = ["theorem3", "one_layer", "integer"]


def measure_size(construction, n):
    """Build and verify n points of 20 features; prints a JSON list after each of them."""
    import resource

    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 100, (n, 20), dtype=np.uint8), rng.integers(0, 10, n)
    build, network = seconds(lambda: memorize(X, y, construction=construction), 1)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = [network.layer_sizes[1:-1], build, network.bit_sizes().largest, memory]
    print(json.dumps(result), flush=True)
    check, report = seconds(lambda: verify(network, X, y), 1)
    assert report.exact
    print(json.dumps([*result, check]), flush=True)


def scaling(limit):
    """Print a row for every construction and size, and the exponents e of N**e that fit best."""
    print("| construction | points | widths | build | bits | peak memory | verify |")
    print("|---|---|---|---|---|---|---|")
    for construction in CONSTRUCTIONS:
        known = []
        for n in SIZES:
            command = [sys.executable, __file__, "--size", construction, str(n)]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            try:
                output, errors = process.communicate(timeout=limit)
                missing = (errors.strip().splitlines() or ["ended"])[-1]
            except subprocess.TimeoutExpired:
                process.kill()
                output, _ = process.communicate()
                missing = f"not in {limit} s"
            row = json.loads((output.splitlines() or ["[]"])[-1])
            if row:
                known.append([n, *row[1:]])
                build, bits, memory = row[1:4]
                check = f"{row[4]:.3g} s" if len(row) > 4 else missing
                widths = ", ".join(map(str, row[0]))
                cells = [widths, f"{build:.3g} s", f"{bits:,}", f"{memory:,.0f} MB", check]
            else:
                cells = ["", missing, "", "", ""]
            print(f"| {construction} | {n:,} | {' | '.join(cells)} |", flush=True)
        exponents = []
        for k in range(1, 5):
            points = [(math.log(row[0]), math.log(row[k])) for row in known if len(row) > k]
            exponents.append(
                f"{np.polyfit(*zip(*points, strict=True), 1)[0]:.2f}" if len(points) > 1 else ""
            )
        print(f"| {construction} | exponent | | {' | '.join(exponents)} |", flush=True)


def main():
    """Print the table and whether the targets hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scaling", action="store_true", help="the table of sizes instead")
    parser.add_argument("--limit", type=float, default=600, help="seconds a size of --scaling")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--size", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        measure(arguments.case)
        return
    if arguments.size:
        measure_size(arguments.size[0], int(arguments.size[1]))
        return

    print(f"Machine: {cpu()}, {platform.system()} {platform.machine()}, 1 thread.")
    print(
        f"Versions: exactnet {exactnet.__version__}, Python {platform.python_version()}, "
        f"{gmpy2.mp_version()}, NumPy {np.__version__}. Medians.\n"
    )
    if arguments.scaling:
        scaling(arguments.limit)
        return
    print(
        "| points | widths | build | verify | largest parameter | peak memory "
        "| plain Python build | plain Python check |\n|---|---|---|---|---|---|---|---|"
    )
    failures = []
    for name, (a1, a2, _, build_limit, check_limit, memory_limit) in CASES.items():
        output = subprocess.run(
            [sys.executable, __file__, "--case", name],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        build, check, bits, memory, plain = json.loads(output)
        ratios = ["-", "-"]
        if plain:
            ratios = [
                f"{p:.3g} s ({p / own:.0f} x)" for p, own in zip(plain, (build, check), strict=True)
            ]
        print(
            f"| {name} | {a1}, {a2} | {1000 * build:.1f} ms | {1000 * check:.1f} ms "
            f"| {bits} bits | {memory:.0f} MB | {ratios[0]} | {ratios[1]} |"
        )
        for what, value, limit in (
            ("built", build, build_limit),
            ("verified", check, check_limit),
            ("MB", memory, memory_limit),
        ):
            if limit is not None and value > limit:
                failures.append(f"{name}: {what} {value:.3g}, more than {limit}")
    print("\n" + ("\n".join(failures) or "All targets hold."))


def cpu():
    """Return the processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"


if __name__ == "__main__":
    main()
