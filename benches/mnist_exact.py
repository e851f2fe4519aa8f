"""Exact networks at scale: all of MNIST, and 10,000 points with 10 outputs, as a Markdown table.

    EXACTNET_DATA=folder python benches/mnist_exact.py

The folder holds the files of MNIST. Every case has a process of its own, on as many processors as
the table says, so that peaks are separate; times are those of single runs. PyTorch and onnxruntime
evaluate the network of integers, too, where they are installed (onnxruntime with onnx). The exit
status tells whether all targets hold.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import platform
import random
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import gmpy2
import numpy as np

import exactnet
from exact_table import cpu
from exactnet import certificate, datasets, memorize, verify

PEERS = {"PyTorch": ("torch",), "onnxruntime": ("onnxruntime", "onnx")}


def mnist():
    """All 60,000 training images as bytes, and their digits."""
    folder = Path(os.environ["EXACTNET_DATA"])

    def read(name):
        path = folder / name
        return datasets.read_idx(path if path.exists() else f"{path}.gz")

    X = read("train-images-idx3-ubyte")
    return X.reshape(len(X), -1), read("train-labels-idx1-ubyte")


def timed(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def peak_mb():
    """Peak memory of this process so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kB on Linux


def below(what, value, limit, unit="s"):
    return [what, f"{value:.3g} {unit}", f"< {limit:g} {unit}", value < limit]


# ---------------------------------------------------------------- cases: rows of the table


def theorem3():
    X, y = mnist()
    build, net = timed(lambda: memorize(X, y, hidden=(250, 240), construction="theorem3"))
    check, report = timed(lambda: verify(net, X, y))
    peak = peak_mb()
    return [
        below("built in", build, 5),
        below("verified in", check, 15),
        ["wrong outputs, exactly", f"{report.n_wrong}", "0", report.exact],
        below("peak memory", peak / 1000, 2, "GB"),
        ["largest parameter", f"{net.bit_sizes().largest:,} bits", "", None],
    ]


def integer():
    X, y = mnist()
    build, net = timed(lambda: memorize(X, y, construction="integer"))
    check, report = timed(lambda: verify(net, X, y))
    checked_peak = peak_mb()
    proving, proof = timed(lambda: certificate(net, X))
    hidden = sum(net.layer_sizes[1:-1])
    largest = max(abs(v) for w in net.weights for v in w.ravel())
    peak = peak_mb()
    rows = [
        below("built in", build, 2),
        [f"hidden units, {net.layer_sizes}", f"{hidden}", "<= 1000", hidden <= 1000],
        ["largest weight", power(largest), "< 2^23", largest < 2**23],
        ["certificate", power(proof.bound), "< 2^53", proof.exact and proof.bound < 2**53],
        below("verified in", check, 3),
        ["wrong outputs, exactly", f"{report.n_wrong}", "0", report.exact],
        below("peak memory of building and verifying", checked_peak / 1000, 1, "GB"),
        ["certified in", f"{proving:.3g} s", "", None],
        ["peak memory", f"{peak / 1000:.3g} GB", "", None],
    ]
    floats, X = net.to_network(), X.astype(np.float64)
    weights, biases = list(floats.weights), list(floats.biases)
    rng, orders = np.random.default_rng(0), {"original": (weights, biases)}
    weights, biases = list(weights), list(biases)
    for k in range(len(weights) - 1):
        order = rng.permutation(len(biases[k]))
        weights[k], biases[k] = weights[k][order], biases[k][order]
        weights[k + 1] = weights[k + 1][:, order]
    orders["shuffled"] = weights, biases
    evaluators = {"exactnet": own_outputs, "NumPy": numpy_outputs}
    if installed("PyTorch"):
        evaluators["PyTorch"] = torch_outputs
    if installed("onnxruntime"):
        evaluators["onnxruntime"] = onnx_outputs
    for name, outputs in evaluators.items():
        wrong = {}
        for order, (weights, biases) in orders.items():
            values = outputs(weights, biases, X)
            assert values.dtype == np.float64
            assert values.shape == (len(y), 1)
            wrong[order] = int((values[:, 0] != y).sum())
        rows.append(
            [
                f"wrong outputs of {name}, {' / '.join(wrong)} order of units",
                " / ".join(map(str, wrong.values())),
                "0 / 0",
                not any(wrong.values()),
            ]
        )
    return rows


def trained():
    """A network of floats, trained for an epoch, on images as floats."""
    X, y = mnist()
    X = (X / 255).astype(np.float32)
    floats = exactnet.Network([784, 128, 64, 10], activations=["relu", "relu", "linear"], seed=0)
    floats.fit(X, np.eye(10)[y], epochs=1, batch_size=64, learning_rate=0.05)
    net = floats.to_exact()
    seconds, outputs = timed(lambda: net.predict(X[:10_000]))
    longest = max(value.denominator.bit_length() for value in outputs.ravel())
    return [
        below("10,000 images evaluated exactly in", seconds, 1.5),
        ["largest denominator of an output", f"{longest} bits", "", None],
    ]


