"""Samples and targets, checked, converted and packed once."""

from __future__ import annotations

import copy
from typing import Any, Literal, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.activations import Activation, describe
from exactnet.base.checks import real_array
from exactnet.base.dataset import Dataset, check_given
from exactnet.base.frames import cell_name, check_sparse, is_sparse, labels_of
from exactnet.base.labels import class_names, encode, listed, texts
from exactnet.dense.layers import Layers

Array: TypeAlias = npt.NDArray[Any]

# Outputs of activations, where they are not all numbers.
_RANGES: dict[str, tuple[int, float]] = {
    "sigmoid": (0, 1),
    "softmax": (0, 1),
    "tanh": (-1, 1),
    "relu": (0, np.inf),
    "exp": (0, np.inf),
}

# By what share of the largest targets may miss these, as rounded ones do.
_ROUNDING = 1e-6
# Outputs for so many classes are worth a word.
_MOST_CLASSES = 1000

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
    array : ndarray (samples, features), of the networks' type or of bytes; or a sparse matrix, in
        compressed rows
    dtype : numpy.dtype, that of the networks
    core : the core's object, which packs them for trainings, at the first one
    labels : tuple of str, the names of a frame's columns, or None
    """

    def __init__(self, X: Any, dtype: np.dtype[Any], name: str) -> None:
        plain = type(X) is np.ndarray  # which is most frequent, and has neither
        sparse = not plain and is_sparse(X)
        array: Any = _compressed(X, dtype, name) if sparse else real_array(X, name)
        self._beyond: Array | None = None  # what holds numbers beyond the type
        if not sparse and array.dtype == np.uint8:
            array = np.require(array, requirements="C")
        elif not sparse:
            try:
                array = _converted(array, dtype, "raise")
            except FloatingPointError:
                self._beyond, array = array, _converted(array, dtype)
        if array.ndim != 2:
            raise ValueError(f"{name} must be (samples, features), not of shape {array.shape}")
        if not array.shape[0]:
            raise ValueError(f"{name} has no samples")
        self.array, self.dtype = array, dtype
        self.labels = None if plain else labels_of(X)
        self._numbers: Array = array.data if sparse else array
        if sparse:
            indices = array.indptr.astype(np.int64), array.indices.astype(np.int32, copy=False)
            self.core = _SAMPLES[dtype](array.data, *indices, array.shape[1])
        else:
            self.core = _SAMPLES[dtype](array)
        self._finite = array.dtype == np.uint8

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
            columns = "" if samples.labels is None else f" ({listed(samples.labels)})"
            raise ValueError(
                f"{name} has {samples.array.shape[1]} features{columns} but the network takes "
                f"{n_features}"
            )
        return samples

    def __len__(self) -> int:
        return int(self.array.shape[0])

    def require_finite(self, name: str) -> None:
        """Raise ValueError unless all numbers are finite; looks at them once."""
        if not self._finite and not _core.all_finite(self._numbers):
            self.raise_not_finite(name)
        self._finite = True

    def raise_not_finite(self, name: str) -> NoReturn:
        """Say where they are not."""
        raise_not_finite(self.array, name, self.labels, self._beyond)

    def vary(self) -> bool:
        """Whether they are dense and no feature is the same number for all."""
        return not is_sparse(self.array) and bool((self.array != self.array[0]).any(axis=0).all())

    def dense(self, rows: slice | None = None) -> Array:
        """Return them, or some, as an array; all of one, as it is."""
        array = self.array if rows is None else self.array[rows]
        if is_sparse(array):
            array = array.toarray()
        return array.astype(self.dtype, copy=False)  # type: ignore[no-any-return]


class Data:
    """Samples with targets, as networks of one type and with one or several outputs take them.

    Attributes
    ----------
    samples : Samples
    core : the core's object
    names : tuple of str, the classes by which y was encoded, or None where it is no text
    """

    def __init__(
        self,
        samples: Samples,
        y: Any,
        labels: bool,
        name: str,
        names: tuple[str, ...] | None = None,
        copies: int = 1,
    ) -> None:
        """Take y (samples, outputs), or (samples,), which are classes if `labels`.

        A single column becomes so many copies of it.
        """
        n = len(samples)
        array = real_array(y, name) if names is None else encode(y, names, name)
        self.samples, self.names = samples, names
        if labels and array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        self._shape = array.shape
        self._values: Array | None = None
        self._labels: Array | None = None
        if array.ndim == 1 and labels:
            if len(array) != n:
                raise ValueError(f"{name} has shape {array.shape} but X has {n} samples")
            # The core trusts them: nobody may write into those that have been looked at.
            array = array.copy()
            if array.dtype.kind == "f":
                odd = np.flatnonzero(~(np.isfinite(array) & (array == np.floor(array))))
                if len(odd):
                    raise ValueError(
                        f"{name}[{odd[0]}] is {array[odd[0]]}: labels of classes are whole "
                        "numbers; other targets are (samples, outputs)"
                    )
            self._range = int(array.min()), int(array.max())
            with np.errstate(invalid="ignore"):  # of what is out of range
                self._labels = np.require(array, np.int64, ["C", "A"])
        else:
            values = _converted(array, samples.dtype)
            self._values = values[:, None] if values.ndim == 1 else values
            if copies > 1 and self._values.shape[1:] == (1,):
                self._values = np.repeat(self._values, copies, axis=1)
            if values.ndim not in (1, 2):
                raise ValueError(
                    f"{name} has shape {array.shape}; (samples,) or (samples, outputs) is needed"
                )
            if len(values) != n:
                raise ValueError(f"{name} has {len(values)} samples but X has {n}")
            if not _core.all_finite(self._values):
                beyond = array.reshape(n, -1) if array.size == self._values.size else None
                raise_not_finite(self._values, name, labels_of(y), beyond)
        self.core = _DATA[samples.dtype](samples.core, self._values, self._labels)
        self._probable: set[bool] = set()  # whether of softmax, where they are known to be
        self._extent: tuple[float, float] | None = None
        self._classes: dict[tuple[bool, bool], Array | None] = {}

    @classmethod
    def of(
        cls,
        network: Layers,
        X: Any,
        y: Any,
        names: tuple[str, str] = ("X", "y"),
        loss: str | None = None,
        classes: tuple[str, ...] | None = None,
    ) -> Data:
        """Return those of X and y, or of a Dataset X, for a network, and for a loss if given.

        The samples may hold any numbers. Text in y is encoded by the network's classes, or else by
        `classes`, or by its own.
        """
        check_given(X, y, names)
        samples = Samples.of(network, X, names[0])
        copies = network._n_outputs if loss == "pinball" else 1
        labels = network._n_outputs > 1 and loss != "pinball"
        given = X._texts(names[1]) if isinstance(X, Dataset) else texts(y, names[1])
        if given is None:
            classes = None
        else:
            classes = network.classes or classes or _own_classes(network, given, names[1])
        if isinstance(X, Dataset):
            key = cls, network.dtype, labels, copies, classes
            y = X.y if given is None else given
            data = X._prepare(key, lambda: cls(samples, y, labels, names[1], classes, copies))
        else:
            y = y if given is None else given
            data = cls(samples, y, labels, names[1], classes, copies)
        data._check(network._n_outputs, names[1])
        if loss == "cross_entropy":
            data._check_probabilities(network._names[-1] == "softmax", names[1])
        elif loss == "poisson":
            data._check_counts(names[1])
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
                f"not from {self._range[0]} to {self._range[1]}{_remedy(*self._range, n_outputs)}"
            )

    def extent(self) -> tuple[float, float]:
        """Return the least and the greatest target; looks at them once."""
        if self._values is None:
            return 0.0, 1.0
        if self._extent is None:
            # as methods of arrays do it, but without their detour by Python
            least = np.minimum.reduce(self._values, axis=None)
            self._extent = float(least), float(np.maximum.reduce(self._values, axis=None))
        return self._extent

    def some(self, count: int) -> tuple[Array, bool]:
        """Return at most so many samples, and whether their targets differ."""
        rows = slice(None, None, -(-len(self.samples) // count))
        X = np.ascontiguousarray(self.samples.dense(rows))
        targets: Any = self._labels if self._values is None else self._values
        return X, bool((targets[rows] != targets[0]).any())

    def out_of_range(self, activation: Activation) -> str:
        """Say in a line that outputs of an activation cannot reach the targets, if they cannot.

        By more than rounding may have brought about.
        """
        name, slope, _ = describe(activation)
        as_relu = name == "leaky_relu" and slope == 0
        if name not in _RANGES and not as_relu:
            return ""
        low, high = _RANGES["relu" if as_relu else name]
        least, greatest = self.extent()
        slack = _ROUNDING * max(-least, greatest, high if high < np.inf else 0)
        if low - slack <= least and greatest <= high + slack:
            return ""
        needed = int(greatest) + 1
        classes = ""
        # outputs for many more classes, or for counts that miss some, are not what is meant
        values: Any = self._values
        if (
            values.shape[1] == 1
            and least == 0
            and 2 < needed <= _MOST_CLASSES
            and np.array_equal(np.unique(values), np.arange(needed))
        ):
            classes = f"; for {needed} classes use {needed} outputs"
        reach = f"lie from {low} to {high}" if high < np.inf else f"are at least {low}"
        return (
            f"y reaches {greatest if greatest > high + slack else least:.7g} but {name} outputs "
            f"{reach}: use activations=[..., 'linear'], or scale y{classes}"
        )

    def _check_probabilities(self, softmax: bool, name: str) -> None:
        values = self._values
        if values is None or softmax in self._probable:
            return
        least, greatest = self.extent()
        if least < 0 or greatest > 1:
            r, c = np.argwhere((values < 0) | (values > 1))[0]
            raise ValueError(
                f"{name}[{r}, {c}] is {values[r, c]}: cross_entropy needs targets from 0 to 1"
            )
        if softmax and values.shape[1] == 1 and least < 1:
            raise ValueError(
                f"{name} holds {least:g}, but softmax of one output is always 1: use "
                "activations=[..., 'sigmoid']"
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

    def _check_counts(self, name: str) -> None:
        if self._values is not None and self.extent()[0] < 0:
            r, c = np.argwhere(self._values < 0)[0]
            raise ValueError(
                f"{name}[{r}, {c}] is {self._values[r, c]}: poisson needs targets of at least 0"
            )

    def split(self, share: float) -> tuple[Data, Data]:
        """Return what `validation_split` leaves for training, and the share of samples it takes."""
        self.samples.require_finite("X")  # while rows have their numbers
        train, validation = split_rows(len(self.samples), share)
        return self._part(train), self._part(validation)

    def _part(self, rows: npt.NDArray[np.intp]) -> Data:
        part = copy.copy(self)  # what is known of all targets holds for some
        dtype = self.samples.dtype
        part.samples = Samples(self.samples.array[rows], dtype, "X")
        part._values = None if self._values is None else self._values[rows]
        part._labels = None if self._labels is None else self._labels[rows]
        part.core = _DATA[dtype](part.samples.core, part._values, part._labels)
        part._classes = {}
        return part

    def odd_label(self, n_outputs: int) -> str:
        """Say, to go on with, why targets stand for no classes."""
        values: Any = self._values
        if n_outputs > 1 and ((values == 0) | (values == 1)).all():
            ones = values.sum(axis=1)
            row = int(np.argmax(ones != 1))
            return f": row {row} has {ones[row]:g} ones, and accuracy is of one class per sample"
        odd = values[(values != 0) & (values != 1)] if n_outputs == 1 else values[:0]
        return f", not {odd[0]:g}" if len(odd) else ""

    def classes(self, network: Layers) -> npt.NDArray[np.int64] | None:
        """Return the classes that the targets stand for, (samples,), or None if for none.

        They do if they are labels, one-hot rows, or 0 and 1 for an output that tells two classes.
        """
        if self._values is None or not network._classifies:
            return self._labels
        key = network._largest_decides, network._is_binary
        if key not in self._classes:
            values, classes = self._values, None
            if not any(key):  # the output is the class
                if (values == np.floor(values)).all():
                    classes = values[:, 0].astype(np.int64)
            elif ((values == 0) | (values == 1)).all() and (
                values.shape[1] == 1 or (values.sum(axis=1) == 1).all()
            ):
                classes = network._decided(values).astype(np.int64)
            self._classes[key] = classes
        return self._classes[key]


def _own_classes(network: Layers, given: list[str], name: str) -> tuple[str, ...]:
    """Return the classes of targets that are text, for a network that has outputs for them."""
    names = class_names(given, name)
    n, n_outputs = len(names), network._n_outputs
    if n == (2 if network._is_binary else n_outputs) > 1:
        return names
    hidden = "..., " if len(network.layer_sizes) > 2 else ""
    what = f"use layer_sizes=[{network._n_inputs}, {hidden}{max(2, n)}]"
    if n == 2 and n_outputs == 1:
        what += ", or sigmoid for the output"
    if n < max(2, n_outputs):
        what = "set its attribute `classes` to the names of all" + f", or {what}" * (n > 1)
    raise ValueError(
        f"{name} has {n} class{'es' * (n > 1)} ({listed(names)}) but the network has "
        f"{n_outputs} output{'s' * (n_outputs > 1)}"
        f"{'' if n_outputs > 1 else f' of {network._names[-1]}'}: {what}"
    )


def _remedy(least: int, greatest: int, n_outputs: int) -> str:
    """Say what fits labels that are not from 0 to n_outputs - 1, if that is clear."""
    if least == 1 and greatest == n_outputs:
        return ": labels count from 0: y - 1"
    if least < 0 or greatest >= _MOST_CLASSES:
        return ""
    return f": label {greatest} needs {greatest + 1} outputs, layer_sizes=[..., {greatest + 1}]"


def split_rows(n: int, share: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the rows of n to train with and those to validate with, in ascending order.

    They depend on n and the share alone: every network, and every part of a training, has the same.
    """
    count = round(n * share)
    if not 0 < count < n:
        to = "validate" if not count else "train"
        least = float(f"{1 / n:.2g}")
        would_do = f"take at {f'least {least}' if not count else f'most {1 - least:g}'}"
        raise ValueError(
            f"validation_split={share} of {n} samples leaves none to {to} with: "
            f"{would_do if n > 1 else 'there must be 2 or more'}"
        )
    order = np.argsort(_core.Generator(n).uniform(n, 1.0), kind="stable")
    return np.sort(order[count:]), np.sort(order[:count])


