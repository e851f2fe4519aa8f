"""What classifier and regressor have in common."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    check_non_negative,
)

from exactnet.activations import HIDDEN, OBJECTS, Activation
from exactnet.base.checks import refuse_mask
from exactnet.base.dataset import Dataset
from exactnet.dense import options
from exactnet.dense.callbacks import Callback, check_callbacks
from exactnet.dense.history import DivergenceError, History
from exactnet.dense.initialization import INITS
from exactnet.dense.layers import DTYPES
from exactnet.dense.network import Network
from exactnet.dense.training import fit as train
from exactnet.sklearn.convergence import Monitor
from exactnet.sklearn.preparation import Keep, once, read, read_samples, targets_of
from exactnet.sklearn.random_state import seed_of

Array: TypeAlias = npt.NDArray[Any]

# What scikit-learn calls them.
_ALIASES = {"identity": "linear", "logistic": "sigmoid"}


class BaseMLP(BaseEstimator):
    """What classifier and regressor have in common."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(numbers.Integral, 1, None, closed="left")],
        "activation": [
            StrOptions({*HIDDEN, *_ALIASES}),
            "array-like",
            *(kind for kind in OBJECTS if kind.name in HIDDEN),
        ],
        "solver": [StrOptions({*options.OPTIMIZERS})],
        "penalty": [
            StrOptions({"l1", "l2"}),
            Interval(numbers.Real, 0, None, closed="neither"),
            None,
        ],
        "alpha": [Interval(numbers.Real, 0, None, closed="left")],
        "dropout": [Interval(numbers.Real, 0, 1, closed="left"), "array-like"],
        "clip_norm": [Interval(numbers.Real, 0, None, closed="neither"), None],
        "batch_size": [StrOptions({"auto"}), Interval(numbers.Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant"}), callable],
        "learning_rate_init": [Interval(numbers.Real, 0, None, closed="neither")],
        "momentum": [Interval(numbers.Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(numbers.Real, 0, 1, closed="left")],
        "beta_2": [Interval(numbers.Real, 0, 1, closed="left")],
        "epsilon": [Interval(numbers.Real, 0, None, closed="neither")],
        "max_iter": [Interval(numbers.Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "tol": [Interval(numbers.Real, 0, None, closed="left")],
        "n_iter_no_change": [
            Interval(numbers.Integral, 1, None, closed="left"),
            Options(numbers.Real, {np.inf}),
        ],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(numbers.Real, 0, 1, closed="neither")],
        "init": [StrOptions(set(INITS))],
        "dtype": [StrOptions({*DTYPES})],
        "n_threads": [Interval(numbers.Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    network_: Network
    _split_seed: int
    _monitor: Monitor

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: Activation | Sequence[Activation] = "relu",
        *,
        solver: str = "adam",
        penalty: str | float | None = "l2",
        alpha: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        clip_norm: float | None = None,
        batch_size: int | str = "auto",
        learning_rate: str | Callable[[int], float] = "constant",
        learning_rate_init: float = 0.001,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        max_iter: int = 200,
        shuffle: bool = True,
        tol: float = 1e-4,
        n_iter_no_change: float = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        init: str = "glorot_uniform",
        dtype: str = "float32",
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
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.max_iter = max_iter
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

    @property
    def coefs_(self) -> list[Array]:
        """Weights of every layer, (inputs, outputs) as in scikit-learn; views of the network."""
        return [w.T for w in self.network_.weights]

    @property
    def intercepts_(self) -> list[Array]:
        """Biases of every layer."""
        return list(self.network_.biases)

    @property
    def loss_(self) -> float:
        """Mean loss of the last epoch."""
        return self.loss_curve_[-1]

    @property
    def best_loss_(self) -> float:
        """Least mean loss of an epoch."""
        return min(self.loss_curve_)

    @property
    def best_validation_score_(self) -> float | None:
        """Greatest of `validation_scores_`."""
        return None if self.validation_scores_ is None else max(self.validation_scores_)

    # What the two estimators do in their own ways

    _loss: ClassVar[str]
    _output: ClassVar[str]
    _several: ClassVar[bool]  # whether y may have several columns

    def _kind(self) -> tuple[Hashable, ...]:
        """Return what decides, beside the data, what the network is given of them."""
        return BaseMLP, self.dtype

    def _targets(
        self, y: Array, fresh: bool, incremental: bool, classes: Any, keep: Keep
    ) -> tuple[Array, int]:
        """Return y as the network takes it and the number of outputs."""
        raise NotImplementedError

    def _validation_targets(self, y: Any, n_outputs: int) -> Array:
        raise NotImplementedError

    def _score(self, y: Array, X: Array) -> Callable[[Network, History], float]:
        raise NotImplementedError

    def _weights(self, y: Array, weights: Array | None, incremental: bool) -> Array | None:
        return weights

    # Training

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        validation: tuple[Any, Any] = (None, None),
        callbacks: Iterable[Callback] = (),
        incremental: bool = False,
    ) -> Any:
        self._validate_params()
        for name, values in (
            ("X", X),
            ("y", y),
            ("sample_weight", sample_weight),
            ("X_val", validation[0]),
            ("y_val", validation[1]),
        ):
            refuse_mask(values, name)
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        dtype = np.dtype(self.dtype)
        fresh = not hasattr(self, "network_") or not (self.warm_start or incremental)
        data = X if isinstance(X, Dataset) else None
        X, y = read(self, X, y, dtype, several=self._several, reset=fresh)
        keep = once if data is None else data._prepare
        y, n_outputs = self._targets(y, fresh, incremental, classes, keep)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=dtype)
            check_non_negative(weights, "`sample_weight`")
        weights = self._weights(y, weights, incremental)
        if fresh:
            seed = seed_of(self.random_state)
            network = self._new_network(X.shape[1], n_outputs, seed)
        else:
            seed, network = self._split_seed, self.network_
            if network.layer_sizes != self._sizes(X.shape[1], n_outputs):
                raise ValueError(
                    f"the network that is to be trained further has layers of "
                    f"{network.layer_sizes} units, not {self._sizes(X.shape[1], n_outputs)}"
                )
            if network.dtype != dtype:
                raise ValueError(
                    f"the network that is to be trained further is of {network.dtype}, not {dtype}"
                )

        whole = X
        X, y, weights, X_val, y_val = self._split(
            X, y, weights, *validation, n_outputs=n_outputs, seed=seed
        )
        endless = incremental or self.n_iter_no_change >= 2**62
        patience = math.inf if endless else self.n_iter_no_change
        score = None if X_val is None else self._score(y_val, X_val)
        if fresh or self._monitor.converged or self._monitor.by_score != self.early_stopping:
            monitor = Monitor(self.early_stopping)
        else:
            monitor = self._monitor
        monitor.start(min(self.tol, 1e300), patience, score)
        callbacks = check_callbacks(callbacks)
        # Without need for it, training is not interrupted after every epoch.
        watched = X_val is not None or callbacks or math.isfinite(patience)
        done = 0 if fresh else len(self.loss_curve_)
        history, refused = None, False
        try:
            history = train(
                network,
                *self._held(data if X is whole else None, X, y),
                weights,
                None if X_val is None else self._held(validation[0], X_val, y_val),
                self._options(len(X), done, incremental, [monitor, *callbacks] if watched else []),
            )
        except DivergenceError as error:
            raise ValueError(f"Solver produced non-finite parameter weights: {error}") from error
        except Exception:
            refused = not monitor.history.loss  # an argument was, for example
            raise
        finally:
            monitor.score = None  # which holds data
            if not refused:  # also after Ctrl-C, or what a callback has raised
                if fresh:
                    self.network_, self._split_seed = network, seed
                    self.loss_curve_: list[float] = []
                    self.validation_scores_: list[float] | None = None
                    self.validation_loss_curve_: list[float] | None = None
                self._monitor = monitor
                self._record(history or monitor.history, monitor.scores)
        if (
            not incremental
            and math.isfinite(patience)
            and not monitor.converged
            and len(history.loss) == self.max_iter
        ):
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self

    def _record(self, history: History, scores: list[float]) -> None:
        self.n_iter_ = len(history.loss)
        self.loss_curve_ += history.loss
        if scores:
            self.validation_scores_ = (self.validation_scores_ or []) + scores
            self.validation_loss_curve_ = (self.validation_loss_curve_ or []) + history.val_loss

    def _sizes(self, n_features: int, n_outputs: int) -> list[int]:
        hidden: Any = self.hidden_layer_sizes
        hidden = [hidden] if isinstance(hidden, numbers.Integral) else list(hidden)
        if any(not isinstance(n, numbers.Integral) or n <= 0 for n in hidden):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        return [n_features, *(int(n) for n in hidden), n_outputs]

    def _new_network(self, n_features: int, n_outputs: int, seed: int) -> Network:
        sizes = self._sizes(n_features, n_outputs)
        given: Any = self.activation
        single = isinstance(given, (str, *OBJECTS))
        hidden = [given] * (len(sizes) - 2) if single else list(given)
        if len(hidden) != len(sizes) - 2:
            raise ValueError(
                f"activation has {len(hidden)} entries for {len(sizes) - 2} hidden layers"
            )
        names = [_ALIASES.get(a, a) if isinstance(a, str) else a for a in hidden]
        return Network(
            sizes,
            activations=[*names, self._output],
            init=self.init,
            dtype=self.dtype,
            seed=seed,
        )

    def _options(
        self, n_samples: int, done: int, incremental: bool, callbacks: list[Callback]
    ) -> options.Options:
        """Return the parameters as `Network.fit` calls them, for training after `done` epochs."""
        rate = self.learning_rate
        return options.Options(
            epochs=done + (1 if incremental else self.max_iter),
            initial_epoch=done,
            batch_size=min(200, n_samples) if isinstance(self.batch_size, str) else self.batch_size,
            learning_rate=self.learning_rate_init if isinstance(rate, str) else rate,
            optimizer=self.solver,
            momentum=self.momentum if self.solver == "sgd" else 0.0,
            nesterov=self.nesterovs_momentum,
            betas=(self.beta_1, self.beta_2),
            epsilon=self.epsilon,
            loss=self._loss,
            penalty=self.penalty if self.alpha else None,  # without need it costs time
            alpha=self.alpha,
            dropout=self.dropout,
            clip_norm=self.clip_norm,
            shuffle=self.shuffle,
            callbacks=callbacks,
            n_threads=self.n_threads,
            verbose=bool(self.verbose),
        )

    def _held(self, given: Any, X: Array, y: Array) -> tuple[Any, Any]:
        """Return X and y for a training: if made of a Dataset, so that it keeps them as well."""
        if not isinstance(given, Dataset):
            return X, y
        return given._prepare(self._kind(), lambda: Dataset._borrow(X, y)), None

    def _split(
        self,
        X: Array,
        y: Array,
        weights: Array | None,
        X_val: Any,
        y_val: Any,
        *,
        n_outputs: int,
        seed: int,
    ) -> tuple[Array, Array, Array | None, Any, Any]:
        """Return the samples to train on, their weights, and those to validate on or None."""
        y_val = targets_of(X_val, y_val, ("X_val", "y_val"))
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be passed together")
        if X_val is not None:
            X_val = read_samples(self, X_val, X.dtype, reset=False, name="X_val")
            y_val = self._validation_targets(y_val, n_outputs)
            check_consistent_length(X_val, y_val)
        elif self.early_stopping:
            arrays = [X, y] if weights is None else [X, y, weights]
            parts = train_test_split(
                *arrays,
                test_size=self.validation_fraction,
                random_state=seed % 2**32,
                stratify=None if self._several or y.ndim == 2 else y,
            )
            X, X_val, y, y_val, *rest = parts
            weights = rest[0] if rest else None
        if X_val is not None and len(X_val) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        return X, y, weights, X_val, y_val

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self, "network_")
        refuse_mask(X, "X")
        return self.network_.predict(read_samples(self, X, self.network_.dtype, reset=False))
