"""Parts of a verification, handed to the workers of an executor."""

from __future__ import annotations

import os
import pickle
from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.exact.data import Data
from exactnet.exact.parameters import Parameters
from exactnet.exact.rationals import to_mpq

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future  # at run time it costs an import of logging

# (n_points, n_wrong, first_wrong, max_error), as _core.verify returns them
Result: TypeAlias = tuple[int, int, int | None, Any]

# Parts per worker that are under way: one is computed while the next one waits for its turn.
_PER_WORKER = 2


class Place(NamedTuple):
    """Where the rows of a part are in all of the data.

    Attributes
    ----------
    n_points : int
    rows : ndarray of int, ascending, or None where they follow those of the part before
    """

    n_points: int
    rows: npt.NDArray[np.intp] | None


class Part(NamedTuple):
    """Points that are checked in one go."""

    data: Data
    place: Place


class PortableNetwork:
    """The network as it was when the verification began, for this process and others.

    Threads share this object. Processes get its pickle with every task, for they may have no other
    way to it, but read that only once.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.stopped = False
        # a copy, since the pickle is made when the first task leaves, in a thread of the executor
        exact = np.frompyfunc(lambda value: to_mpq(value, "a parameter"), 1, 1)
        self._copy = Parameters(
            [exact(w) for w in parameters.weights],
            [exact(b) for b in parameters.biases],
            list(parameters.activations),
        )
        self.core = self._copy.to_core()

    @cached_property
    def _pickle(self) -> bytes:
        return pickle.dumps(self._copy, protocol=pickle.HIGHEST_PROTOCOL)

    def __reduce__(self) -> tuple[Callable[[bytes], PortableNetwork], tuple[bytes]]:
        return _unpickle, (self._pickle,)


@lru_cache(maxsize=1)
def _unpickle(data: bytes) -> PortableNetwork:
    return PortableNetwork(pickle.loads(data))


class _StoppedError(Exception):
    """The verification has ended already; nobody waits for this task."""


def check_part(network: PortableNetwork, data: Data, n_threads: int) -> Result:
    """Verify one part: the task of a worker."""

    def progress(share: float) -> None:
        if network.stopped:
            raise _StoppedError

    return _core.verify(network.core, data.points.core, data.targets.core, n_threads, progress)


def part_count(executor: Executor) -> int:
    """Return how many parts the executor should have at a time."""
    # The executors of the standard library and their kin tell their size only privately.
    workers = getattr(executor, "_max_workers", None)
    if not isinstance(workers, int) or workers < 1:
        workers = os.cpu_count() or 1
    return _PER_WORKER * workers


def check_parts(
    executor: Executor,
    parameters: Parameters,
    parts: Iterator[Part],
    n_threads: int,
    receive: Callable[[Place, Result], None],
) -> None:
    """Have all parts verified, and receive their results in order.

    A part is not made before one of those under way is done with, if there are as many as
    `part_count`. Whatever an executor or a task raises ends everything and is raised here.
    """
    portable = PortableNetwork(parameters)
    limit = part_count(executor)
    pending: deque[tuple[Place, Future[Result]]] = deque()

    def receive_first() -> None:
        place, future = pending[0]
        receive(place, future.result())
        pending.popleft()

    try:
        while True:
            if len(pending) == limit:
                receive_first()
            part = next(parts, None)
            if part is None:
                break
            future = executor.submit(check_part, portable, part.data, n_threads)
            pending.append((part.place, future))
            del part  # its memory is free as soon as its worker has done with it
        while pending:
            receive_first()
    except BaseException:
        portable.stopped = True  # ends what threads have begun; processes finish their part
        for _, future in pending:
            future.cancel()
        raise
