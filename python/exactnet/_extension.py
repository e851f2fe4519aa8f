"""Further points for a network that `memorize` has built."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet._tables import Table
from exactnet.exact_network import ExactNetwork

Array = npt.NDArray[Any]


def positions(network: ExactNetwork, points: Table) -> list[Any]:
    """Return for every point what the first unit takes the ReLU of: its place along the line."""
    row, bias = network.weights[0][0], network.biases[0][0]
    common = gmpy2.lcm(*{w.denominator for w in row}, 1)
    weights = [gmpy2.mpz(w * common) for w in row]
    return [t / common + bias for t in _core.project(points.to_core(), weights, None)]


def check_extensible(network: ExactNetwork, t: list[Any]) -> None:
    """Raise ValueError unless the network computes along a line on which all t are known."""
    if network.activations[-1] != "linear" or len(network.weights) not in (2, 3):
        raise ValueError("only networks of one or two hidden layers can be extended")
    row = network.weights[0][0]
    if not any(row):
        raise ValueError(
            "the network has no direction in which points differ: memorize all points anew"
        )
    if any((w != row).any() for w in network.weights[0] if any(w)):
        raise ValueError(
            "the network does not see points along one line, as an integer one: "
            "memorize all points anew"
        )
    if max(t) < 0 or len(set(t)) < len(t):
        raise ValueError("X are not the points that the network was built for")


def extend(
    network: ExactNetwork, known: list[Any], points: Table, targets: Table
) -> tuple[list[Array], list[Array], list[Any]]:
    """Return weights, biases and known places with the new points; the network stays as it is.

    A point to the right of all others takes one unit of the last hidden layer, ReLU(t - the place
    of the last one), which is 0 at all others. Elsewhere a kink would change what is to the right
    of it; a hat between the two neighbours does not: three units of the first layer, whose sum
    goes through one of the second, if there is one.
    """
    weights = [w.copy() for w in network.weights]
    biases = [b.copy() for b in network.biases]
    known = sorted(known)
    columns = [targets.rationals(c) for c in range(targets.shape[1])]
    for k, t in enumerate(positions(network, points)):
        y = [column[k] for column in columns]
        now = ExactNetwork(weights, biases, network.activations)
        errors = [a - b for a, b in zip(y, _outputs(now, points, k), strict=True)]
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


def _outputs(network: ExactNetwork, points: Table, k: int) -> list[Any]:
    values = _core.predict(network.to_core(), points.rows(np.array([k])).to_core(), 1, None)
    return list(values)


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
