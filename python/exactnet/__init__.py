"""Small dense neural networks, constructed exactly and verified in rational arithmetic."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exactnet import activations, datasets
    from exactnet.certification import FloatCertificate, certificate
    from exactnet.construction import capacity, memorize
    from exactnet.exact_network import ExactNetwork
    from exactnet.network import DivergenceError, History, Network
    from exactnet.rounding import RoundingError, rounding_error
    from exactnet.verification import VerificationReport, verify

__version__ = "0.1.0"

__all__ = [
    "DivergenceError",
    "ExactNetwork",
    "FloatCertificate",
    "History",
    "Network",
    "RoundingError",
    "VerificationReport",
    "activations",
    "capacity",
    "certificate",
    "datasets",
    "memorize",
    "rounding_error",
    "verify",
]

# Names are loaded when they are first used: gmpy2 takes longer than all of the float half.
_MODULES = {
    "certification": ("FloatCertificate", "certificate"),
    "construction": ("capacity", "memorize"),
    "exact_network": ("ExactNetwork",),
    "network": ("DivergenceError", "History", "Network"),
    "rounding": ("RoundingError", "rounding_error"),
    "verification": ("VerificationReport", "verify"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in ("activations", "datasets"):
        return import_module(f"exactnet.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'exactnet' has no attribute {name!r}")
    value = getattr(import_module(f"exactnet.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
