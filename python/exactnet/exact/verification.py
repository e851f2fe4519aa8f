"""Exact verification, which trusts nothing about how a network was made."""

from __future__ import annotations

import itertools
import math
import reprlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from functools import partial
from typing import Any

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet.base.checks import thread_count
from exactnet.base.dataset import Dataset
from exactnet.base.executors import Workers, check_executor, in_this_process
from exactnet.base.frames import is_sparse
from exactnet.base.progress import Progress, ProgressOption, reporting
from exactnet.base.tables import count
from exactnet.exact.data import Data, Table
from exactnet.exact.network import ExactNetwork
from exactnet.exact.parameters import Parameters
from exactnet.exact.rationals import brief, to_mpq
from exactnet.exact.workers import Part, Place, PortableNetwork, Result, check_part, check_parts

# What must remain to be checked, or a chunk take, in seconds, for workers to be asked: (of threads,
# of processes, which get the network and the points as bytes).
LEAST_SECONDS = {True: (0.02, 0.002), False: (0.3, 0.01)}
# Of how many points one, and then two, show how long they take.
_TRIAL = 64


@dataclass(frozen=True, repr=False)
class VerificationReport:
    """What `verify` found; true in a condition if and only if the network is exact.

    Attributes
    ----------
    exact : bool
        Whether every output at every point equals its target.
    max_error : mpq
        Largest absolute difference between an output and its target.
    n_points : int
    n_wrong : int
        Points with at least one output off its target.
    first_wrong : int or None
        The lowest such row of X, or of all chunks together.
    seconds : float
        Wall-clock time of the verification.
    n_by_workers : int
        Points that workers of the executor checked. The calling thread checked the others: all
        without an executor, and where handing them out would have taken longer than checking them.
    """

    exact: bool
    max_error: Any
    n_points: int
    n_wrong: int
    first_wrong: int | None
    seconds: float
    n_by_workers: int = 0

    def __bool__(self) -> bool:
        return self.exact

    def __repr__(self) -> str:
        points, seconds = count(self.n_points, "point"), f"{self.seconds:.3g} s"
        if self.exact:
            return f"VerificationReport(exact, {points}, {seconds})"
        return (
            f"VerificationReport(not exact: {self.n_wrong:,} of {points} wrong, the first is row "
            f"{self.first_wrong}; max_error {brief(self.max_error)}; {seconds})"
        )


