"""Networks of rational parameters."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.checks import thread_count
from exactnet.base.dataset import pair_of
from exactnet.base.labels import Named
from exactnet.base.progress import ProgressOption, reporting
from exactnet.base.tables import TextTable, byte_size, count, layer_table
from exactnet.exact import extension, file
from exactnet.exact.data import as_points
from exactnet.exact.digest import make_claim
from exactnet.exact.parameters import Parameters
from exactnet.exact.rationals import object_array, sizes, to_mpq

if TYPE_CHECKING:
    from exactnet.bridge.conversion import Network


class BitSizes(NamedTuple):
    """Sizes of a network's parameters in bits.

    Attributes
    ----------
    largest : int
        Length of the longest numerator or denominator of all parameters.
    total : int
        Length of all numerators and denominators together.
    """

    largest: int
    total: int


class ExactNetwork(Named):
    """A feed-forward network whose parameters are exact rationals.

    Layer l computes ``activation(W h + b)``. `memorize` builds such networks;
    `ExactNetwork.from_arrays` takes any.

    Attributes
    ----------
    weights : list of ndarray of mpq, each (outputs, inputs)
    biases : list of ndarray of mpq, each (outputs,)
    activations : list of {"relu", "linear"}, one per layer
    classes : tuple of str, or None
        Names of the classes 0, 1, ...; may be set.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from exactnet import ExactNetwork
    >>> net = ExactNetwork.from_arrays([[[1], [1]], [[1, -2]]], [[0, Fraction(-1, 2)], [0]])
    >>> net
    ExactNetwork([1, 2, 1], activations=['relu', 'linear'])
    >>> net.predict([[Fraction(1, 4)], [Fraction(3, 4)]])[:, 0]
    array([mpq(1,4), mpq(1,4)], dtype=object)
    """

    weights: list[npt.NDArray[np.object_]]
    biases: list[npt.NDArray[np.object_]]
    activations: list[str]

    def __init__(
        self,
        weights: list[npt.NDArray[np.object_]],
        biases: list[npt.NDArray[np.object_]],
        activations: list[str],
        classes: tuple[str, ...] | None = None,
    ) -> None:
        self.weights = weights
        self.biases = biases
        self.activations = activations
        self._classes = classes
        # What `extend` needs: where the memorized points lie, and in which first layer.
        self._places: extension.Memorized | None = None

    @classmethod
    def from_arrays(
        cls,
        weights: Iterable[Any],
        biases: Iterable[Any],
        activations: Sequence[str] | None = None,
    ) -> ExactNetwork:
        """Make a network of given parameters, converted exactly.

        Parameters
        ----------
        weights : iterable of array-like (outputs, inputs)
            Ints, floats, Fractions or mpq, one matrix per layer.
        biases : iterable of array-like (outputs,)
        activations : sequence of {"relu", "linear"}, optional
            One per layer; by default "relu" with a "linear" last layer.

        Returns
        -------
        ExactNetwork

        Raises
        ------
        ValueError
            If shapes do not fit each other, a value is not finite or an activation is unknown.
        TypeError
            If an entry is not a real number.
        """
        matrices = [_matrix(w, f"weights[{k}]") for k, w in enumerate(weights)]
        vectors = [_vector(b, f"biases[{k}]") for k, b in enumerate(biases)]
        if activations is None:
            activations = ["relu"] * (len(matrices) - 1) + ["linear"]
        network = cls(matrices, vectors, list(activations))
        network._parameters().check()
        return network

    @property
    def layer_sizes(self) -> list[int]:
        """Number of inputs, of the units of every hidden layer, and of outputs."""
        return self._parameters().layer_sizes

    def __repr__(self) -> str:
        return f"ExactNetwork({self.layer_sizes}, activations={self.activations})"

    def predict(
        self, X: Any, *, n_threads: int = 1, progress: ProgressOption = None
    ) -> npt.NDArray[np.object_]:
        """Evaluate the network in exact arithmetic.

        Parameters
        ----------
        X : array-like (points, features) of ints, floats, Fractions or mpq, or Dataset
            Floats stand for the binary fractions they are.
        n_threads : int
        progress : callable or True, optional
            Called now and then with the finished share, from 0 to 1; True shows a bar.

        Returns
        -------
        ndarray of mpq, (points, outputs)

        Raises
        ------
        ValueError
            If X is empty, ragged, not finite, or has another number of features than the network.
        TypeError
            If X holds something else than real numbers.
        """
        parameters, points = self._parameters(), as_points(X)
        parameters.check_features(points)
        n_threads = thread_count(n_threads)
        with reporting(progress, "predicting") as tell:
            flat = _core.predict(parameters.to_core(), points.core, n_threads, tell)
        return object_array(flat).reshape(points.shape[0], len(parameters.weights[-1]))

    def classify(
        self, X: Any, *, n_threads: int = 1, progress: ProgressOption = None
    ) -> npt.NDArray[np.int64]:
        """Return the class of every point, (points,).

        Of several outputs it is the largest, the first of equal ones; of one output the nearest
        integer, the larger of two, from 0 to ``len(classes) - 1`` if the network has `classes`.
        Their names are ``np.array(network.classes)[network.classify(X)]``.

        Parameters and errors are those of `predict`; a single output beyond 64 bits is an error
        of a network without classes.

        Examples
        --------
        >>> import numpy as np
        >>> from exactnet import memorize
        >>> net = memorize([[1], [2], [4]], ["blue", "red", "blue"])
        >>> net.classes
        ('blue', 'red')
        >>> np.array(net.classes)[net.classify([[1], [2], [5]])].tolist()
        ['blue', 'red', 'blue']
        """
        outputs = self.predict(X, n_threads=n_threads, progress=progress)
        if outputs.shape[1] > 1:
            return np.asarray(np.argmax(outputs, axis=1), np.int64)
        codes = [int((2 * value + 1) // 2) for value in outputs[:, 0]]
        if self._classes is not None:
            last = len(self._classes) - 1
            codes = [min(max(code, 0), last) for code in codes]
        elif max(codes) >= 2**63 or min(codes) < -(2**63):
            raise ValueError("X has a point whose output is beyond 64 bits, which tells no class")
        return np.array(codes, np.int64)

    def bit_sizes(self) -> BitSizes:
        """Return the largest and the total size of all parameters in bits.

        Examples
        --------
        >>> from exactnet import ExactNetwork
        >>> ExactNetwork.from_arrays([[[1024, 0.5]]], [[0]]).bit_sizes()
        BitSizes(largest=11, total=16)
        """
        largest, total, _ = zip(*map(sizes, (*self.weights, *self.biases)), strict=True)
        return BitSizes(max(largest), sum(total))

    def summary(self) -> TextTable:
        """Return a table of the layers: sizes, activations, parameters and their bits.

        Returns
        -------
        TextTable
            What the interpreter and notebooks show, and `print` prints. The memory is that of the
            parameters; equal ones may be one object.

        Examples
        --------
        >>> from exactnet import memorize
        >>> memorize([[0], [1], [2], [3]], [5, -1, 4, 0]).summary()  # doctest: +ELLIPSIS
        ExactNetwork: 3 layers, 13 parameters
        layer  activation  inputs  units  parameters  largest bits  total bits
        1      relu             1      2           4             2          11
        2      relu             2      2           6             6          28
        3      linear           2      1           3             1           6
        longest parameter 6 bits, all together 45 bits, about ... of memory
        """
        parameters = self._parameters()
        parameters.check()
        layers, n_bytes = [], 0
        for w, b, activation in zip(
            parameters.weights, parameters.biases, parameters.activations, strict=True
        ):
            of_w, of_b = sizes(w), sizes(b)
            bits = max(of_w[0], of_b[0]), of_w[1] + of_b[1]
            layers.append((w.shape, activation, bits))
            n_bytes += of_w[2] + of_b[2]
        largest, total = zip(*(bits for _, _, bits in layers), strict=True)
        return layer_table(
            "ExactNetwork",
            layers,
            ("largest bits", "total bits"),
            f"longest parameter {count(max(largest), 'bit')}, all together "
            f"{count(sum(total), 'bit')}, about {byte_size(n_bytes)} of memory",
            self.classes,
        )

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        claim_for: Any = None,
        progress: ProgressOption = None,
    ) -> None:
        """Write the network as JSON with its rationals as strings, atomically.

        The format is described in docs/file-format.md and can be read without this package.

        Parameters
        ----------
        path : path-like
        claim_for : (X, y) or Dataset, optional
            Data as `verify` takes them. The network is verified on them, and the file states it:
            by the number of points and a digest, so that ``python -m exactnet.check`` can confirm
            it for the file and the data without this package. A network does not remember its
            claim: without this argument, files have none.
        progress : callable or True, optional
            Called now and then with the finished share, from 0 to 1; True shows a bar.

        Raises
        ------
        ValueError
            If the network is not exact on `claim_for`; with the first wrong row.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> from exactnet import ExactNetwork, memorize
        >>> X, y = [[0], [1], [2], [3]], [5, -1, 4, 0]
        >>> net = memorize(X, y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     net.save(os.path.join(folder, "net.json"), claim_for=(X, y))
        ...     ExactNetwork.load(os.path.join(folder, "net.json"))
        ExactNetwork([1, 2, 2, 1], activations=['relu', 'relu', 'linear'])
        """
        parameters, claim = self._parameters(), None
        if claim_for is not None:
            # read once: what is claimed is claimed of the numbers that were verified, whatever
            # other threads write to data and network meanwhile
            parameters = parameters.copy()
            data = parameters.data(*pair_of(claim_for, "claim_for"))
            _, n_wrong, first_wrong, _ = _core.verify(
                parameters.to_core(), data.points.core, data.targets.core
            )
            claim = make_claim(data, n_wrong, first_wrong)
        with reporting(progress, "saving") as tell:
            file.save(path, parameters, claim, tell)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 2**30,
        progress: ProgressOption = None,
    ) -> ExactNetwork:
        """Read a network that `save` wrote, and check all of it.

        A claim in the file must be of the right form but is not kept: it is about data, which
        ``python -m exactnet.check`` or `verify` need, and the network may be changed.

        Parameters
        ----------
        path : path-like
        max_bytes : int
            Files larger than this are refused before they are read.
        progress : callable or True, optional
            Called now and then with the finished share, from 0 to 1; True shows a bar.

        Raises
        ------
        ValueError
            If the file is too large, damaged, of another format or version, or inconsistent.
        OSError
            If the file cannot be read.
        """
        with reporting(progress, "loading") as tell:
            return cls(*file.load(path, max_bytes, tell))

    def extend(self, x_new: Any, y_new: Any = None, X: Any = None) -> None:
        """Add points to a memorized network without building it anew.

        A point to the right of all others, along the direction in which the network tells points
        apart, takes one more unit; any other point takes three in the first hidden layer and one
        in the second, if there is one. A point that the network maps to its target already takes
        none. The outputs at all other memorized points stay as they are.

        Parameters
        ----------
        x_new : array-like (points, features), or Dataset with targets
        y_new : array-like (points,) or (points, outputs), or names of the network's classes
            Left out with a dataset.
        X : array-like (points, features) or Dataset, optional
            All points memorized so far. A network of `memorize`, its copies and pickles know where
            they lie; one that was loaded, has had its first layer changed, or was built for a
            single point does not.

        Raises
        ------
        ValueError
            If a point is there already with another target, cannot be told apart from one, X is
            needed, or the network is not one of the constructions along a line ("integer" is not).
            The network is then unchanged.
        TypeError
            If x_new or y_new holds something else than real numbers, or y_new is missing.

        Examples
        --------
        >>> from exactnet import memorize, verify
        >>> net = memorize([[0], [1], [2], [3]], [5, -1, 4, 0])
        >>> net.extend([[7]], [1])
        >>> net
        ExactNetwork([1, 2, 3, 1], activations=['relu', 'relu', 'linear'])
        >>> verify(net, [[0], [1], [2], [3], [7]], [5, -1, 4, 0, 1]).exact
        True
        """
        names = ("x_new", "y_new")
        known = None if X is None else as_points(X)
        parameters = self._parameters()
        parameters.check()
        new = parameters.data(x_new, y_new, names)
        if known is not None:
            parameters.check_features(known)
        weights, biases, places = extension.extend(parameters, new, known, self._places)
        # at one go, lest Ctrl-C leave weights without their biases
        self.__dict__.update(weights=weights, biases=biases, _places=places)

    def to_network(self, dtype: str = "float64") -> Network:
        """Return the network with every parameter as the nearest float.

        The networks that `memorize` makes with ``construction="integer"`` lose nothing. Those of
        its other constructions have parameters of hundreds of bits where data are ordinary floats,
        and sums that cancel: rounded, they may be off by more than the targets themselves.
        ``rounding_error(net, X, predictions=net.to_network().predict(X))`` says by how much.

        Parameters
        ----------
        dtype : {"float64", "float32"}

        Raises
        ------
        ValueError
            If a parameter lies beyond the range of the type, or the type is another one.

        Examples
        --------
        >>> from exactnet import ExactNetwork
        >>> from fractions import Fraction
        >>> net = ExactNetwork.from_arrays([[[Fraction(1, 3)]]], [[1]])
        >>> net.to_network().predict([[3]])
        array([[2.]])

        Of floats as they come, and rounded for an integer network:

        >>> import numpy as np
        >>> from exactnet import memorize, rounding_error
        >>> X, y = np.random.default_rng(0).random((100, 2)), np.arange(100) % 3
        >>> net = memorize(X, y)
        >>> bool(rounding_error(net, X, predictions=net.to_network().predict(X)).error > 1)
        True
        >>> X = np.round(X * 2**10) / 2**10
        >>> net = memorize(X, y, construction="integer")
        >>> rounding_error(net, X, predictions=net.to_network().predict(X)).error
        mpq(0,1)
        """
        from exactnet.bridge.conversion import to_network

        return to_network(self, dtype)

    def _parameters(self) -> Parameters:
        """Return what the attributes, which anyone may change, hold now."""
        return Parameters(self.weights, self.biases, self.activations, self._classes)


def _matrix(values: Any, name: str) -> npt.NDArray[np.object_]:
    table = as_points(values, name)
    columns = [object_array(table.rationals(c)) for c in range(table.shape[1])]
    return np.stack(columns, axis=1)


def _vector(values: Any, name: str) -> npt.NDArray[np.object_]:
    array = np.asarray(values, dtype=object)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} must be 1-dimensional, not of shape {array.shape}")
    return object_array([to_mpq(v, f"{name}[%d]", k) for k, v in enumerate(array)])
