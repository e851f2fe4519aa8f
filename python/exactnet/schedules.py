"""Learning rates that change from epoch to epoch, for `Network.fit`."""

from __future__ import annotations

from dataclasses import dataclass

from exactnet.base.checks import is_integer, number, positive_integer, shown

__all__ = ["Exponential", "StepDecay", "power"]


@dataclass(frozen=True)
class StepDecay:
    """Multiply the rate by `factor` every `every` epochs.

    Raises
    ------
    ValueError
        If `rate` or `factor` is not positive and finite, or `every` no positive integer.

    Examples
    --------
    >>> from exactnet.schedules import StepDecay
    >>> rate = StepDecay(0.8, factor=0.5, every=10)
    >>> [rate(epoch) for epoch in (0, 9, 10, 25)]
    [0.8, 0.8, 0.4, 0.2]
    """

    rate: float
    factor: float = 0.5
    every: int = 10

    def __post_init__(self) -> None:
        number(self.rate, "rate", "positive")
        number(self.factor, "factor", "positive")
        positive_integer(self.every, "every")

    def __call__(self, epoch: int) -> float:
        """Return the rate of an epoch, counted from 0."""
        return float(self.rate) * power(self.factor, _epoch(epoch) // self.every)


@dataclass(frozen=True)
class Exponential:
    """Multiply the rate by `decay` after every epoch.

    Raises
    ------
    ValueError
        If `rate` or `decay` is not positive and finite.

    Examples
    --------
    >>> from exactnet.schedules import Exponential
    >>> rate = Exponential(1.0, decay=0.5)
    >>> [rate(epoch) for epoch in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    rate: float
    decay: float = 0.95

    def __post_init__(self) -> None:
        number(self.rate, "rate", "positive")
        number(self.decay, "decay", "positive")

    def __call__(self, epoch: int) -> float:
        """Return the rate of an epoch, counted from 0."""
        return float(self.rate) * power(self.decay, _epoch(epoch))


def power(base: float, exponent: int) -> float:
    """Return base ** exponent, exponent >= 0, by squaring: the same bits on every machine.

    ``**`` calls the C library's pow, whose last bit differs between libraries; products of floats
    are defined to the last bit.
    """
    result, square = 1.0, float(base)
    while exponent:
        if exponent & 1:
            result *= square
        square *= square
        exponent >>= 1
    return result


def _epoch(epoch: int) -> int:
    if not is_integer(epoch) or epoch < 0:
        raise ValueError(f"epoch must be an integer from 0, not {shown(epoch)}")
    return int(epoch)


def __dir__() -> list[str]:
    return sorted(__all__)
