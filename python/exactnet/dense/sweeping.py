"""Many networks, trained at once on the same data."""

from __future__ import annotations

import copy
import inspect
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from exactnet.base.checks import entries, positive_integer, real_array, shown
from exactnet.base.dataset import Dataset, check_given, pair_of
from exactnet.base.frames import is_sparse, labels_of
from exactnet.base.labels import texts
from exactnet.dense import training
from exactnet.dense.callbacks import check_callbacks
from exactnet.dense.data import raise_not_finite
from exactnet.dense.history import History
from exactnet.dense.network import Network
from exactnet.dense.options import Options

_OF_NETWORK = tuple(inspect.signature(Network).parameters)
# Lines and bars of several networks at once could not be told apart.
_OF_FIT = {field.name for field in fields(Options)} - {"verbose"} | {"sample_weight"}


@dataclass(frozen=True)
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
    >>> configs = [dict(layer_sizes=[1, 1], learning_rate=rate, seed=0) for rate in (0.1, -0.1)]
    >>> for result in sweep(configs, [[0], [1]], [1, 3]):
    ...     print(result.config["learning_rate"], repr(result.error))
    0.1 None
    -0.1 ValueError('learning_rate must be positive, not -0.1')
    """

    config: dict[str, Any]
    network: Network | None
    history: History | None
    error: Exception | None


class _Cancelled(BaseException):
    """Ends a training of a sweep that is given up; nothing but the sweep catches it."""


def sweep(
    configs: Iterable[Mapping[str, Any]],
    X: Any,
    y: Any = None,
    *,
    n_jobs: int | None = None,
    validation_data: Dataset | tuple[Any, Any] | None = None,
    progress: Callable[[float], None] | None = None,
    **common: Any,
) -> list[SweepResult]:
    """Train many networks on the same data, on all cores at once.

    Each network is trained by one thread and is the same as from `Network` and `Network.fit` with
    these arguments. Data are converted and packed once.

    Parameters
    ----------
    configs : iterable of dict
        Of each network, arguments of `Network` (``layer_sizes``, ``seed``, ...) and of
        `Network.fit` (``epochs``, ``learning_rate``, ...) together. Callbacks are copied, so that
        networks do not share one that counts; the copies are in ``SweepResult.config``.
    X : array-like (samples, features), or Dataset
    y : array-like (samples, outputs), or integer labels (samples,)
        Left out if X is a Dataset.
    n_jobs : int, optional
        Networks to train at a time; by default as many as there are processors for this process.
    validation_data : (X, y) or Dataset, optional
        Evaluated after every epoch of every network.
    progress : callable, optional
        Called with the share of networks that are finished, from 0 to 1, after each.
    **common
        Arguments for all networks, where their own dict does not have them.

    Returns
    -------
    list of SweepResult
        In the order of `configs`. An error of one, such as `DivergenceError` or a value that is out
        of range, is in its ``SweepResult.error``; the others go on.

    Raises
    ------
    ValueError
        If X, y or the validation data are empty, not finite or of different length, `n_jobs` is
        not positive, or callbacks cannot be called.
    TypeError
        If a config has an argument that neither `Network` nor `Network.fit` takes, or lacks
        ``layer_sizes``. Nothing is trained then.
    KeyboardInterrupt
        On Ctrl-C, which ends all trainings within a fraction of a second.

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
    data = _checked(X, y, ("X", "y"))
    validation = None
    if validation_data is not None:
        names = "validation X", "validation y"
        validation = _checked(*pair_of(validation_data, "validation_data"), names)
    if progress is not None and not callable(progress):
        raise ValueError(f"progress must be callable or None, not {shown(progress)}")
    cancelled = threading.Event()

    def poll(share: float = 0.0) -> None:
        if cancelled.is_set():
            raise _Cancelled

    def train(config: dict[str, Any]) -> SweepResult:
        poll()
        network = None
        try:
            network = Network(**{key: config[key] for key in config if key in _OF_NETWORK})
            options = {key: config[key] for key in config if key not in _OF_NETWORK}
            weights = options.pop("sample_weight", None)
            history = training.fit(
                network, data, None, weights, validation, Options(**options), poll
            )
        except Exception as error:
            return SweepResult(config, network, None, error)
        return SweepResult(config, network, history, None)

    # at run time, for it costs an import of logging
    from concurrent.futures import ThreadPoolExecutor, as_completed

    with ThreadPoolExecutor(min(n_workers, max(1, len(merged))), "exactnet-sweep") as executor:
        futures = []
        try:
            futures += [executor.submit(train, config) for config in merged]
            for done, future in enumerate(as_completed(futures), 1):
                future.result()  # raises what is no Exception, such as SystemExit of a callback
                if progress is not None:
                    progress(done / len(futures))
        except BaseException:
            cancelled.set()
            for future in futures:
                future.cancel()
            raise
    return [future.result() for future in futures]


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
    X = X.tocsr() if is_sparse(X) else real_array(X, X_name)
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