def sample_weights(sample_weight: Any, samples: Samples, share: float = 0.0) -> Array:
    """Check and convert factors of the samples' losses; return those `validation_split` leaves."""
    n = len(samples)
    weights = _converted(real_array(sample_weight, "sample_weight"), samples.dtype)
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has shape {weights.shape} but X has {n} samples")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight must hold finite numbers, none below 0")
    if share:
        weights = weights[split_rows(n, share)[0]]
    if not weights.any():
        left = f" that validation_split={share} leaves" if share else ""
        raise ValueError(
            f"sample_weight is 0 for all of {len(weights)} samples{left}: there is nothing to learn"
        )
    return weights


def _converted(
    array: Array, dtype: np.dtype[Any], over: Literal["ignore", "raise"] = "ignore"
) -> Array:
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    # numbers beyond the type become infinite, which is refused with their place
    with np.errstate(over=over):
        return np.require(array, dtype, ["C", "A"])


def _compressed(X: Any, dtype: np.dtype[Any], name: str) -> Any:
    """Return a copy of a sparse matrix in compressed rows, of ascending columns, each once."""
    if X.ndim != 2:
        raise ValueError(f"{name} must be (samples, features), not of shape {X.shape}")
    numbers = real_array(X.dtype.type(0), name)  # of its type
    check_sparse(X, name)
    rows = X.tocsr(copy=True)
    rows.sum_duplicates()
    if rows.shape[1] >= 2**31:
        raise ValueError(f"{name} has {rows.shape[1]} features; fewer than 2**31 are needed")
    rows.data = _converted(rows.data.astype(numbers.dtype, copy=False), dtype)
    return rows


def raise_not_finite(
    array: Any, name: str, labels: tuple[str, ...] | None = None, given: Array | None = None
) -> NoReturn:
    """Say where a matrix, maybe a sparse one, is not finite; its columns may have names.

    `given` is what it was before it was converted, where that may be finite.
    """
    if is_sparse(array):
        rows = array.tocsr()
        places = np.flatnonzero(~np.isfinite(rows.data))[:1]
        value = rows.data[places[0]] if len(places) else 0
        r = np.searchsorted(rows.indptr, places, side="right") - 1
        places = np.column_stack([r, rows.indices[places]])
    else:
        places = np.argwhere(~np.isfinite(array))
        value = array[tuple(places[0])] if len(places) else 0
    if np.isfinite(value):
        raise ValueError(f"{name} has been written into while it was read: it was not finite then")
    r, c = places[0]
    where = cell_name(name, r, c, labels)
    if given is not None and np.isfinite(given[r, c]):
        raise ValueError(
            f"{where} is {given[r, c]:g}, beyond {array.dtype}: scale {name.split()[-1]}, or use "
            "a network of dtype='float64'"
        )
    raise ValueError(f"{where} is {value}: only finite numbers are allowed")
