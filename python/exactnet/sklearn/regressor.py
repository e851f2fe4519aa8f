"""Regressors."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.utils import Tags, assert_all_finite, check_array, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from exactnet.activations import Activation
from exactnet.dense.callbacks import Callback
from exactnet.dense.history import History
from exactnet.dense.layers import check_objective
from exactnet.dense.network import Network
from exactnet.sklearn.mlp import BaseMLP, goes_by_batches
from exactnet.sklearn.preparation import Keep, targets_of

Array: TypeAlias = npt.NDArray[Any]


# The loss and the activation of the outputs, as `Network` calls them.
_LOSSES = {
    "squared_error": ("quadratic", "linear"),
    "poisson": ("poisson", "exp"),
    "pinball": ("pinball", "linear"),
}


class MLPRegressor(RegressorMixin, BaseMLP):
    """A regressor: a `Network` with linear outputs, trained for least squares.

    Parameters
    ----------
    hidden_layer_sizes, activation, ... :
        Those of `MLPClassifier`, but for `class_weight`. With `early_stopping` the score on the
        validation data is watched.
    loss : {"squared_error", "poisson", "pinball"}
        "squared_error" is 1/2 sum (a - y)^2, of which `loss_` and what else tells of losses is the
        mean over the outputs, as in scikit-learn. "poisson", for targets of at least 0, is half the
        deviance, with outputs that are exponentials. "pinball" is for quantiles.
    quantiles : float or sequence of float in (0, 1), optional
        Those that "pinball" estimates, an output each; the median by default.

    Attributes
    ----------
    network_, n_features_in_, feature_names_in_, n_iter_, loss_curve_, validation_loss_curve_, \
