"""Samples and targets, checked, converted and packed once."""

from __future__ import annotations

from typing import Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.checks import real_array
from exactnet.base.dataset import Dataset, check_given
from exactnet.dense.layers import Layers

Array: TypeAlias = npt.NDArray[Any]

# By how much targets of softmax may miss a sum of 1, as rounded ones do.
_SUM_TOLERANCE = 1e-3

# by the type itself: its name takes NumPy longer than a small prediction
_SAMPLES: dict[np.dtype[Any], Any] = {
    np.dtype("float32"): _core.DenseSamples32,
    np.dtype("float64"): _core.DenseSamples64,
}
_DATA: dict[np.dtype[Any], Any] = {
    np.dtype("float32"): _core.DenseData32,
    np.dtype("float64"): _core.DenseData64,
}


class Samples:
    """X (samples, features) as networks of one type take it: no copy of what they can read.

    Attributes
    ----------
    array : ndarray (samples, features)
    core : the core's object, which packs them for trainings, at the first one
    """

    def __init__(self, X: Any, dtype: np.dtype[Any], name: str) -> None:
        array = _converted(real_array(X, name), dtype)
        if array.ndim != 2:
            raise ValueError(f"{name} must be (samples, features), not of shape {array.shape}")
        if not len(array):
            raise ValueError(f"{name} has no samples")
        self.array = array
        self.core = _SAMPLES[dtype](array)
        self._finite = False

    @classmethod
    def of(cls, network: Layers, X: Any, name: str = "X") -> Samples:
        """Return those of X, which may be a Dataset, for a network.

        They may hold any numbers; see `require_finite`.
        """
        dtype = network.dtype
        if isinstance(X, Dataset):
            samples = X._prepare((cls, dtype), lambda: cls(X.X, dtype, name))
        else:
            samples = cls(X, dtype, name)
        n_features = network._n_inputs
        if samples.array.shape[1] != n_features:
            raise ValueError(
                f"{name} has {samples.array.shape[1]} features but the network takes {n_features}"
            )
        return samples

    def __len__(self) -> int:
        return len(self.array)

    def require_finite(self, name: str) -> None:
        """Raise ValueError unless all numbers are finite; looks at them once."""
        if not self._finite and not _core.all_finite(self.array):
            raise_not_finite(self.array, name)
        self._finite = True


