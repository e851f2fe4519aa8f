"""The parameters of a training."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.checks import (
    choice,
    entries,
    flag,
    is_integer,
    number,
    positive_integer,
    shown,
    thread_count,
)
from exactnet.dense.callbacks import Callback, check_callbacks
from exactnet.dense.layers import check_objective

Rate: TypeAlias = float | Callable[[int], float]

OPTIMIZERS = ("sgd", "adam")


# Neither is asked for, and making them would slow the import.
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Options:
    """What `Network.fit` is given beside data, as its docstring describes, with its defaults.

    Raises
    ------
    ValueError
        If one of them is wrong for any network.
    """

    epochs: int = 1
    initial_epoch: int = 0
    batch_size: int = 32
    learning_rate: Rate = 0.1
    optimizer: str = "sgd"
    momentum: float = 0.0
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    loss: str | None = None
    quantiles: float | Sequence[float] | None = None
    penalty: str | float | None = None
    alpha: float = 0.0
    dropout: float | Sequence[float] = 0.0
    clip_norm: float | None = None
    validation_split: float = 0.0
    shuffle: bool = True
    until: float | None = None
    callbacks: Callback | Iterable[Callback] = ()
    record_gradient_norms: bool = False
    n_threads: int = 1
    verbose: bool = False

    def __post_init__(self) -> None:
        given = self.__dict__  # to write into: the fields are frozen for others
        given["epochs"] = positive_integer(self.epochs, "epochs")
        given["batch_size"] = positive_integer(self.batch_size, "batch_size")
        given["n_threads"] = thread_count(self.n_threads)
        if not is_integer(self.initial_epoch) or not 0 <= self.initial_epoch < self.epochs:
            raise ValueError(
                f"initial_epoch must be an integer from 0 to {self.epochs - 1}, below epochs, "
                f"not {shown(self.initial_epoch)}"
            )
        given["initial_epoch"] = int(self.initial_epoch)
        choice(self.optimizer, OPTIMIZERS, "optimizer")
        given["momentum"] = number(self.momentum, "momentum", "in [0, 1)")
        if self.optimizer == "adam" and self.momentum:
            raise ValueError("momentum is for sgd; adam has betas")
        given["nesterov"] = flag(self.nesterov, "nesterov")
        if self.optimizer == "adam" and self.nesterov:
            raise ValueError("nesterov is for sgd; adam has betas")
        betas = entries(self.betas, "betas", "two numbers in [0, 1)")
        if len(betas) != 2:
            raise ValueError(f"betas must be two numbers in [0, 1), not {shown(self.betas)}")
        given["betas"] = tuple(
            number(beta, f"betas[{k}]", "in [0, 1)") for k, beta in enumerate(betas)
        )
        given["epsilon"] = number(self.epsilon, "epsilon", "positive")
        check_objective(self.loss, self.quantiles)
        self._check_penalty()
        given["alpha"] = number(self.alpha, "alpha", "at least 0")
        if self.alpha and self.penalty is None:
            raise ValueError(f"alpha={shown(self.alpha)} is for a penalty, such as penalty='l2'")
        given["dropout"] = _dropout(self.dropout)
        given["validation_split"] = number(self.validation_split, "validation_split", "in [0, 1)")
        if self.clip_norm is not None:
            given["clip_norm"] = number(self.clip_norm, "clip_norm", "positive")
        if self.until is not None:
            given["until"] = number(self.until, "until", "positive")
        if isinstance(self.learning_rate, str):
            raise ValueError(
                "learning_rate must be a positive number or a callable, such as those of "
                f"exactnet.schedules, not {shown(self.learning_rate)}"
            )
        if not callable(self.learning_rate):
            given["learning_rate"] = number(self.learning_rate, "learning_rate", "positive")
        for name in ("shuffle", "record_gradient_norms", "verbose"):
            given[name] = flag(given[name], name)
        given["callbacks"] = check_callbacks(self.callbacks)

    def _check_penalty(self) -> None:
        if isinstance(self.penalty, str):
            if self.penalty in ("l1", "l2"):
                return
        elif isinstance(self.penalty, numbers.Real):
            number(self.penalty, "penalty", "positive")
            return
        elif self.penalty is None:
            return
        raise ValueError(
            f"penalty must be 'l1', 'l2', a positive number or None, not {shown(self.penalty)}"
        )

    @property
    def has_state(self) -> bool:
        """Whether the optimiser remembers anything between batches."""
        return self.optimizer == "adam" or self.momentum != 0

    def rates(self, first: int, count: int) -> npt.NDArray[np.float64]:
        """Return the learning rates of some epochs."""
        rate = self.learning_rate
        if not callable(rate):
            return np.full(count, rate)
        return np.array(
            [
                number(rate(epoch), f"learning_rate({epoch})", "positive")
                for epoch in range(first, first + count)
            ]
        )

    def for_core(
        self, objective: tuple[str, list[float]], n_samples: int, n_hidden: int
    ) -> _core.TrainOptions:
        """Return them as the core takes them, for so many samples and hidden layers.

        The objective is the loss that they mean for a network, and its quantiles.
        """
        loss, quantiles = objective
        dropout = self.dropout
        if isinstance(dropout, float):
            dropout = [dropout] * n_hidden
        if len(dropout) != n_hidden:
            raise ValueError(f"dropout has {len(dropout)} rates for {n_hidden} hidden layers")
        penalty = self.penalty
        batch_size = min(self.batch_size, n_samples)
        return _core.TrainOptions(
            loss=loss,
            batch_size=batch_size,
            n_threads=min(self.n_threads, batch_size),
            optimizer=self.optimizer,
            momentum=self.momentum,
            nesterov=self.nesterov,
            beta1=self.betas[0],
            beta2=self.betas[1],
            epsilon=self.epsilon,
            clip_norm=self.clip_norm or 0.0,
            alpha=0.0 if penalty is None else self.alpha,
            power=float(penalty[1] if isinstance(penalty, str) else penalty or 2),
            dropout=list(dropout),
            record_norms=self.record_gradient_norms,
            quantiles=quantiles,
        )


def _dropout(dropout: float | Sequence[float]) -> float | list[float]:
    if isinstance(dropout, numbers.Real):
        return number(dropout, "dropout", "in [0, 1)")
    rates = entries(dropout, "dropout", "a number in [0, 1), or one for every hidden layer")
    return [number(rate, f"dropout[{k}]", "in [0, 1)") for k, rate in enumerate(rates)]
