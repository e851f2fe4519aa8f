"""When a training has converged, and its learning rate on the way there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy.typing as npt

from exactnet.dense.callbacks import EarlyStopping, StopTraining, copies
from exactnet.dense.history import DivergenceError, History
from exactnet.dense.network import Network

Array: TypeAlias = npt.NDArray[Any]

# A rate that is adapted no longer, as in scikit-learn.
_LEAST_RATE = 1e-6
# Training does not end at a loss that is greater than the least one by more than this share: where
# inputs are of many sizes, Adam leaps away and comes back.
_SPIKE = 0.1
# Epochs that may be lost to the record by Ctrl-C.
_MOST_AT_ONCE = 100


class Monitor(EarlyStopping):
    """Decides when a training has converged, by the rules of scikit-learn, and records it.

    Parameters
    ----------
    by_score : bool
        Watch the score on validation data, not the loss.
    rate : float, optional
        The learning rate to begin with, if it is divided by 5 where training would end.
    """

    def __init__(self, by_score: bool, rate: float | None = None) -> None:
        super().__init__()
        self.by_score = by_score
        self.rate = rate
        self.converged = False
        self._best = -math.inf
        self._waited = 0

    def start(
        self,
        tol: float,
        patience: float,
        score: Callable[[Network, History], float] | None,
        *,
        endless: bool = False,
        divisor: int = 1,
        verbose: bool = False,
    ) -> None:
        """Get ready for a training, which may be the next part of one; `endless` never ends it.

        `divisor` makes losses of a `History` those of scikit-learn.
        """
        self.history = History()
        self.scores: list[float] = []
        self._tol = tol
        self._patience = patience
        self._seen = 0  # epochs of this training
        self.score = score
        self._endless = endless
        self.divisor = divisor
        self._verbose = verbose

    def _check(self, recorded: Iterable[str]) -> None:
        """Need nothing that the history may lack."""

    @property
    def _next_call(self) -> int:
        """After how many epochs training may have converged, and `fit` must call this."""
        if self.score is not None or self._verbose:
            return 1
        return int(max(1, min(self._patience - self._waited + 1, _MOST_AT_ONCE)))

    def __call__(self, network: Network, epoch: int, history: History) -> None:
        """Record the epochs since the last call; StopTraining if training has converged."""
        self.history = history  # also for trainings that end by an exception
        self._next = epoch + 1
        for loss in history.loss[self._seen :]:
            self._seen += 1
            value = -loss / self.divisor
            self._say(f"Iteration {self._seen}, loss = {-value:.8f}")
            if self.score is not None:
                score = self.score(network, history)
                self.scores.append(score)
                self._say(f"Validation score: {score:f}")
                if not math.isfinite(score):
                    raise DivergenceError(
                        f"the score on the validation data is {score} in epoch {epoch} "
                        "(a smaller learning_rate may help)"
                    )
                if self.by_score:
                    value = score
            # As in scikit-learn, a score that is better by just tol counts, a loss too.
            self._waited = self._waited + 1 if value < self._best + self._tol else 0
            if value > self._best:
                self._best = value
                if self.by_score:
                    self.best_epoch, self._best_arrays = epoch, copies(network)
            if self._waited > self._patience:
                self._wait_no_longer(value)

    def current_rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch that is about to begin."""
        assert self.rate is not None
        return self.rate

    def _is_settled(self, value: float) -> bool:
        """Whether a loss is about the least so far, and not one of a step that went wrong."""
        if self.by_score or self.rate is not None:  # too small by now to come back from a leap
            return True
        return value >= self._best * (1 + _SPIKE) - self._tol

    def _wait_no_longer(self, value: float) -> None:
        what = "Validation score" if self.by_score else "Training loss"
        message = (
            f"{what} did not improve more than tol={self._tol:f} for {self._patience} "
            "consecutive epochs."
        )
        if self.rate is not None and self.rate > _LEAST_RATE:
            self.rate /= 5
            self._waited = 0
            self._say(f"{message} Setting learning rate to {self.rate:f}")
        elif not self._endless and self._is_settled(value):
            self.converged = True
            self._say(f"{message} Stopping.")
            raise StopTraining

    def diverged(self, network: Network) -> bool:
        """Give the network its best weights after a DivergenceError; whether there are any."""
        if self.best_epoch is None:
            return False
        if math.isfinite(self.scores[-1]):  # the next epoch did not get as far as to a score
            for values in (self.scores, self.history.loss, self.history.val_loss):
                values.append(math.nan)
        self.finish(network)
        self.converged = True
        return True

    def _say(self, line: str) -> None:
        if self._verbose:
            print(line)
