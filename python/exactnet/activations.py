"""Activation functions with parameters; those without have just a name.

Every parameter is 0 or of a magnitude from 1e-18 to 1e18, so that it, and the product of any two,
is a number of float32 as of float64. `Network` takes it as the nearest number of its own type.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, TypeAlias

from exactnet.base.checks import number, shown

__all__ = ["LeakyReLU", "Sigmoid", "Step"]


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-slope (z - threshold)))."""

    slope: float = 1.0
    threshold: float = 0.0
    name: ClassVar[str] = "sigmoid"


@dataclass(frozen=True)
class LeakyReLU:
    """z where z > 0, else slope z; slope >= 0."""

    slope: float = 0.01
    name: ClassVar[str] = "leaky_relu"


@dataclass(frozen=True)
class Step:
    """1 where z > threshold, else 0. Only for prediction: it has no useful gradient."""

    threshold: float = 0.0
    name: ClassVar[str] = "step"


Activation: TypeAlias = str | Sigmoid | LeakyReLU | Step

# Range of the parameters' magnitudes.
_LEAST, _MOST = 1e-18, 1e18

# Those of hidden layers that can be trained, those that only the last layer may have, and all.
HIDDEN = ("linear", "sigmoid", "tanh", "relu", "leaky_relu")
LAST = ("softmax", "exp")
NAMES = (*HIDDEN, "step", *LAST)
OBJECTS = (Sigmoid, LeakyReLU, Step)


def describe(activation: Activation) -> tuple[str, float, float]:
    """Return name, slope and threshold as the core takes them; ValueError if one is wrong."""
    if isinstance(activation, str):
        known = _KNOWN.get(activation)
        if known is None:
            raise ValueError(
                f"unknown activation {shown(activation)}; known are {', '.join(NAMES)}, "
                "Sigmoid(...), LeakyReLU(...) and Step(...)"
            )
        return known
    if not isinstance(activation, OBJECTS):
        raise ValueError(
            f"an activation must be a name or an object of this module, not {shown(activation)}"
        )
    for field in fields(activation):
        name = f"{field.name} of {type(activation).__name__}"
        value = number(getattr(activation, field.name), name)
        if value and not _LEAST <= abs(value) <= _MOST:
            raise ValueError(
                f"{name} must be 0 or of a magnitude from {_LEAST} to {_MOST}, not {shown(value)}"
            )
        # The derivative is taken by the sign of the activation, which must be that of z.
        if value < 0 and isinstance(activation, LeakyReLU):
            raise ValueError(f"{name} must be at least 0, not {shown(value)}")
    slope, threshold = getattr(activation, "slope", 1.0), getattr(activation, "threshold", 0.0)
    return activation.name, float(slope), float(threshold)


# What names stand for, found once: a network asks for each of its layers several times.
_KNOWN = {name: (name, 1.0, 0.0) for name in NAMES}
_KNOWN.update((kind.name, describe(kind())) for kind in OBJECTS)


def __dir__() -> list[str]:
    return sorted(__all__)
