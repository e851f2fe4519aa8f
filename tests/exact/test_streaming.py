"""`verify` of data in chunks, and by the workers of an executor."""

import itertools
import multiprocessing
import os
import pickle
import signal
import weakref
from concurrent.futures import (
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from concurrent.futures.process import BrokenProcessPool
from fractions import Fraction

import gmpy2
import numpy as np
import pytest

from conftest import interrupt, random_points, slow
from exactnet import ExactNetwork, _core, memorize, verify
from exactnet.base import executors
from exactnet.exact import verification
from exactnet.exact.data import Data
from reference import forward
from test_verify import random_network, random_rational

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=SPAWN) as executor:
        yield executor


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(3) as executor:
        yield executor


@pytest.fixture(autouse=True)
def all_by_workers(monkeypatch):
    """However little there is to do; `test_work_that_is_too_little...` undoes it."""
    monkeypatch.setattr(verification, "LEAST_SECONDS", {True: (0, 0), False: (0, 0)})


@pytest.fixture(params=[None, "threads", "processes"])
def executor(request):
    return request.param and request.getfixturevalue(request.param)


class Immediate(Executor):
    """Does a task when it is submitted; the hostile ones below change what becomes of it."""

    def __init__(self):
        self.n_submitted = 0

    def submit(self, task, /, *args, **kwargs):
        self.n_submitted += 1
        future = Future()
        future.set_result(task(*args, **kwargs))
        return future


def chunked(X, y, sizes):
    ends = list(itertools.accumulate(sizes))
    assert ends[-1] >= len(X)
    for begin, end in itertools.pairwise([0, *ends]):
        if begin < len(X):
            yield X[begin:end], y[begin:end]


