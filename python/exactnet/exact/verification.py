"""Exact verification, which trusts nothing about how a network was made."""

from __future__ import annotations

import itertools
import reprlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.checks import thread_count
from exactnet.base.dataset import Dataset
from exactnet.base.frames import is_sparse
from exactnet.base.progress import Progress, ProgressOption, reporting
from exactnet.base.tables import count
from exactnet.exact.data import Data, Table
from exactnet.exact.network import ExactNetwork
from exactnet.exact.parameters import Parameters
from exactnet.exact.rationals import brief, to_mpq
from exactnet.exact.workers import Part, Place, Result, check_parts, part_count

if TYPE_CHECKING:
    from concurrent.futures import Executor  # at run time it costs an import of logging


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
    """

    exact: bool
    max_error: Any
    n_points: int
    n_wrong: int
    first_wrong: int | None
    seconds: float

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
    executor: Executor | None = None,
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
    executor : concurrent.futures.Executor, optional
        Its workers, threads or processes, check the chunks, or parts of X and y; at most two per
        worker are under way at a time. Chunks are read in the calling thread.
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

    In chunks, by two threads:

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> chunks = ((X[k : k + 2], y[k : k + 2]) for k in range(0, 4, 2))
    >>> with ThreadPoolExecutor(2) as executor:
    ...     verify(net, chunks, executor=executor).n_wrong
    4
    """
    start = time.perf_counter()
    if not isinstance(network, ExactNetwork):
        advice = ": pass network.to_exact()" if hasattr(network, "to_exact") else ""
        raise TypeError(f"network must be an ExactNetwork, not {type(network).__name__}{advice}")
    n_threads = thread_count(n_threads)
    if executor is not None:
        _check_executor(executor)
    parameters = network._parameters()
    n_parts: int | None
    if y is None and not isinstance(X, Dataset):
        chunks = _as_chunks(X)
        n_parts = len(chunks) if isinstance(chunks, Sized) else None
        # `map` keeps nothing of a chunk, as a loop variable would while the next one is made
        parts: Iterator[Part] = map(partial(_read_chunk, parameters), chunks, itertools.count())
    else:
        data = parameters.data(X, y)
        n_parts = 1 if executor is None else min(data.points.shape[0], part_count(executor))
        parts = _split(parameters, data, n_parts)
    with reporting(progress, "verifying") as tell:
        tally = _Tally(n_parts, tell)
        if executor is None:
            _check_in_turn(parameters, parts, n_threads, tally)
        else:
            check_parts(executor, parameters, parts, n_threads, tally.add)
    if tally.n_points == 0:
        raise ValueError("X is empty: it has no chunks (X, y)")
    return VerificationReport(
        exact=tally.n_wrong == 0,
        max_error=tally.max_error,
        n_points=tally.n_points,
        n_wrong=tally.n_wrong,
        first_wrong=tally.first_wrong,
        seconds=time.perf_counter() - start,
    )


class _Tally:
    """Sums up the results of parts, and tells how far the work is."""

    def __init__(self, n_parts: int | None, progress: Progress | None) -> None:
        self.n_points = self.n_wrong = 0
        self.first_wrong: int | None = None
        self.max_error = gmpy2.mpq(0)
        self._finished = 0
        self._n_parts = n_parts
        self._progress = progress

    def add(self, place: Place, result: Result) -> None:
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
        self.max_error = max(self.max_error, error)
        self._finished += 1
        self.tell(0.0)

    def tell(self, share: float) -> None:
        """Say how much is finished, with that share of the next part."""
        if self._progress is not None:
            known = self._n_parts or 0  # an iterable may well have more items than its length
            self._progress(min(1.0, (self._finished + share) / known) if known else 0.0)


def _check_in_turn(
    parameters: Parameters, parts: Iterator[Part], n_threads: int, tally: _Tally
) -> None:
    core = parameters.to_core()
    for part in parts:
        tally.add(
            part.place,
            _core.verify(
                core, part.data.points.core, part.data.targets.core, n_threads, tally.tell
            ),
        )
        del part  # before the next chunk is made


def _check_executor(executor: Any) -> None:
    from concurrent.futures import Executor

    if not isinstance(executor, Executor):
        raise TypeError(
            f"executor must be a concurrent.futures.Executor, not {type(executor).__name__}"
        )


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


def _split(parameters: Parameters, data: Data, n_parts: int) -> Iterator[Part]:
    if n_parts == 1:
        yield Part(data, Place(data.points.shape[0], None))
        return
    for rows in np.array_split(_along_first_layer(parameters, data.points), n_parts):
        rows.sort()  # so that the first wrong one of the part is the first wrong one of X
        yield Part(data.rows(rows), Place(len(rows), rows))


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
