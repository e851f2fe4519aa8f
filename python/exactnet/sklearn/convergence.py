"""When a training has converged."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy.typing as npt

from exactnet.dense.callbacks import EarlyStopping, StopTraining, copies
from exactnet.dense.history import DivergenceError, History
from exactnet.dense.network import Network

Array: TypeAlias = npt.NDArray[Any]


class Monitor(EarlyStopping):
    """Decides when a training has converged, by the rules of scikit-learn, and records it."""

    def __init__(self, by_score: bool) -> None:
        super().__init__()
        self.by_score = by_score
        self.converged = False
        self._best = -math.inf
        self._waited = 0

    def start(
        self, tol: float, patience: float, score: Callable[[Network, History], float] | None
    ) -> None:
        """Get ready for a training, which may be the next part of one."""
        self.history = History()
        self.scores: list[float] = []
        self._tol = tol
        self._patience = patience
        self.score = score

    def __call__(self, network: Network, epoch: int, history: History) -> None:
        """Record an epoch; StopTraining if training has converged."""
        self.history = history  # also for trainings that end by an exception
        self._next = epoch + 1
        if self.score is not None:
            score = self.score(network, history)
            if not math.isfinite(score):
                raise DivergenceError(
                    f"the score on the validation data is {score} in epoch {epoch} "
                    "(a smaller learning_rate may help)"
                )
            self.scores.append(score)
        value = self.scores[-1] if self.by_score else -history.loss[-1]
        # As in scikit-learn, a score that is better by just tol counts, a loss too.
        self._waited = self._waited + 1 if value < self._best + self._tol else 0
        if value > self._best:
            self._best = value
            if self.by_score:
                self.best_epoch, self._best_arrays = epoch, copies(network)
        if self._waited > self._patience:
            self.converged = True
            raise StopTraining
