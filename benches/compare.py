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
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise, product

import numpy as np

from exact_table import cpu
from exactnet import Network, datasets


@dataclass(frozen=True)
class Task:
    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    batch: int = 1
    rate: float = 1.0
    loss: str = "quadratic"
    epochs: tuple[int, int] = (1, 1)  # of one measurement: at least, and at most if it lasts less
    window: float = 0.5  # seconds
    samples: int = 0  # to predict at once; 0 for training
    xor: bool = False

    def label(self):
        unit = "step" if self.xor else "epoch"
        what = f"{self.loss.replace('_', ' ')}, batch {self.batch}, one {unit}"
        if self.samples:
            what = f"prediction of {self.samples:,} sample{'s' * (self.samples > 1)}"
        return f"{list(self.sizes)} {self.activations[0]}, {what}"


SIGMOID, RELU, CE = ("sigmoid", "sigmoid"), ("relu", "relu", "softmax"), "cross_entropy"
TASKS = {
    "small": Task((784, 30, 10), SIGMOID, 10, 3.0, epochs=(1, 30), window=1.0),
    "medium": Task((784, 128, 64, 10), RELU, 64, 0.1, CE, epochs=(1, 5)),
    "large": Task((784, 512, 512, 10), RELU, 128, 0.1, CE, epochs=(1, 2)),
    "huge": Task((784, 1024, 1024, 10), RELU, 256, 0.1, CE),
    "xor": Task((2, 3, 1), SIGMOID, 4, 5.0, epochs=(2000, 2000), xor=True),
    "predict-1": Task((784, 30, 10), SIGMOID, samples=1),
    "predict-10000": Task((784, 30, 10), SIGMOID, samples=10_000),
}
ONLY = {"nielsen": [("small", 1)]}
ONLY["onnxruntime"] = [(name, n) for name in TASKS if TASKS[name].samples for n in (1, 2)]

TOO_LONG = 8.0  # seconds of a first run

# workload, peer, least "peer's time / ours" at one thread
RATIOS = [
    ("small", "jax", 7),
    ("small", "torch", 40),
    ("small", "numpy", 12),
    ("medium", "jax", 1.5),
    ("large", "jax", 1.2),
    ("large", "torch", 2),
    ("xor", "torch", 100),
    ("predict-1", "onnxruntime", 1),
    ("predict-10000", "onnxruntime", 1),
]


def activate(z, kind):
    """Apply an activation in place."""
    if kind == "relu":
        return np.maximum(z, 0, out=z)
    if kind == "softmax":
        z -= z.max(1, keepdims=True)
    else:
        np.negative(z, out=z)
    np.exp(z, out=z)
    if kind == "softmax":
        z /= z.sum(1, keepdims=True)
        return z
    z += 1
    return np.reciprocal(z, out=z)


def forward(params, X, task):
    outputs = [X]
    for (W, b), kind in zip(params, task.activations, strict=True):
        z = outputs[-1] @ W.T
        z += b
        outputs.append(activate(z, kind))
    return outputs


def evaluate(params, X, y, Y, task):
    """Return loss and accuracy, by one program for all contenders."""
    out = forward(params, X, task)[-1]
    accuracy = float(np.mean((out[:, 0] > 0.5 if task.xor else out.argmax(1)) == y))
    if task.loss == "quadratic":
        return float(((out - Y) ** 2).sum() / (2 * len(X))), accuracy
    likely = np.where(Y == 1, out, 1 - out) if task.xor else out[np.arange(len(y)), y]
    return float(-np.log(np.maximum(likely, 1e-30)).mean()), accuracy


# A contender is a function that takes the task with data and first weights; it returns
# `train(epochs)`, `params()` and `predictor(X)`, which gives a call that predicts X.


