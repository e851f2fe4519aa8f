"""Small dense neural networks, constructed exactly and verified in rational arithmetic."""

from exactnet import activations, datasets
from exactnet.construction import capacity, memorize
from exactnet.exact_network import ExactNetwork
from exactnet.network import DivergenceError, History, Network
from exactnet.verification import VerificationReport, verify

__version__ = "0.1.0"

__all__ = [
    "DivergenceError",
    "ExactNetwork",
    "History",
    "Network",
    "VerificationReport",
    "activations",
    "capacity",
    "datasets",
    "memorize",
    "verify",
]
