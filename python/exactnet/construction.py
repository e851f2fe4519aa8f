"""Networks that reproduce given points without error, by construction instead of training."""

from __future__ import annotations

import math
import numbers
from typing import Any

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet._checks import positive_integer, thread_count
from exactnet._tables import (
    Progress,
    Table,
    as_integers,
    as_points,
    as_targets,
    available_memory,
)
from exactnet.exact_network import ExactNetwork

CONSTRUCTIONS = ("auto", "theorem3")
PROJECTIONS = ("smallest", "random", "lexicographic")
SCALES = ("least", "worst_case")


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
    y: Any,
    *,
    hidden: tuple[int, int] | None = None,
    construction: str = "auto",
    projection: Any = "smallest",
    scale: str = "least",
    seed: int = 0,
    n_threads: int = 1,
    max_bytes: int | None = None,
    progress: Progress | None = None,
) -> ExactNetwork:
    """Construct a ReLU network that maps every row of X to its target with error 0.

    Theorem 3 of Inoue, "Expressive Numbers of Two or More Hidden Layer ReLU Neural Networks":
    hidden widths a1 and a2 reproduce any a1 * a2 points. docs/construction.md has the closed form
    used here.

    Parameters
    ----------
    X : array-like (points, features) of ints, floats, Fractions or mpq
        Floats stand for the binary fractions they are. Equal rows with equal targets count once.
    y : array-like (points,) or (points, 1), likewise
    hidden : (int, int), optional
        Widths of the two hidden layers; by default the smallest near-square ones that suffice.
        Where they hold more than the data needs, the parameters of unused units are 0.
    construction : {"auto", "theorem3"}
        "auto" is "theorem3" for one output.
    projection : {"smallest", "random", "lexicographic"} or array-like (features,) of int
        How the direction is chosen along which the points are told apart. "smallest" tries
        many and keeps the shortest parameters; an array is used as it is.
    scale : {"least", "worst_case"}
        Size of the constants: the least admissible, or those of the article's proof, which are
        far larger and reproduce its printed parameters.
    seed : int
        For the projections that draw random numbers; the same on every machine.
    n_threads : int
        Threads that build the second layer ("least" only).
    max_bytes : int, optional
        Refuse to start when the network would take more memory than this by prediction; by
        default the memory that is available now.
    progress : callable, optional
        Called now and then with the finished share, from 0 to 1.

    Returns
    -------
    ExactNetwork
        Of layer sizes [features, a1, a2, 1].

    Raises
    ------
    ValueError
        If equal rows have different targets, there are more points than ``a1 * a2``, the given
        projection does not tell the points apart, an argument is unknown, or X or y is empty,
        ragged, not finite or of different length.
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
    """
    _check_choice(construction, CONSTRUCTIONS, "construction")
    _check_choice(scale, SCALES, "scale")
    if isinstance(projection, str):
        _check_choice(projection, PROJECTIONS, "projection")
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**64:
        raise ValueError(f"seed must be an integer from 0 to 2**64 - 1, not {seed!r}")
    n_threads = thread_count(n_threads)
    limit = _memory_limit(max_bytes)
    widths = None if hidden is None else _check_hidden(hidden)

    points = as_points(X)
    targets = as_targets(y, points.shape[0])
    if targets.shape[1] != 1:
        raise ValueError(
            f"y has {targets.shape[1]} outputs; Theorem 3 constructs networks with one"
        )
    kept = _merge_duplicates(points, targets, progress)
    n_points = len(kept)
    if n_points < points.shape[0]:
        points, targets = points.rows(kept), targets.rows(kept)
    a1, a2 = near_square(n_points) if widths is None else widths
    if n_points > a1 * a2:
        b1, b2 = near_square(n_points)
        raise ValueError(
            f"{n_points} distinct points exceed the capacity {a1} * {a2} = {a1 * a2} of "
            f"hidden={(a1, a2)}; hidden={(b1, b2)} would do"
        )
    n_features = points.shape[1]
    overhead = _overhead(a1, a2, n_features, n_points)
    _check_memory(overhead, limit)

    row, constant, t = _project(points, kept, projection, int(seed), progress)
    values = targets.rationals(0)
    digits = _core.predict_theorem3_bytes(t, values, a1, a2, scale, progress)
    # The core's result and the copy handed to Python exist at the same time.
    _check_memory(overhead + 2 * digits, limit)
    breakpoints, weights, biases, output_weights, output_bias = _core.construct_theorem3(
        t, values, a1, a2, scale, n_threads, progress
    )

    p, q = len(breakpoints), len(biases)
    W1, b1_ = _zeros(a1, n_features), _zeros(a1)
    W1[:p] = row
    b1_[:p] = [constant - b for b in breakpoints]
    W2, b2_ = _zeros(a2, a1), _zeros(a2)
    for j in range(q):
        W2[j, :p] = weights[j * p : (j + 1) * p]
    b2_[:q] = biases
    W3, b3_ = _zeros(1, a2), _zeros(1)
    W3[0, :q] = output_weights
    b3_[0] = output_bias
    return ExactNetwork([W1, W2, W3], [b1_, b2_, b3_], ["relu", "relu", "linear"])


