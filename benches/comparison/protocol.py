"""How they are measured: in processes of their own, in turns."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from comparison.contenders import CONTENDERS
from comparison.tasks import Task, evaluate, forward
from exactnet import Network

PROGRAM = str(Path(__file__).parents[1] / "compare.py")
TOO_LONG = 8.0  # seconds of a first run


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
        command = [sys.executable, PROGRAM, "--worker", name, count, folder]
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


def at_once(X, y):
    """Return the time of two trainings in two threads of Python, as a multiple of one's."""

    def train(seed):
        net = Network([X.shape[1], 30, 10], init="normal", seed=seed)
        net.fit(X, y, epochs=5, batch_size=10, learning_rate=3.0)

    def both():
        threads = [threading.Thread(target=train, args=(seed,)) for seed in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    times = [(timed(lambda: train(0)), timed(both)) for _ in range(6)][1:]
    return statistics.median(pair for _, pair in times) / statistics.median(one for one, _ in times)
