"""Dense networks of floats, trained by fused C++ kernels."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet import _core, _network_file, training
from exactnet._checks import positive_integer
from exactnet.activations import Activation, describe
from exactnet.training import Callback, DivergenceError, History, OptimizerState, Rate

if TYPE_CHECKING:
    from exactnet.exact_network import ExactNetwork

Array: TypeAlias = npt.NDArray[Any]

__all__ = ["INITS", "LOSSES", "DivergenceError", "History", "Network"]

INITS = ("normal", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "zeros")
LOSSES = ("quadratic", "mse", "cross_entropy")

_CORE: dict[str, Any] = {"float32": _core.DenseNetwork32, "float64": _core.DenseNetwork64}


class Network:
    """A dense feed-forward network of floats.

    Layer l computes ``activation(W a + b)`` with W of shape (outputs, inputs).

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of inputs, of the units of every hidden layer, and of outputs.
    activations : str, activation object, or a sequence with one per layer
        "linear", "sigmoid", "tanh", "relu", "leaky_relu", "step", "softmax" or an object of
        `exactnet.activations`. Softmax is for the last layer only.
    init : {"normal", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "zeros"}
        "normal" draws weights and biases from N(0, 1); the others are those of Glorot and Bengio
        (2010) and of He et al. (2015), with biases 0.
    dtype : {"float32", "float64"}
    seed : int, optional
        Of the initial weights and of every shuffle; the same network on every machine. By default
        a new one every time.

    Attributes
    ----------
    weights, biases : tuple of ndarray
        Of shapes (outputs, inputs) and (outputs,). Writing into them takes effect.

    Raises
    ------
    ValueError
        If a size, a name or the seed is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from exactnet import Network
    >>> X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0], [1], [1], [0]])
    >>> net = Network([2, 3, 1], seed=1)
    >>> history = net.fit(X, y, epochs=2000, batch_size=4, learning_rate=5.0)
    >>> net.predict(X).round().ravel()
    array([0., 1., 1., 0.], dtype=float32)
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        activations: Activation | Sequence[Activation] = "sigmoid",
        init: str = "normal",
        dtype: str = "float32",
        seed: int | None = None,
    ) -> None:
        sizes = [positive_integer(n, f"layer_sizes[{k}]") for k, n in enumerate(layer_sizes)]
        if len(sizes) < 2:
            raise ValueError(f"layer_sizes must name at least inputs and outputs, not {sizes}")
        _check_choice(init, INITS, "init")
        _check_choice(dtype, tuple(_CORE), "dtype")
        if seed is None:
            seed = int.from_bytes(os.urandom(8), "little")
        if (
            isinstance(seed, bool)
            or not isinstance(seed, numbers.Integral)
            or not 0 <= seed < 2**64
        ):
            raise ValueError(f"seed must be an integer from 0 to 2**64 - 1, not {seed!r}")
        self._generator: _core.Generator = _core.Generator(int(seed))
        weights, biases = [], []
        for n_in, n_out in pairwise(sizes):
            w, b = _initial(self._generator, init, n_in, n_out)
            weights.append(w.astype(dtype))
            biases.append(b.astype(dtype))
        self._set(weights, biases, activations)

    @classmethod
    def from_arrays(
        cls,
        weights: Iterable[Any],
        biases: Iterable[Any],
        activations: Activation | Sequence[Activation] = "sigmoid",
    ) -> Network:
        """Make a network of given parameters, which are copied.

        Parameters
        ----------
        weights : iterable of array-like (outputs, inputs)
        biases : iterable of array-like (outputs,)
        activations : as of `Network`

        Returns
        -------
        Network
            Of float64 if any array is, else of float32.

        Raises
        ------
        ValueError
            If shapes do not fit each other or a value is not finite.

        Examples
        --------
        The three-layer network of the gates article:

        >>> from exactnet import Network
        >>> net = Network.from_arrays(
        ...     [[[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]],
        ...      [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]],
        ...      [[0.1, 0.2], [0.3, 0.4]]],
        ...     [[0.1, 0.2, 0.3], [0.1, 0.2], [0.1, 0.2]],
        ...     ["sigmoid", "sigmoid", "softmax"])
        >>> net.predict([[2, 1]]).round(8)
        array([[0.40442364, 0.59557636]])
        """
        w_arrays = [np.asarray(w) for w in weights]
        b_arrays = [np.asarray(b) for b in biases]
        for name, arrays in (("weights", w_arrays), ("biases", b_arrays)):
            for k, array in enumerate(arrays):
                if array.dtype.kind not in "fiub":
                    raise ValueError(f"{name}[{k}] must hold real numbers, not {array.dtype}")
        small = all(a.dtype.kind != "f" or a.itemsize <= 4 for a in (*w_arrays, *b_arrays))
        floats = any(a.dtype.kind == "f" for a in (*w_arrays, *b_arrays))
        dtype = "float32" if small and floats else "float64"
        network = cls.__new__(cls)
        network._generator = _core.Generator(0)
        network._set(
            [np.array(w, dtype=dtype, order="C") for w in w_arrays],
            [np.array(b, dtype=dtype, order="C") for b in b_arrays],
            activations,
        )
        return network

    def _set(
        self,
        weights: list[Array],
        biases: list[Array],
        activations: Activation | Sequence[Activation],
    ) -> None:
        n = len(weights)
        if n == 0 or len(biases) != n:
            raise ValueError(f"there are {n} matrices of weights and {len(biases)} of biases")
        inputs = weights[0].shape[-1] if weights[0].ndim else 0
        for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
            if w.ndim != 2 or w.shape[1] != inputs or b.shape != w.shape[:1] or w.size == 0:
                raise ValueError(
                    f"layer {k}: weights {w.shape} and biases {b.shape} do not fit "
                    f"each other or their {inputs} inputs"
                )
            for name, array in (("weights", w), ("biases", b)):
                if not np.isfinite(array).all():
                    raise ValueError(f"{name}[{k}] holds numbers that are not finite")
            inputs = w.shape[0]
        if isinstance(activations, Sequence) and not isinstance(activations, str):
            self.activations = list(activations)
        else:
            self.activations = [activations] * n
        if len(self.activations) != n:
            raise ValueError(f"{len(self.activations)} activations for {n} layers")
        described = [describe(a) for a in self.activations]
        if any(name == "softmax" for name, _, _ in described[:-1]):
            raise ValueError("softmax is for the last layer only")
        self.weights = tuple(weights)
        self.biases = tuple(biases)
        self.dtype = weights[0].dtype
        isa = os.environ.get("EXACTNET_ISA", "")
        # what the optimiser leaves for the next `fit`
        self._state: OptimizerState | None = None
        self._core = _CORE[self.dtype.name](weights, biases, described, isa)
        self._names = [name for name, _, _ in described]

    @property
    def layer_sizes(self) -> list[int]:
        """Number of inputs, of the units of every hidden layer, and of outputs."""
        return [self.weights[0].shape[1], *(w.shape[0] for w in self.weights)]

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_core"]  # made anew of the rest
        state["_generator"] = self._generator.state
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._generator = _core.Generator(state["_generator"])
        # Copies, for joblib and Dask unpickle arrays into memory that cannot be written to.
        weights = [np.array(a, order="C") for a in state["weights"]]
        biases = [np.array(a, order="C") for a in state["biases"]]
        self._set(weights, biases, state["activations"])
        self._state = state["_state"]

    def __repr__(self) -> str:
        return f"Network({self.layer_sizes}, activations={self.activations}, dtype={self.dtype})"

    def predict(self, X: Any) -> Array:
        """Compute the outputs.

        Parameters
        ----------
        X : array-like (samples, features)
            Converted to the network's type; not copied if it is a C-contiguous array of it.

        Returns
        -------
        ndarray (samples, outputs) of the network's type

        Raises
        ------
        ValueError
            If X is empty, not finite or has another number of features than the network.
        """
        result: Array | None = self._core.predict(X)
        if result is None:  # X needs a conversion, or is wrong
            result = self._core.predict(self._samples(X))
        assert result is not None
        return result

    def classify(self, X: Any) -> npt.NDArray[np.intp]:
        """Return the output of largest value for every sample, (samples,); errors as `predict`."""
        classes: npt.NDArray[np.intp] = np.argmax(self.predict(X), axis=1)
        return classes

    def accuracy(self, X: Any, labels: Any) -> float:
        """Return the share of samples whose largest output is that of their label.

        Parameters
        ----------
        X : array-like (samples, features)
        labels : array-like (samples,) of int
        """
        return float(np.mean(self.classify(X) == self._labels(labels, len(X))))

    def loss(self, X: Any, y: Any, loss: str = "quadratic") -> float:
        """Return the mean loss.

        Parameters
        ----------
        X : array-like (samples, features)
        y : array-like (samples, outputs), or integer labels (samples,)
        loss : {"quadratic", "mse", "cross_entropy"}
            "quadratic" is 1/2 sum (a - y)^2, "mse" the mean over outputs of (a - y)^2,
            "cross_entropy" the categorical one after softmax and the sum of binary ones after
            sigmoid, both computed without overflow.

        Raises
        ------
        ValueError
            If X and y do not fit the network or each other, or the loss not the last activation.
        """
        X = self._samples(X)
        self._check_loss(loss)
        value: float = self._core.loss(X, *self._targets(y, len(X)), loss)
        return value

    def gradients(self, X: Any, y: Any, loss: str = "quadratic") -> list[tuple[Array, Array]]:
        """Return the gradient of the mean loss: (dW, db) of every layer.

        Parameters and errors are those of `loss`; training through a step is an error too.
        """
        X = self._samples(X)
        self._check_trainable(loss)
        gradients: list[tuple[Array, Array]] = self._core.gradients(
            X, *self._targets(y, len(X)), loss
        )
        return gradients

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int = 1,
        batch_size: int = 32,
        learning_rate: Rate = 0.1,
        optimizer: str = "sgd",
        momentum: float = 0.0,
        nesterov: bool = False,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        loss: str = "quadratic",
        penalty: str | float | None = None,
        alpha: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        clip_norm: float | None = None,
        sample_weight: Any = None,
        validation_data: tuple[Any, Any] | None = None,
        shuffle: bool = True,
        until: float | None = None,
        callbacks: Iterable[Callback] = (),
        record_gradient_norms: bool = False,
        n_threads: int = 1,
        verbose: bool = False,
    ) -> History:
        """Train by minibatch stochastic gradient descent, or Adam.

        The step is w <- w - learning_rate g on the gradient g of a batch's mean loss; with momentum
        mu, v <- mu v - learning_rate g and w <- w + v; with Nesterov's, w <- w + mu v -
        learning_rate g with the new v. A further call goes on where the last one ended: the state
        of the optimiser and of the shuffles stay.

        Parameters
        ----------
        X : array-like (samples, features)
            If most of it is 0, training takes a copy of the rest, and less time.
        y : array-like (samples, outputs), or integer labels (samples,)
            Labels are one-hot encoded when the network has more than one output.
        epochs, batch_size : int
        learning_rate : float or callable
            A callable gets the number of the epoch, from 0, and returns its rate; such as those of
            `exactnet.schedules`.
        optimizer : {"sgd", "adam"}
            Adam is that of Kingma and Ba (2015), with `betas` and `epsilon`.
        momentum : float in [0, 1)
        nesterov : bool
        loss : {"quadratic", "mse", "cross_entropy"}
        penalty : {None, "l1", "l2"} or float
            Adds alpha sum |w|^p over all weights, not biases, to the mean loss; "l1" and "l2" are
            p = 1 and 2. For p < 1 the derivative is taken of (w^2 + 1e-6)^(p/2).
        alpha : float
        dropout : float or sequence of float
            Share of units in [0, 1), of every hidden layer or of each, that is switched off anew
            for every sample in every batch; the others are scaled up, so that prediction stays as
            it is.
        clip_norm : float, optional
            Greatest Euclidean norm of the gradient of all layers together; longer ones are scaled.
        sample_weight : array-like (samples,), optional
            Factors of the samples' losses.
        validation_data : (X, y), optional
            Evaluated after every epoch; it does not influence the training.
        shuffle : bool
            Take the samples in a new random order in every epoch.
        until : float, optional
            End after the first epoch whose mean loss is below.
        callbacks : iterable of callable
            Called with (network, epoch, history) after every epoch; such as `EarlyStopping` and
            `Checkpoint`. What one raises ends the training; the weights stay as they are.
        record_gradient_norms : bool
            Fill `History.gradient_norms`, which takes some time.
        n_threads : int
            More than one pays for layers of some hundred units. The result is the same to the bit.
        verbose : bool
            Print a line per epoch to stderr, and draw a progress bar if that is a terminal.

        Returns
        -------
        History

        Raises
        ------
        ValueError
            If X and y do not fit the network or each other, hold numbers that are not finite, or
            an argument is out of range.
        DivergenceError
            If the loss becomes infinite or not a number; the weights are those before that epoch.
        KeyboardInterrupt
            On Ctrl-C, within a fraction of a second; the last finished batch is in the weights.
        """
        return training.fit(
            self,
            X,
            y,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            optimizer=optimizer,
            momentum=momentum,
            nesterov=nesterov,
            betas=betas,
            epsilon=epsilon,
            loss=loss,
            penalty=penalty,
            alpha=alpha,
            dropout=dropout,
            clip_norm=clip_norm,
            sample_weight=sample_weight,
            validation_data=validation_data,
            shuffle=shuffle,
            until=until,
            callbacks=callbacks,
            record_gradient_norms=record_gradient_norms,
            n_threads=n_threads,
            verbose=verbose,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network as a safetensors file, atomically.

        The state of the optimiser and of the generator of shuffles go with it: training continues
        from the file as if it had never stopped.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        ValueError
            If a weight is not finite.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> from exactnet import Network
        >>> net = Network([2, 3, 1], seed=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "net.safetensors")
        ...     net.save(path)
        ...     same = Network.load(path)
        >>> bool((same.predict([[1, 2]]) == net.predict([[1, 2]])).all())
        True
        """
        _network_file.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """Read a network that `save` wrote.

        Raises
        ------
        ValueError
            If the file is damaged or holds something else than a network.
        OSError
            If the file cannot be read.
        """
        return _network_file.load(path)

    def to_exact(self) -> ExactNetwork:
        """Return the same network with its parameters as the rationals that they are.

        Raises
        ------
        ValueError
            If an activation is neither "relu" nor "linear".

        Examples
        --------
        >>> from exactnet import Network
        >>> net = Network.from_arrays([[[0.1]]], [[0]], "linear")
        >>> net.to_exact().predict([[10]])[0, 0]
        mpq(18014398509481985,18014398509481984)
        """
        from exactnet.exact_network import ExactNetwork  # here, to keep the import fast

        for name in self._names:
            if name not in ("relu", "linear"):
                raise ValueError(f"a network with {name!r} has no exact counterpart")
        return ExactNetwork.from_arrays(self.weights, self.biases, self._names)

    def _converted(self, array: Array) -> Array:
        # numbers beyond the type become infinite, which is refused with their place
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(array, dtype=self.dtype)

    def _samples(self, X: Any, name: str = "X", finite: bool = True) -> Array:
        """Check and convert samples; no copy for a C-contiguous array of the network's type.

        With `finite` off they may hold any numbers.
        """
        array = np.asarray(X)
        if array.dtype != self.dtype or not array.flags.c_contiguous:
            if array.dtype.kind not in "fiub":
                raise ValueError(f"{name} must hold real numbers, not {array.dtype}")
            array = self._converted(array)
        if array.ndim != 2:
            raise ValueError(f"{name} must be (samples, features), not of shape {array.shape}")
        n_features = self.weights[0].shape[1]
        if array.shape[1] != n_features:
            raise ValueError(
                f"{name} has {array.shape[1]} features but the network takes {n_features}"
            )
        if not len(array):
            raise ValueError(f"{name} has no samples")
        if finite and not _core.all_finite(array):
            raise_not_finite(array, name)
        return array

    def _targets(self, y: Any, n: int, name: str = "y") -> tuple[Array | None, Array | None]:
        """Return (values, None) or (None, labels) as the core takes them."""
        n_outputs = self.weights[-1].shape[0]
        array = np.asarray(y)
        if array.dtype.kind not in "fiub":
            raise ValueError(f"{name} must hold real numbers, not {array.dtype}")
        if array.ndim == 1 and n_outputs > 1:
            return None, self._labels(array, n, name)
        values = self._converted(array)
        if values.ndim == 1:
            values = values[:, None]
        if values.ndim != 2 or values.shape[1] != n_outputs:
            raise ValueError(
                f"{name} has shape {array.shape} but the network has {n_outputs} outputs"
            )
        if len(values) != n:
            raise ValueError(f"{name} has {len(values)} samples but X has {n}")
        if not np.isfinite(values).all():
            raise_not_finite(values, name)
        return values, None

    def _labels(self, labels: Any, n: int, name: str = "labels") -> npt.NDArray[np.int64]:
        array = np.asarray(labels)
        if array.ndim != 1 or len(array) != n:
            raise ValueError(f"{name} has shape {array.shape} but X has {n} samples")
        if array.dtype.kind not in "iub":
            raise ValueError(f"{name} must be integer labels or (samples, outputs)")
        n_outputs = self.weights[-1].shape[0]
        if n and not (0 <= array.min() and array.max() < n_outputs):
            raise ValueError(
                f"{name} must lie from 0 to {n_outputs - 1}, "
                f"not from {array.min()} to {array.max()}"
            )
        return np.ascontiguousarray(array, dtype=np.int64)

    def _check_loss(self, loss: str) -> None:
        _check_choice(loss, LOSSES, "loss")
        if loss == "cross_entropy" and self._names[-1] not in ("softmax", "sigmoid"):
            raise ValueError(
                f"cross_entropy needs softmax or sigmoid outputs, not {self._names[-1]!r}"
            )

    def _check_trainable(self, loss: str) -> None:
        self._check_loss(loss)
        if "step" in self._names:
            raise ValueError("a network with a step activation cannot be trained")


def raise_not_finite(array: Array, name: str) -> NoReturn:
    """Say where a matrix is not finite."""
    r, c = np.argwhere(~np.isfinite(array))[0]
    raise ValueError(f"{name}[{r}, {c}] is {array[r, c]}: only finite numbers are allowed")


def _initial(generator: _core.Generator, init: str, n_in: int, n_out: int) -> tuple[Array, Array]:
    shape, n = (n_out, n_in), n_out * n_in
    biases = np.zeros(n_out)
    if init == "zeros":
        return np.zeros(shape), biases
    if init == "normal":
        weights = generator.normal(n, 1.0).reshape(shape)
        return weights, generator.normal(n_out, 1.0)
    kind, distribution = init.split("_")
    variance = 2 / (n_in + n_out) if kind == "glorot" else 2 / n_in
    if distribution == "normal":
        return generator.normal(n, math.sqrt(variance)).reshape(shape), biases
    return generator.uniform(n, math.sqrt(3 * variance)).reshape(shape), biases


def _check_choice(value: Any, choices: tuple[str, ...], name: str) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")
