"""What classifier and regressor have in common."""

from __future__ import annotations

import math
import re
import sys
import warnings
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import Tags
from sklearn.utils.optimize import _check_optimize_result
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    check_non_negative,
)

from exactnet.base.checks import refuse_mask
from exactnet.base.dataset import Dataset
from exactnet.dense.callbacks import Callback, check_callbacks
from exactnet.dense.history import DivergenceError, History
from exactnet.dense.network import Network
from exactnet.dense.training import fit as train
from exactnet.sklearn import lbfgs
from exactnet.sklearn.convergence import Monitor
from exactnet.sklearn.parameters import ALIASES, Parameters
from exactnet.sklearn.preparation import (
    Keep,
    float_type,
    once,
    read,
    read_samples,
    targets_of,
)

Array: TypeAlias = npt.NDArray[Any]

# In words of scikit-learn.
_NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)


def goes_by_batches(estimator: Any) -> bool:
    """Return whether an estimator can be trained further on some of the data."""
    return bool(estimator.solver != "lbfgs")


def _of_mean_one(weights: Array | None) -> tuple[Array | None, float]:
    """Return factors of samples divided by their mean, and this."""
    if weights is None:
        return None, 1.0
    largest = float(weights.max())
    if not 0 < largest < math.inf:
        return weights, 1.0  # of which the training says what is wrong
    # A power of two first, so that neither sums nor quotients leave the range of the type.
    exponent = math.frexp(largest)[1]
    scaled = np.ldexp(weights.astype(np.float64), -exponent)
    mean = float(scaled.mean())
    return scaled / mean, max(math.ldexp(mean, exponent), sys.float_info.min)