def run_exactnet(threads, task, X, y, Y, params):
    net = Network.from_arrays(*zip(*params, strict=True), task.activations)
    rest = dict(batch_size=task.batch, learning_rate=task.rate, loss=task.loss)
    rest |= dict(shuffle=not task.xor, n_threads=threads)

    def train(epochs):
        net.fit(X, Y if task.xor else y, epochs=epochs, **rest)

    return (
        train,
        lambda: zip(net.weights, net.biases, strict=True),
        lambda X: lambda: net.predict(X),
    )


def run_numpy(threads, task, X, y, Y, params):
    def views(vector):
        for W, b in params:
            yield vector[: W.size].reshape(W.shape), vector[W.size :][: b.size]
            vector = vector[W.size + b.size :]

    # Parameters and gradients are views of one vector each: a step is a single subtraction.
    vector = np.concatenate([a.ravel() for pair in params for a in pair])
    step = np.empty_like(vector)
    layers, gradients = list(views(vector)), list(views(step))
    inputs, generator = np.empty((task.batch, X.shape[1]), X.dtype), np.random.default_rng(0)

    def slope(delta, output, kind):
        if kind == "relu":
            delta *= output > 0
        else:
            delta *= output
            delta *= 1 - output

    def update(x, t):
        outputs = forward(layers, x, task)
        delta = outputs[-1] - t
        delta *= task.rate / len(x)  # here, where it is the fewest numbers
        if task.loss == "quadratic":
            slope(delta, outputs[-1], "sigmoid")
        for k in reversed(range(len(layers))):
            np.dot(delta.T, outputs[k], out=gradients[k][0])
            np.add.reduce(delta, 0, out=gradients[k][1])
            if k:
                delta = delta @ layers[k][0]
                slope(delta, outputs[k], task.activations[k - 1])
        np.subtract(vector, step, out=vector)

    def train(epochs):
        for _ in range(epochs):
            if task.xor:
                update(X, Y)
                continue
            order = generator.permutation(len(X))
            for k in range(0, len(X), task.batch):
                part = order[k : k + task.batch]
                # Mode "raise" would go through a copy.
                update(X.take(part, 0, inputs[: len(part)], "clip"), Y.take(part, 0))

    return train, lambda: layers, lambda X: lambda: forward(layers, X, task)[-1]


def run_nielsen(threads, task, X, y, Y, params):
    """Train by the method of the classic book: one sample at a time, in columns."""
    weights, biases = [W for W, _ in params], [b[:, None] for _, b in params]
    samples = [(x[:, None], t[:, None]) for x, t in zip(X, Y, strict=True)]

    def backprop(x, t):
        outputs, dw, db = [x], [], []
        for W, b in zip(weights, biases, strict=True):
            outputs.append(1 / (1 + np.exp(-(np.dot(W, outputs[-1]) + b))))
        error = outputs[-1] - t
        for k in reversed(range(len(weights))):
            db.insert(0, error * outputs[k + 1] * (1 - outputs[k + 1]))
            dw.insert(0, np.dot(db[0], outputs[k].T))
            error = np.dot(weights[k].T, db[0]) if k else None
        return dw, db

    def train(epochs):
        for _ in range(epochs):
            random.shuffle(samples)
            for k in range(0, len(samples), task.batch):
                sum_w, sum_b = map(np.zeros_like, weights), map(np.zeros_like, biases)
                part = samples[k : k + task.batch]
                for x, t in part:
                    dw, db = backprop(x, t)
                    sum_w = [s + d for s, d in zip(sum_w, dw, strict=True)]
                    sum_b = [s + d for s, d in zip(sum_b, db, strict=True)]
                rate = task.rate / len(part)
                weights[:] = [W - rate * s for W, s in zip(weights, sum_w, strict=True)]
                biases[:] = [b - rate * s for b, s in zip(biases, sum_b, strict=True)]

    return train, lambda: [(W, b.ravel()) for W, b in zip(weights, biases, strict=True)], None