def chunkings(rng, n):
    yield [n]
    yield [1] * n
    yield [max(1, n // 2), n]
    yield [rng.randint(1, 5) for _ in range(n)]


def findings(report):
    assert report.exact == bool(report) == (report.n_wrong == 0)
    assert type(report.max_error) is gmpy2.mpq
    assert report.seconds > 0
    return report.n_points, report.n_wrong, report.first_wrong, report.max_error


def identity(n):
    """A network that is exact for y = x, with its data."""
    return ExactNetwork.from_arrays([[[1]]], [[0]]), [[k] for k in range(n)], list(range(n))


@pytest.mark.parametrize("collinear", [False, True])
def test_random_networks_in_chunks(rng, collinear, executor):
    """Exact ones and ones with some targets off: the report is that of one call, and right."""
    processes = isinstance(executor, ProcessPoolExecutor)
    for _ in range(4 if processes else 30):
        net = random_network(rng, collinear=collinear)
        X = [
            [rng.choice([rng.randint(-5, 5), random_rational(rng, 4)]) for _ in net.weights[0][0]]
            for _ in range(rng.randint(1, 40))
        ]
        y = forward(net, X)
        for n_wrong in (0, 1, rng.randint(1, len(X))):
            wrong = sorted(rng.sample(range(len(X)), n_wrong))
            off = [random_rational(rng, 40) or Fraction(1, 3) for _ in wrong]
            targets = [row[:] for row in y]
            for r, delta in zip(wrong, off, strict=True):
                targets[r][rng.randrange(len(targets[r]))] += delta
            expected = (
                len(X),
                n_wrong,
                wrong[0] if wrong else None,
                gmpy2.mpq(max(map(abs, off), default=0)),
            )
            assert findings(verify(net, X, targets)) == expected
            assert findings(verify(net, X, targets, executor=executor)) == expected
            for sizes in chunkings(rng, len(X)):
                chunks = chunked(X, targets, sizes)
                assert findings(verify(net, chunks, executor=executor)) == expected


def test_mutated_memorized_networks(rng, executor):
    X, y = random_points(rng, 300, 3)
    net = memorize(X, y, hidden=(18, 17))
    assert verify(net, X, y, executor=executor, n_threads=2)
    assert verify(net, list(chunked(X, y, [70] * 5)), executor=executor, n_threads=2)
    for array in (*net.weights, *net.biases):
        for _ in range(3):
            index = tuple(rng.randrange(n) for n in array.shape)
            original = array[index]
            array[index] = original + gmpy2.mpq(rng.choice([1, -1]), 10**9)
            expected = findings(verify(net, X, y))
            assert findings(verify(net, X, y, executor=executor)) == expected
            assert findings(verify(net, chunked(X, y, [70] * 5), executor=executor)) == expected
            array[index] = original


@pytest.mark.parametrize(
    "kind", ["one direction", "two directions", "zeros", "long numbers", "beyond floats"]
)
def test_parts_of_arrays(rng, kind):
    """Whatever order the parts of X are taken in, rows are those of X."""
    first = {"two directions": [[1, 2], [3, -1]], "zeros": [[0, 0], [0, 0]]}
    net = ExactNetwork.from_arrays([first.get(kind, [[0, 0], [1, -2]]), [[1, 1]]], [[3, 4], [0]])
    scale = {"long numbers": 2**80, "beyond floats": 3**1000}.get(kind, 1)
    X = [[rng.randint(-50, 50) * scale, rng.randint(-50, 50)] for _ in range(97)]
    y = [value for (value,) in forward(net, X)]
    with ThreadPoolExecutor(3) as executor:
        assert verify(net, X, y, executor=executor)
        for rows in ([96], [0, 96], [50, 20, 80], range(97)):
            targets = list(y)
            for r in rows:
                targets[r] += r + 1
            expected = (97, len(rows), min(rows), max(rows) + 1)
            assert findings(verify(net, X, targets, executor=executor)) == expected
        # fewer points than parts
        assert findings(verify(net, X[:2], y[:2], executor=executor))[:2] == (2, 0)


def test_numpy_chunks(rng, executor):
    net = ExactNetwork.from_arrays([[[1, 2]]], [[0]])
    X = np.array([[rng.randrange(100) / 8, rng.randrange(100)] for _ in range(60)])
    y = X @ [1, 2]
    chunks = ((X[k : k + 7], y[k : k + 7]) for k in range(0, 60, 7))
    assert verify(net, chunks, executor=executor)
    # lists as pairs, as data loaders return them, and other types from chunk to chunk
    mixed = [[X[:20].astype(np.float32), y[:20, None]], [X[20:].tolist(), y[20:].tolist()]]
    assert verify(net, mixed, executor=executor)


def test_networks_are_pickled_exactly(rng):
    net = random_network(rng, collinear=False)
    net.weights[0][0, 0] = gmpy2.mpq(3**400, 7**300)
    same = pickle.loads(pickle.dumps(net))
    for ours, theirs in zip(net.weights + net.biases, same.weights + same.biases, strict=True):
        assert (ours == theirs).all()
        assert all(type(v) is gmpy2.mpq for v in theirs.ravel())
    assert same.activations == net.activations


def pickled(core):
    return pickle.loads(pickle.dumps(core))


def test_cores_are_pickled_exactly(rng):
    """Networks travel as the bytes of their numbers, of any length and sign."""
    for case in range(40):
        net = random_network(rng, collinear=case % 2 == 0)
        net.weights[0][0, 0] = gmpy2.mpq((-1) ** case * 3 ** (10 * case), 7 ** (20 * case))
        net.biases[-1][0] = gmpy2.mpq(rng.choice([0, 2**63, -(2**64), 2**128 - 1]))
        core = net._parameters().to_core()
        X = [[random_rational(rng, 4) for _ in net.weights[0][0]] for _ in range(5)]
        points = Data(X, forward(net, X))
        for other in (core, pickled(core), pickled(pickled(core))):
            args = other, points.points.core, points.targets.core
            assert _core.verify(*args) == (5, 0, None, 0)
        state = core.__getstate__()
        assert pickled(core).__getstate__() == state
        for damaged in (state[:-8], state[:24], state[:24] + b"\xff" * 8):
            with pytest.raises(ValueError, match="damaged"):
                _core.ExactNetwork.__new__(_core.ExactNetwork).__setstate__(damaged)


@pytest.mark.parametrize("least", [-(2**62) + 1, -(2**40), -129, -1, 0, 7])
@pytest.mark.parametrize("most", [0, 1, 127, 128, 255, 256, 2**31, 2**62 - 1])
def test_tables_travel_in_few_bytes(least, most):
    table = Data([[least, 3], [most, 0]], [1, 2]).points
    other = pickled(table)
    assert other.numerators.dtype == np.int64
    assert (other.numerators == table.numerators).all()
    assert other.denominators == table.denominators
    large = np.zeros((1000, 10), dtype=np.uint8)
    large[0, 0] = 255
    assert len(pickle.dumps(Data(large, large[:, 0]).points)) < 2 * large.nbytes


def test_network_that_changes_meanwhile(executor):
    """All chunks are compared with the network as it was in the beginning."""
    net, X, y = identity(40)

    def chunks():
        for k in range(0, 40, 2):
            yield X[k : k + 2], y[k : k + 2]
            net.biases[0][0] += 1

    assert verify(net, chunks(), executor=executor)
    assert net.biases[0][0] == 20
    net.biases[0][0] = 0.5  # what is no rational yet crosses as the one it is
    assert findings(verify(net, X, y, executor=executor)) == (40, 40, 0, gmpy2.mpq(1, 2))


# ------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "data",
    [
        np.ones((3, 2)),
        np.ones((3, 2)).view(type("Matrix", (np.ndarray,), {})),
        [[1, 2], [3, 4], [5, 6]],
        ((1, 2), (3, 4)),
        [[1, 2, 3], [4, 5, 6]],
        [[Fraction(1), gmpy2.mpq(2)]],
        [np.ones(2), np.ones(2)],
        [1, 2, 3],
        range(4),
        (row for row in [[1, 2], [3, 4]]),
        zip([[1, 2], [3, 4]], [3, 7], strict=True),
        ([[1, 2], [3, 4], [5, 6]], [1, 2, 3]),  # (X, y) in place of X, y
        (np.ones((2, 2)), np.ones(2)),
        [{"X": [[1, 2]], "y": [1]}],
        [([[1, 2]], [1], [1])],
        {"X": [[1, 2]], "y": [1]},
        "data.csv",
        b"data",
        None,
        7,
    ],
    ids=lambda data: type(data).__name__,
)
def test_forgotten_y(data):
    net = ExactNetwork.from_arrays([[[1, 1]]], [[0]])
    with pytest.raises(TypeError, match=r"y is missing: .* pairs"):
        verify(net, data)


def test_array_of_pairs():
    """An array is data, even one of objects that could be taken for chunks."""
    pairs = np.empty(1, dtype=object)
    pairs[0] = ([[1, 2]], [3])
    net = ExactNetwork.from_arrays([[[1, 1]]], [[0]])
    assert verify(net, list(pairs))
    with pytest.raises(TypeError, match=r"y is missing: .* pairs \(X, y\), not ndarray"):
        verify(net, pairs)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (([[1, 2], [3, 4]], [3, 7]), "chunk 0: X must be 2-dimensional"),
        ([("ab", "cd")], "chunk 0: X must be an array or a list, not str"),
        ([([[1, 2]], "cd")], "chunk 0: y must be an array or a list, not str"),
    ],
    ids=str,
)
def test_pairs_of_something_else(data, error):
    net = ExactNetwork.from_arrays([[[1, 1]]], [[0]])
    with pytest.raises((TypeError, ValueError), match=error):
        verify(net, data)


