"""Many networks, trained at once on the same data."""

from __future__ import annotations

import copy
import inspect
import math
import os
import pickle
import warnings
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from exactnet.base.checks import choice, entries, positive_integer, real_array, shown
from exactnet.base.dataset import Dataset, check_given, pair_of
from exactnet.base.executors import check_executor, run_all
from exactnet.base.frames import check_sparse, is_sparse, labels_of
from exactnet.base.labels import texts
from exactnet.base.progress import ProgressOption, reporting
from exactnet.base.tables import TextTable, count
from exactnet.dense import training
from exactnet.dense.callbacks import check_callbacks
from exactnet.dense.data import raise_not_finite
from exactnet.dense.history import History
from exactnet.dense.network import Network
from exactnet.dense.options import Options

if TYPE_CHECKING:
    from concurrent.futures import Future

_OF_NETWORK = tuple(inspect.signature(Network).parameters)
# Lines and bars of several networks at once could not be told apart.
_OF_FIT = {field.name for field in fields(Options)} - {"verbose"} | {"sample_weight"}

_METRICS = ("loss", "val_loss", "val_accuracy", "seconds")


@dataclass(frozen=True, repr=False)
class SweepResult:
    """What became of one configuration of a `sweep`.

    Attributes
    ----------
    config : dict
        All arguments that were given for it, those in common included.
    network : Network or None
        None if there is not even a start; after an error of the training, as it was then.
    history : History or None
        None after an error.
    error : Exception or None
        What `Network` or `Network.fit` raised.

    Examples
    --------
    >>> from exactnet import sweep
    >>> configs = [dict(layer_sizes=[1, 1], learning_rate=rate) for rate in (0.1, -0.1)]
    >>> for result in sweep(configs, [[0], [1]], [1, 3], activations="linear"):
    ...     print(result.config["learning_rate"], repr(result.error))
    0.1 None
    -0.1 ValueError('learning_rate must be positive, not -0.1')
    """

    config: dict[str, Any]
    network: Network | None
    history: History | None
    error: Exception | None

    def __repr__(self) -> str:
        config = ", ".join(f"{key}={shown(value)}" for key, value in self.config.items())
        became = shown(self.error if self.history is None else self.history)
        return f"SweepResult({config}: {became})"


class SweepResults(list[SweepResult]):
    """What `sweep` returns: a list of its results that prints as a table.

    Examples
    --------
    >>> from exactnet import sweep
    >>> configs = [dict(learning_rate=rate) for rate in (0.001, 0.1)]
    >>> results = sweep(configs, [[0], [1]], [[1], [3]], layer_sizes=[1, 1], epochs=9, seed=0,
    ...                 activations="linear", loss="mse")
    >>> lines = str(results.table(sort="loss")).splitlines()
    >>> lines[0], lines[1].split(), lines[2].split()[:2]
    ('2 networks, by loss', ['learning_rate', 'loss', 'seconds'], ['1', '0.1'])
    """

    def table(self, sort: str | None = None) -> TextTable:
        """Return a table of what the configurations differ in and what became of each.

        Parameters
        ----------
        sort : {"loss", "val_loss", "val_accuracy", "seconds"}, optional
            The best are first: the largest accuracy, of the others the least. Metrics are those
            after the last epoch, seconds all together. Those with an error, and those without this
            metric, are last. By default in the order of the configurations, whose numbers stand
            at the left.

        Returns
        -------
        TextTable
            Prints as a table, in notebooks too.

        Raises
        ------
        ValueError
            If there is no such metric.
        """
        choice(sort, (None, *_METRICS), "sort")
        order = list(range(len(self)))
        metrics = [_metrics(result) for result in self]
        if sort is not None:
            sign = -1 if sort == "val_accuracy" else 1
            order = sorted(order, key=lambda k: sign * metrics[k].get(sort, sign * math.inf))
        keys = list(dict.fromkeys(key for result in self for key in result.config))
        keys = [key for key in keys if key != "callbacks"]  # of which each has its own copy
        settings = {
            key: [shown(result.config[key]) if key in result.config else "" for result in self]
            for key in keys
        }
        differing = [key for key in keys if len(set(settings[key])) > 1]
        found = [name for name in _METRICS if any(name in entry for entry in metrics)]
        failed = any(result.error is not None for result in self)
        rows = [
            [
                str(k),
                *(settings[key][k] for key in differing),
                *(f"{metrics[k][name]:.4g}" if name in metrics[k] else "" for name in found),
                *([shown(self[k].error) if self[k].error else ""] if failed else []),
            ]
            for k in order
        ]
        header = ["", *differing, *found, *(["error"] if failed else [])]
        title = count(len(self), "network") + (f", by {sort}" if sort else "")
        return TextTable(title, header, rows)

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _metrics(result: SweepResult) -> dict[str, float]:
    """Return those after the last epoch."""
    history = result.history
    if history is None or not history.loss:
        return {}
    found = {name: getattr(history, name) for name in _METRICS if getattr(history, name)}
    return {
        name: sum(values) if name == "seconds" else values[-1] for name, values in found.items()
    }