def run_sklearn(threads, task, X, y, Y, params):
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")  # that training ends after `max_iter` epochs
    sgd = dict(solver="sgd", learning_rate_init=task.rate, momentum=0, alpha=0, random_state=0)
    sgd |= dict(batch_size=task.batch, shuffle=not task.xor, n_iter_no_change=10**9)
    kind = task.activations[0].replace("sigmoid", "logistic")
    net = MLPClassifier(task.sizes[1:-1], activation=kind, **sgd)
    net.partial_fit(X[: task.batch], y[: task.batch], classes=np.unique(y))
    net.coefs_, net.intercepts_ = [W.T.copy() for W, _ in params], [b.copy() for _, b in params]

    def train(epochs):
        net.set_params(max_iter=epochs, warm_start=True).fit(X, y)  # from the weights it has

    def now():
        return [(W.T, b) for W, b in zip(net.coefs_, net.intercepts_, strict=True)]

    return train, now, lambda X: lambda: net.predict_proba(X)


def run_torch(threads, task, X, y, Y, params):
    import torch
    from torch.nn.functional import cross_entropy, mse_loss

    torch.set_num_threads(threads)
    modules = []
    for (W, b), kind in zip(params, task.activations, strict=True):
        modules.append(torch.nn.Linear(*W.T.shape))
        modules[-1].weight.data, modules[-1].bias.data = torch.tensor(W), torch.tensor(b)
        if kind != "softmax":  # which is a part of the loss
            modules.append(torch.nn.ReLU() if kind == "relu" else torch.nn.Sigmoid())
    net, quadratic, scale = torch.nn.Sequential(*modules), task.loss == "quadratic", Y.shape[1] / 2
    loss = (lambda a, t: mse_loss(a, t) * scale) if quadratic else cross_entropy
    optimizer = torch.optim.SGD(net.parameters(), lr=task.rate, fused=True)
    X, T = torch.tensor(X), torch.tensor(Y if quadratic else y)

    def update(x, t):
        optimizer.zero_grad(set_to_none=True)
        loss(net(x), t).backward()
        optimizer.step()

    def train(epochs):
        for _ in range(epochs):
            if task.xor:
                update(X, T)
            else:
                for part in torch.randperm(len(X)).split(task.batch):
                    update(X[part], T[part])

    def now():
        arrays = [p.detach().numpy() for p in net.parameters()]
        return zip(arrays[::2], arrays[1::2], strict=True)

    def predictor(X):
        net.requires_grad_(False)  # once; torch.inference_mode() would cost in every call
        X = torch.tensor(X)
        return lambda: net(X)

    return train, now, predictor


def run_jax(threads, task, X, y, Y, params):
    import jax
    import jax.numpy as jnp

    kinds = dict(relu=jax.nn.relu, sigmoid=jax.nn.sigmoid, softmax=jax.nn.log_softmax)
    n, full = len(X), len(X) // task.batch * task.batch
    layers = [(jnp.array(W.T), jnp.array(b)) for W, b in params]
    X, T = jnp.array(X), jnp.array(Y if task.loss == "quadratic" else y)
    generator = np.random.default_rng(0)

    def outputs(layers, x):
        for (W, b), kind in zip(layers, task.activations, strict=True):
            x = kinds[kind](x @ W + b)
        return x

    def loss(layers, x, t):
        if task.loss == "quadratic":
            return jnp.sum((outputs(layers, x) - t) ** 2) / (2 * len(x))
        return -jnp.mean(jnp.take_along_axis(outputs(layers, x), t[:, None], 1))

    def update(layers, x, t):
        gradients = jax.grad(loss)(layers, x, t)
        return jax.tree.map(lambda p, g: p - task.rate * g, layers, gradients)

    @partial(jax.jit, donate_argnums=0)
    def epoch(layers, X, T, order):
        # To gather a batch here is faster than to gather the whole epoch before the loop.
        parts = order[:full].reshape(-1, task.batch)
        layers, _ = jax.lax.scan(lambda p, i: (update(p, X[i], T[i]), None), layers, parts)
        return update(layers, X[order[full:]], T[order[full:]]) if n > full else layers

    @partial(jax.jit, donate_argnums=0, static_argnums=3)
    def steps(layers, X, T, count):
        return jax.lax.scan(lambda p, _: (update(p, X, T), None), layers, length=count)[0]

    def train(epochs):
        nonlocal layers
        for _ in range(0 if task.xor else epochs):
            # NumPy's permutation, as jax.random's sorts, which takes far longer.
            layers = epoch(layers, X, T, generator.permutation(n).astype(np.int32))
        layers = jax.block_until_ready(steps(layers, X, T, epochs) if task.xor else layers)

    def predictor(X):
        call, X = jax.jit(outputs), jnp.array(X)
        return lambda: call(layers, X).block_until_ready()

    return train, lambda: [(np.asarray(W).T, np.asarray(b)) for W, b in layers], predictor


