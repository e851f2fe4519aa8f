"""Small dense neural networks, constructed exactly and verified in rational arithmetic."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exactnet import activations, datasets, diagnostics, gates, plot, schedules
    from exactnet import sklearn as sklearn  # not in __all__, for it needs scikit-learn
    from exactnet.base.dataset import Dataset
    from exactnet.bridge.approximation import Approximation, approximate
    from exactnet.bridge.certification import FloatCertificate, certificate
    from exactnet.bridge.rounding import RoundingError, rounding_error
    from exactnet.dense.callbacks import (
        Checkpoint,
        CSVLogger,
        EarlyStopping,
        ReduceOnPlateau,
        StopTraining,
    )
    from exactnet.dense.history import DivergenceError, History
    from exactnet.dense.network import Network
    from exactnet.dense.sweeping import SweepResult, SweepResults, sweep
    from exactnet.exact.construct.memorization import capacity, memorize
    from exactnet.exact.construct.planning import Plan, plan
    from exactnet.exact.network import ExactNetwork
    from exactnet.exact.verification import VerificationReport, verify

__version__ = "0.1.0"

__all__ = [
    "Approximation",
    "CSVLogger",
    "Checkpoint",
    "Dataset",
    "DivergenceError",
    "EarlyStopping",
    "ExactNetwork",
    "FloatCertificate",
    "History",
    "Network",
    "Plan",
    "ReduceOnPlateau",
    "RoundingError",
    "StopTraining",
    "SweepResult",
    "SweepResults",
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
    "base.dataset": ("Dataset",),
    "bridge.approximation": ("Approximation", "approximate"),
    "bridge.certification": ("FloatCertificate", "certificate"),
    "bridge.rounding": ("RoundingError", "rounding_error"),
    "dense.callbacks": (
        "CSVLogger",
        "Checkpoint",
        "EarlyStopping",
        "ReduceOnPlateau",
        "StopTraining",
    ),
    "dense.history": ("DivergenceError", "History"),
    "dense.network": ("Network",),
    "dense.sweeping": ("SweepResult", "SweepResults", "sweep"),
    "exact.construct.memorization": ("capacity", "memorize"),
    "exact.construct.planning": ("Plan", "plan"),
    "exact.network": ("ExactNetwork",),
    "exact.verification": ("VerificationReport", "verify"),
}
_SUBMODULES = ("activations", "datasets", "diagnostics", "gates", "plot", "schedules", "sklearn")
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        try:
            return import_module(f"exactnet.{name}")
        except ModuleNotFoundError as error:  # hasattr and help expect another
            raise AttributeError(f"exactnet.{name} needs {error.name}: {error}") from error
    if name not in _HOMES:
        raise AttributeError(f"module 'exactnet' has no attribute {name!r}")
    value = getattr(import_module(f"exactnet.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__", "sklearn"])