class _Cancelled(BaseException):
    """Ends a training of a sweep that is given up; nothing but the sweep catches it."""


def sweep(
    configs: Iterable[Mapping[str, Any]],
    X: Any,
    y: Any = None,
    *,
    n_jobs: int | None = None,
    executor: Any = None,
    validation_data: Dataset | tuple[Any, Any] | None = None,
    progress: ProgressOption = None,
    **common: Any,
) -> SweepResults:
    """Train many networks on the same data, on all cores at once.

    Each network is trained by one thread and is the same as from `Network` and `Network.fit` with
    these arguments. Data are converted and packed once.

    Parameters
    ----------
    configs : iterable of dict
        Of each network, arguments of `Network` (``layer_sizes``, ``seed``, ...) and of
        `Network.fit` (``epochs``, ``learning_rate``, ...) together. Callbacks are copied, so that
        networks do not share one that counts; the copies are in ``SweepResult.config``.
    X, y : as of `Network.fit`
        y is left out if X is a Dataset.
    n_jobs : int, optional
        Networks to train at a time; by default as many as there are processors for this process.
    executor : concurrent.futures.Executor or dask.distributed.Client, optional
        Whose threads, processes or machines train them, one each at a time, in place of threads of
        this call. Data travel to each process once and are packed there once; callbacks must be
        such that pickle takes them along, and the ones that were called are in
        ``SweepResult.config``. When a process of a ProcessPoolExecutor dies, which breaks the pool,
        what it has not finished goes to another pool of its kind, and Dask gives it to another
        worker; a network whose training kills its process every time has the error.
    validation_data : (X, y) or Dataset, optional
        Evaluated after every epoch of every network.
    progress : callable or True, optional
        Called with the share of networks that are finished, from 0 to 1, after each; True shows a
        bar.
    **common
        Arguments for all networks, where their own dict does not have them.

    Returns
    -------
    SweepResults
        A list of SweepResult in the order of `configs`, which prints as a table; its method
        ``table(sort="val_accuracy")`` sorts it by a metric. An error of one, such as
        `DivergenceError` or a value that is out of range, is in its ``SweepResult.error``; the
        others go on.

    Warns
    -----
    UserWarning
        As `Network.fit`, but once for all networks of which the same is said.

    Raises
    ------
    ValueError
        If X, y or the validation data are empty, not finite or of different length, `n_jobs` is
        not positive or given with an executor, or callbacks cannot be called.
    TypeError
        If `executor` is something else, or a config has an argument that neither `Network` nor
        `Network.fit` takes, or lacks ``layer_sizes``. Nothing is trained then.
    KeyboardInterrupt
        On Ctrl-C, which ends all trainings within a fraction of a second; those that have begun in
        processes of an executor only if they get the signal themselves, as in a terminal.

    Examples
    --------
    >>> from exactnet import sweep
    >>> from exactnet.datasets import load_digits
    >>> X, y, X_test, y_test = load_digits()
    >>> configs = [dict(layer_sizes=[64, n, 10], learning_rate=rate)
    ...            for n in (10, 30) for rate in (0.3, 3.0)]
    >>> results = sweep(configs, X, y, seed=0, epochs=10, batch_size=10)
    >>> best = max(results, key=lambda result: result.network.accuracy(X_test, y_test))
    >>> best.config["learning_rate"], best.error
    (3.0, None)
    """
    if "callbacks" in common:
        # which may be good for one look only
        common["callbacks"] = check_callbacks(common["callbacks"])
    configs = entries(configs, "configs", "an iterable of dicts")
    merged = [_merged(k, config, common) for k, config in enumerate(configs)]
    n_workers = _available_processors() if n_jobs is None else positive_integer(n_jobs, "n_jobs")
    if executor is not None:
        check_executor(executor)
        if n_jobs is not None:
            raise ValueError(f"n_jobs={n_jobs} and executor exclude each other: leave one out")
    data = _checked(X, y, ("X", "y"))
    validation = None
    if validation_data is not None:
        names = "validation X", "validation y"
        validation = _checked(*pair_of(validation_data, "validation_data"), names)
    work = _Work(data, validation)
    results: list[Any] = [None] * len(merged)
    told: set[str] = set()
    # at run time, for it costs an import of logging
    from concurrent.futures import ThreadPoolExecutor

    with ExitStack() as stack:
        tell = stack.enter_context(reporting(progress, "training"))
        if executor is None:
            n_threads = min(n_workers, max(1, len(merged)))
            executor = stack.enter_context(ThreadPoolExecutor(n_threads, "exactnet-sweep"))
        try:
            finished = stack.enter_context(closing(run_all(executor, work, _train, merged)))
            for done, (k, future) in enumerate(finished, 1):
                results[k], found = _outcome(merged[k], future)
                for text in found:
                    if text not in told:
                        told.add(text)
                        warnings.warn(text, stacklevel=2)
                if tell is not None:
                    tell(done / len(merged))
        except BaseException:
            work.stopped = True
            raise
    return SweepResults(results)