@pytest.mark.parametrize("chunks", [[], (), iter(())], ids=["list", "tuple", "iterator"])
def test_no_chunks(chunks, executor):
    with pytest.raises(ValueError, match="X is empty: it has no chunks"):
        verify(identity(1)[0], chunks, executor=executor)


@pytest.mark.parametrize(
    ("chunk", "kind", "error"),
    [
        (([[1, 2]], [1]), ValueError, "X has 2 features but the network takes 1"),
        (([[1]], [[1, 2]]), ValueError, "y has 2 outputs but the network has 1"),
        (([[1]], [1, 2]), ValueError, "y has 2 rows but X has 1"),
        (([], []), ValueError, "X is empty"),
        (([[1], [1, 2]], [1, 1]), ValueError, "X is ragged: row 1"),
        (([[float("nan")]], [1]), ValueError, r"X\[0, 0\] is nan"),
        ((np.array([[np.inf]]), [1]), ValueError, r"X\[0, 0\] is inf"),
        (([["1"]], [1]), TypeError, r"X\[0, 0\] is the string '1'"),
        (([[1]], [1j]), TypeError, r"y\[0, 0\] is of type complex"),
        ((np.ma.masked_array([[1]], [[True]]), [1]), ValueError, "X has masked entries"),
    ],
    ids=str,
)
def test_errors_name_the_chunk(chunk, kind, error, executor):
    net, X, y = identity(20)
    y[3] = 99  # a wrong verdict of an earlier chunk is no reason to pass over the error
    chunks = [*chunked(X, y, [4] * 5), chunk, ([[1]], [1])]
    with pytest.raises(kind, match=f"chunk 5: {error}"):
        verify(net, chunks, executor=executor)