def theorem4():
    rng = random.Random(0)
    points = set()
    while len(points) < 10_000:
        points.add(tuple(rng.randrange(100) for _ in range(5)))
    X = np.array(sorted(points))
    y = np.array([[rng.randrange(100) for _ in range(10)] for _ in X])
    build, net = timed(lambda: memorize(X, y, hidden=(400, 250), n_threads=2))
    check, report = timed(lambda: verify(net, X, y, n_threads=2))
    peak = peak_mb()
    assert net.layer_sizes == [5, 400, 250, 10]
    return [
        ["built in", f"{build:.3g} s", "", None],
        ["verified in", f"{check:.3g} s", "", None],
        below("both", build + check, 60),
        ["wrong outputs, exactly", f"{report.n_wrong}", "0", report.exact],
        below("peak memory", peak / 1000, 4, "GB"),
        ["largest parameter", f"{net.bit_sizes().largest:,} bits", "", None],
    ]


# name: (function, title, threads)
CASES = {
    "theorem3": (theorem3, "Theorem 3: MNIST's 60,000 digits in widths 250, 240", 1),
    "integer": (integer, "integers for float64: MNIST's 60,000 digits", 1),
    "trained": (trained, "exact outputs of a trained network [784, 128, 64, 10]", 1),
    "theorem4": (theorem4, "Theorem 4: 10,000 random points, 10 outputs, widths 400, 250", 2),
}


# ---------------------------------------------------------------- evaluation in float64


def own_outputs(weights, biases, X):
    layers = ["relu"] * (len(weights) - 1) + ["linear"]
    return exactnet.Network.from_arrays(weights, biases, layers).predict(X)


def numpy_outputs(weights, biases, X):
    h = X
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        h = np.maximum(h @ W.T + b, 0)
    return h @ weights[-1].T + biases[-1]


def torch_outputs(weights, biases, X):
    import torch
    from torch.nn import functional

    with torch.no_grad():
        h = torch.from_numpy(X)
        for k, (W, b) in enumerate(zip(weights, biases, strict=True)):
            h = functional.linear(h, torch.tensor(W), torch.tensor(b))
            if k + 1 < len(weights):
                h = functional.relu(h)
        return h.numpy()


def onnx_outputs(weights, biases, X):
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, last = [], [], "x"
    for k, (W, b) in enumerate(zip(weights, biases, strict=True)):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(W), f"W{k}"))
        constants.append(numpy_helper.from_array(np.ascontiguousarray(b), f"b{k}"))
        nodes.append(helper.make_node("Gemm", [last, f"W{k}", f"b{k}"], [f"z{k}"], transB=1))
        last = f"z{k}"
        if k + 1 < len(weights):
            nodes.append(helper.make_node("Relu", [last], [f"h{k}"]))
            last = f"h{k}"
    shapes = [("x", ["n", X.shape[1]]), (last, ["n", len(biases[-1])])]
    ends = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, s) for name, s in shapes]
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": X})[0]


def installed(peer):
    return all(importlib.util.find_spec(module) for module in PEERS[peer])


def power(value):
    return f"2^{math.log2(value):.1f}"


# ---------------------------------------------------------------- the table


def main():
    """Print the table and return whether the targets hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if "EXACTNET_DATA" not in os.environ:
        parser.error("set EXACTNET_DATA to the folder with MNIST")
    if arguments.case:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: CASES[arguments.case][2]])
        print(json.dumps(CASES[arguments.case][0]()))
        return True

    print(f"Machine: {cpu()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores.")
    peers = [f"{peer} {version(PEERS[peer][0])}" for peer in PEERS if installed(peer)]
    missing = [peer for peer in PEERS if not installed(peer)]
    print(
        f"Versions: exactnet {exactnet.__version__}, Python {platform.python_version()}, "
        f"{gmpy2.mp_version()}, {', '.join([f'NumPy {np.__version__}', *peers])}"
        + (f"; not installed: {', '.join(missing)}.\n" if missing else ".\n")
    )
    print("| | threads | measured | target | |\n|---|---|---|---|---|")
    missed = []
    for name, (_, title, threads) in CASES.items():
        environment = dict.fromkeys(
            ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], str(threads)
        )
        output = subprocess.run(
            [sys.executable, __file__, "--case", name],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        ).stdout
        print(f"| **{title}** | | | | |")
        for what, value, target, holds in json.loads(output):
            verdict = "" if holds is None else "holds" if holds else "missed"
            print(f"| {what} | {threads} | {value} | {target} | {verdict} |", flush=True)
            if holds is False:
                missed.append(f"{title}: {what} {value}, not {target}")
    print("\n" + ("\n".join(missed) or "All targets hold."))
    return not missed


if __name__ == "__main__":
    sys.exit(not main())