def verify(
    network: ExactNetwork,
    X: Any,
    y: Any = None,
    *,
    n_threads: int = 1,
    executor: Any = None,
    progress: ProgressOption = None,
) -> VerificationReport:
    """Evaluate a network in exact arithmetic and compare every output with its target.

    The C++ evaluator takes any ReLU network of rational parameters, of any depth. It has integers
    and tables of data in common with the constructions and nothing else: none of them, nor
    `ExactNetwork.extend`, asks it for a number that goes into a network. It is fastest where all
    first-layer rows are multiples of one vector, as in most networks of `memorize`, and where sums
    are of few digits, as in integer networks and in those of floats; others are evaluated point by
    point in numbers of any length, which for wide layers takes a hundred times longer.

    Parameters
    ----------
    network : ExactNetwork
    X : array-like (points, features) of ints, floats, Fractions or mpq
        Or, without y, a `Dataset`; or an iterable of chunks, which are pairs (X, y) or datasets,
        each checked and forgotten before the next one is asked for, so that the data need not fit
        into memory. Networks of `memorize` take about the same time for a chunk of any size: take
        large ones.
    y : array-like (points,) or (points, outputs), likewise; or names of the network's classes
        X and y, or the chunk, are copied before anything is computed, and the report is about the
        copy: once the next chunk is asked for, a reader may refill or free the memory of the last.
    n_threads : int
        With an executor, the threads of every task.
    executor : concurrent.futures.Executor or dask.distributed.Client, optional
        Its workers, threads or processes, check the chunks, or parts of X and y; at most two per
        worker are under way at a time. The network travels to each process once. Chunks are read in
        the calling thread, which begins with checking some by itself and goes on with it while
        they take so little time that it does not pay to hand them out: see ``n_by_workers``.
    progress : callable or True, optional
        Called now and then with the finished share, from 0 to 1; with 0 while chunks come from an
        iterable without a length. True shows a bar.

    Returns
    -------
    VerificationReport

    Raises
    ------
    ValueError
        If X or y is empty, ragged, not finite, or does not fit the network or the other. Errors in
        a chunk say its number, counted from 0; no chunk at all is an error too.
    TypeError
        If X or y holds something else than real numbers, or y is missing and X does not consist of
        pairs.
    RuntimeError
        If the executor returned results for another number of points than it was given. Whatever
        an executor or an iterable of chunks raises is raised here: there is no report then.
    KeyboardInterrupt
        On Ctrl-C, within a fraction of a second. Threads of an executor stop, too; of the tasks in
        its processes those that have begun are finished if they do not get the signal themselves.

    Examples
    --------
    >>> from exactnet import memorize, verify
    >>> X, y = [[0], [1], [2], [3]], [5, -1, 4, 0]
    >>> net = memorize(X, y)
    >>> verify(net, X, y).exact
    True
    >>> net.biases[1][0] += 1
    >>> report = verify(net, X, y)
    >>> report.exact, report.first_wrong, report.max_error
    (False, 0, mpq(1,1))

    In chunks, by two threads, which these few points would not need:

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> chunks = ((X[k : k + 2], y[k : k + 2]) for k in range(0, 4, 2))
    >>> with ThreadPoolExecutor(2) as executor:
    ...     report = verify(net, chunks, executor=executor)
    >>> report.n_wrong, report.n_by_workers
    (4, 0)
    """
    start = time.perf_counter()
    if not isinstance(network, ExactNetwork):
        advice = ": pass network.to_exact()" if hasattr(network, "to_exact") else ""
        raise TypeError(f"network must be an ExactNetwork, not {type(network).__name__}{advice}")
    n_threads = thread_count(n_threads)
    if executor is not None:
        check_executor(executor)
    parameters = network._parameters()
    portable = PortableNetwork(parameters.to_core())
    chunks = None if y is not None or isinstance(X, Dataset) else _as_chunks(X)
    with reporting(progress, "verifying") as tell:
        if chunks is None:
            data = parameters.data(X, y)
            work = _Work(portable, n_threads, executor, _Tally(data.points.shape[0], True, tell))
            work.check_rows(data, lambda: _along_first_layer(parameters, data.points))
        else:
            total = len(chunks) if isinstance(chunks, Sized) else None
            work = _Work(portable, n_threads, executor, _Tally(total, False, tell))
            # `map` keeps nothing of a chunk, as a loop variable would while the next one is made
            work.check_chunks(map(partial(_read_chunk, parameters), chunks, itertools.count()))
    tally = work.tally
    if tally.n_points == 0:
        raise ValueError("X is empty: it has no chunks (X, y)")
    return VerificationReport(
        exact=tally.n_wrong == 0,
        max_error=tally.max_error,
        n_points=tally.n_points,
        n_wrong=tally.n_wrong,
        first_wrong=tally.first_wrong,
        seconds=time.perf_counter() - start,
        n_by_workers=tally.n_by_workers,
    )


class _Tally:
    """Sums up the results of parts, and tells how far the work is: of all points, or chunks."""

    def __init__(self, total: int | None, of_points: bool, progress: Progress | None) -> None:
        self.n_points = self.n_wrong = self.n_by_workers = 0
        self.first_wrong: int | None = None
        self.max_error = gmpy2.mpq(0)
        self._finished = 0
        self._total = total
        self._of_points = of_points
        self._progress = progress

    def add(self, place: Place, result: Result, by_workers: bool = True) -> None:
        """Count a finished part."""
        n_points, n_wrong, first, error = result
        if n_points != place.n_points:
            raise RuntimeError(
                f"{n_points} points were checked where {place.n_points} were given: "
                "the executor lost some or returned the result of another task"
            )
        if first is not None:
            row = self.n_points + first if place.rows is None else int(place.rows[first])
            self.first_wrong = row if self.first_wrong is None else min(self.first_wrong, row)
        self.n_points += n_points
        self.n_wrong += n_wrong
        self.n_by_workers += n_points if by_workers else 0
        self.max_error = max(self.max_error, error)
        self._finished += n_points if self._of_points else 1
        self.tell(0, 0.0)

    def tell(self, n_points: int, share: float) -> None:
        """Say how much is finished, with that share of a part of so many points."""
        if self._progress is not None:
            known = self._total or 0  # an iterable may well have more items than its length
            done = self._finished + share * (n_points if self._of_points else 1)
            self._progress(min(1.0, done / known) if known else 0.0)


