"""What a training records, and the error that ends one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


class DivergenceError(ArithmeticError):
    """The loss of a training, or a parameter, became infinite or not a number.

    Attributes
    ----------
    history : History or None
        Of the epochs before.
    """

    history: History | None = None


@dataclass(repr=False)
class History:
    """What `Network.fit` recorded, one entry per epoch.

    Attributes
    ----------
    loss : list of float
        Mean loss over the training samples, each taken when its batch was trained, without penalty.
    val_loss : list of float
        Mean loss over the validation data, if there is any.
    val_accuracy : list of float
        Share of validation samples of the right class, if their targets are labels, one-hot rows,
        or 0 and 1 for a single sigmoid.
    learning_rate : list of float
    seconds : list of float
        Time of training, without validation and callbacks; of epochs that take microseconds, the
        mean over several.
    gradient_norms : list of list of float
        Of every layer's weights, the mean over the batches of the gradient's Euclidean norm, if
        asked for.
    """

    loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    gradient_norms: list[list[float]] = field(default_factory=list)

    def __repr__(self) -> str:
        n = len(self.loss)
        parts = [f"{n} epoch{'s' * (n != 1)}", *_metrics(self)]
        return f"History({', '.join([*parts, f'{sum(self.seconds):.3g} s'])})"


@dataclass
class OptimizerState:
    """What an optimiser, of `kind`, remembers between batches; (weights, biases) of every layer."""

    kind: str
    first: list[tuple[Array, Array]]
    second: list[tuple[Array, Array]] | None = None
    steps: int = 0


def epoch_line(epoch: int, epochs: int, history: History) -> str:
    """Return what `verbose` prints after an epoch."""
    first = f"epoch {epoch + 1}/{epochs}"
    seconds = history.seconds[-1]
    time = f"{seconds:.3g}" if seconds < 100 else f"{seconds:.0f}"
    return "  ".join([first, *_metrics(history, 6), f"{time} s"])


def epoch_postfix(history: History) -> str:
    """Return what stands behind the bar of `verbose`, short enough for 80 columns."""
    return "  ".join(_metrics(history))


def _metrics(history: History, digits: int = 4) -> list[str]:
    """Return the last entries."""
    parts = []
    if history.loss:
        parts.append(f"loss {history.loss[-1]:.{digits}g}")
    if history.val_loss:
        parts.append(f"val_loss {history.val_loss[-1]:.{digits}g}")
    if history.val_accuracy:
        parts.append(f"val_accuracy {history.val_accuracy[-1]:.4f}")
    return parts
