"""Parts of a verification, handed to the workers of an executor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.executors import Lacking, Workers
from exactnet.base.progress import Progress
from exactnet.exact.data import Data

if TYPE_CHECKING:
    from concurrent.futures import Future  # at run time it costs an import of logging

# (n_points, n_wrong, first_wrong, max_error), as _core.verify returns them
Result: TypeAlias = tuple[int, int, int | None, Any]


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

    Threads share this object, processes get its pickle.
    """

    stopped = False

    def __init__(self, core: _core.ExactNetwork) -> None:
        self.core = core


class _StoppedError(Exception):
    """The verification has ended already; nobody waits for this task."""


def check_part(
    network: PortableNetwork, data: Data, n_threads: int, tell: Progress | None = None
) -> Result:
    """Verify one part: the task of a worker."""

    def progress(share: float) -> None:
        if network.stopped:
            raise _StoppedError
        if tell is not None:
            tell(share)

    return _core.verify(network.core, data.points.core, data.targets.core, n_threads, progress)


def check_parts(
    workers: Workers,
    network: PortableNetwork,
    parts: Iterator[Part],
    n_threads: int,
    receive: Callable[[Place, Result], None],
) -> None:
    """Have all parts verified, and receive their results in order.

    A part is not made before one of those under way is done with, if there are as many as the
    limit. Whatever an executor or a task raises ends everything and is raised here.
    """
    pending: deque[tuple[Part, Future[Any]]] = deque()

    def receive_first() -> None:
        part, future = pending[0]
        result = future.result()
        if result is Lacking:
            pending[0] = part, workers.submit(check_part, part.data, n_threads, whole=True)
            result = pending[0][1].result()
        receive(part.place, result)
        pending.popleft()

    try:
        while True:
            if len(pending) == workers.limit:
                receive_first()
            part = next(parts, None)
            if part is None:
                break
            pending.append((part, workers.submit(check_part, part.data, n_threads)))
            del part
        while pending:
            receive_first()
    except BaseException:
        network.stopped = True  # ends what threads have begun; processes finish their part
        for _, future in pending:
            future.cancel()
        raise
