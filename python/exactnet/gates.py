"""The logical gates of two inputs, as perceptrons of fixed weights and as trained networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from exactnet.activations import Step
from exactnet.base.checks import shown
from exactnet.dense.history import History
from exactnet.dense.network import Network

__all__ = ["fixed", "learned", "truth_table"]

INPUTS = ((0, 0), (0, 1), (1, 0), (1, 1))
TRUTH = {
    "AND": (0, 0, 0, 1),
    "OR": (0, 1, 1, 1),
    "NAND": (1, 1, 1, 0),
    "XOR": (0, 1, 1, 0),
}
NAMES = tuple(TRUTH)

# Hidden units of the XOR that is learned. Two can represent it, but training often gets stuck.
_HIDDEN = 8


def fixed(name: str) -> Network:
    """Return a gate as a network of steps with weights one can check by hand.

    AND, OR and NAND are one perceptron: 1 where 0.5 a + 0.5 b exceeds the threshold 0.4 (OR) or
    0.7 (AND), and NAND is the AND with all signs turned. No single perceptron is XOR, whose ones
    and zeros no line separates (Minsky and Papert, Perceptrons, 1969): it is the AND of OR and
    NAND, in two layers.

    Parameters
    ----------
    name : {"AND", "OR", "NAND", "XOR"}

    Returns
    -------
    Network
        Of two inputs and one output, float64, with step activations.

    Raises
    ------
    ValueError
        If there is no such gate.

    Examples
    --------
    >>> from exactnet import gates
    >>> gates.fixed("OR")
    Network([2, 1], activations=[Step(threshold=0.4)], dtype=float64)
    >>> gates.truth_table(gates.fixed("OR"))
    (0, 1, 1, 1)
    >>> gates.fixed("XOR").predict([[0, 1], [1, 1]]).ravel()
    array([1., 0.])
    """
    _check_name(name)
    if name == "XOR":
        # A layer has one threshold: those of OR and NAND stand in the biases instead.
        weights = [[[0.5, 0.5], [-0.5, -0.5]], [[0.5, 0.5]]]
        return Network.from_arrays(weights, [[-0.4, 0.7], [0.0]], [Step(0.0), Step(0.7)])
    weight, threshold = {"AND": (0.5, 0.7), "OR": (0.5, 0.4), "NAND": (-0.5, -0.7)}[name]
    return Network.from_arrays([[[weight, weight]]], [[0.0]], Step(threshold))


def learned(name: str, *, seed: int = 0, epochs: int = 1000) -> tuple[Network, History]:
    """Train a gate: a sigmoid unit, for XOR with a layer of eight more before it.

    Gradient descent on all four rows of the table with the cross-entropy and Nesterov's momentum.
    With the default number of epochs it has learned every gate from each of the seeds 0 to 9,999.

    Parameters
    ----------
    name : {"AND", "OR", "NAND", "XOR"}
    seed : int
        Of the initial weights: the same seed gives the same gate.
    epochs : int

    Returns
    -------
    network : Network
        Of two inputs and one output, float64; `truth_table` says whether it is the gate by now.
    history : History

    Raises
    ------
    ValueError
        If there is no such gate, or seed or epochs is not as described.

    Examples
    --------
    >>> from exactnet import gates
    >>> network, history = gates.learned("XOR")
    >>> gates.truth_table(network) == gates.TRUTH["XOR"]
    True
    >>> network.predict(gates.INPUTS).round(1).ravel() + 0.0
    array([0., 1., 1., 0.])
    >>> history.loss[0] > 100 * history.loss[-1]
    True
    """
    _check_name(name)
    sizes = [2, _HIDDEN, 1] if name == "XOR" else [2, 1]
    network = Network(sizes, activations="sigmoid", init="normal", dtype="float64", seed=seed)
    history = network.fit(
        INPUTS,
        TRUTH[name],
        epochs=epochs,
        batch_size=len(INPUTS),
        learning_rate=0.5,
        momentum=0.9,
        nesterov=True,
        loss="cross_entropy",
        shuffle=False,
    )
    return network, history


def truth_table(network: Any) -> tuple[int, ...]:
    """Return what a network says to `INPUTS`: 1 where its output exceeds 1/2, else 0.

    Parameters
    ----------
    network : Network or ExactNetwork
        Of two inputs and one output.

    Returns
    -------
    tuple of four int
        For the inputs (0, 0), (0, 1), (1, 0) and (1, 1), as in `TRUTH`.

    Raises
    ------
    ValueError
        If the network has other numbers of inputs or outputs.
    TypeError
        If network is not a network.

    Examples
    --------
    >>> from exactnet import gates
    >>> for name in gates.NAMES:
    ...     print(name, *gates.truth_table(gates.fixed(name)))
    AND 0 0 0 1
    OR 0 1 1 1
    NAND 1 1 1 0
    XOR 0 1 1 0
    """
    sizes = getattr(network, "layer_sizes", None)
    if sizes is None:
        raise TypeError(f"network must be a network, not {shown(network)}")
    if sizes[0] != 2 or sizes[-1] != 1:
        raise ValueError(
            f"a gate has two inputs and one output, this network has {sizes[0]} and {sizes[-1]}"
        )
    return tuple(int(v) for v in np.asarray(network.predict(INPUTS))[:, 0] > 0.5)


def _check_name(name: str) -> None:
    if not isinstance(name, str) or name not in NAMES:
        raise ValueError(f"unknown gate {shown(name)}; known are {', '.join(NAMES)}")


def __dir__() -> list[str]:
    return sorted(__all__)