validation_scores_ :
        Those of `MLPClassifier`.

    Examples
    --------
    >>> import numpy as np
    >>> from exactnet.sklearn import MLPRegressor
    >>> X = np.linspace(-3, 3, 200)[:, None]
    >>> model = MLPRegressor(20, "tanh", learning_rate_init=0.01, batch_size=20, random_state=0)
    >>> model.fit(X, np.sin(X[:, 0])).score(X, np.sin(X[:, 0])) > 0.95
    True
    >>> model = MLPRegressor(20, loss="pinball", quantiles=[0.1, 0.9], tol=0.1, random_state=0)
    >>> model.fit(X, np.sin(X[:, 0])).predict(X).shape
    (200, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions({*_LOSSES})],
        "quantiles": [Interval(numbers.Real, 0, 1, closed="neither"), "array-like", None],
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: Activation | Sequence[Activation] = "relu",
        *,
        loss: str = "squared_error",
        quantiles: float | Sequence[float] | None = None,
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
        super().__init__(
            hidden_layer_sizes,
            activation,
            solver=solver,
            penalty=penalty,
            alpha=alpha,
            dropout=dropout,
            clip_norm=clip_norm,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            max_iter=max_iter,
            max_fun=max_fun,
            shuffle=shuffle,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            init=init,
            dtype=dtype,
            n_threads=n_threads,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.loss = loss
        self.quantiles = quantiles

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        callbacks: Iterable[Callback] = (),
    ) -> MLPRegressor:
        """Train the network.

        Parameters
        ----------
        X : array-like or sparse matrix (n_samples, n_features), or Dataset with y
        y : array-like (n_samples,) or (n_samples, n_outputs); none with a Dataset
        sample_weight : array-like (n_samples,), optional
            Factors of the samples' losses, whose weighted mean is trained for: a common factor of
            all of them is without effect, but for the share of the penalty, which it lessens.
        X_val, y_val : array-like, or Dataset with y, optional
            Validation data, evaluated after every epoch.
        callbacks : iterable of callable
            As of `Network.fit`. What one raises ends the training; the network is kept.

        Returns
        -------
        MLPRegressor
            Itself.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described, or the training diverges.
        """
        result: MLPRegressor = self._fit(
            X, y, sample_weight, validation=(X_val, y_val), callbacks=callbacks
        )
        return result

    @available_if(goes_by_batches)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> MLPRegressor:
        """Train one epoch on some of the data, from where the last call ended.

        Parameters
        ----------
        X : array-like (n_samples, n_features), or Dataset with y
        y : array-like (n_samples,) or (n_samples, n_outputs); none with a Dataset
        sample_weight : array-like (n_samples,), optional

        Returns
        -------
        MLPRegressor
            Itself.

        Raises
        ------
        ValueError
            As of `fit`; if `early_stopping` is set, which needs all data at once.

        Examples
        --------
        >>> from exactnet.sklearn import MLPRegressor
        >>> model = MLPRegressor((), solver="sgd", alpha=0, learning_rate_init=0.1, random_state=0)
        >>> for _ in range(300):
        ...     _ = model.partial_fit([[0], [1]], [5, 7]).partial_fit([[2]], [9])
        >>> model.predict([[10]]).round(3)
        array([25.])
        """
        result: MLPRegressor = self._fit(X, y, sample_weight, incremental=True)
        return result

    def predict(self, X: Any) -> Array:
        """Return the outputs, (n_samples,) or (n_samples, n_outputs), or a column per quantile.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X is not finite or does not fit the network.
        """
        outputs = self._outputs(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the coefficient of determination R^2.

        With ``loss="pinball"``, the mean over the quantiles of scikit-learn's `d2_pinball_score`.

        Parameters
        ----------
        X : array-like (n_samples, n_features), or Dataset with y
        y : array-like (n_samples,) or (n_samples, n_outputs); none with a Dataset
        sample_weight : array-like (n_samples,), optional
        """
        return self._quality(targets_of(X, y), self.predict(X), sample_weight)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _loss_and_output(self) -> tuple[str, str]:
        return _LOSSES[self.loss]

    def _quantiles(self) -> Any:
        return self.quantiles

    def _levels(self) -> list[float]:
        return check_objective(_LOSSES[self.loss][0], self.quantiles)

    def _quality(self, y: Any, outputs: Array, weights: Any = None) -> float:
        """Return R^2, or of quantiles the mean of what takes its place."""
        if self.loss != "pinball":
            return float(r2_score(y, outputs, sample_weight=weights))
        columns = zip(outputs.reshape(len(outputs), -1).T, self._levels(), strict=True)
        return float(
            np.mean(
                [
                    d2_pinball_score(y, column, sample_weight=weights, alpha=level)
                    for column, level in columns
                ]
            )
        )

    def _values(self, y: Any, dtype: np.dtype[Any], name: str = "y") -> Array:
        with np.errstate(over="ignore"):
            y = check_array(
                y, dtype=dtype, ensure_2d=False, ensure_all_finite=False, input_name=name
            )
        assert_all_finite(y, estimator_name=type(self).__name__, input_name=name)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        values: Array = y[:, None] if y.ndim == 1 else y
        if self.loss == "pinball" and values.shape[1] > 1:
            raise ValueError(f"{name} has {values.shape[1]} columns, but loss='pinball' is for one")
        return values

    def _targets(
        self, y: Any, dtype: np.dtype[Any], fresh: bool, incremental: bool, classes: Any, keep: Keep
    ) -> tuple[Array, int]:
        values: Array = keep((MLPRegressor, dtype.name), lambda: self._values(y, dtype))
        return values, values.shape[1] if self.loss != "pinball" else len(self._levels())

    def _validation_targets(self, y: Any, dtype: np.dtype[Any], n_outputs: int) -> Array:
        values = self._values(y, dtype, "y_val")
        if values.shape[1] != n_outputs and self.loss != "pinball":
            raise ValueError(f"y_val has {values.shape[1]} outputs but y has {n_outputs}")
        return values

    def _score(self, y: Array, X: Array) -> Callable[[Network, History], float]:
        def score(network: Network, history: History) -> float:
            outputs = network.predict(X, n_threads=self.n_threads).astype(np.float64)
            if not np.isfinite(outputs).all():
                return math.nan
            with np.errstate(over="ignore", invalid="ignore"):
                return self._quality(y, outputs)

        return score