class _Work:
    """What the trainings of a sweep share, in this process or in another one.

    Data are converted and packed once in each. What is `stopped` ends trainings in threads.
    """

    stopped = False
    travelled = False

    def __init__(self, data: Dataset, validation: Dataset | None) -> None:
        self.data, self.validation = data, validation

    def poll(self, share: float = 0.0) -> None:
        if self.stopped:
            raise _Cancelled

    def __reduce__(self) -> tuple[Any, ...]:
        return _Work, (self.data, self.validation), {"travelled": True}


def _train(work: _Work, config: dict[str, Any]) -> tuple[SweepResult, list[str]]:
    """Train a network, the task of a worker; return what became of it, and what it warns of."""
    work.poll()
    network, warned = None, list[str]()
    try:
        network = Network(**{key: config[key] for key in config if key in _OF_NETWORK})
        options = {key: config[key] for key in config if key not in _OF_NETWORK}
        weights = options.pop("sample_weight", None)
        history = training.fit(
            network,
            work.data,
            None,
            weights,
            work.validation,
            Options(**options),
            work.poll,
            warn=warned.append,
        )
    except Exception as error:
        kept = _portable(error) if work.travelled else error
        return SweepResult(config, network, None, kept), warned
    return SweepResult(config, network, history, None), warned


def _portable(error: Exception) -> Exception:
    """Return an error, or one that says it where pickle cannot take it along."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _outcome(config: dict[str, Any], future: Future[Any]) -> tuple[SweepResult, list[str]]:
    """Return the result of a task; what is no Exception, such as SystemExit, is raised."""
    try:
        return future.result()  # type: ignore[no-any-return]
    except Exception as error:  # of the way there or back, or since its process died
        return SweepResult(config, None, None, error), []


def _merged(k: int, config: Mapping[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    """Return all arguments of a network, with callbacks of its own."""
    if not isinstance(config, Mapping):
        raise TypeError(f"configs[{k}] must be a dict, not {shown(config)}")
    merged = {**common, **config}
    unknown = [key for key in merged if key not in _OF_NETWORK and key not in _OF_FIT]
    if unknown:
        raise TypeError(f"configs[{k}] has unknown arguments: {', '.join(map(repr, unknown))}")
    if "layer_sizes" not in merged:
        raise TypeError(f"configs[{k}] has no layer_sizes")
    if "callbacks" in merged:
        merged["callbacks"] = copy.deepcopy(check_callbacks(merged["callbacks"]))
    return merged


def _checked(X: Any, y: Any, names: tuple[str, str]) -> Dataset:
    """Return data for all networks; what is wrong with them is an error of the call."""
    X_name, y_name = names
    check_given(X, y, names)
    if isinstance(X, Dataset):
        X._prepare(_checked, lambda: len(_checked(X.X, X.y, names)))
        return X
    labels = labels_of(X), labels_of(y)
    if is_sparse(X):
        check_sparse(X, X_name)
        X = X.tocsr()
    else:
        X = real_array(X, X_name)
    labels_of_y = texts(y, y_name)
    y = real_array(y, y_name) if labels_of_y is None else np.array(labels_of_y)
    if X.ndim != 2:
        raise ValueError(f"{X_name} must be (samples, features), not of shape {X.shape}")
    if not X.shape[0]:
        raise ValueError(f"{X_name} has no samples")
    if y.ndim not in (1, 2):
        raise ValueError(
            f"{y_name} must be (samples,) or (samples, outputs), not of shape {y.shape}"
        )
    if len(y) != X.shape[0]:
        raise ValueError(f"{y_name} has {len(y)} samples but {X_name} has {X.shape[0]}")
    for array, name, columns in ((X, X_name, labels[0]), (y, y_name, labels[1])):
        numbers = array.data if is_sparse(array) else array
        if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
            raise_not_finite(array if array.ndim == 2 else array[:, None], name, columns)
    return Dataset._borrow(X, y)


def _available_processors() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
