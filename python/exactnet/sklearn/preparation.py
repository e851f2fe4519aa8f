"""X and y as the networks of estimators take them; of a Dataset, made once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
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


def read(
    estimator: BaseEstimator, X: Any, y: Any, dtype: np.dtype[Any], *, several: bool, reset: bool
) -> tuple[Array, Array]:
    """Return X and y, or those of a Dataset X, as arrays; y is not converted.

    `several` allows y to have several columns; `reset` is that of `validate_data`.
    """
    if not isinstance(X, Dataset):
        with np.errstate(over="ignore"):  # what becomes infinite is refused
            X, y = validate_data(
                estimator,
                X,
                y,
                dtype=dtype,
                order="C",
                multi_output=several,
                ensure_all_finite=False,
                reset=reset,
            )
        _check_finite(estimator, X, "X")
        return X, y
    given = targets_of(X, y)

    def targets() -> Array:
        refuse_mask(given, "y")
        values: Array = _check_y(given, multi_output=several, estimator=estimator)
        return values

    samples = read_samples(estimator, X, dtype, reset=reset)
    return samples, X._prepare((read, several), targets)


def read_samples(
    estimator: BaseEstimator, X: Any, dtype: np.dtype[Any], *, reset: bool, name: str = "X"
) -> Array:
    """Return X, which may be a Dataset, as an array."""
    options: dict[str, Any] = dict(dtype=dtype, order="C", ensure_all_finite=False)
    array: Array
    if not isinstance(X, Dataset):
        with np.errstate(over="ignore"):
            array = validate_data(estimator, X, reset=reset, **options)
        _check_finite(estimator, array, name)
        return array

    def samples() -> Array:
        refuse_mask(X.X, name)
        with np.errstate(over="ignore"):
            checked: Array = check_array(X.X, input_name=name, estimator=estimator, **options)
        _check_finite(estimator, checked, name)
        return checked

    array = X._prepare((read_samples, dtype.name), samples)
    # only the number of features and their names
    validate_data(estimator, X.X, skip_check_array=True, reset=reset)
    return array


def _check_finite(estimator: BaseEstimator, X: Array, name: str) -> None:
    if not _core.all_finite(X):  # several times faster than scikit-learn's
        assert_all_finite(X, estimator_name=type(estimator).__name__, input_name=name)