@pytest.mark.parametrize("wrong", [4, "threads", ThreadPoolExecutor, multiprocessing])
def test_other_executors(wrong):
    net, X, y = identity(2)
    with pytest.raises(TypeError, match=r"executor must be a concurrent\.futures\.Executor"):
        verify(net, X, y, executor=wrong)


def test_generator_that_raises(executor):
    net, X, y = identity(30)

    def chunks():
        yield from chunked(X[:20], y[:20], [2] * 10)
        raise LookupError("the file ends here")

    with pytest.raises(LookupError, match="the file ends here"):
        verify(net, chunks(), executor=executor)
    assert verify(net, X, y, executor=executor)  # and the executor is as good as before


# ----------------------------------------------------------------------------- hostile executors


class ThirdTask(Immediate):
    def __init__(self, what):
        super().__init__()
        self.what = what

    def submit(self, task, /, *args, **kwargs):
        future = super().submit(task, *args, **kwargs)
        if self.n_submitted != 3:
            return future
        if self.what == "submit":
            raise BrokenProcessPool("no more tasks")
        replaced = Future()
        if self.what == "raise":
            replaced.set_exception(OSError("the worker's disk is full"))
        elif self.what == "cancel":
            assert replaced.cancel()
        elif self.what == "break":
            replaced.set_exception(BrokenProcessPool("the worker is dead"))
        elif self.what == "interrupt":
            replaced.set_exception(KeyboardInterrupt())
        elif self.what == "shutdown":
            with ThreadPoolExecutor(1) as closed:
                pass
            return closed.submit(task, *args, **kwargs)
        else:
            n_points, n_wrong, first_wrong, max_error = future.result()
            results = {
                "fewer": (n_points - 1, n_wrong, first_wrong, max_error),
                "more": (n_points + 1, n_wrong, first_wrong, max_error),
                "none": (0, 0, None, gmpy2.mpq(0)),
                "nothing": None,
            }
            replaced.set_result(results[self.what])
        return replaced


