"""Further points for a network that `memorize` has built."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, TypeAlias

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.exact.data import Data, Table, as_points
from exactnet.exact.parameters import Parameters

Array = npt.NDArray[Any]
# What places depend on, as `along` returns it, and where the memorized points lie.
Memorized: TypeAlias = tuple[tuple[Any, ...], list[Any]]


def _positions(parameters: Parameters, points: Table) -> list[Any]:
    """Return for every point what the first unit takes the ReLU of: its place along the line."""
    row, bias = parameters.weights[0][0], parameters.biases[0][0]
    common = gmpy2.lcm(*{w.denominator for w in row}, 1)
    weights = [gmpy2.mpz(w * common) for w in row]
    return [t / common + bias for t in _core.project(points.core, weights, None)]


def _places_of(parameters: Parameters, points: Table) -> list[Any]:
    """Return the places of memorized points, equal rows being one point."""
    first = _core.first_occurrences(points.core, None)
    return _positions(parameters, points.rows(np.unique(first)))


def along(parameters: Parameters) -> tuple[Any, ...]:
    """Return what places depend on."""
    return (*parameters.weights[0][0], parameters.biases[0][0])


def _check_extensible(parameters: Parameters) -> None:
    """Raise ValueError unless the network is a construction along a line."""
    if list(parameters.activations) not in (["relu", "linear"], ["relu", "relu", "linear"]):
        raise ValueError(
            "only networks of one or two hidden layers with relu, and linear outputs, can be "
            f"extended, not {parameters.activations}"
        )
    row = parameters.weights[0][0]
    if any((w != row).any() for w in parameters.weights[0] if any(w)):
        raise ValueError(
            "the network does not see points along one line, as an integer one: "
            "memorize all points anew"
        )


def _with_direction(parameters: Parameters, known: Table, points: Table) -> Parameters:
    """Return a network of a single point, which has no direction, with one that tells all apart.

    Its first unit keeps its value at that point, and with it the network its output there.
    """
    if _core.first_occurrences(known.core, None).any():
        raise ValueError("X are not the points that the network was built for: it has no direction")
    columns = [known.rationals(c)[:1] + points.rationals(c) for c in range(known.shape[1])]
    table = as_points([list(row) for row in zip(*columns, strict=True)])
    weights, _, steps, _ = _core.choose_projection(table.core, "smallest", 0, None)
    row = [gmpy2.mpq(w * d, s) for w, d, s in zip(weights, table.denominators, steps, strict=True)]
    first, bias = parameters.weights[0].copy(), parameters.biases[0].copy()
    first[0] = row
    bias[0] -= sum(w * column[0] for w, column in zip(row, columns, strict=True))
    return Parameters(
        [first, *parameters.weights[1:]], [bias, *parameters.biases[1:]], parameters.activations
    )


def extend(
    parameters: Parameters, new: Data, known: Table | None, memorized: Memorized | None
) -> tuple[list[Array], list[Array], Memorized]:
    """Return weights, biases and what is memorized with the new points.

    A point to the right of all others takes one unit of the last hidden layer, ReLU(t - the place
    of the last one), which is 0 at all others. Elsewhere a kink would change what is to the right
    of it; a hat between the two neighbours does not: three units of the first layer, whose sum
    goes through one of the second, if there is one.

    Parameters
    ----------
    parameters : Parameters
        Of the network, which stay as they are.
    new : Data
    known : Table, optional
        All points that the network has been built for.
    memorized : Memorized, optional
        What the network knows of them, for `known` being left out.
    """
    _check_extensible(parameters)
    has_direction = any(parameters.weights[0][0])
    if known is not None:
        if not has_direction:
            parameters = _with_direction(parameters, known, new.points)
        places = _places_of(parameters, known)
    elif not has_direction:
        raise ValueError(
            "pass the point memorized so far as X: a network of a single one has no direction "
            "in which others differ from it"
        )
    elif memorized is not None and memorized[0] == along(parameters):
        places = memorized[1]
    else:
        raise ValueError("pass the points memorized so far as X: this network does not know")
    weights, biases, places = _extended(parameters, places, new)
    return weights, biases, (along(parameters), places)


def _extended(
    parameters: Parameters, known: list[Any], new: Data
) -> tuple[list[Array], list[Array], list[Any]]:
    """Return weights, biases and places, in order."""
    if max(known) < 0 or len(set(known)) < len(known):
        raise ValueError("X are not the points that the network was built for")
    weights = [w.copy() for w in parameters.weights]
    biases = [b.copy() for b in parameters.biases]
    known = sorted(known)
    columns = [new.targets.rationals(c) for c in range(new.targets.shape[1])]
    along_line = [any(w) for w in weights[0]]
    for k, t in enumerate(_positions(parameters, new.points)):
        along_line += [True] * (len(weights[0]) - len(along_line))
        outputs = _outputs(weights, biases, along_line, t)
        errors = [column[k] - value for column, value in zip(columns, outputs, strict=True)]
        place = bisect_left(known, t)
        if not any(errors):
            if place == len(known) or known[place] != t:
                known.insert(place, t)
            continue
        if place < len(known) and known[place] == t:
            raise ValueError(
                f"row {k} of x_new is already there with another target, or the network cannot "
                "tell it from a point that is: memorize all points anew"
            )
        if place == len(known):
            start = known[-1]
            _add_unit(weights, biases, -start, [e / (t - start) for e in errors])
        else:
            _add_hat(weights, biases, t, known, place, errors)
        known.insert(place, t)
    return weights, biases, known


def _outputs(
    weights: list[Array], biases: list[Array], along_line: list[bool], t: Any
) -> list[Any]:
    """Evaluate the network at a place; not by the evaluator that is to verify the result."""
    origin = biases[0][0]
    h = [b + (t - origin) if sees else b for sees, b in zip(along_line, biases[0], strict=True)]
    for W, b in zip(weights[1:], biases[1:], strict=True):
        active = [i for i, value in enumerate(h) if value > 0]
        values = np.array([h[i] for i in active], dtype=object)
        h = [sum((row[active] * values).tolist(), bias) for row, bias in zip(W, b, strict=True)]
    return h


def _add_unit(
    weights: list[Array], biases: list[Array], bias: Any, output_weights: list[Any]
) -> None:
    """Add a unit ReLU(t + bias) to the last hidden layer."""
    if len(weights) == 2:
        row, bias = weights[0][0], biases[0][0] + bias
    else:
        row = np.full(weights[1].shape[1], gmpy2.mpq(0), dtype=object)
        row[0] = gmpy2.mpq(1)
    weights[-2] = np.concatenate([weights[-2], row[None]])
    biases[-2] = np.append(biases[-2], bias)
    column = np.array(output_weights, dtype=object)[:, None]
    weights[-1] = np.concatenate([weights[-1], column], axis=1)


def _add_hat(
    weights: list[Array],
    biases: list[Array],
    t: Any,
    known: list[Any],
    place: int,
    errors: list[Any],
) -> None:
    """Add a hat at t that is 0 at its neighbours and beyond."""
    right = known[place] - t
    reach = min(right, t - known[place - 1]) if place else right
    row, bias = weights[0][0], biases[0][0]
    weights[0] = np.concatenate([weights[0], np.tile(row, (3, 1))])
    biases[0] = np.append(biases[0], [bias - t + reach, bias - t, bias - t - reach])
    shape = [gmpy2.mpq(1), gmpy2.mpq(-2), gmpy2.mpq(1)]
    heights = [e / reach for e in errors]
    if len(weights) == 2:
        hat = np.array([[h * s for s in shape] for h in heights], dtype=object)
        weights[1] = np.concatenate([weights[1], hat], axis=1)
        return
    units = np.full((len(weights[1]) + 1, len(weights[0])), gmpy2.mpq(0), dtype=object)
    units[:-1, :-3] = weights[1]
    units[-1, -3:] = shape
    weights[1] = units
    biases[1] = np.append(biases[1], gmpy2.mpq(0))
    column = np.array(heights, dtype=object)[:, None]
    weights[2] = np.concatenate([weights[2], column], axis=1)
