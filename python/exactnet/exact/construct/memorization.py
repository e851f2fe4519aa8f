"""Networks that reproduce given points without error, by construction instead of training."""

from __future__ import annotations

import math
import numbers
from typing import Any

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.checks import choice, positive_integer, shown, thread_count
from exactnet.base.memory import available_memory
from exactnet.base.progress import Progress, ProgressOption, reporting
from exactnet.exact.construct.duplicates import merge_duplicates
from exactnet.exact.construct.integer import construct_integer
from exactnet.exact.construct.line import (
    Line,
    in_order,
    one_layer,
    predict_one_layer_bytes,
    theorem4,
    zeros,
)
from exactnet.exact.data import Data, Table, as_integers, one_hot
from exactnet.exact.extension import along
from exactnet.exact.network import ExactNetwork
from exactnet.exact.rationals import LIMITS

CONSTRUCTIONS = ("auto", "theorem3", "theorem4", "one_layer", "integer")
ENCODINGS = (None, "scalar", "one_hot")
PROJECTIONS = ("smallest", "random", "lexicographic")
SCALES = ("least", "worst_case")

_BLAS_BYTES = 2**26


def capacity(a1: int, a2: int, outputs: int = 1) -> int:
    """Return how many points hidden widths (a1, a2) reproduce for certain.

    Inoue's Theorems 3 and 4: ``a1 * (a2 // outputs) + a2 % outputs``; or ``a2 + 1`` points
    along a line, where that is more.

    Parameters
    ----------
    a1, a2 : int
        Widths of the first and the second hidden layer.
    outputs : int
        Number of outputs.

    Raises
    ------
    ValueError
        If an argument is not a positive integer.

    Examples
    --------
    >>> from exactnet import capacity
    >>> capacity(100, 100), capacity(400, 250, outputs=10)
    (10000, 10000)
    """
    a1, a2 = positive_integer(a1, "a1"), positive_integer(a2, "a2")
    m = positive_integer(outputs, "outputs")
    return max(a1 * (a2 // m) + a2 % m, a2 + 1)


def memorize(
    X: Any,
    y: Any = None,
    *,
    hidden: tuple[int, ...] | None = None,
    construction: str = "auto",
    projection: Any = "smallest",
    scale: str = "least",
    seed: int = 0,
    encoding: str | None = None,
    dtype: str = "float64",
    n_threads: int = 1,
    max_bytes: int | None = None,
    progress: ProgressOption = None,
) -> ExactNetwork:
    """Construct a ReLU network that maps every row of X to its target with error 0.

    Theorems 3 and 4 of Inoue, "Expressive Numbers of Two or More Hidden Layer ReLU Neural
    Networks": hidden widths a1 and a2 reproduce any a1 * a2 points with one output, and
    a1 * (a2 // m) + a2 % m with m outputs. docs/construction.md has the closed form used here,
    and the other constructions.

    Parameters
    ----------
    X : array-like (points, features) of ints, floats, Fractions or mpq; or Dataset
        Floats stand for the binary fractions they are. Equal rows with equal targets count once.
    y : array-like (points,) or (points, outputs), likewise; or text
        Names of classes (points,) are encoded in sorted order as 0, 1, ..., and kept as the
        network's `classes`. Left out with a dataset, which has its targets.
    hidden : tuple of int, optional
        Widths of the hidden layers; by default the least that suffice, near-square where there
        are two. Where they hold more than the data needs, the parameters of unused units are 0.
        For "integer" they are upper limits.
    construction : {"auto", "theorem3", "theorem4", "one_layer", "integer"}
        "theorem3" and "theorem4" have two hidden layers and the fewest units. "one_layer" has one
        hidden layer, a unit for each point but one, and small parameters. "integer" has integer
        parameters so small that float inference in `dtype` has no error (see
        `exactnet.certificate`), and about twice the units. "auto" is "theorem3" for one output
        and "theorem4" for several, or "one_layer" where only that fits into `hidden`.
    projection : {"smallest", "random", "lexicographic"} or array-like (features,) of int
        How the direction is chosen along which the points are told apart. "smallest" searches
        for the shortest parameters; an array is used as it is. "integer" takes two
        directions and chooses them itself: "smallest" only.
    scale : {"least", "worst_case"}
        Size of the constants of Theorems 3 and 4: the least admissible, or those of the article's
        proof, which are far larger and reproduce its printed parameters.
    seed : int
        For the projections that draw random numbers: the same seed draws the same.
    encoding : {None, "scalar", "one_hot"}
        With "one_hot" y are labels 0, 1, ... and the network has an output for each, 1 for the
        label and 0 for the others; with "scalar" y are labels and the output is the label.
    dtype : {"float64", "float32"}
        What "integer" networks are to be evaluated in.
    n_threads : int
        Threads that build the second layer ("least" only).
    max_bytes : int, optional
        Refuse to start when the network would take more memory than this by prediction; by
        default the memory that is available now.
    progress : callable or True, optional
        Called now and then with the finished share, from 0 to 1; True shows a bar.

    Returns
    -------
    ExactNetwork

    Raises
    ------
    ValueError
        If equal rows have different targets, there are more points than the widths hold, the given
        projection does not tell the points apart, "integer" cannot keep its bound for these data
        (the message has the rounding that helps, if one does), an argument is unknown, or X or y is
        empty, ragged, not finite or of different length.
    TypeError
        If X or y holds something else than real numbers.
    MemoryError
        If the predicted size exceeds `max_bytes`.
    KeyboardInterrupt
        On Ctrl-C, within a fraction of a second.

    Examples
    --------
    >>> from exactnet import memorize
    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> net = memorize(X, [0, 1, 1, 0])
    >>> net
    ExactNetwork([2, 2, 2, 1], activations=['relu', 'relu', 'linear'])
    >>> net.predict(X)[:, 0]
    array([mpq(0,1), mpq(1,1), mpq(1,1), mpq(0,1)], dtype=object)

    Two outputs, and the same with integers that float inference evaluates without error:

    >>> memorize(X, [0, 1, 1, 0], encoding="one_hot")
    ExactNetwork([2, 4, 2, 2], activations=['relu', 'relu', 'linear'])
    >>> net = memorize(X, [0, 1, 1, 0], construction="integer")
    >>> net.to_network().predict(X).ravel()
    array([0., 1., 1., 0.])
    """
    choice(construction, CONSTRUCTIONS, "construction")
    choice(scale, SCALES, "scale")
    choice(encoding, ENCODINGS, "encoding")
    choice(dtype, tuple(LIMITS), "dtype")
    if isinstance(projection, str):
        choice(projection, PROJECTIONS, "projection")
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**64:
        raise ValueError(f"seed must be an integer from 0 to 2**64 - 1, not {shown(seed)}")
    n_threads = thread_count(n_threads)
    limit = _memory_limit(max_bytes)
    widths = None if hidden is None else _check_hidden(hidden)
    with reporting(progress, "constructing") as tell:
        data = Data(X, y, limit=None if max_bytes is None else limit)
        choices = (widths, construction, projection, scale, int(seed), encoding, dtype)
        network = _memorized(data, *choices, n_threads, limit, tell)
    network.classes = data.classes
    return network


def _memorized(
    data: Data,
    widths: tuple[int, ...] | None,
    construction: str,
    projection: Any,
    scale: str,
    seed: int,
    encoding: str | None,
    dtype: str,
    n_threads: int,
    limit: int,
    progress: Progress | None,
) -> ExactNetwork:
    points, targets = data.points, data.targets
    n_outputs = _n_outputs(targets, encoding)
    classes = data.classes
    if classes is not None and len(classes) < n_outputs:
        raise ValueError(f"y has one class, {shown(classes[0])}: one_hot is for two or more")
    if construction == "theorem3" and n_outputs != 1:
        raise ValueError(f"y has {n_outputs} outputs; Theorem 3 is for one, Theorem 4 for several")
    digits_of_data = 4 * _digits(points) + 2 * _digits(targets)
    _check_memory(digits_of_data, limit)
    kept = merge_duplicates(data, progress)
    n_points = len(kept)
    if n_points < points.shape[0]:
        data = data.rows(kept)
        points, targets = data.points, data.targets
    if construction == "integer":
        if not isinstance(projection, str) or projection != "smallest":
            raise ValueError('"integer" chooses its projections itself: projection="smallest"')
        _check_memory(24 * n_points * n_outputs, limit)
        if available_memory() < _BLAS_BYTES:
            raise MemoryError(
                f'"integer" needs {_BLAS_BYTES >> 20} MiB of memory for NumPy\'s products, which '
                "end the process where they find none: use another construction"
            )
        targets = _encoded(targets, n_outputs)
        return construct_integer(
            points, targets, widths, dtype, seed, lambda n: _check_memory(n, limit), progress
        )
    construction, widths = _plan(construction, widths, n_points, n_outputs)
    overhead = overhead_bytes(construction, widths, points.shape[1], n_points, n_outputs)
    overhead += digits_of_data
    _check_memory(overhead, limit)

    targets = _encoded(targets, n_outputs)
    line = _project(points, kept, projection, seed, progress)
    copies = 4 if construction == "one_layer" else 6
    overhead += copies * sum(max(0, t.numerator.bit_length() - 64) for t in line.t) // 8
    _check_memory(overhead, limit)
    components = [targets.rationals(c) for c in range(n_outputs)]
    if construction == "one_layer":
        order = in_order(line.t)
        _check_memory(overhead + predict_one_layer_bytes(line, components, order), limit)
        a1 = widths[0] if len(widths) == 2 else None
        return _remember(one_layer(line, components, order, widths[-1], a1), line)
    a1, a2 = widths
    digits = sum(
        _core.predict_theorem3_bytes(
            line.t[: a1 * (a2 // n_outputs)],
            component[: a1 * (a2 // n_outputs)],
            a1,
            a2 // n_outputs,
            scale,
            progress,
        )
        for component in components
    )
    _check_memory(overhead + 1.25 * digits, limit)  # measured: room that products leave unused
    network = theorem4(line, components, a1, a2, scale, n_threads, progress)
    return _remember(network, line)


def _remember(network: ExactNetwork, line: Line) -> ExactNetwork:
    """Note where the points lie, counted from the first unit's breakpoint."""
    shift = network.biases[0][0] - line.constant
    network._places = (along(network._parameters()), [t + shift for t in line.t])
    return network


def near_square(n_points: int, n_outputs: int = 1) -> tuple[int, int]:
    """Return the widths (a1, a2) of least sum that hold the points in whole groups."""
    depth = math.isqrt((n_points - 1) // n_outputs) + 1
    candidates = ((-(-n_points // q), q * n_outputs) for q in {depth, max(1, depth - 1)})
    return min(candidates, key=lambda widths: (sum(widths), -widths[0]))


def _check_hidden(hidden: Any) -> tuple[int, ...]:
    try:
        widths = tuple(hidden)
    except TypeError:
        widths = ()
    if len(widths) not in (1, 2):
        raise ValueError(f"hidden must be one or two widths (a1, a2), not {shown(hidden)}")
    return tuple(positive_integer(a, f"hidden[{k}]") for k, a in enumerate(widths))


def _n_outputs(targets: Table, encoding: str | None) -> int:
    """Return how many outputs the encoded targets have."""
    if encoding is None:
        return targets.shape[1]
    labels = targets.numerators
    if labels.shape[1] != 1 or targets.denominators != [1] or labels.min() < 0:
        raise ValueError(f"encoding={encoding!r} needs y to be one label 0, 1, ... per point")
    if encoding == "scalar":
        return 1
    highest = int(labels.max())
    if highest >= 2**16:
        raise ValueError(
            f"y has a label of {shown(highest)}: one_hot makes an output for each below it"
        )
    return max(2, highest + 1)


def _encoded(targets: Table, n_outputs: int) -> Table:
    """Return targets as outputs of the network: one_hot where these are more than the targets."""
    if n_outputs == targets.shape[1]:
        return targets
    return one_hot(targets, n_outputs)


def _plan(
    construction: str, widths: tuple[int, ...] | None, n_points: int, n_outputs: int
) -> tuple[str, tuple[int, ...]]:
    """Return the construction to use and its widths; an error if the points do not fit."""
    if widths is None:
        if construction == "one_layer":
            return construction, (max(1, n_points - 1),)
        return "theorem4", near_square(n_points, n_outputs)
    if len(widths) == 1 and construction.startswith("theorem"):
        raise ValueError(f"{construction!r} has two hidden layers, hidden={widths} is one width")
    # what each holds, in order of preference
    holds = (
        {} if len(widths) == 1 else {"theorem4": _groups_capacity(widths[0], widths[1], n_outputs)}
    )
    holds["one_layer"] = widths[-1] + 1
    if construction != "auto":
        name = "one_layer" if construction == "one_layer" else "theorem4"
        holds = {name: holds[name]}
    for name, most in holds.items():
        if n_points <= most:
            return name, widths
    most = max(holds.values())
    better = (n_points - 1,) if len(widths) == 1 else near_square(n_points, n_outputs)
    raise ValueError(
        f"{n_points} distinct points exceed the capacity {most} of hidden={widths} with "
        f"{n_outputs} output{'s' * (n_outputs > 1)}; hidden={better} would do"
    )


def _groups_capacity(a1: int, a2: int, n_outputs: int) -> int:
    """Of Theorem 4; without a unit for every output there are no groups."""
    return a1 * (a2 // n_outputs) + a2 % n_outputs if a2 >= n_outputs else 0


def _project(
    points: Table,
    kept: npt.NDArray[np.intp],
    projection: Any,
    seed: int,
    progress: Progress | None,
) -> Line:
    table = points.core
    n_features = points.shape[1]
    row = zeros(n_features)
    if isinstance(projection, str):
        weights, offsets, steps, values = _core.choose_projection(table, projection, seed, progress)
        constant = gmpy2.mpq(0)
        for c in range(n_features):
            weight = gmpy2.mpq(weights[c], steps[c])
            row[c] = weight * points.denominators[c]
            constant -= weight * offsets[c]
        t = [gmpy2.mpq(v) for v in values]
        if sum(map(bool, weights)) == 1 and any(w < 0 for w in weights):
            # along a single feature, to the right is where it is larger: `extend` likes that
            row, constant, t = -row, -constant, [-v for v in t]
        return Line(row, constant, t)
    given = as_integers(projection, "projection")
    if len(given) != n_features:
        raise ValueError(f"projection has {len(given)} entries but X has {n_features} features")
    row[:] = [gmpy2.mpq(w) for w in given]
    t = _core.project(table, [gmpy2.mpz(w) for w in given], progress)
    collision = _core.find_collision(t, progress)
    if collision is not None:
        i, k = sorted(int(kept[r]) for r in collision)
        raise ValueError(
            f"projection does not separate the points: rows {i} and {k} of X have "
            f"the same projection {t[collision[0]]}"
        )
    return Line(row, gmpy2.mpq(0), t)


def overhead_bytes(
    construction: str, widths: tuple[int, ...], n_features: int, n_points: int, n_outputs: int
) -> int:
    """Predict the bytes of all but digits: two copies of X, pointers, objects of the used units.

    Measured: 256 bytes for a weight as an mpq of the core and of gmpy2, 512 for the projection and
    the targets of a point. tests/exact/test_memory.py compares it with the process's peak.
    """
    copies = 2 * 8 * n_points * n_features
    if construction == "one_layer":
        return copies + 8 * sum(widths) * n_features + n_points * (460 + 275 * n_outputs)
    a1, a2 = widths
    depth = a2 // n_outputs
    used = -(-n_points // depth) * min(depth, n_points) * n_outputs
    return copies + 8 * a1 * (n_features + a2) + 256 * used + 512 * n_points * n_outputs


def _digits(table: Table) -> int:
    """Return the bytes of integers that are too long for 64 bits, as objects."""
    if table.numerators.dtype != object:
        return 0
    # row by row: a list of all would take long to make, and Ctrl-C waits
    return sum(40 + n.bit_length() // 8 for row in table.numerators for n in row.tolist())


def _memory_limit(max_bytes: int | None) -> int:
    # no machine has more, whatever the caller allows
    most = 2**48
    return (
        available_memory()
        if max_bytes is None
        else min(positive_integer(max_bytes, "max_bytes"), most)
    )


def _check_memory(predicted: float, limit: int) -> None:
    if predicted > limit:
        shown = min(predicted, 10**300) / 2**20  # widths may be of any size
        raise MemoryError(
            f"the network would take about {shown:.3g} MiB by prediction, more than "
            f"the {limit / 2**20:.3g} MiB allowed; use smaller widths or fewer points, or pass "
            "max_bytes to override"
        )