def run_onnxruntime(threads, task, X, y, Y, params):
    import onnxruntime
    from onnx import helper, numpy_helper

    nodes, arrays = [], []
    for k, (W, b) in enumerate(params):
        arrays += [numpy_helper.from_array(W, f"W{k}"), numpy_helper.from_array(b, f"b{k}")]
        gemm = [f"a{k}", f"W{k}", f"b{k}"]
        nodes.append(helper.make_node("Gemm", gemm, [f"z{k}"], transB=1))
        nodes.append(helper.make_node("Sigmoid", [f"z{k}"], [f"a{k + 1}"]))
    ends = ("a0", task.sizes[0]), (f"a{len(params)}", task.sizes[-1])
    ends = [[helper.make_tensor_value_info(name, 1, ["n", size])] for name, size in ends]
    graph = helper.make_graph(nodes, "net", *ends, initializer=arrays)
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [session.get_outputs()[0].name]

    def predictor(X):
        inputs = {"a0": X}
        return lambda: session.run(names, inputs)[0]

    return None, None, predictor


# The function of every contender, and the packages that it needs.
CONTENDERS = {
    "exactnet": (run_exactnet, "exactnet"),
    "numpy": (run_numpy, "numpy"),
    "nielsen": (run_nielsen, "numpy"),
    "scikit-learn": (run_sklearn, "scikit-learn"),
    "torch": (run_torch, "torch"),
    "jax": (run_jax, "jax"),
    "onnxruntime": (run_onnxruntime, "onnxruntime", "onnx"),
}