@pytest.mark.parametrize("in_chunks", [True, False])
@pytest.mark.parametrize(
    ("what", "kind", "text"),
    [
        ("submit", BrokenProcessPool, "no more tasks"),
        ("raise", OSError, "the worker's disk is full"),
        ("cancel", CancelledError, None),
        ("break", BrokenProcessPool, "the worker is dead"),
        ("interrupt", KeyboardInterrupt, None),
        ("shutdown", RuntimeError, "cannot schedule new futures after shutdown"),
        ("fewer", RuntimeError, "points were checked where"),
        ("more", RuntimeError, "points were checked where"),
        ("none", RuntimeError, "0 points were checked where"),
        ("nothing", TypeError, "None"),
    ],
)
def test_executor_whose_third_task_breaks(what, kind, text, in_chunks):
    net, X, y = identity(40)
    data = (list(chunked(X, y, [4] * 10)),) if in_chunks else (X, y)
    executor = ThirdTask(what)
    executor._max_workers = 4
    with pytest.raises(kind, match=text):
        verify(net, *data, executor=executor)
    assert executor.n_submitted >= 3
    executor = Immediate()
    executor._max_workers = 4
    assert verify(net, *data, executor=executor)


@pytest.mark.parametrize("in_chunks", [True, False])
def test_worker_process_killed_midway(in_chunks):
    """By a signal, while it computes: there is an error and no report."""
    size = 60 if in_chunks else 40_000
    weights = [[[k + 1, k * k] for k in range(200)], [[1] * 200]]
    net = ExactNetwork.from_arrays(weights, [[Fraction(1, k + 1) for k in range(200)], [0]])
    X = [[k, -k] for k in range(size)]
    y = [0] * size

    with ProcessPoolExecutor(2, mp_context=SPAWN) as executor:
        assert executor.submit(os.getpid).result() in executor._processes

        def kill():
            os.kill(next(iter(executor._processes)), signal.SIGKILL)

        def chunks():
            for k in range(1000):
                if k == 7:
                    kill()
                yield X, y

        # Parts of arrays: once the first of several is done, others are under way or to come.
        data = (chunks(),) if in_chunks else (X, y)
        killed = []

        def progress(share):
            if not in_chunks and not killed:
                assert share < 1
                killed.append(kill())

        with pytest.raises(BrokenProcessPool):
            verify(net, *data, executor=executor, progress=progress)


# -------------------------------------------------------------------- bounded, and without delay


@pytest.mark.parametrize("name", [None, "immediate", "threads", "processes"])
def test_few_chunks_are_alive(name, request):
    net, _, _ = identity(1)
    executor = request.getfixturevalue(name) if name in ("threads", "processes") else None
    if name == "immediate":
        executor = Immediate()
    alive, most = set(), 0

    def chunk(k):
        nonlocal most
        X = np.full((100, 1), k)
        alive.add(k)
        weakref.finalize(X, alive.discard, k)
        most = max(most, len(alive))
        return X, [k] * 100

    assert findings(verify(net, map(chunk, range(200)), executor=executor))[:2] == (20_000, 0)
    assert not alive
    # two per worker; a worker may hold its last one for a moment after its result is out
    assert most <= {None: 1, "immediate": 1, "threads": 6 + 3, "processes": 4 + 2 + 1}[name]


@pytest.mark.parametrize("n_workers", [1, 3, None])
def test_few_tasks_are_under_way(n_workers):
    """Even if nothing gets ready before the first result is asked for."""

    class Lazy(Executor):
        under_way = most = n_tasks = 0

        def submit(self, task, /, *args, **kwargs):
            self.n_tasks += 1
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            outer = self

            class AskedFuture(Future):
                def result(self, timeout=None):
                    outer.under_way -= 1
                    return task(*args, **kwargs)

            return AskedFuture()

    net, X, y = identity(300)
    executor = Lazy()
    if n_workers:
        executor._max_workers = n_workers
    limit = 2 * (n_workers or os.cpu_count())
    assert findings(verify(net, chunked(X, y, [1] * 300), executor=executor))[:2] == (300, 0)
    assert (executor.most, executor.n_tasks) == (limit, 300)
    executor.n_tasks = 0
    assert verify(net, X, y, executor=executor)
    assert executor.n_tasks == limit


