"""Small dense neural networks, constructed exactly and verified in rational arithmetic."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exactnet import activations, datasets, diagnostics, gates, plot, schedules
    from exactnet.approximation import Approximation, approximate
    from exactnet.certification import FloatCertificate, certificate
    from exactnet.construction import capacity, memorize
    from exactnet.exact_network import ExactNetwork
    from exactnet.network import DivergenceError, History, Network
    from exactnet.planning import Plan, plan
    from exactnet.rounding import RoundingError, rounding_error
    from exactnet.sweeping import SweepResult, sweep
    from exactnet.training import Checkpoint, EarlyStopping
    from exactnet.verification import VerificationReport, verify

__version__ = "0.1.0"

__all__ = [
    "Approximation",
    "Checkpoint",
    "DivergenceError",
    "EarlyStopping",
    "ExactNetwork",
    "FloatCertificate",
    "History",
    "Network",
    "Plan",
    "RoundingError",
    "SweepResult",
    "VerificationReport",
    "activations",
    "approximate",
    "capacity",
    "certificate",
    "datasets",
    "diagnostics",
    "gates",
    "memorize",
    "plan",
    "plot",
    "rounding_error",
    "schedules",
    "sweep",
    "verify",
]

# Names are loaded when they are first used: gmpy2 takes longer than all of the float half.
_MODULES = {
    "approximation": ("Approximation", "approximate"),
    "certification": ("FloatCertificate", "certificate"),
    "construction": ("capacity", "memorize"),
    "exact_network": ("ExactNetwork",),
    "network": ("DivergenceError", "History", "Network"),
    "planning": ("Plan", "plan"),
    "rounding": ("RoundingError", "rounding_error"),
    "sweeping": ("SweepResult", "sweep"),
    "training": ("Checkpoint", "EarlyStopping"),
    "verification": ("VerificationReport", "verify"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in ("activations", "datasets", "diagnostics", "gates", "plot", "schedules"):
        return import_module(f"exactnet.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'exactnet' has no attribute {name!r}")
    value = getattr(import_module(f"exactnet.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
