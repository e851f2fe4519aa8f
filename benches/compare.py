"""Training and prediction compared with other packages, in one run, as Markdown tables.

    EXACTNET_DATA=folder python benches/compare.py [--quick] [--all] [--workloads ...] [--peers ...]

Every contender has a process of its own for each number of threads, pinned to as many processors
and with its thread settings made before anything is imported. They take turns, one at a time, over
several rounds; a time is the median of the rounds. All start from the same weights, and the run
fails unless each of them learns. Without MNIST the digits that come with the package are used.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import tempfile
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from itertools import product

import numpy as np

from comparison.contenders import CONTENDERS
from comparison.protocol import Worker, at_once, compete, work
from comparison.report import speed, table, targets
from comparison.tasks import TASKS, able
from exact_table import cpu
from exactnet import datasets


def load(n):
    """Return n MNIST images or the bundled digits: their name, samples and labels."""
    try:
        X, y, _, _ = datasets.load_mnist()
    except FileNotFoundError:
        X, y, _, _ = datasets.load_digits()
        return f"the {len(X):,} bundled digits", X, y
    return f"{n:,} MNIST images", X[:n], y[:n]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5,000 images, few rounds")
    parser.add_argument("--all", action="store_true", help="the huge network, too")
    parser.add_argument("--workloads", nargs="+", choices=TASKS, metavar="NAME", help=f"{[*TASKS]}")
    parser.add_argument("--peers", nargs="+", choices=CONTENDERS, metavar="NAME")
    parser.add_argument("--threads", nargs="+", type=int, choices=(1, 2), default=[1, 2])
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        name, threads, folder = arguments.worker
        work(name, int(threads), folder)
        return
    known = hasattr(os, "sched_getaffinity")
    cpus = len(os.sched_getaffinity(0)) if known else os.cpu_count()
    counts = [n for n in sorted(set(arguments.threads)) if n <= cpus]
    rounds, limit, window = (3, 0.3, 0.2) if arguments.quick else (5, 3.5, 1)
    data, X, y = load(5_000 if arguments.quick else 50_000)
    tasks = {}
    for name in arguments.workloads or [n for n in TASKS if n != "huge" or arguments.all]:
        task = TASKS[name]
        sizes = task.sizes if task.xor else (X.shape[1], *task.sizes[1:])
        tasks[name] = replace(task, sizes=sizes, window=window * task.window)
    versions, missing = {"Python": platform.python_version()}, {}
    for n in {*arguments.threads} - {*counts}:
        missing[n] = f"skipped: {n} threads on {cpus} processor\n"
    chosen = arguments.peers or CONTENDERS
    for name in ("exactnet", *chosen):
        try:
            versions |= {module: version(module) for module in CONTENDERS[name][1:]}
        except PackageNotFoundError as error:
            missing[name] = f"skipped: {error.name} is not installed\n"
    print(
        f"Machine: {cpu()}, {platform.system()} {platform.machine()}, {cpus} processors."
        f"\nVersions: {', '.join(map(' '.join, versions.items()))}.\nData: {data}. Medians of up "
        f"to {rounds} rounds.\n{''.join(missing.values())}",
        flush=True,
    )
    results, peak = {}, 0
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        for part, array in (("X", X), ("y", y)):
            np.save(f"{folder}/{part}.npy", array)
        names = [n for n in CONTENDERS if n in ("exactnet", *chosen) and n not in missing]
        workers = []
        for name, n in product(names, counts):
            if any(able(name, workload, n) for workload in tasks):
                workers.append(Worker(name, n, folder))
                stack.callback(workers[-1].close)
        for worker in workers:
            worker.wait()
        for workload, task in tasks.items():
            if 1 in counts:
                peak = max(peak, 2e-9 * 1024**3 / workers[0].ask("square"))
            field = [w for w in workers if able(w.name, workload, w.threads)]
            results[workload] = compete(task, field, rounds, limit)
            table(task, results[workload], counts)
    if peak:
        speed(tasks, results, peak, len(X))
    if 2 in counts:
        results["at once"] = at_once(X, y)
    print("Targets, at one thread:\n")
    for text, value, holds in targets(results):
        verdict = "holds" if holds else "missed"
        print(f"- {text}: {'not measured' if value is None else f'{verdict}, {value:.3g}'}")


if __name__ == "__main__":
    main()