class Processes(Executor):
    """Does tasks at once in `n` processes, as it were, which take turns; counts what is sent."""

    def __init__(self, n, n_workers):
        self._max_workers = n_workers
        self.kept = [("", None)] * n
        self.sent = []

    def submit(self, task, /, *args, **kwargs):
        data = pickle.dumps((task, args))
        self.sent.append(len(data))
        ours = executors._arrived
        here = len(self.sent) % len(self.kept)
        executors._arrived = self.kept[here]
        try:
            task, args = pickle.loads(data)
            result = pickle.loads(pickle.dumps(task(*args)))
        finally:
            self.kept[here], executors._arrived = executors._arrived, ours
        future = Future()
        future.set_result(result)
        return future


@pytest.mark.parametrize("in_chunks", [True, False])
@pytest.mark.parametrize(("n", "n_workers"), [(1, 1), (2, 2), (3, 4), (5, 2)])
def test_networks_travel_once_per_process(rng, in_chunks, n, n_workers):
    """With the first tasks; again where a process had none of them, as there are more of them."""
    X, y = random_points(rng, 300, 3)
    y[17] += 1
    net = memorize(X, y)
    y[17] -= 1
    executor = Processes(n, n_workers)
    expected = findings(verify(net, X, y))
    for times in (1, 2):
        data = (chunked(X, y, [10] * 30),) if in_chunks else (X, y)
        assert findings(verify(net, *data, executor=executor)) == expected
        whole = sum(size > 10_000 for size in executor.sent)
        assert whole == times * n_workers if n <= n_workers else whole > times * n_workers
        net.biases[0][0] += 0  # another one as far as the workers know


@pytest.mark.parametrize("in_chunks", [True, False])
def test_work_that_is_too_little_is_done_here(rng, monkeypatch, in_chunks):
    """And what is not is handed out once that is seen, with the same report."""
    X, y = random_points(rng, 3000, 3)
    y[7] += 1
    net = memorize(X, y)
    y[7] -= 1
    data = (list(chunked(X, y, [100] * 30)),) if in_chunks else (X, y)
    expected = findings(verify(net, *data))
    for least, by_workers in ((1e9, [0]), (1e-9, range(2800, 3000)), (0, [3000])):
        monkeypatch.setattr(verification, "LEAST_SECONDS", {False: (least, least)})
        executor, shares = Immediate(), []
        executor._max_workers = 2
        report = verify(net, *data, executor=executor, progress=shares.append)
        assert findings(report) == expected
        assert report.n_by_workers in by_workers
        assert (executor.n_submitted > 0) == (report.n_by_workers > 0)
        assert shares == sorted(shares)
        assert shares[-1] == 1
    assert verify(net, *data).n_by_workers == 0


@pytest.mark.parametrize("in_chunks", [True, False])
@pytest.mark.parametrize("as_executor", [True, False])
def test_clients_of_dask(rng, client, in_chunks, as_executor):
    X, y = random_points(rng, 400, 3)
    y[17] += 1
    net = memorize(X, y)
    y[17] -= 1
    data = (chunked(X, y, [100] * 4),) if in_chunks else (X, y)
    executor = client.get_executor() if as_executor else client
    report = verify(net, *data, executor=executor)
    assert findings(report) == findings(verify(net, X, y))
    assert report.n_by_workers == 400


def test_tasks_under_way_are_cancelled():
    net, X, y = identity(300)

    class Never(Executor):
        def __init__(self):
            self.futures = []

        def submit(self, task, /, *args, **kwargs):
            self.futures.append(Future())
            if len(self.futures) == 2:
                raise OSError("no more")
            return self.futures[-1]

    executor = Never()
    with pytest.raises(OSError, match="no more"):
        verify(net, chunked(X, y, [10] * 30), executor=executor)
    assert executor.futures[0].cancelled()


