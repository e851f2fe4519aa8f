"""Regressors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags, assert_all_finite, check_array, column_or_1d

from exactnet.dense.callbacks import Callback
from exactnet.dense.history import History
from exactnet.dense.network import Network
from exactnet.sklearn.mlp import BaseMLP
from exactnet.sklearn.preparation import Keep, targets_of

Array: TypeAlias = npt.NDArray[Any]


class MLPRegressor(RegressorMixin, BaseMLP):
    """A regressor: a `Network` with linear outputs, trained for least squares.

    Parameters
    ----------
    hidden_layer_sizes, activation, ... :
        Those of `MLPClassifier`, but for `class_weight`. With `early_stopping` the coefficient of
        determination R^2 on the validation data is watched. The loss is 1/2 sum (a - y)^2.

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
    """

    _several = True
    _loss = "quadratic"
    _output = "linear"

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
        X : array-like (n_samples, n_features), or Dataset with y
        y : array-like (n_samples,) or (n_samples, n_outputs); none with a Dataset
        sample_weight : array-like (n_samples,), optional
            Factors of the samples' losses.
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
        TypeError
            If X is sparse.
        """
        result: MLPRegressor = self._fit(
            X, y, sample_weight, validation=(X_val, y_val), callbacks=callbacks
        )
        return result

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
        >>> model = MLPRegressor((), solver="sgd", learning_rate_init=0.1, random_state=0)
        >>> for _ in range(300):
        ...     _ = model.partial_fit([[0], [1]], [5, 7]).partial_fit([[2]], [9])
        >>> model.predict([[10]]).round(3)
        array([25.], dtype=float32)
        """
        result: MLPRegressor = self._fit(X, y, sample_weight, incremental=True)
        return result

    def predict(self, X: Any) -> Array:
        """Return the outputs, (n_samples,) or (n_samples, n_outputs).

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

        Parameters
        ----------
        X : array-like (n_samples, n_features), or Dataset with y
        y : array-like (n_samples,) or (n_samples, n_outputs); none with a Dataset
        sample_weight : array-like (n_samples,), optional
        """
        return float(super().score(X, targets_of(X, y), sample_weight))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _values(self, y: Any, name: str = "y") -> Array:
        with np.errstate(over="ignore"):
            y = check_array(
                y,
                dtype=np.dtype(self.dtype),
                ensure_2d=False,
                ensure_all_finite=False,
                input_name=name,
            )
        assert_all_finite(y, estimator_name=type(self).__name__, input_name=name)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        values: Array = y[:, None] if y.ndim == 1 else y
        return values

    def _targets(
        self, y: Array, fresh: bool, incremental: bool, classes: Any, keep: Keep
    ) -> tuple[Array, int]:
        values: Array = keep((MLPRegressor, self.dtype), lambda: self._values(y))
        return values, values.shape[1]

    def _validation_targets(self, y: Any, n_outputs: int) -> Array:
        values = self._values(y, "y_val")
        if values.shape[1] != n_outputs:
            raise ValueError(f"y_val has {values.shape[1]} outputs but y has {n_outputs}")
        return values

    def _score(self, y: Array, X: Array) -> Callable[[Network, History], float]:
        def score(network: Network, history: History) -> float:
            outputs = network.predict(X).astype(np.float64)
            if not np.isfinite(outputs).all():
                return math.nan
            with np.errstate(over="ignore", invalid="ignore"):
                return float(r2_score(y, outputs))

        return score