class _Work:
    """Checks parts, here or, where that pays, by the workers of an executor."""

    def __init__(
        self, network: PortableNetwork, n_threads: int, executor: Any, tally: _Tally
    ) -> None:
        self._network = network
        self._n_threads = n_threads
        self._executor = executor
        self.tally = tally

    def check_rows(self, data: Data, order: Callable[[], npt.NDArray[np.intp]]) -> None:
        """Check the points of one table; `order` says which are best checked together."""
        n = data.points.shape[0]
        if self._executor is None:
            self._check(Part(data, Place(n, None)))
            return
        rows, size = order(), max(1, n // _TRIAL)
        least = LEAST_SECONDS[in_this_process(self._executor)][0]
        if least > 0:
            seconds = self._check(_part(data, rows[:size]))
            rows = rows[size:]
            if seconds < least < _TRIAL * seconds and len(rows):
                # a part takes some time whatever its size: see how much longer twice as many take
                seconds = self._check(_part(data, rows[: 2 * size])) - seconds
                rows = rows[2 * size :]
            if seconds * len(rows) / size < least:
                if len(rows):
                    self._check(_part(data, rows))
                return
        workers = Workers(self._executor, self._network)
        # Along the line of `memorize` later points take longer: those that take longest are first.
        parts = np.array_split(rows, min(len(rows), workers.limit))[::-1]
        self._hand_out(workers, (_part(data, rows) for rows in parts))

    def check_chunks(self, chunks: Iterator[Part]) -> None:
        """Check chunks, at least until one of them takes long enough to be handed out."""
        longest = math.inf
        if self._executor is not None:
            longest = LEAST_SECONDS[in_this_process(self._executor)][1]
        seconds = 0.0
        while seconds < longest:
            part = next(chunks, None)
            if part is None:
                return
            seconds = self._check(part)
            del part  # before the next chunk is made
        self._hand_out(Workers(self._executor, self._network), chunks)

    def _check(self, part: Part) -> float:
        start = time.perf_counter()
        tell = partial(self.tally.tell, part.place.n_points)
        result = check_part(self._network, part.data, self._n_threads, tell)
        self.tally.add(part.place, result, by_workers=False)
        return time.perf_counter() - start

    def _hand_out(self, workers: Workers, parts: Iterator[Part]) -> None:
        check_parts(workers, self._network, parts, self._n_threads, self.tally.add)


def _part(data: Data, rows: npt.NDArray[np.intp]) -> Part:
    # in their order, so that the first wrong one of the part is the first wrong one of X
    rows = np.sort(rows)
    return Part(data.rows(rows), Place(len(rows), rows))


def _as_chunks(chunks: Any) -> Iterable[Any]:
    # an array or a data frame is data, of which somebody forgot the targets
    if (
        isinstance(chunks, str | bytes | Mapping)
        or hasattr(chunks, "__array__")
        or is_sparse(chunks)
        or not isinstance(chunks, Iterable)
    ):
        raise TypeError(
            "y is missing: it may be left out only if X is an iterable of pairs (X, y), "
            f"not {type(chunks).__name__}"
        )
    return chunks


def _read_chunk(parameters: Parameters, chunk: Any, k: int) -> Part:
    # Two numbers are a row of data, of which somebody forgot the targets.
    if not isinstance(chunk, Dataset) and (
        not isinstance(chunk, tuple | list)
        or len(chunk) != 2
        or not all(isinstance(half, Iterable) for half in chunk)
    ):
        raise TypeError(
            "y is missing: it may be left out only if X is an iterable of pairs (X, y), "
            f"but its item {k} is {reprlib.repr(chunk)}"
        )
    try:
        data = parameters.data(*(chunk,) if isinstance(chunk, Dataset) else chunk)
    except (ValueError, TypeError, MemoryError) as error:
        # of their plain kinds: a subclass may take other arguments than a text
        kind = next(c for c in (ValueError, TypeError, MemoryError) if isinstance(error, c))
        raise kind(f"chunk {k}: {error}") from error
    return Part(data, Place(data.points.shape[0], None))


def _along_first_layer(parameters: Parameters, points: Table) -> npt.NDArray[np.intp]:
    """Order the rows by their value under a row of the first layer.

    Networks of `memorize` have one direction, and neighbours along it share most of their
    activation pattern: parts in this order take a fraction of the time of parts in another. Only
    the time depends on it, so floats will do.
    """
    rows = ([to_mpq(v, "weights[0]") for v in row] for row in parameters.weights[0].tolist())
    row = next((row for row in rows if any(row)), None)
    t = np.zeros(points.shape[0])
    if row is not None:
        direction = [w / d for w, d in zip(row, points.denominators, strict=True)]
        largest = max(map(abs, direction))
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                for c, w in enumerate(direction):
                    if w:
                        t += points.numerators[:, c].astype(np.float64) * float(w / largest)
        except OverflowError:  # numbers beyond floats: any order is right
            t[:] = 0
    return np.argsort(t, kind="stable")