def test_progress(executor):
    net, X, y = identity(100)
    for chunks in (list(chunked(X, y, [10] * 10)), chunked(X, y, [10] * 10)):
        shares = []
        assert verify(net, chunks, executor=executor, progress=shares.append)
        assert shares == sorted(shares)
        if isinstance(chunks, list):
            assert (len(set(shares)), shares[-1]) == (10, 1)
        else:
            assert set(shares) == {0}
    shares = []
    assert verify(net, X, y, executor=executor, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1

    def stop(share):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        verify(net, chunked(X, y, [10] * 10), executor=executor, progress=stop)


SCRIPT = """
import multiprocessing, random, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from exactnet import ExactNetwork, verify

rng = random.Random(0)
net = ExactNetwork.from_arrays(
    [[[rng.gauss(0, 1) for _ in range(100)] for _ in range(200)], [[1] * 200]], [[0] * 200, [0]]
)
rows = {rows}
X, y = [[rng.random() for _ in range(100)] for _ in range(rows)], [0] * rows

def chunks():
    for k in range(10**9):
        if k == 3:
            print("started", flush=True)
        yield X, y

try:
    with {executor} as executor:
        try:
            verify(net, chunks(), executor=executor)
        except KeyboardInterrupt:
            caught = time.monotonic()
            raise
except KeyboardInterrupt:
    print(caught, time.monotonic() - caught)
"""


@pytest.mark.parametrize(
    ("executor", "rows"),
    [
        ("nullcontext()", 200),
        ("ThreadPoolExecutor(2)", 2000),
        ("ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('spawn'))", 20),
    ],
)
def test_ctrl_c(executor, rows):
    """Threads end with the call; processes finish their part, which is short here."""
    delay, (shutdown,) = interrupt(SCRIPT.format(executor=executor, rows=rows), after=0.3)
    print(f"{executor}: {delay:.3f} s, shut down in {shutdown} s")
    assert delay < 0.2
    assert float(shutdown) < (2 if "Process" in executor else 0.2)


# ---------------------------------------------------------------- memory that others write to


class Later(Executor):
    """Does a task when its result is asked for, when the reader is two or more chunks further on.

    With `pickled`, as executors on other machines do: nothing of the caller's memory goes along.
    """

    def __init__(self, pickled):
        self._max_workers = 2
        self.pickled = pickled

    def submit(self, task, /, *args, **kwargs):
        pickled = self.pickled

        class Asked(Future):
            def result(self, timeout=None):
                work = pickle.loads(pickle.dumps(args)) if pickled else args
                return task(*work, **kwargs)

        return Asked()


FORMS = ["int64", "fortran", "unaligned", "swapped", "uint8", "uint64", "float64", "object", "list"]


def memory(rows, form):
    """The numbers, 2-dimensional, in new memory of some form."""
    array = np.array(rows, dtype=np.int64)
    if form == "unaligned":
        raw = np.empty(array.nbytes + 1, dtype=np.uint8)
        result = raw[1:].view(np.int64).reshape(array.shape)
        result[...] = array
        return result
    if form == "fortran":
        return np.asfortranarray(array)
    if form == "list":
        return array.tolist()
    return array.astype({"int64": "i8", "swapped": ">i8"}.get(form, form))


def overwrite(buffer, rng, form):
    if form == "list":
        for row in buffer:
            row[:] = [rng.randrange(100) for _ in row]
    else:
        buffer[...] = np.array([rng.randrange(100) for _ in range(buffer.size)]).reshape(
            buffer.shape
        )


def reader(rng, X, y, how, form):
    """Chunks of (X, y) in memory that is someone else's as soon as the next one is asked for."""
    sizes = [rng.randint(1, 30) for _ in X]
    reused_X = memory(X[:1] * 30, form)
    reused_y = memory(y[:1] * 30, form)
    both = np.zeros((30, len(X[0]) + len(y[0])), dtype=np.int64)
    begin = 0
    while begin < len(X):
        n = min(sizes.pop(), len(X) - begin)
        part = slice(begin, begin + n)
        begin += n
        if how == "refill":
            reused_X[:n], reused_y[:n] = memory(X[part], form), memory(y[part], form)
            yield reused_X[:n], reused_y[:n]
            overwrite(reused_X, rng, form)
            overwrite(reused_y, rng, form)
        elif how == "share":  # X and y in one buffer, in which chunks overlap
            at = rng.randrange(30 - n + 1)
            both[at : at + n] = np.hstack([X[part], y[part]])
            yield both[at : at + n, : len(X[0])], both[at : at + n, len(X[0]) :]
            overwrite(both, rng, "int64")
        else:
            new_X, new_y = memory(X[part], form), memory(y[part], form)
            yield new_X, new_y
            overwrite(new_X, rng, form)
            overwrite(new_y, rng, form)
            for array in (new_X, new_y):
                if how == "shrink" and form == "list":
                    del array[1:]
                elif how == "shrink" and array.flags.owndata:
                    array.resize((1, array.shape[1]), refcheck=False)
            if how == "free":
                del new_X, new_y, array


def test_readers_that_reuse_their_memory(rng, threads, processes):
    """The report is that of the plain call on data of their own, whoever computes when."""
    executors = [None, Immediate(), Later(False), Later(True), threads]
    for case in range(slow(500, 100)):
        executor = processes if case % 20 == 19 else executors[case % len(executors)]
        net = ExactNetwork.from_arrays(
            [[[rng.randint(-9, 9) for _ in range(2)] for _ in range(3)], [[1, -1, 1], [2, 0, 1]]],
            [[rng.randint(-9, 9) for _ in range(3)], [200, 200]],
        )
        X = [[rng.randrange(30), rng.randrange(30)] for _ in range(rng.randint(2, 200))]
        y = [[int(v) for v in row] for row in forward(net, X)]
        how, form = rng.choice(["refill", "shrink", "free", "share"]), rng.choice(FORMS)
        lowest = min(v for row in y for v in row)
        highest = max(v for row in y for v in row)
        if form in ("uint8", "uint64"):
            net.biases[1] -= lowest
            y = [[v - lowest for v in row] for row in y]
            form = form if highest - lowest < 250 else "uint64"
        for r in rng.sample(range(len(X)), rng.choice([0, 0, 1, len(X) // 2])):
            y[r][rng.randrange(2)] += rng.randint(1, 3)
        expected = findings(verify(net, X, y))
        chunks = reader(rng, X, y, how, form)
        options = dict(executor=executor, n_threads=rng.randint(1, 3))
        assert findings(verify(net, chunks, **options)) == expected, (how, form, executor)
        data = memory(X, form), memory(y, form)
        assert findings(verify(net, *data, **options)) == expected


@pytest.mark.parametrize("form", ["int64", "float64"])
@pytest.mark.parametrize("executor", [None, "threads"])
def test_arrays_written_to_meanwhile(request, rng, form, executor):
    """Once the first part is under way the caller's arrays are of no consequence any more."""
    executor = executor and request.getfixturevalue(executor)
    width, n = 3000, 6000  # for more than the 20 ms after which progress is told
    weights = [[rng.randint(-99, 99) for _ in range(20)] for _ in range(width)]
    net = ExactNetwork.from_arrays([weights, [[1] * width]], [[0] * width, [0]])
    X = np.array([[rng.randrange(100) for _ in range(20)] for _ in range(n)]).astype(form)
    y = np.maximum(X.astype(float) @ np.array(weights, dtype=float).T, 0).sum(axis=1)
    y = y.astype(form)
    y[-1] += 1
    shares = []

    def write(share):
        shares.append(share)
        X[:], y[:] = 1, 2

    report = verify(net, X, y, executor=executor, progress=write)
    assert min(shares) < 1
    assert findings(report) == (n, 1, n - 1, 1)