class BaseMLP(Parameters):
    """What classifier and regressor have in common."""

    network_: Network
    _split_seed: int
    _monitor: Monitor

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
    def best_loss_(self) -> float | None:
        """Least mean loss of an epoch; None with `early_stopping`, which watches scores."""
        return None if self._monitor.by_score else min(self.loss_curve_)

    @property
    def best_validation_score_(self) -> float | None:
        """Greatest of `validation_scores_`."""
        scores = self.validation_scores_
        return None if scores is None else float(np.nanmax(scores))

    @property
    def n_layers_(self) -> int:
        """Number of layers, with that of the inputs."""
        return len(self.network_.layer_sizes)

    @property
    def n_outputs_(self) -> int:
        """Number of outputs of the network."""
        return self.network_.layer_sizes[-1]

    @property
    def out_activation_(self) -> str:
        """Activation of the outputs, as scikit-learn calls it."""
        name = str(self.network_.activations[-1])
        return next((theirs for theirs, ours in ALIASES.items() if ours == name), name)

    # What the two estimators do in their own ways

    def _kind(self, dtype: np.dtype[Any]) -> tuple[Hashable, ...]:
        """Return what decides, beside the data, what the network is given of them."""
        return BaseMLP, dtype.name

    def _targets(
        self, y: Any, dtype: np.dtype[Any], fresh: bool, incremental: bool, classes: Any, keep: Keep
    ) -> tuple[Array, int]:
        """Return y as the network takes it and the number of outputs."""
        raise NotImplementedError

    def _validation_targets(self, y: Any, dtype: np.dtype[Any], n_outputs: int) -> Array:
        raise NotImplementedError

    def _strata(self, y: Array) -> Array | None:
        """Return the classes whose shares a split of the samples keeps."""
        return None

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
        fresh = not hasattr(self, "network_") or not (self.warm_start or incremental)
        data = X if isinstance(X, Dataset) else None
        if self.dtype != "auto":
            dtype = np.dtype(self.dtype)
        else:
            dtype = float_type(X) if fresh else self.network_.dtype
        X, y = read(self, X, y, dtype, reset=fresh)
        keep = once if data is None else data._prepare
        y, n_outputs = self._targets(y, dtype, fresh, incremental, classes, keep)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=dtype)
            check_non_negative(weights, "`sample_weight`")
        weights = self._weights(y, weights, incremental)
        # scikit-learn's squared error is of an output, on average; its gradient is that of the sum
        divisor = n_outputs if self._loss_and_output()[0] == "quadratic" else 1
        if fresh:
            network, seed = self._new_network(X.shape[1], n_outputs, dtype)
        else:
            seed, network = self._split_seed, self.network_
            if network.layer_sizes != self._sizes(X.shape[1], n_outputs):
                raise ValueError(
                    f"the network that is to be trained further has layers of "
                    f"{network.layer_sizes} units, not {self._sizes(X.shape[1], n_outputs)}"
                )
            outputs = str(network.activations[-1])
            if outputs != self._loss_and_output()[1]:
                what, way = "warm_start=True", "set warm_start=False"
                if incremental:
                    what, way = "partial_fit", "call fit, which begins anew"
                raise ValueError(
                    f"{what} goes on with the old network, of {outputs} outputs: {way}"
                )
            if network.dtype != dtype:
                raise ValueError(
                    f"the network that is to be trained further is of {network.dtype}, not {dtype}"
                )
        if self.solver == "lbfgs":
            self._check_lbfgs(validation, callbacks)
            monitor = Monitor(by_score=False)
            monitor.start(self.tol, math.inf, None)
            result, monitor.history.loss = lbfgs.minimize(
                network,
                *self._held(data, X, y),
                weights,
                loss=self._loss_and_output()[0],
                quantiles=self._quantiles(),
                alpha=self.alpha if self.penalty else 0.0,
                divisor=divisor,
                verbose=bool(self.verbose),
                maxfun=self.max_fun,
                maxiter=self.max_iter,
                gtol=self.tol,
            )
            if not all(np.isfinite(a).all() for a in (*network.weights, *network.biases)):
                raise ValueError(_NOT_FINITE)
            self._keep(network, seed, fresh, monitor, 0)
            self.n_iter_ = _check_optimize_result("lbfgs", result, self.max_iter)
            return self

        whole = X
        X, y, weights, X_val, y_val = self._split(
            X, y, weights, *validation, n_outputs=n_outputs, seed=seed
        )
        weights, mean_weight = _of_mean_one(weights)
        adaptive = self.solver == "sgd" and self.learning_rate == "adaptive"
        patient = self.n_iter_no_change >= 2**62 or (incremental and not adaptive)
        score = None if X_val is None else self._score(y_val, X_val)
        monitor = Monitor(self.early_stopping)
        if (
            not fresh
            and not self._monitor.converged
            and self._monitor.by_score == self.early_stopping
        ):
            monitor = self._monitor
        if not adaptive:
            monitor.rate = None
        elif monitor.rate is None:
            monitor.rate = self.learning_rate_init
        monitor.start(
            min(self.tol, 1e300),
            math.inf if patient else self.n_iter_no_change,
            score,
            endless=incremental,
            divisor=divisor,
            verbose=bool(self.verbose),
        )
        callbacks = check_callbacks(callbacks)
        # Without need for it, training is not interrupted after every epoch.
        watched = X_val is not None or callbacks or self.verbose or not patient
        before, refused = network._history, False
        try:
            train(
                network,
                *self._held(data if X is whole else None, X, y),
                weights,
                None if X_val is None else self._held(validation[0], X_val, y_val),
                self._options(
                    X.shape[0],
                    mean_weight,
                    fresh,
                    incremental,
                    monitor,
                    [monitor, *callbacks] if watched else [],
                ),
            )
        except DivergenceError as error:
            message = self._in_own_names(error)
            if not monitor.diverged(network):
                raise ValueError(f"{_NOT_FINITE} ({message})") from error
            warnings.warn(
                f"{message}; training has ended, with the weights of epoch {monitor.best_epoch}",
                ConvergenceWarning,
                stacklevel=3,
            )
        except Exception:
            history = network._history  # an argument was refused, for example
            refused = history is None or history is before or not history.loss
            raise
        finally:
            monitor.score = None  # which holds data
            if not refused:  # also after Ctrl-C, or what a callback has raised
                if network._history is not None and network._history is not before:
                    monitor.history = network._history
                self._keep(network, seed, fresh, monitor, X.shape[0])
        if not incremental and not monitor.converged and self.n_iter_ == self.max_iter:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self

    def _in_own_names(self, error: DivergenceError) -> str:
        """Return the message of an error, with its advice for `Network.fit` for this estimator."""
        message = str(error).replace(": init=None", "")  # the default, of other weights here
        names = {"optimizer": "solver"}
        if not callable(self.learning_rate):
            names["learning_rate"] = "learning_rate_init"
        return re.sub(r"\w+", lambda word: names.get(word[0], word[0]), message)

    def _keep(
        self, network: Network, seed: int, fresh: bool, monitor: Monitor, n_samples: int
    ) -> None:
        """Take over what a training has left."""
        if fresh:
            self.network_, self._split_seed = network, seed
            self.loss_curve_: list[float] = []
            self.validation_scores_: list[float] | None = None
            self.validation_loss_curve_: list[float] | None = None
            self.t_ = 0
        self._monitor = monitor
        history = monitor.history
        self.n_iter_ = len(history.loss)
        self.t_ += n_samples * self.n_iter_
        self.loss_curve_ += [loss / monitor.divisor for loss in history.loss]
        if monitor.scores:
            self.validation_scores_ = (self.validation_scores_ or []) + monitor.scores
            losses = [loss / monitor.divisor for loss in history.val_loss]
            self.validation_loss_curve_ = (self.validation_loss_curve_ or []) + losses

    def _check_lbfgs(self, validation: tuple[Any, Any], callbacks: Iterable[Callback]) -> None:
        """Refuse what is for trainings by batches only."""
        for name, value, wanted in (
            ("penalty", self.penalty, self.penalty in ("l2", 2, None)),
            ("dropout", self.dropout, not np.any(self.dropout)),
            ("clip_norm", self.clip_norm, self.clip_norm is None),
            ("X_val", "", validation[0] is None),
            ("callbacks", callbacks, not list(callbacks)),
        ):
            if not wanted:
                given = f"={value!r}" if name != "X_val" else ""
                raise ValueError(f"{name}{given} is for solver 'sgd' or 'adam', not 'lbfgs'")

    def _held(self, given: Any, X: Array, y: Array) -> tuple[Any, Any]:
        """Return X and y for a training: if made of a Dataset, so that it keeps them as well."""
        if not isinstance(given, Dataset):
            return X, y
        return given._prepare(self._kind(X.dtype), lambda: Dataset._borrow(X, y)), None

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
            y_val = self._validation_targets(y_val, X.dtype, n_outputs)
            check_consistent_length(X_val, y_val)
        elif self.early_stopping:
            arrays = [X, y] if weights is None else [X, y, weights]
            parts = train_test_split(
                *arrays,
                test_size=self.validation_fraction,
                random_state=seed % 2**32,
                stratify=self._strata(y),
            )
            X, X_val, y, y_val, *rest = parts
            weights = rest[0] if rest else None
        if X_val is not None and X_val.shape[0] < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        return X, y, weights, X_val, y_val

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self, "network_")
        refuse_mask(X, "X")
        samples = read_samples(self, X, self.network_.dtype, reset=False)
        return self.network_.predict(samples, n_threads=self.n_threads)
