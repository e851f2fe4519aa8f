"""Workers of an executor or of a Dask cluster, and what travels to each of them once."""

from __future__ import annotations

import os
import pickle
import sys
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from exactnet.base.checks import shown

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future  # at run time it costs an import of logging

# What arguments `executor` are: an Executor or a distributed.Client, which need not be installed.
ExecutorOption: TypeAlias = Any

# Tasks per worker that are under way: one is computed while the next one waits for its turn.
_PER_WORKER = 2


def check_executor(executor: Any) -> None:
    """Raise TypeError unless it is an executor or a client of Dask."""
    from concurrent.futures import Executor

    if not isinstance(executor, Executor) and not _is_client(executor):
        raise TypeError(
            "executor must be a concurrent.futures.Executor or a dask.distributed.Client, "
            f"not {shown(executor)}"
        )


def _is_client(executor: Any) -> bool:
    distributed = sys.modules.get("distributed")  # whoever has a client has imported it
    return distributed is not None and isinstance(executor, distributed.Client)


def in_this_process(executor: Any) -> bool:
    """Whether its workers are threads of this process."""
    from concurrent.futures import ThreadPoolExecutor

    return isinstance(executor, ThreadPoolExecutor)


class Lacking:
    """What a task returns, as a class, that is sent to a process without the shared value."""


class Workers:
    """The workers of an executor, whose tasks share a value, such as data or a network.

    Threads get the value itself. Processes get its pickle with the first tasks, one for each
    worker, and keep it until another one comes; later tasks name it, and `submit` them again with
    `whole` if they return `Lacking`, as in a worker that had none of the first.

    Attributes
    ----------
    limit : int
        How many tasks should be under way at a time.
    """

    def __init__(self, executor: ExecutorOption, value: Any) -> None:
        self._parcel = _Parcel(value)
        if _is_client(executor):
            count = sum(executor.nthreads().values())
            executor = executor.get_executor(pure=False)
        else:
            # The executors of the standard library and their kin tell their size only privately.
            count = getattr(executor, "_max_workers", None)
        if not isinstance(count, int) or count < 1:
            count = os.cpu_count() or 1
        self._executor: Executor = executor
        self._n_whole = count  # tasks that take the value along
        self.limit = _PER_WORKER * count

    def submit(self, task: Callable[..., Any], *args: Any, whole: bool = False) -> Future[Any]:
        """Have `task(value, *args)` done; both must be found by their names in other processes."""
        shared: Any = self._parcel.label
        if whole or self._n_whole > 0:
            shared = self._parcel
            self._n_whole -= 1
        with warnings.catch_warnings():
            # What Dask would rather have scattered is lost with its worker, or tasks wait forever.
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self._executor.submit(_do, shared, task, *args)


class _Parcel:
    """A value on its way to tasks: in this process itself, in others what its pickle holds."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.key = uuid.uuid4().hex

    @cached_property
    def _pickle(self) -> bytes:
        return pickle.dumps(self.value, protocol=pickle.HIGHEST_PROTOCOL)

    @cached_property
    def label(self) -> _Label:
        return _Label(self.value, self.key)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, bytes]]:
        return _open, (self.key, self._pickle)


class _Label:
    """Stands for a parcel that has arrived before."""

    def __init__(self, value: Any, key: str) -> None:
        self.value, self.key = value, key

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return _find, (self.key,)


# The key of the parcel that arrived last in this process, and its value.
_arrived: tuple[str, Any] = "", None


def _open(key: str, data: bytes) -> Any:
    global _arrived
    value = _find(key)
    if value is Lacking:
        _arrived = "", None  # not two at a time
        value = pickle.loads(data)
        _arrived = key, value
    return value


def _find(key: str) -> Any:
    arrived, value = _arrived
    return value if arrived == key else Lacking


def _do(shared: Any, task: Callable[..., Any], *args: Any) -> Any:
    if shared is Lacking:
        return Lacking
    return task(shared.value if isinstance(shared, _Parcel | _Label) else shared, *args)


# Deaths of processes after which, if no task is finished in between, no other pool is started.
_MOST_DEATHS = 5


def run_all(
    executor: ExecutorOption, value: Any, task: Callable[..., Any], arguments: Sequence[Any]
) -> Generator[tuple[int, Future[Any]]]:
    """Have `task(value, argument)` done for all; yield their places and futures as they come.

    When a process dies, its pool cannot be used any more: what it has not finished goes to another
    one of the same settings. Tasks that were under way are then done one at a time, so that one
    that kills its process is found, and ends with the error. Where there is no other pool, all do.
    Dask gives tasks of a lost worker to another one itself.
    """
    from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ProcessPoolExecutor, wait
    from concurrent.futures import Future as OwnFuture

    def is_lost(future: Future[Any]) -> bool:
        return isinstance(future.exception(), BrokenExecutor)

    workers = Workers(executor, value)
    waiting, suspects = deque(range(len(arguments))), deque[int]()
    under_way: dict[Future[Any], int] = {}
    alone, deaths = False, 0
    own: Executor | None = None

    def start(k: int, whole: bool = False) -> None:
        try:
            future = workers.submit(task, arguments[k], whole=whole)
        except BrokenExecutor as error:
            future = OwnFuture()
            future.set_exception(error)
        under_way[future] = k

    try:
        while waiting or suspects or under_way:
            if not under_way:
                alone = bool(suspects)
            if alone and not under_way:
                start(suspects.popleft())
            while waiting and not alone and len(under_way) < workers.limit:
                start(waiting.popleft())
            done = wait(under_way, return_when=FIRST_COMPLETED).done
            if any(map(is_lost, done)):
                done = wait(under_way).done  # they all are, of that pool
            lost = []
            for future in done:
                k = under_way.pop(future)
                if is_lost(future):
                    lost.append((k, future))
                elif future.exception() is None and future.result() is Lacking:
                    start(k, whole=True)
                else:
                    deaths = 0
                    yield k, future
            if not lost:
                continue
            deaths += 1
            if own is not None:
                own.shutdown(wait=False)
                own = None
            if deaths < _MOST_DEATHS and type(executor) is ProcessPoolExecutor:
                own = _another(executor)
            else:
                yield from lost
                yield from ((k, lost[0][1]) for k in (*suspects, *waiting))
                return
            workers = Workers(own, value)
            if alone:
                yield from lost
            else:
                suspects.extend(k for k, _ in lost)
    finally:
        for future in under_way:
            future.cancel()
        if own is not None:
            own.shutdown(wait=not under_way, cancel_futures=True)


def _another(pool: Any) -> Executor:
    """Return a pool of processes as the one that is given."""
    from concurrent.futures import ProcessPoolExecutor

    return ProcessPoolExecutor(
        pool._max_workers, pool._mp_context, pool._initializer, pool._initargs
    )
