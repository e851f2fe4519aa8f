"""X and y as the networks of estimators take them; of a Dataset, made once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import _check_y, validate_data

from exactnet import _core
from exactnet.base.checks import refuse_mask
from exactnet.base.dataset import Dataset, check_given

Array: TypeAlias = npt.NDArray[Any]
# Gets the key and the maker of what is to be made of data, and returns it.
Keep: TypeAlias = Callable[[Hashable, Callable[[], Any]], Any]
T = TypeVar("T")


def once(key: Hashable, make: Callable[[], T]) -> T:
    """Make what a Dataset would keep, of data that nobody keeps."""
    return make()


def targets_of(X: Any, y: Any, names: tuple[str, str] = ("X", "y")) -> Any:
    """Return y, or that of a Dataset X, beside which none may be given."""
    if not isinstance(X, Dataset):
        return y
    check_given(X, y, names)
    return X.y


def float_type(X: Any) -> np.dtype[Any]:
    """Return the type of a network for X, or for a Dataset X: float32 if X is, else float64."""
    if isinstance(X, Dataset):
        X = X.X
    types = list(X.dtypes) if hasattr(X, "columns") else [getattr(X, "dtype", None)]
    single = bool(types) and all(str(kind).lower() == "float32" for kind in types)
    return np.dtype("float32" if single else "float64")


def read(
    estimator: BaseEstimator, X: Any, y: Any, dtype: np.dtype[Any], *, reset: bool
) -> tuple[Any, Any]:
    """Return X and y, or those of a Dataset X, as arrays or sparse; y is not converted.

    It may have several columns. `reset` is that of `validate_data`.
    """
    if not isinstance(X, Dataset):
        with np.errstate(over="ignore"):  # what becomes infinite is refused
            X, y = validate_data(
                estimator,
                X,
                y,
                dtype=dtype,
                order="C",
                multi_output=True,
                accept_sparse="csr",
                ensure_all_finite=False,
                reset=reset,
            )
        return _finite(estimator, X, "X"), y
    given = targets_of(X, y)

    def targets() -> Any:
        refuse_mask(given, "y")
        return _check_y(given, multi_output=True, estimator=estimator)

    samples = read_samples(estimator, X, dtype, reset=reset)
    return samples, X._prepare(read, targets)


def read_samples(
    estimator: BaseEstimator, X: Any, dtype: np.dtype[Any], *, reset: bool, name: str = "X"
) -> Any:
    """Return X, which may be a Dataset, as an array or in compressed sparse rows."""
    options: dict[str, Any] = dict(
        dtype=dtype, order="C", ensure_all_finite=False, accept_sparse="csr"
    )
    if not isinstance(X, Dataset):
        with np.errstate(over="ignore"):
            array = validate_data(estimator, X, reset=reset, **options)
        return _finite(estimator, array, name)

    def samples() -> Any:
        refuse_mask(X.X, name)
        with np.errstate(over="ignore"):
            checked = check_array(X.X, input_name=name, estimator=estimator, **options)
        return _finite(estimator, checked, name)

    array = X._prepare((read_samples, dtype.name), samples)
    # only the number of features and their names
    validate_data(estimator, X.X, skip_check_array=True, reset=reset)
    return array


def _finite(estimator: BaseEstimator, X: Any, name: str) -> Any:
    """Return samples, which must be finite."""
    if not _core.all_finite(X.data if issparse(X) else X):  # several times faster than the other
        assert_all_finite(X, estimator_name=type(estimator).__name__, input_name=name)
    return X
