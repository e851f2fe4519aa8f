"""Networks of rational parameters."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.checks import choice, entries, shown, thread_count
from exactnet.base.files import as_name, atomic_write, read_json
from exactnet.base.progress import Progress
from exactnet.exact.data import as_points, as_targets
from exactnet.exact.digest import check_claim, make_claim
from exactnet.exact.rationals import object_array, to_floats, to_mpq

if TYPE_CHECKING:
    from exactnet.dense.network import Network

FORMAT = "exactnet"
VERSION = 1
ACTIVATIONS = ("relu", "linear")

_RATIONAL = re.compile(r"-?[0-9]+(/[0-9]+)?", re.ASCII)
_RATIONALS = re.compile(r"-?[0-9]+(/[0-9]+)?(,-?[0-9]+(/[0-9]+)?)*", re.ASCII)


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


class ExactNetwork:
    """A feed-forward network whose parameters are exact rationals.

    Layer l computes ``activation(W h + b)``. `memorize` builds such networks;
    `ExactNetwork.from_arrays` takes any.

    Attributes
    ----------
    weights : list of ndarray of mpq, each (outputs, inputs)
    biases : list of ndarray of mpq, each (outputs,)
    activations : list of {"relu", "linear"}, one per layer

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
    ) -> None:
        self.weights = weights
        self.biases = biases
        self.activations = activations
        # What `extend` needs: where the memorized points lie, and in which first layer.
        self._places: tuple[tuple[Any, ...], list[Any]] | None = None

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
        network._check()
        return network

    @property
    def layer_sizes(self) -> list[int]:
        """Number of inputs, of the units of every hidden layer, and of outputs."""
        return [self.weights[0].shape[1], *(w.shape[0] for w in self.weights)]

    def __repr__(self) -> str:
        return f"ExactNetwork({self.layer_sizes}, activations={self.activations})"

    def predict(
        self, X: Any, *, n_threads: int = 1, progress: Progress | None = None
    ) -> npt.NDArray[np.object_]:
        """Evaluate the network in exact arithmetic.

        Parameters
        ----------
        X : array-like (points, features) of ints, floats, Fractions or mpq
            Floats stand for the binary fractions they are.
        n_threads : int
        progress : callable, optional
            Called now and then with the finished share, from 0 to 1.

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
        points = as_points(X)
        self.check_features(points.shape[1])
        flat = _core.predict(self.to_core(), points.to_core(), thread_count(n_threads), progress)
        return object_array(flat).reshape(points.shape[0], self.layer_sizes[-1])

    def bit_sizes(self) -> BitSizes:
        """Return the largest and the total size of all parameters in bits.

        Examples
        --------
        >>> from exactnet import ExactNetwork
        >>> ExactNetwork.from_arrays([[[1024, 0.5]]], [[0]]).bit_sizes()
        BitSizes(largest=11, total=16)
        """
        largest = total = 0
        for array in (*self.weights, *self.biases):
            for entry in array.ravel().tolist():
                value = to_mpq(entry, "a parameter")
                n, d = value.numerator.bit_length(), value.denominator.bit_length()
                largest = max(largest, n, d)
                total += n + d
        return BitSizes(largest, total)

    def save(self, path: str | os.PathLike[str], *, claim_for: Any = None) -> None:
        """Write the network as JSON with its rationals as strings, atomically.

        The format is described in docs/file-format.md and can be read without this package.

        Parameters
        ----------
        path : path-like
        claim_for : (X, y), optional
            Data as `verify` takes them. The network is verified on them, and the file states it:
            by the number of points and a digest, so that ``python -m exactnet.check`` can confirm
            it for the file and the data without this package. A network does not remember its
            claim: without this argument, files have none.

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
        claim, network = None, self
        if claim_for is not None:
            from exactnet.exact.verification import verify  # here, for it imports this module

            # read once: what is claimed is claimed of the numbers that were verified, whatever
            # other threads write to data and network meanwhile
            weights, biases = ([a.copy() for a in arrays] for arrays in (self.weights, self.biases))
            network = ExactNetwork(weights, biases, list(self.activations))
            pair = entries(claim_for, "claim_for", "(X, y)")
            if len(pair) != 2:
                raise ValueError(f"claim_for must be (X, y), not {shown(claim_for)}")
            X = as_points(pair[0])
            y = as_targets(pair[1], X.shape[0])
            claim = make_claim(verify(network, X, y), X, y)
        network._write(path, claim)

    def _write(self, path: str | os.PathLike[str], claim: dict[str, Any] | None) -> None:
        """Write the network with a claim that its caller has established, or with none."""
        self._check()
        document = {
            "format": FORMAT,
            "version": VERSION,
            "layer_sizes": self.layer_sizes,
            "activations": self.activations,
            **({} if claim is None else {"claim": claim}),
        }
        head = json.dumps(document, separators=(",", ":"))[:-1]
        weights = [
            [_row_text(row, f"weights[{k}]") for row in w] for k, w in enumerate(self.weights)
        ]
        biases = [_row_text(b, f"biases[{k}]") for k, b in enumerate(self.biases)]
        with atomic_write(path) as file:
            file.write(f'{head},"weights":[')
            for k, rows in enumerate(weights):
                for r, row in enumerate(rows):  # in parts, between which Ctrl-C is answered
                    file.write(("," if r else ",[" if k else "[") + row)
                file.write("]")
            file.write(f'],"biases":[{",".join(biases)}]}}\n')

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, max_bytes: int = 2**30) -> ExactNetwork:
        """Read a network that `save` wrote, and check all of it.

        A claim in the file must be of the right form but is not kept: it is about data, which
        ``python -m exactnet.check`` or `verify` need, and the network may be changed.

        Parameters
        ----------
        path : path-like
        max_bytes : int
            Files larger than this are refused before they are read.

        Raises
        ------
        ValueError
            If the file is too large, damaged, of another format or version, or inconsistent.
        OSError
            If the file cannot be read.
        """
        name = as_name(path)
        size = os.stat(name).st_size
        if size > max_bytes:
            raise ValueError(
                f"{name}: {size} bytes are more than the limit of {max_bytes}; "
                "pass a larger max_bytes to read it"
            )
        try:
            with open(name, encoding="utf-8") as file:
                document = read_json(file, _unique_keys)
            return cls._from_document(document)
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{name}: not a network file, or damaged: {error}") from None
        except (_FormatError, ValueError) as error:
            raise ValueError(f"{name}: {error}") from None

    @classmethod
    def _from_document(cls, document: Any) -> ExactNetwork:
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise _FormatError('not a network file: "format" is not "exactnet"')
        if type(document.get("version")) is not int or document["version"] != VERSION:
            raise _FormatError(
                f"version {document.get('version')!r} of the format is unknown; "
                f"this package reads version {VERSION}"
            )
        expected = {"format", "version", "layer_sizes", "activations", "weights", "biases"}
        if set(document) - {"claim"} != expected:
            odd = ", ".join(sorted(set(document) - {"claim"} ^ expected))
            raise _FormatError(f"missing or unknown entries: {odd}")
        sizes = _sized_list(document["layer_sizes"], None, "layer_sizes")
        if len(sizes) < 2 or not all(type(n) is int and n > 0 for n in sizes):
            raise _FormatError("layer_sizes must be at least two positive integers")
        n_layers = len(sizes) - 1
        activations = _sized_list(document["activations"], n_layers, "activations")
        weight_lists = _sized_list(document["weights"], n_layers, "weights")
        bias_lists = _sized_list(document["biases"], n_layers, "biases")
        weights, biases = [], []
        for k in range(n_layers):
            inputs, outputs = sizes[k], sizes[k + 1]
            rows = _sized_list(weight_lists[k], outputs, f"weights[{k}]")
            for r, row in enumerate(rows):
                _sized_list(row, inputs, f"weights[{k}][{r}]")
            matrix = np.empty((outputs, inputs), dtype=object)
            for r in range(outputs):
                matrix[r] = _parse_row(rows[r], f"weights[{k}][{r}]")
                rows[r] = None  # to free all text at once would take long
            weights.append(matrix)
            cells = _sized_list(bias_lists[k], outputs, f"biases[{k}]")
            biases.append(object_array(_parse_row(cells, f"biases[{k}]")))
        if "claim" in document:
            check_claim(document["claim"], sizes[0], sizes[-1])
        network = cls(weights, biases, activations)
        network._check()
        return network

    def check_features(self, n_features: int, name: str = "X") -> None:
        """Raise ValueError unless the network takes that many features."""
        if n_features != self.layer_sizes[0]:
            raise ValueError(
                f"{name} has {n_features} features but the network takes {self.layer_sizes[0]}"
            )

    def to_core(self) -> _core.ExactNetwork:
        """Return a copy of the parameters as the C++ core takes them."""
        self._check()
        network = _core.ExactNetwork()
        layers = zip(self.weights, self.biases, self.activations, strict=True)
        for k, (w, b, activation) in enumerate(layers):
            network.add_layer(
                [to_mpq(v, f"weights[{k}]") for v in w.ravel().tolist()],
                [to_mpq(v, f"biases[{k}]") for v in b.tolist()],
                activation,
            )
        return network

    def extend(self, x_new: Any, y_new: Any, X: Any = None) -> None:
        """Add points to a memorized network without building it anew.

        A point to the right of all others, along the direction in which the network tells points
        apart, takes one more unit; any other point takes three in the first hidden layer and one
        in the second, if there is one. A point that the network maps to its target already takes
        none. The outputs at all other memorized points stay as they are.

        Parameters
        ----------
        x_new : array-like (points, features)
        y_new : array-like (points,) or (points, outputs)
        X : array-like (points, features), optional
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
            If x_new or y_new holds something else than real numbers.

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
        from exactnet.exact.construct import extension

        points = as_points(x_new, "x_new")
        self._check()
        self.check_features(points.shape[1], "x_new")
        targets = as_targets(y_new, points.shape[0], "y_new")
        if targets.shape[1] != self.layer_sizes[-1]:
            raise ValueError(
                f"y_new has {targets.shape[1]} outputs but the network has {self.layer_sizes[-1]}"
            )
        extension.check_extensible(self)
        network = self
        if X is not None:
            known = as_points(X)
            self.check_features(known.shape[1])
            if not any(self.weights[0][0]):
                network = extension.with_direction(self, known, points)
            places = extension.places_of(network, known)
        elif not any(self.weights[0][0]):
            raise ValueError(
                "pass the point memorized so far as X: a network of a single one has no direction "
                "in which others differ from it"
            )
        elif self._places is not None and self._places[0] == extension.along(self):
            places = self._places[1]
        else:
            raise ValueError("pass the points memorized so far as X: this network does not know")
        weights, biases, places = extension.extend(network, places, points, targets)
        places_in = (extension.along(network), places)
        # at one go, lest Ctrl-C leave weights without their biases
        self.__dict__.update(weights=weights, biases=biases, _places=places_in)

    def to_network(self, dtype: str = "float64") -> Network:
        """Return the network with every parameter as the nearest float.

        The integer networks of `memorize` lose nothing; for others see `rounding_error`.

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
        """
        from exactnet.dense.network import Network

        choice(dtype, ("float64", "float32"), "dtype")
        self._check()
        weights = [to_floats(w, dtype) for w in self.weights]
        biases = [to_floats(b, dtype) for b in self.biases]
        return Network.from_arrays(weights, biases, self.activations)

    def _check(self) -> None:
        """Check what the attributes, which anyone may change, must fulfil together."""
        n = len(self.weights)
        if n == 0 or len(self.biases) != n or len(self.activations) != n:
            raise ValueError(
                "weights, biases and activations need one entry per layer, not "
                f"{n}, {len(self.biases)} and {len(self.activations)}"
            )
        inputs = self.weights[0].shape[1] if self.weights[0].ndim == 2 else 0
        for k, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            if w.ndim != 2 or w.shape[1] != inputs or b.shape != w.shape[:1] or 0 in w.shape:
                raise ValueError(
                    f"layer {k}: weights {w.shape} and biases {b.shape} do not fit "
                    f"each other or their {inputs} inputs"
                )
            inputs = w.shape[0]
        for activation in self.activations:
            if activation not in ACTIVATIONS:
                raise ValueError(
                    f"unknown activation {activation!r}: an exact network knows "
                    + " and ".join(ACTIVATIONS)
                )


class _FormatError(Exception):
    """What is wrong with a network file, without its name."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise _FormatError("an entry appears twice")
    return document


def _sized_list(value: Any, length: int | None, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _FormatError(f"{what} must be a list")
    if length is not None and len(value) != length:
        raise _FormatError(f"{what} has {len(value)} entries, not {length}")
    return value


def _row_text(row: npt.NDArray[Any], where: str) -> str:
    """Return a row of parameters as JSON."""
    return '["' + '","'.join([str(to_mpq(v, where)) for v in row.tolist()]) + '"]'


def _parse_row(cells: list[Any], where: str) -> list[Any]:
    try:
        if _RATIONALS.fullmatch(",".join(cells)):
            return list(map(gmpy2.mpq, cells))
    except (TypeError, ValueError, ZeroDivisionError):
        pass
    return [_parse(cell, f"{where}[{c}]") for c, cell in enumerate(cells)]


def _parse(cell: Any, where: str) -> Any:
    if not isinstance(cell, str) or not _RATIONAL.fullmatch(cell):
        raise _FormatError(f'{where} must be a rational as a string, "p/q", not {cell!r:.40}')
    try:
        return gmpy2.mpq(cell)
    except ZeroDivisionError:
        raise _FormatError(f"{where} has the denominator 0") from None


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