def timed(call, count=1):
    """Return the seconds of one of `count` calls."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


class Job:
    """A contender at a task: has run once and was checked, and can be measured."""

    def __init__(self, name, threads, task, X, y):
        if name == "scikit-learn" and task.loss == "quadratic":  # it knows cross entropy only
            last = "sigmoid" if task.xor else "softmax"
            task = replace(task, activations=(*task.activations[:-1], last))
            task = replace(task, loss="cross_entropy", rate=task.rate / 10)
        if task.xor:
            X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0])
        Y = np.float32(y[:, None] == (1 if task.xor else np.arange(10)))
        generator, params = np.random.default_rng(0), []
        for n_in, n_out in pairwise(task.sizes):
            W = generator.standard_normal((n_out, n_in)) / (1 if task.xor else n_in**0.5)
            params.append((W.astype(np.float32), np.zeros(n_out, np.float32)))
        self.task, self.part, self.result = task, (X[:10_000], y[:10_000], Y[:10_000]), {}
        run = CONTENDERS[name][0]
        self.train, self.params, predictor = run(threads, task, X, y, Y, params)
        if task.samples:
            X = np.resize(X, (task.samples, X.shape[1]))
            self.call = predictor(X)
            assert np.allclose(np.asarray(self.call()), forward(params, X, task)[-1], atol=1e-5)
            self.result["seconds"] = self.measure()
            return
        self.done, most = task.epochs
        seconds = timed(lambda: self.train(self.done))
        self.epochs = min(most, max(self.done, int(task.window * self.done / seconds)))
        start, first = (evaluate(p, *self.part, task)[0] for p in (params, self.params()))
        self.result |= dict(seconds=seconds, loss=task.loss, start=start, first=first)

    def measure(self):
        if self.task.samples:
            count = 200 if self.task.samples == 1 else 1
            return statistics.median(timed(self.call, count) for _ in range(10))
        self.done += self.epochs
        return timed(lambda: self.train(self.epochs)) / self.epochs

    def report(self):
        if not self.task.samples:
            last, accuracy = evaluate(self.params(), *self.part, self.task)
            self.result |= dict(last=last, accuracy=accuracy, epochs=self.done)
        return self.result


def work(name, threads, folder):
    """Obey the commands on standard input until it ends."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not for the parent
    np.seterr(over="ignore")  # the sigmoid of a large negative number is 1 / inf, which is right
    X, y = (np.load(f"{folder}/{part}.npy") for part in "Xy")
    square = np.random.default_rng(0).random((1024, 1024), np.float32)
    reply = job = None
    while True:
        print(json.dumps(reply), file=replies, flush=True)
        command, *arguments = json.loads(sys.stdin.readline() or '["end"]')
        if command == "end":
            return
        if command == "prepare":
            job = Job(name, threads, Task(**arguments[0]), X, y)
            reply = job.result
        elif command == "square":
            reply = min(timed(lambda: square @ square) for _ in range(5))
        else:
            reply = getattr(job, command)()


class Worker:
    """The process of one contender at one number of threads."""

    def __init__(self, name, threads, folder):
        self.name, self.threads, count = name, threads, str(threads)
        variables = {f"{p}_NUM_THREADS": count for p in ("OMP", "OPENBLAS", "MKL")}
        variables |= {"VECLIB_MAXIMUM_THREADS": count, "NPROC": count, "JAX_PLATFORMS": "cpu"}
        if threads == 1:
            one = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
            variables["XLA_FLAGS"] = one
        command = [sys.executable, __file__, "--worker", name, count, folder]
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with pinned(threads):  # is inherited, so that it holds before the first import
            self.process = subprocess.Popen(command, env=os.environ | variables, **pipes)

    def wait(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self} failed")
        return json.loads(line)

    def ask(self, *command):
        time.sleep(0.05)  # until the threads of the one before have stopped spinning
        print(json.dumps(command), file=self.process.stdin, flush=True)
        return self.wait()

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def __str__(self):
        return f"{self.name} at {self.threads} thread{'s' * (self.threads > 1)}"


