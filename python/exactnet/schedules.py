"""Learning rates that change from epoch to epoch, for `Network.fit`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """Multiply the rate by `factor` every `every` epochs.

    Examples
    --------
    >>> from exactnet.schedules import Step
    >>> rate = Step(0.8, factor=0.5, every=10)
    >>> [rate(epoch) for epoch in (0, 9, 10, 25)]
    [0.8, 0.8, 0.4, 0.2]
    """

    rate: float
    factor: float = 0.5
    every: int = 10

    def __call__(self, epoch: int) -> float:
        """Return the rate of an epoch, counted from 0."""
        return self.rate * self.factor ** (epoch // self.every)


@dataclass(frozen=True)
class Exponential:
    """Multiply the rate by `decay` after every epoch.

    Examples
    --------
    >>> from exactnet.schedules import Exponential
    >>> rate = Exponential(1.0, decay=0.5)
    >>> [rate(epoch) for epoch in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    rate: float
    decay: float = 0.95

    def __call__(self, epoch: int) -> float:
        """Return the rate of an epoch, counted from 0."""
        return self.rate * self.decay**epoch