def near_square(n_points: int) -> tuple[int, int]:
    """Return the widths a1 >= a2 of least sum with a1 * a2 >= n_points."""
    a1 = math.isqrt(n_points - 1) + 1
    return a1, -(-n_points // a1)


def _check_choice(value: Any, choices: tuple[str, ...], name: str) -> None:
    if value not in choices:
        known = ", ".join(map(repr, choices))
        raise ValueError(f"{name} must be one of {known}, not {value!r}")


def _check_hidden(hidden: Any) -> tuple[int, int]:
    try:
        a1, a2 = hidden
    except (TypeError, ValueError):
        raise ValueError(f"hidden must be two widths (a1, a2), not {hidden!r}") from None
    return positive_integer(a1, "hidden[0]"), positive_integer(a2, "hidden[1]")


def _merge_duplicates(
    points: Table, targets: Table, progress: Progress | None
) -> npt.NDArray[np.intp]:
    """Return the rows to keep, the first of every set of equal ones."""
    first = _core.first_occurrences(points.to_core(), progress)
    rows = np.arange(len(first))
    kept = first == rows
    if not kept.all():
        column = targets.numerators[:, 0]
        for row in rows[~kept & (column != column[first])][:1]:
            i, values = int(first[row]), targets.rationals(0)
            raise ValueError(
                f"rows {i} and {row} of X are equal but their targets differ: "
                f"{values[i]} and {values[row]}"
            )
    return np.flatnonzero(kept)


def _project(
    points: Table,
    kept: npt.NDArray[np.intp],
    projection: Any,
    seed: int,
    progress: Progress | None,
) -> tuple[npt.NDArray[np.object_], Any, list[Any]]:
    """Return a first-layer row, a constant, and t = row . x + constant for every point."""
    table = points.to_core()
    n_features = points.shape[1]
    row = _zeros(n_features)
    if isinstance(projection, str):
        weights, offsets, steps, values = _core.choose_projection(table, projection, seed, progress)
        constant = gmpy2.mpq(0)
        for c in range(n_features):
            weight = gmpy2.mpq(weights[c], steps[c])
            row[c] = weight * points.denominators[c]
            constant -= weight * offsets[c]
        return row, constant, [gmpy2.mpq(t) for t in values]
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
    return row, gmpy2.mpq(0), t


def _overhead(a1: int, a2: int, n_features: int, n_points: int) -> int:
    """Predict the bytes around the digits: pointers in arrays, and objects of the used units.

    Measured: 256 bytes for a weight as an mpq of the core and of gmpy2, 512 for the projection and
    the target of a point. tests/test_memory.py compares the prediction with the process's peak.
    """
    used = (-(-n_points // a2)) * min(a2, n_points)
    return 8 * a1 * (n_features + a2) + 256 * used + 512 * n_points


def _zeros(*shape: int) -> npt.NDArray[np.object_]:
    return np.full(shape, gmpy2.mpq(0), dtype=object)


def _memory_limit(max_bytes: int | None) -> int:
    return available_memory() if max_bytes is None else positive_integer(max_bytes, "max_bytes")


def _check_memory(predicted: float, limit: int) -> None:
    if predicted > limit:
        shown = min(predicted, 10**300) / 2**20  # widths may be of any size
        raise MemoryError(
            f"the network would take about {shown:.3g} MiB by prediction, more than "
            f"the {limit / 2**20:.3g} MiB allowed; use smaller widths or fewer points, or pass "
            "max_bytes to override"
        )