class Data:
    """Samples with targets, as networks of one type and with one or several outputs take them.

    Attributes
    ----------
    samples : Samples
    core : the core's object
    """

    def __init__(self, samples: Samples, y: Any, labels: bool, name: str) -> None:
        """Take y (samples, outputs), or (samples,), which are classes if `labels`."""
        n = len(samples)
        array = real_array(y, name)
        self.samples = samples
        self._shape = array.shape
        self._values: Array | None = None
        self._labels: Array | None = None
        if array.ndim == 1 and labels:
            if len(array) != n:
                raise ValueError(f"{name} has shape {array.shape} but X has {n} samples")
            if array.dtype.kind not in "iub":
                raise ValueError(f"{name} must be integer labels or (samples, outputs)")
            # The core trusts them: nobody may write into those that have been looked at.
            array = array.copy()
            self._range = int(array.min()), int(array.max())
            self._labels = np.require(array, np.int64, ["C", "A"])
        else:
            values = _converted(array, samples.array.dtype)
            self._values = values[:, None] if values.ndim == 1 else values
            if values.ndim not in (1, 2):
                raise ValueError(
                    f"{name} has shape {array.shape}; (samples,) or (samples, outputs) is needed"
                )
            if len(values) != n:
                raise ValueError(f"{name} has {len(values)} samples but X has {n}")
            if not _core.all_finite(self._values):
                raise_not_finite(self._values, name)
        self.core = _DATA[samples.array.dtype](samples.core, self._values, self._labels)
        self._probable: set[bool] = set()  # whether of softmax, where they are known to be
        self._classes: dict[bool, Array | None] = {}

    @classmethod
    def of(
        cls,
        network: Layers,
        X: Any,
        y: Any,
        names: tuple[str, str] = ("X", "y"),
        loss: str | None = None,
    ) -> Data:
        """Return those of X and y, or of a Dataset X, for a network, and for a loss if given.

        The samples may hold any numbers.
        """
        check_given(X, y, names)
        samples = Samples.of(network, X, names[0])
        several = network._n_outputs > 1
        if isinstance(X, Dataset):
            key = cls, network.dtype, several
            data = X._prepare(key, lambda: cls(samples, X.y, several, names[1]))
        else:
            data = cls(samples, y, several, names[1])
        data._check(network._n_outputs, names[1])
        if loss == "cross_entropy":
            data._check_probabilities(network._names[-1] == "softmax", names[1])
        return data

    def _check(self, n_outputs: int, name: str) -> None:
        """Look whether a network has the outputs for them."""
        if self._values is not None:
            if self._values.shape[1] != n_outputs:
                raise ValueError(
                    f"{name} has shape {self._shape} but the network has {n_outputs} outputs"
                )
        elif self._range[0] < 0 or self._range[1] >= n_outputs:
            raise ValueError(
                f"{name} must lie from 0 to {n_outputs - 1}, "
                f"not from {self._range[0]} to {self._range[1]}"
            )

    def _check_probabilities(self, softmax: bool, name: str) -> None:
        values = self._values
        if values is None or softmax in self._probable:
            return
        outside = np.argwhere((values < 0) | (values > 1))
        if len(outside):
            r, c = outside[0]
            raise ValueError(
                f"{name}[{r}, {c}] is {values[r, c]}: cross_entropy needs targets from 0 to 1"
            )
        if softmax:
            sums = values.sum(axis=1, dtype=np.float64)
            wrong = np.flatnonzero(np.abs(sums - 1) > _SUM_TOLERANCE)
            if len(wrong):
                raise ValueError(
                    f"{name}[{wrong[0]}] sums to {sums[wrong[0]]}: cross_entropy after softmax "
                    f"needs rows that sum to 1, to within {_SUM_TOLERANCE}"
                )
        self._probable.add(softmax)

    def classes(self, network: Layers) -> npt.NDArray[np.int64] | None:
        """Return the classes that the targets stand for, (samples,), or None if for none.

        They do if they are labels, one-hot rows, or 0 and 1 for an output that tells two classes.
        """
        if self._values is None or not network._classifies:
            return self._labels
        by_largest = network._largest_decides
        if by_largest not in self._classes:
            values, classes = self._values, None
            if ((values == 0) | (values == 1)).all() and (
                values.shape[1] == 1 or (values.sum(axis=1) == 1).all()
            ):
                classes = network._decided(values).astype(np.int64)
            self._classes[by_largest] = classes
        return self._classes[by_largest]


def sample_weights(sample_weight: Any, samples: Samples) -> Array:
    """Check and convert factors of the samples' losses."""
    n = len(samples)
    weights = _converted(real_array(sample_weight, "sample_weight"), samples.array.dtype)
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has shape {weights.shape} but X has {n} samples")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight must hold finite numbers, none below 0")
    if not weights.any():
        raise ValueError(
            f"sample_weight is 0 for all of {n} samples, which leaves nothing to learn"
        )
    return weights


def _converted(array: Array, dtype: np.dtype[Any]) -> Array:
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    # numbers beyond the type become infinite, which is refused with their place
    with np.errstate(over="ignore"):
        return np.require(array, dtype, ["C", "A"])


def raise_not_finite(array: Array, name: str) -> NoReturn:
    """Say where a matrix is not finite."""
    places = np.argwhere(~np.isfinite(array))
    value = array[tuple(places[0])] if len(places) else 0
    if np.isfinite(value):
        raise ValueError(f"{name} has been written into while it was read: it was not finite then")
    r, c = places[0]
    raise ValueError(f"{name}[{r}, {c}] is {value}: only finite numbers are allowed")