@contextlib.contextmanager
def pinned(threads):
    """Pin this process to as many processors, always the same ones."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-threads:])
    yield
    os.sched_setaffinity(0, before)


def compete(task, workers, rounds, limit):
    """Measure in turns; return (median seconds, number of measurements, report) of each."""
    first = {w: w.ask("prepare", asdict(task))["seconds"] for w in workers}
    # The first run compiles or warms up, and counts only if there is no time for another one.
    times = {w: [seconds] if seconds > TOO_LONG else [] for w, seconds in first.items()}
    spent = {w: sum(times[w]) for w in workers}
    for _ in range(rounds):
        for w in workers:
            if not times[w] or spent[w] < limit:
                start = time.perf_counter()
                times[w].append(w.ask("measure"))
                spent[w] += time.perf_counter() - start
    reports = {w: w.ask("report") for w in workers}
    for w, report in reports.items() if not task.samples else ():
        assert max(report["first"], report["last"]) < report["start"], f"{w} did not learn"
        if task.xor and report["loss"] == task.loss:  # all are to do the same, without a shuffle
            assert 0.9 < report["first"] / reports[workers[0]]["first"] < 1.1, f"{w} differs"
    return {
        (w.name, w.threads): (statistics.median(t), len(t), reports[w]) for w, t in times.items()
    }


def show(seconds):
    unit, scale = ("s", 1) if seconds > 0.01 else ("ms", 1e3) if seconds > 1e-3 else ("us", 1e6)
    return f"{seconds * scale:.3g} {unit}"


def table(task, result, counts):
    heads = ["contender"]
    for n in counts:
        heads += [f"{n} thread{'s' * (n > 1)}", "peer / ours"]
    heads += [] if task.samples else ["loss: start, first, last", "epochs", "accuracy"]
    print(f"### {task.label()}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name in dict.fromkeys(name for name, _ in result):
        cells = [name]
        for n in counts:
            seconds, count, _ = result.get((name, n), (0, 0, None))
            note = f" ({count} run{'s' * (count > 1)})" if count < 3 else ""
            ratio = seconds / result["exactnet", n][0]
            cells += [show(seconds) + note, f"{ratio:.2f}"] if seconds else ["-", "-"]
        if not task.samples:
            report = next(result[name, n][2] for n in counts if (name, n) in result)
            losses = ", ".join(f"{report[key]:.2g}" for key in ("start", "first", "last"))
            other = " (cross entropy)" * (report["loss"] != task.loss)
            cells += [losses + other, f"{report['epochs']:,}", f"{report['accuracy']:.1%}"]
        print(f"| {' | '.join(cells)} |")
    print(flush=True)


def targets(results):
    """Yield every target: text, value (None if not measured), whether it holds."""

    def ratio(workload, above, below):
        result = results.get(workload, {})
        return result[above][0] / result[below][0] if {above, below} <= result.keys() else None

    for workload, peer, least in RATIOS:
        value = ratio(workload, (peer, 1), ("exactnet", 1))
        yield f"{workload}: {peer} / ours >= {least}", value, value and value >= least
    value = ratio("large", ("exactnet", 1), ("exactnet", 2))
    yield "large: ours at 1 thread / ours at 2 >= 1.6", value, value and value >= 1.6
    own = results.get("predict-1", {}).get(("exactnet", 1))
    value = own and 1e6 * own[0]
    yield "predict-1: ours in us < 2.5", value, value and value < 2.5
    value = results.get("at once")
    yield "two networks in two threads / one <= 1.2", value, value and value <= 1.2


def speed(tasks, results, peak, n):
    lines = []
    for name, task in tasks.items():
        weights = [a * b for a, b in pairwise(task.sizes)]
        flops = n * (6 * sum(weights) - 2 * weights[0])
        for threads in (1, 2) if not (task.samples or task.xor) else ():
            if ("exactnet", threads) in results[name]:
                rate = flops / results[name]["exactnet", threads][0] / 1e9
                lines.append(f"- {name}, {threads} thread(s): {rate:.0f}, {rate / peak:.0%} of it")
    if lines:
        print(
            "GFLOP/s of our training; the peak that NumPy's product of 1024 x 1024 matrices "
            f"reaches on one\nthread is {peak:.0f}. All operations of dense matrices count, also "
            "those with zeros, which are skipped:\nforward pass, gradients of the weights, and of "
            "all layers' inputs but the first's.\n"
        )
        print("\n".join(lines) + "\n")


def at_once(X, y):
    """Return the time of two trainings in two threads of Python, as a multiple of one's."""

    def train(seed):
        net = Network([X.shape[1], 30, 10], seed=seed)
        net.fit(X, y, epochs=5, batch_size=10, learning_rate=3.0)

    def both():
        threads = [threading.Thread(target=train, args=(seed,)) for seed in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    times = [(timed(lambda: train(0)), timed(both)) for _ in range(6)][1:]
    return statistics.median(pair for _, pair in times) / statistics.median(one for one, _ in times)


def able(name, workload, threads):
    return name not in ONLY or (workload, threads) in ONLY[name]


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
