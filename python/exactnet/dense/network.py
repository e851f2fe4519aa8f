"""Dense networks of floats, trained by fused C++ kernels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.activations import Activation
from exactnet.base.checks import (
    choice,
    entries,
    is_integer,
    positive_integer,
    real_array,
    shown,
    thread_count,
)
from exactnet.base.dataset import Dataset
from exactnet.base.memory import available_memory
from exactnet.dense import file, training
from exactnet.dense.callbacks import Callback
from exactnet.dense.data import Data, Samples
from exactnet.dense.history import History
from exactnet.dense.initialization import INITS, initial, usual_init
from exactnet.dense.layers import DTYPES, Layers, per_layer
from exactnet.dense.options import Options, Rate

if TYPE_CHECKING:
    from exactnet.base.tables import TextTable
    from exactnet.bridge.conversion import ExactNetwork

Array: TypeAlias = npt.NDArray[Any]


class Network(Layers):
    """A dense feed-forward network of floats.

    Layer l computes ``activation(W a + b)`` with W of shape (outputs, inputs).

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of inputs, of the units of every hidden layer, and of outputs.
    activations : str, activation object, or a sequence with one per layer
        "linear", "sigmoid", "tanh", "relu", "leaky_relu", "step", "softmax", "exp" or an object of
        `exactnet.activations`. Softmax and exp are for the last layer only.
    init : {"normal", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "zeros", None}
        "normal" draws weights and biases from N(0, 1), as textbooks do; the others are those of
        Glorot and Bengio (2010) and of He et al. (2015), with biases 0. By default "he_normal" for
        layers of relu and leaky_relu, "glorot_normal" for others.
    dtype : {"float32", "float64"}
    seed : int, optional
        Of the initial weights and of every shuffle: the same seed gives the same network, within
        the limits of docs/guarantees.md. By default a new one every time.

    Attributes
    ----------
    weights, biases : tuple of ndarray
        Of shapes (outputs, inputs) and (outputs,). Writing into them takes effect; `fit` refuses
        to train while one of them is read-only. The attributes themselves cannot be set.
    activations : tuple of str or activation object
    layer_sizes : list of int
    dtype : numpy.dtype
    epochs_trained : int
    classes : tuple of str, or None
        Names of the classes 0, 1, ..., by which `fit` and others encode targets that are text. The
        first `fit` on such targets sets them, in sorted order; they may be set before.

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
        init: str | None = None,
        dtype: str = "float32",
        seed: int | None = None,
    ) -> None:
        numbers_of_units = entries(layer_sizes, "layer_sizes", "a sequence of integers")
        sizes = [positive_integer(n, f"layer_sizes[{k}]") for k, n in enumerate(numbers_of_units)]
        if len(sizes) < 2:
            raise ValueError(f"layer_sizes must name at least inputs and outputs, not {sizes}")
        if init is not None:
            choice(init, INITS, "init")
        dtype = dtype.name if isinstance(dtype, np.dtype) else dtype
        choice(dtype, DTYPES, "dtype")
        # as drawn in float64, and as arrays and in the core's order
        itemsize = 8 + 2 * np.dtype(dtype).itemsize
        predicted = itemsize * sum((a + 1) * b for a, b in pairwise(sizes))
        if predicted > 2**20 and predicted > available_memory():
            raise MemoryError(
                f"layer_sizes={shown(sizes)} would take about {min(predicted, 10**300) / 2**20:.3g}"
                " MiB, more than there is: use smaller layers"
            )
        if seed is None:
            seed = int.from_bytes(os.urandom(8), "little")
        if not is_integer(seed) or not 0 <= seed < 2**64:
            raise ValueError(f"seed must be an integer from 0 to 2**64 - 1, not {shown(seed)}")
        self._generator: _core.Generator = _core.Generator(int(seed))
        activations = per_layer(activations, len(sizes) - 1)
        weights, biases = [], []
        for (n_in, n_out), activation in zip(pairwise(sizes), activations, strict=True):
            w, b = initial(self._generator, init or usual_init(activation), n_in, n_out)
            weights.append(w.astype(dtype))
            biases.append(b.astype(dtype))
            del w  # of large layers it would be in the way
        self._set(weights, biases, activations, dtype)

    @classmethod
    def from_arrays(
        cls,
        weights: Iterable[Any],
        biases: Iterable[Any],
        activations: Activation | Sequence[Activation] | None = None,
    ) -> Network:
        """Make a network of given parameters, which are copied.

        Parameters
        ----------
        weights : iterable of array-like (outputs, inputs)
        biases : iterable of array-like (outputs,)
        activations : as of `Network`, optional
            By default relu, and linear for the last layer.

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
        w_arrays, b_arrays = (
            [
                real_array(array, f"{name}[{k}]")
                for k, array in enumerate(entries(arrays, name, "one array per layer"))
            ]
            for name, arrays in (("weights", weights), ("biases", biases))
        )
        small = all(a.dtype.kind != "f" or a.itemsize <= 4 for a in (*w_arrays, *b_arrays))
        floats = any(a.dtype.kind == "f" for a in (*w_arrays, *b_arrays))
        dtype = "float32" if small and floats else "float64"
        network = cls.__new__(cls)
        network._generator = _core.Generator(0)
        if activations is None:
            activations = ["relu"] * (len(w_arrays) - 1) + ["linear"]
        network._set(w_arrays, b_arrays, activations, dtype)
        return network

    def __repr__(self) -> str:
        activations = list(self._activations)
        return f"Network({self.layer_sizes}, activations={activations}, dtype={self._dtype})"

    def summary(self) -> TextTable:
        """Return a table of the layers: sizes, activations and parameters.

        Returns
        -------
        TextTable
            What the interpreter and notebooks show, and `print` prints.

        Examples
        --------
        >>> from exactnet import Network
        >>> Network([784, 30, 10], activations=["relu", "softmax"]).summary()
        Network: 2 layers, 23,860 parameters
        layer  activation  inputs  units  parameters
        1      relu           784     30      23,550
        2      softmax         30     10         310
        float32, 95.4 kB of memory, trained 0 epochs
        """
        from exactnet.base.tables import byte_size, count, layer_table  # for a fast import

        activations = [a if isinstance(a, str) else repr(a) for a in self._activations]
        arrays = (*self.weights, *self.biases)
        return layer_table(
            "Network",
            [(w.shape, a, ()) for w, a in zip(self.weights, activations, strict=True)],
            (),
            f"{self._dtype}, {byte_size(sum(array.nbytes for array in arrays))} of memory, "
            f"trained {count(self.epochs_trained, 'epoch')}",
            self.classes,
        )

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def predict(self, X: Any, *, n_threads: int = 1) -> Array:
        """Compute the outputs.

        Parameters
        ----------
        X : array-like (samples, features), or Dataset
            Converted to the network's type; not copied if it is a C-contiguous array of it, or of
            uint8.
        n_threads : int
            To use at most; few samples are computed by one. The result is the same to the bit.

        Returns
        -------
        ndarray (samples, outputs) of the network's type

        Raises
        ------
        ValueError
            If X is empty, not finite or has another number of features than the network, or
            `n_threads` is not as described.
        """
        if type(n_threads) is not int or n_threads != 1:  # a call would take as long as a sample
            n_threads = thread_count(n_threads)
        # as it stands, if the core can read it; masks it would not see
        result: Array | None = None
        if type(X) is np.ndarray:
            result = self._core.predict(X, None, n_threads)
        if result is None:  # X needs a conversion, or is wrong
            result = self._outputs(Samples.of(self, X), n_threads)
        return result

    def _outputs(self, samples: Samples, n_threads: int = 1) -> Array:
        """Compute the outputs of samples, which may not be finite."""
        result: Array | None = self._core.predict(samples.core, None, n_threads)
        if result is None:
            samples.raise_not_finite("X")
        return result

    def classify(self, X: Any, *, n_threads: int = 1) -> npt.NDArray[np.intp]:
        """Return the class of every sample, (samples,).

        It is the output of largest value, the first of equal ones; of a single output of sigmoid
        or step, 1 where it exceeds 1/2, else 0. Of a single output of another kind, if the network
        has `classes`, it is the nearest of their codes. The names of networks with `classes` are
        ``np.array(network.classes)[network.classify(X)]``.

        Raises
        ------
        ValueError
            As of `predict`; if a single output has another activation and there are no `classes`.
        """
        self._check_classifies()
        return self._decided(self.predict(X, n_threads=n_threads))

    def accuracy(self, X: Any, labels: Any = None, *, n_threads: int = 1) -> float:
        """Return the share of samples whose class, as of `classify`, is that of their label.

        Parameters
        ----------
        X : array-like (samples, features), or Dataset
        labels : array-like (samples,) or (samples, 1), or one-hot (samples, outputs)
            Whole numbers, for a single output 0 and 1, or names of classes as of `fit`. Left out if
            X is a Dataset, as `y` of the methods below.
        n_threads : int
            As of `predict`.
        """
        n_threads = thread_count(n_threads)
        self._check_classifies()
        data = Data.of(self, X, labels, ("X", "labels"))
        expected = data.classes(self)
        if expected is None:
            what = "0 or 1" if self._n_outputs == 1 else "integers, or one-hot rows"
            raise ValueError(f"labels must be {what}{data.odd_label(self._n_outputs)}")
        decided = self._decided(self._outputs(data.samples, n_threads))
        return float(np.count_nonzero(decided == expected) / len(expected))

    def loss(
        self,
        X: Any,
        y: Any = None,
        loss: str | None = None,
        quantiles: float | Sequence[float] | None = None,
        *,
        n_threads: int = 1,
    ) -> float:
        """Return the mean loss.

        Parameters
        ----------
        X : array-like (samples, features), or Dataset
        y : array-like (samples, outputs), or labels (samples,), as of `fit`
            For cross_entropy from 0 to 1; after softmax, rows sum to 1 to within 1e-3. For pinball
            also (samples,) or (samples, 1), for all outputs. For poisson at least 0.
        loss : {"quadratic", "mse", "cross_entropy", "pinball", "poisson"}, optional
            "quadratic" is 1/2 sum (a - y)^2, "mse" the mean over outputs of (a - y)^2,
            "cross_entropy" the categorical one after softmax and the sum of binary ones after
            sigmoid, both computed without overflow; "pinball" the mean over outputs of
            max(q (y - a), (q - 1) (y - a)), whose minimum is the quantile q of y; "poisson", after
            exp, half the deviance, sum y log(y / a) - y + a. By default cross_entropy after
            softmax, mse after linear, poisson after exp and quadratic else.
        quantiles : float or sequence of float, optional
            Of pinball, in (0, 1), one for every output; by default 0.5, the median, for one output.
        n_threads : int
            As of `predict`.

        Raises
        ------
        ValueError
            If X and y do not fit the network or each other, or the loss not the last activation.
        """
        n_threads = thread_count(n_threads)
        loss, levels = self._objective(loss, quantiles)
        data = Data.of(self, X, y, loss=loss)
        result: tuple[float, None] | None = self._core.evaluate(
            data.core, loss, quantiles=levels, n_threads=n_threads
        )
        if result is None:
            data.samples.raise_not_finite("X")
        return result[0]

    def gradients(
        self,
        X: Any,
        y: Any = None,
        loss: str | None = None,
        quantiles: float | Sequence[float] | None = None,
    ) -> list[tuple[Array, Array]]:
        """Return the gradient of the mean loss: (dW, db) of every layer.

        Parameters but `n_threads`, and errors, are those of `loss`; training through a step is an
        error too.
        """
        loss, levels = self._trainable(loss, quantiles)
        data = Data.of(self, X, y, loss=loss)
        data.samples.require_finite("X")
        gradients: list[tuple[Array, Array]] = self._core.gradients(data.core, loss, levels)[1]
        return gradients

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        epochs: int = 1,
        initial_epoch: int = 0,
        batch_size: int = 32,
        learning_rate: Rate = 0.1,
        optimizer: str = "sgd",
        momentum: float = 0.0,
        nesterov: bool = False,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        loss: str | None = None,
        quantiles: float | Sequence[float] | None = None,
        penalty: str | float | None = None,
        alpha: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        clip_norm: float | None = None,
        sample_weight: Any = None,
        validation_data: Dataset | tuple[Any, Any] | None = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        until: float | None = None,
        callbacks: Callback | Iterable[Callback] = (),
        record_gradient_norms: bool = False,
        n_threads: int = 1,
        verbose: bool = False,
    ) -> History:
        """Train by minibatch stochastic gradient descent, or Adam.

        The step is w <- w - learning_rate g on the gradient g of a batch's mean loss; with momentum
        mu, v <- mu v - learning_rate g and w <- w + v; with Nesterov's, w <- w + mu v -
        learning_rate g with the new v. A further call goes on where the last one ended: the state
        of the optimiser and of the shuffles stay. With `initial_epoch`, schedules and callbacks go
        on too: ``fit(X, y, epochs=1)`` and ``fit(X, y, epochs=3, initial_epoch=1)`` are, to the
        bit, ``fit(X, y, epochs=3)``.

        Parameters
        ----------
        X : array-like (samples, features), data frame, sparse matrix, or Dataset
            If most of it is 0, training takes a copy of the rest, and less time. Bytes, arrays of
            uint8, mean the numbers 0 to 255 and are not converted as a whole. A Dataset is
            checked, converted and copied so at its first training only. Sparse matrices of SciPy
            are never made dense.
        y : array-like (samples, outputs), or labels (samples,) or (samples, 1)
            Labels are one-hot encoded when the network has more than one output: whole numbers from
            0, or text, the names of classes. These stand for their places in `classes`, or in their
            sorted order, which then becomes `classes`; as many as outputs, or two for one of
            sigmoid. Strings of digits are names, too, in the order of text. For cross_entropy
            targets lie from 0 to 1; after softmax, rows sum to 1 to within 1e-3. For pinball one
            target per sample is for all outputs, and integers are no labels.
        epochs : int
            Number of the epoch after which the training ends, counted from 1.
        initial_epoch : int
            Epochs that are behind the network and not trained again, 0 to epochs - 1; such as
            `epochs_trained` after an interruption.
        batch_size : int
        learning_rate : float or callable
            A callable gets the number of the epoch, from 0, and returns its rate; such as those of
            `exactnet.schedules`.
        optimizer : {"sgd", "adam"}
            Adam is that of Kingma and Ba (2015), with `betas` and `epsilon`.
        momentum : float in [0, 1)
        nesterov : bool
            For sgd; without momentum it changes nothing.
        loss : {"quadratic", "mse", "cross_entropy", "pinball", "poisson"}, optional
        quantiles : float or sequence of float, optional
            As of `loss`, also for what they mean if they are left out.
        penalty : {None, "l1", "l2"} or float
            Adds alpha sum |w|^p over all weights, not biases, to the mean loss; "l1" and "l2" are
            p = 1 and 2. For p < 1 the derivative is taken of (w^2 + 1e-6)^(p/2).
        alpha : float
            Factor of the penalty; other than 0 only with one.
        dropout : float or sequence of float
            Share of units in [0, 1), of every hidden layer or of each, that is switched off anew
            for every sample in every batch; the others are scaled up, so that prediction stays as
            it is.
        clip_norm : float, optional
            Greatest Euclidean norm of the gradient of all layers together; longer ones are scaled.
        sample_weight : array-like (samples,), optional
            Factors of the samples' losses, at least 0 and not all 0.
        validation_data : (X, y) or Dataset, optional
            Evaluated after every epoch; it does not influence the training.
        validation_split : float in [0, 1)
            Share of the samples to take for that, in place of `validation_data`. They are drawn at
            random, by their number alone: all networks, and all parts of a training, get the same.
        shuffle : bool
            Take the samples in a new random order in every epoch.
        until : float, optional
            End after the first epoch whose mean loss is below.
        callbacks : callable or iterable of callable
            Called with (network, epoch, history) after every epoch, counted from `initial_epoch`;
            such as `EarlyStopping`, `ReduceOnPlateau`, `Checkpoint` and `CSVLogger`. What one
            raises ends the training, `StopTraining` in order; the weights stay as they are. If
            there are such methods, ``begin(network, epoch)`` is called before the first epoch,
            ``finish(network)`` after the last, and ``change_rate(epoch, rate)`` before each for
            its learning rate.
        record_gradient_norms : bool
            Fill `History.gradient_norms`, which takes some time.
        n_threads : int
            At most so many threads: the first batches are trained by one and by all of them, and
            what took less time goes on. The result is the same to the bit.
        verbose : bool
            Show a progress bar with the loss and the validation's results, in a terminal or a
            notebook; elsewhere print a line per epoch to stderr.

        Returns
        -------
        History
            Also as attribute `history` of the network.

        Warns
        -----
        UserWarning
            If outputs of the last activation cannot reach the targets, such as 340 by a sigmoid; or
            if, after the training, a hidden layer of relu is 0 for all samples, so that outputs are
            the same for all, though targets are not.

        Raises
        ------
        ValueError
            If X and y do not fit the network or each other, hold numbers that are not finite, an
            argument is out of range, or a parameter's array is read-only.
        RuntimeError
            If another thread, or the call whose callback this is, is training the network. Other
            threads may use it meanwhile: they see the parameters as last written, after some epoch,
            or at the moment of writing some layers of before and some of after it.
        DivergenceError
            If the loss or a parameter becomes infinite or not a number; parameters, the state of
            the optimiser and that of the shuffles are those before that epoch. The message says
            what may help. Its attribute `history` has the epochs before.
        KeyboardInterrupt
            On Ctrl-C, within a fraction of a second; the weights are as after the last finished
            batch, or as before its epoch if one of those is not finite. Its attribute `history`
            has the finished epochs; the last one may not have been validated.

        Examples
        --------
        Three quantiles of a function with noise, one output each:

        >>> import numpy as np
        >>> from exactnet import Network
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(-1, 1, (2000, 1))
        >>> y = np.sin(3 * X) + rng.normal(scale=0.1 + 0.1 * X**2, size=X.shape)
        >>> net = Network([1, 20, 3], activations=["tanh", "linear"], init="glorot_normal", seed=0)
        >>> history = net.fit(X, y, epochs=300, batch_size=100, optimizer="adam",
        ...                   learning_rate=0.003, loss="pinball", quantiles=[0.1, 0.5, 0.9])
        >>> shares = (y < net.predict(X)).mean(axis=0)  # of targets below each output
        >>> bool(np.allclose(shares, [0.1, 0.5, 0.9], atol=0.03))
        True
        """
        options = Options(
            epochs=epochs,
            initial_epoch=initial_epoch,
            batch_size=batch_size,
            learning_rate=learning_rate,
            optimizer=optimizer,
            momentum=momentum,
            nesterov=nesterov,
            betas=betas,
            epsilon=epsilon,
            loss=loss,
            quantiles=quantiles,
            penalty=penalty,
            alpha=alpha,
            dropout=dropout,
            clip_norm=clip_norm,
            validation_split=validation_split,
            shuffle=shuffle,
            until=until,
            callbacks=callbacks,
            record_gradient_norms=record_gradient_norms,
            n_threads=n_threads,
            verbose=verbose,
        )
        return training.fit(self, X, y, sample_weight, validation_data, options, watch_units=True)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network as a safetensors file, atomically.

        The state of the optimiser, that of the generator of shuffles and `epochs_trained` go with
        it: training continues from the file as if it had never stopped.

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
        file.save(self.__getstate__(), path)

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

        def build(fields: dict[str, Any]) -> Network:
            network = cls.__new__(cls)
            network.__setstate__(fields)
            return network

        return file.load(path, build)

    def _samples(self, X: Any, name: str = "X") -> Array:
        """Check and convert samples; no copy for a C-contiguous array of the network's type."""
        samples = Samples.of(self, X, name)
        samples.require_finite(name)
        return samples.dense()

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
        from exactnet.bridge.conversion import to_exact  # here, to keep the import fast

        return to_exact(self)
