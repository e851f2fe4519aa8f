"""Activation functions with parameters; those without have just a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-slope (z - threshold)))."""

    slope: float = 1.0
    threshold: float = 0.0
    name: ClassVar[str] = "sigmoid"


@dataclass(frozen=True)
class LeakyReLU:
    """z where z > 0, else slope z."""

    slope: float = 0.01
    name: ClassVar[str] = "leaky_relu"


@dataclass(frozen=True)
class Step:
    """1 where z > threshold, else 0. Only for prediction: it has no useful gradient."""

    threshold: float = 0.0
    name: ClassVar[str] = "step"


Activation: TypeAlias = str | Sigmoid | LeakyReLU | Step

NAMES = ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "step", "softmax")
_OBJECTS: dict[str, Sigmoid | LeakyReLU | Step] = {
    "sigmoid": Sigmoid(),
    "leaky_relu": LeakyReLU(),
    "step": Step(),
}


def describe(activation: Activation) -> tuple[str, float, float]:
    """Return name, slope and threshold as the core takes them; ValueError if it is unknown."""
    if isinstance(activation, str):
        if activation not in NAMES:
            raise ValueError(
                f"unknown activation {activation!r}; known are {', '.join(NAMES)}, "
                "Sigmoid(...), LeakyReLU(...) and Step(...)"
            )
        if activation not in _OBJECTS:
            return activation, 1.0, 0.0
        activation = _OBJECTS[activation]
    if not isinstance(activation, Sigmoid | LeakyReLU | Step):
        raise ValueError(
            f"an activation must be a name or an object of this module, not {activation!r}"
        )
    slope, threshold = getattr(activation, "slope", 1.0), getattr(activation, "threshold", 0.0)
    if not abs(slope) < float("inf") or not abs(threshold) < float("inf"):
        raise ValueError(f"the parameters of {activation!r} must be finite")
    return activation.name, float(slope), float(threshold)
