"""Networks of one half as networks of the other."""

from __future__ import annotations

from exactnet.base.checks import choice
from exactnet.dense.network import Network
from exactnet.exact.network import ExactNetwork
from exactnet.exact.parameters import ACTIVATIONS
from exactnet.exact.rationals import to_floats

__all__ = ["ExactNetwork", "Network", "to_exact", "to_network"]


def to_exact(network: Network) -> ExactNetwork:
    """Return the network with its parameters as rationals; see `Network.to_exact`."""
    for name in network._names:
        if name not in ACTIVATIONS:
            raise ValueError(f"the network has {name!r}, which has no exact counterpart")
    exact = ExactNetwork.from_arrays(network.weights, network.biases, network._names)
    exact.classes = network.classes
    return exact


def to_network(network: ExactNetwork, dtype: str) -> Network:
    """Return the network with its parameters as floats; see `ExactNetwork.to_network`."""
    choice(dtype, ("float64", "float32"), "dtype")
    parameters = network._parameters()
    parameters.check()
    weights = [to_floats(w, dtype) for w in parameters.weights]
    biases = [to_floats(b, dtype) for b in parameters.biases]
    result = Network.from_arrays(weights, biases, parameters.activations)
    result.classes = parameters.classes
    return result
