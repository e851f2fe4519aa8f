"""What the estimators are told: their parameters, and the network and the training these are."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions

from exactnet.activations import HIDDEN, OBJECTS, Activation
from exactnet.dense import options
from exactnet.dense.callbacks import Callback
from exactnet.dense.initialization import INITS
from exactnet.dense.layers import DTYPES
from exactnet.dense.network import Network
from exactnet.sklearn.convergence import Monitor
from exactnet.sklearn.random_state import seed_of

# What scikit-learn calls them.
ALIASES = {"identity": "linear", "logistic": "sigmoid"}


class Parameters(BaseEstimator):
    """The parameters that classifier and regressor have in common."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(numbers.Integral, 1, None, closed="left")],
        "activation": [
            StrOptions({*HIDDEN, *ALIASES}),
            "array-like",
            *(kind for kind in OBJECTS if kind.name in HIDDEN),
        ],
        "solver": [StrOptions({"lbfgs", *options.OPTIMIZERS})],
        "penalty": [
            StrOptions({"l1", "l2"}),
            Interval(numbers.Real, 0, None, closed="neither"),
            None,
        ],
        "alpha": [Interval(numbers.Real, 0, None, closed="left")],
        "dropout": [Interval(numbers.Real, 0, 1, closed="left"), "array-like"],
        "clip_norm": [Interval(numbers.Real, 0, None, closed="neither"), None],
        "batch_size": [StrOptions({"auto"}), Interval(numbers.Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), callable],
        "learning_rate_init": [Interval(numbers.Real, 0, None, closed="neither")],
        "power_t": [Interval(numbers.Real, 0, None, closed="left")],
        "momentum": [Interval(numbers.Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(numbers.Real, 0, 1, closed="left")],
        "beta_2": [Interval(numbers.Real, 0, 1, closed="left")],
        "epsilon": [Interval(numbers.Real, 0, None, closed="neither")],
        "max_iter": [Interval(numbers.Integral, 1, None, closed="left")],
        "max_fun": [Interval(numbers.Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "tol": [Interval(numbers.Real, 0, None, closed="left")],
        "n_iter_no_change": [
            Interval(numbers.Integral, 1, None, closed="left"),
            Options(numbers.Real, {np.inf}),
        ],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(numbers.Real, 0, 1, closed="neither")],
        "init": [StrOptions(set(INITS)), None],
        "dtype": [StrOptions({"auto", *DTYPES})],
        "n_threads": [Interval(numbers.Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: Activation | Sequence[Activation] = "relu",
        *,
        solver: str = "adam",
        penalty: str | float | None = "l2",
        alpha: float = 0.0001,
        dropout: float | Sequence[float] = 0.0,
        clip_norm: float | None = None,
        batch_size: int | str = "auto",
        learning_rate: str | Callable[[int], float] = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        max_iter: int = 200,
        max_fun: int = 15000,
        shuffle: bool = True,
        tol: float = 1e-4,
        n_iter_no_change: float = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        init: str | None = None,
        dtype: str = "auto",
        n_threads: int = 1,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.penalty = penalty
        self.alpha = alpha
        self.dropout = dropout
        self.clip_norm = clip_norm
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.max_fun = max_fun
        self.shuffle = shuffle
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.init = init
        self.dtype = dtype
        self.n_threads = n_threads
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _loss_and_output(self) -> tuple[str, str]:
        """Return the loss and the activation of the outputs, as `Network` calls them."""
        raise NotImplementedError

    def _quantiles(self) -> Any:
        """Return those of the loss, one for every output, or None."""
        return None

    def _sizes(self, n_features: int, n_outputs: int) -> list[int]:
        hidden: Any = self.hidden_layer_sizes
        hidden = [hidden] if isinstance(hidden, numbers.Integral) else list(hidden)
        if any(not isinstance(n, numbers.Integral) or n <= 0 for n in hidden):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        return [n_features, *(int(n) for n in hidden), n_outputs]

    def _new_network(
        self, n_features: int, n_outputs: int, dtype: np.dtype[Any]
    ) -> tuple[Network, int]:
        """Return a network to be trained, and the seed of it and of splits."""
        sizes = self._sizes(n_features, n_outputs)
        given: Any = self.activation
        single = isinstance(given, (str, *OBJECTS))
        hidden = [given] * (len(sizes) - 2) if single else list(given)
        if len(hidden) != len(sizes) - 2:
            raise ValueError(
                f"activation has {len(hidden)} entries for {len(sizes) - 2} hidden layers"
            )
        names = [ALIASES.get(a, a) if isinstance(a, str) else a for a in hidden]
        random = check_random_state(self.random_state)
        seed = seed_of(self.random_state)
        network = Network(
            sizes,
            activations=[*names, self._loss_and_output()[1]],
            init=self.init or "zeros",
            dtype=dtype.name,
            seed=seed,
        )
        if self.init is None:
            # As scikit-learn draws them, so that a seed has the same meaning here and there.
            factor = 2 if single and names[:1] == ["sigmoid"] else 6
            for w, b in zip(network.weights, network.biases, strict=True):
                bound = math.sqrt(factor / sum(w.shape))
                w[...] = random.uniform(-bound, bound, w.shape[::-1]).T
                b[...] = random.uniform(-bound, bound, b.shape)
        return network, seed

    def _options(
        self,
        n_samples: int,
        mean_weight: float,
        fresh: bool,
        incremental: bool,
        monitor: Monitor,
        callbacks: list[Callback],
    ) -> options.Options:
        """Return the parameters as `Network.fit` calls them, for training further.

        The mean weight of a sample divides the penalty, as it has divided the weights.
        """
        done = 0 if fresh else len(self.loss_curve_)
        if isinstance(self.batch_size, str):
            batch_size = min(200, n_samples)
        else:
            batch_size = min(self.batch_size, n_samples)
            if batch_size < self.batch_size:
                warnings.warn(
                    f"batch_size={self.batch_size} is larger than sample size: it is clipped to "
                    f"{n_samples}",
                    stacklevel=4,
                )
        rate: options.Rate
        if callable(self.learning_rate):
            rate = self.learning_rate
        elif monitor.rate is not None:
            rate = monitor.current_rate
        elif self.solver == "sgd" and self.learning_rate == "invscaling":
            first, exponent = self.learning_rate_init, self.power_t
            seen = 1 + (0 if fresh else self.t_)
            rate = lambda epoch: first / (seen + (epoch - done) * n_samples) ** exponent  # noqa: E731
        else:
            rate = self.learning_rate_init
        # The power of the weights whose sum is the penalty; scikit-learn's is of half the squares.
        powers: dict[Any, float] = {None: 0.0, "l1": 1.0, "l2": 2.0}
        power: Any = powers.get(self.penalty, self.penalty)
        penalized = self.alpha and power  # without need it costs time
        return options.Options(
            epochs=done + (1 if incremental else self.max_iter),
            initial_epoch=done,
            batch_size=batch_size,
            learning_rate=rate,
            optimizer=self.solver,
            momentum=self.momentum if self.solver == "sgd" else 0.0,
            nesterov=self.nesterovs_momentum and self.solver == "sgd",
            betas=(self.beta_1, self.beta_2),
            epsilon=self.epsilon,
            loss=self._loss_and_output()[0],
            quantiles=self._quantiles(),
            penalty=self.penalty if penalized else None,
            alpha=self.alpha / power / batch_size / mean_weight if penalized else 0.0,
            dropout=self.dropout,
            clip_norm=self.clip_norm,
            shuffle=self.shuffle,
            callbacks=callbacks,
            n_threads=self.n_threads,
        )
