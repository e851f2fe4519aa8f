"""Small dense neural networks, constructed exactly and verified in rational arithmetic."""

from exactnet import datasets
from exactnet.construction import capacity, memorize
from exactnet.exact_network import ExactNetwork
from exactnet.verification import VerificationReport, verify

__version__ = "0.1.0"

__all__ = [
    "ExactNetwork",
    "VerificationReport",
    "capacity",
    "datasets",
    "memorize",
    "verify",
]
