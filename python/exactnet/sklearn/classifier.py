"""Classifiers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags, column_or_1d, compute_class_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
)
from sklearn.utils.validation import check_non_negative

from exactnet.activations import Activation
from exactnet.dense.callbacks import Callback
from exactnet.dense.history import History
from exactnet.dense.network import Network
from exactnet.sklearn.mlp import BaseMLP, goes_by_batches
from exactnet.sklearn.preparation import Keep, targets_of

Array: TypeAlias = npt.NDArray[Any]


def _labels(y: Any) -> tuple[Array, Array]:
    """Return the classes that occur, and the number among these of every sample's.

    Of y (n_samples, n_classes), whose rows tell which of any number of labels a sample has, these
    are the columns, and y itself as truth values.
    """
    check_classification_targets(y)
    if y.ndim == 1 or y.shape[1] == 1:
        present, codes = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        return present, codes
    if type_of_target(y) != "multilabel-indicator":
        raise ValueError(
            f"y has {y.shape[1]} columns, which must tell by 0 and 1 whether a sample has a label; "
            "for labels of other kinds, train an estimator for each column"
        )
    values: Array = y.toarray() if issparse(y) else y
    return np.arange(values.shape[1]), values != 0


class MLPClassifier(ClassifierMixin, BaseMLP):
    """A classifier: a `Network` trained for least cross-entropy.

    Its outputs are softmax, or for two classes a single sigmoid, or a sigmoid for every label where
    samples may have any number of them. Parameters have the names, defaults and meanings of
    scikit-learn's estimator of this name, and the same `random_state` starts from the same weights;
    what is of this package is described in `Network.fit`.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
    activation : str, activation object, or a sequence with one per hidden layer
        "identity" or "linear", "logistic" or "sigmoid", "tanh", "relu", "leaky_relu", or an object
        of `exactnet.activations`.
    solver : {"adam", "sgd", "lbfgs"}
        "lbfgs" is that of SciPy, on all samples at once: for data that are few. It takes neither
        penalties other than "l2" nor `dropout`, `clip_norm`, validation data and callbacks.
    penalty : {"l2", "l1", None} or float > 0
    alpha : float
        Adds alpha / p sum |w|^p over all weights, divided by the size of a batch and by the mean
        of the samples' weights, to its mean loss. "l2", which is p = 2, is the penalty of
        scikit-learn.
    dropout : float or sequence of float in [0, 1)
        Share of the units of every hidden layer, or of each, to be switched off in training.
    clip_norm : float, optional
    batch_size : int or "auto"
        At most the number of samples; "auto" is at most 200.
    learning_rate : {"constant", "invscaling", "adaptive"} or callable
        "constant" is `learning_rate_init`. For "sgd", "invscaling" divides it by t^power_t after
        t - 1 samples, and "adaptive" divides it by 5 where training would end, until it is 1e-6. A
        callable, such as those of `exactnet.schedules`, gets the number of epochs trained so far,
        calls of `partial_fit` among them, and returns the rate instead.
    learning_rate_init, power_t : float
    momentum, nesterovs_momentum
        For "sgd".
    beta_1, beta_2, epsilon
        For "adam".
    max_iter, max_fun : int
        Greatest number of epochs, or iterations of "lbfgs", and of its evaluations of the loss.
    shuffle : bool
    tol, n_iter_no_change : float, int
        Training ends, converged, when more than `n_iter_no_change` epochs in a row have not brought
        the loss, or with `early_stopping` the score, forward by `tol`; but not at a loss more than
        10 % above the least one. ``n_iter_no_change=np.inf`` trains `max_iter` epochs without such
        a test. For "lbfgs", `tol` is the largest component of the gradient at which it ends.
    early_stopping : bool
        Watch the accuracy on validation data: those passed to `fit`, or `validation_fraction` of
        the samples, stratified. The network then has the weights of the best epoch, also if the
        training has diverged, which is a warning. Not for "lbfgs".
    validation_fraction : float in (0, 1)
    init : str, optional
        As of `Network`. By default as scikit-learn: uniform, of the bounds of Glorot and Bengio
        (2010), biases too.
    dtype : {"auto", "float32", "float64"}
        Of the network. "auto" is float32 for X of float32, which is faster, else float64.
    n_threads : int
        Threads of a training at most: those that pay are used. Results are the same.
    warm_start : bool
        `fit` trains the network it has further, including its momentum and schedule, and, unless
        the last training had converged, the test of convergence and `early_stopping`.
    random_state : int, RandomState or None
        Of initial weights, shuffles, dropout and split. An integer is the seed of the `Network`.
    verbose : bool
        Print a line per epoch.
    class_weight : dict, "balanced" or None
        Factors of the samples' losses by their class, as `sample_weight` of `fit`.

    Attributes
    ----------
    network_ : Network
    classes_ : ndarray (n_classes,)
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if X has had names.
    n_iter_, t_ : int
        Epochs of the last call, and samples seen in all.
    n_layers_, n_outputs_, out_activation_ :
        Of the network, as scikit-learn counts and calls them.
    loss_, best_loss_, best_validation_score_ : float or None
        Of the last epoch and of the best ones.
    loss_curve_, validation_loss_curve_, validation_scores_ : list of float
        An entry per epoch, or iteration of "lbfgs", whose losses include the penalty; of the latter
        only with validation data, else None.

    Examples
    --------
    >>> from exactnet.datasets import load_digits
    >>> from exactnet.sklearn import MLPClassifier
    >>> X, y, X_test, y_test = load_digits()
    >>> model = MLPClassifier(30, learning_rate_init=0.01, early_stopping=True, random_state=0)
    >>> model.fit(X, y).score(X_test, y_test) > 0.85
    True
    >>> model.network_
    Network([64, 30, 10], activations=['relu', 'softmax'], dtype=float32)
    >>> MLPClassifier(30, solver="lbfgs", random_state=0).fit(X, y).score(X_test, y_test) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    classes_: Array
    _multilabel: bool

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
        class_weight: dict[Any, float] | str | None = None,
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
        self.class_weight = class_weight

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        callbacks: Iterable[Callback] = (),
    ) -> MLPClassifier:
        """Train the network.

        Parameters
        ----------
        X : array-like or sparse matrix (n_samples, n_features), or Dataset with y
        y : array-like (n_samples,) or (n_samples, n_classes); none with a Dataset
            Labels of any kind; or for every label by 0 and 1 whether a sample has it, or is it.
        sample_weight : array-like (n_samples,), optional
            Factors of the samples' losses, whose weighted mean is trained for: a common factor of
            all of them is without effect, but for the share of the penalty, which it lessens.
        X_val, y_val : array-like, or Dataset with y, optional
            Validation data, evaluated after every epoch.
        callbacks : iterable of callable
            As of `Network.fit`. What one raises ends the training; the network is kept.

        Returns
        -------
        MLPClassifier
            Itself.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described, or the training diverges.
        """
        result: MLPClassifier = self._fit(
            X, y, sample_weight, validation=(X_val, y_val), callbacks=callbacks
        )
        return result

    @available_if(goes_by_batches)  # type: ignore[untyped-decorator]
    def partial_fit(
        self, X: Any, y: Any = None, classes: Any = None, sample_weight: Any = None
    ) -> MLPClassifier:
        """Train one epoch on some of the data, from where the last call ended.

        Parameters
        ----------
        X : array-like (n_samples, n_features), or Dataset with y
        y : array-like (n_samples,); none with a Dataset
        classes : array-like (n_classes,)
            All labels that will ever come; only the first call needs it.
        sample_weight : array-like (n_samples,), optional

        Returns
        -------
        MLPClassifier
            Itself.

        Raises
        ------
        ValueError
            As of `fit`; if y has other labels than `classes`; if `early_stopping` is set or
            `class_weight` is "balanced", which need all data at once.

        Examples
        --------
        >>> from exactnet.datasets import load_digits
        >>> from exactnet.sklearn import MLPClassifier
        >>> X, y = load_digits()[:2]
        >>> model = MLPClassifier(30, learning_rate_init=0.01, random_state=0)
        >>> for _ in range(5):
        ...     for k in range(0, len(X), 500):
        ...         _ = model.partial_fit(X[k:k + 500], y[k:k + 500], classes=range(10))
        >>> model.score(X, y) > 0.9
        True
        """
        result: MLPClassifier = self._fit(X, y, sample_weight, classes=classes, incremental=True)
        return result

    def predict(self, X: Any) -> Array:
        """Return the most probable class of every sample, (n_samples,).

        After labels of any number for a sample, 1 for those that are more probable than not, else
        0, (n_samples, n_classes).

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X is not finite or does not fit the network.
        """
        outputs = self._outputs(X)
        if self._multilabel:
            return (outputs > 0.5).astype(np.intp)
        codes = np.argmax(outputs, axis=1) if len(self.classes_) != 2 else outputs[:, 0] > 0.5
        labels: Array = self.classes_[codes.astype(np.intp)]
        return labels

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : array-like (n_samples, n_features), or Dataset with y
        y : array-like (n_samples,); none with a Dataset
        sample_weight : array-like (n_samples,), optional
        """
        return float(super().score(X, targets_of(X, y), sample_weight))

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of every class, (n_samples, n_classes); errors as `predict`."""
        outputs = self._outputs(X)
        if self._multilabel or len(self.classes_) != 2:
            return outputs
        return np.hstack([1 - outputs, outputs])

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):  # of probabilities that are 0 in the network's type
            logarithms: Array = np.log(self.predict_proba(X))
        return logarithms

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _loss_and_output(self) -> tuple[str, str]:
        independent = self._multilabel or len(self.classes_) == 2
        return "cross_entropy", "sigmoid" if independent else "softmax"

    def _new_network(
        self, n_features: int, n_outputs: int, dtype: np.dtype[Any]
    ) -> tuple[Network, int]:
        network, seed = super()._new_network(n_features, n_outputs, dtype)
        names = self.classes_.tolist()
        if len(names) > 1 and all(isinstance(name, str) for name in names):
            network.classes = tuple(names)  # for who uses the network itself
        return network, seed

    def _targets(
        self, y: Any, dtype: np.dtype[Any], fresh: bool, incremental: bool, classes: Any, keep: Keep
    ) -> tuple[Array, int]:
        present, codes = keep((MLPClassifier, "labels"), lambda: _labels(y))
        multilabel = codes.ndim == 2
        if not fresh and multilabel != self._multilabel:
            raise ValueError("y must tell one label of a sample, or any number, as it did before")
        if incremental:
            if fresh and hasattr(self, "classes_"):
                del self.classes_  # of a call that has failed
            _check_partial_fit_first_call(self, classes)
            self.classes_ = np.asarray(self.classes_)
            if multilabel and len(present) != len(self.classes_):
                raise ValueError(f"y has {len(present)} columns for {len(self.classes_)} classes")
            if not multilabel and not np.array_equal(present, self.classes_):
                codes = self._codes(present, "y")[codes]
        elif fresh:
            self.classes_ = present
        elif not np.array_equal(present, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the "
                f"previous call to fit. Previously got {self.classes_}, `y` has {present}"
            )
        self._multilabel = multilabel
        n = len(self.classes_)
        return self._encoded(codes), 1 if n == 2 and not multilabel else n

    def _kind(self, dtype: np.dtype[Any]) -> tuple[Hashable, ...]:
        return MLPClassifier, dtype.name, *self.classes_.tolist()

    def _codes(self, y: Array, name: str) -> Array:
        found = np.isin(y, self.classes_)
        if not found.all():
            raise ValueError(
                f"`{name}` has classes not in `self.classes_`. `self.classes_` has "
                f"{self.classes_}. '{name}' has {np.unique(y)}."
            )
        codes: Array = np.searchsorted(self.classes_, y)
        return codes

    def _encoded(self, codes: Array) -> Array:
        """Return targets as the network takes them: labels, or values of sigmoid outputs."""
        if codes.ndim == 2:
            return codes
        if len(self.classes_) == 2:
            second: Array = codes[:, None] == 1
            return second
        # a network of one output takes values
        return codes.astype(np.int64) if len(self.classes_) > 1 else np.ones((len(codes), 1))

    def _validation_targets(self, y: Any, dtype: np.dtype[Any], n_outputs: int) -> Array:
        if not self._multilabel:
            return self._encoded(self._codes(column_or_1d(y, warn=True), "y_val"))
        present, values = _labels(y if issparse(y) else np.asarray(y))
        if values.ndim != 2 or len(present) != n_outputs:
            raise ValueError(f"y_val must have {n_outputs} columns of 0 and 1, as y")
        return values

    def _strata(self, y: Array) -> Array | None:
        if self._multilabel or len(self.classes_) == 1:
            return None
        return y.ravel().astype(str)  # of which errors list those with too few samples

    def _score(self, y: Array, X: Array) -> Callable[[Network, History], float]:
        if self._multilabel:
            return lambda network, history: float(
                ((network.predict(X, n_threads=self.n_threads) > 0.5) == y).all(axis=1).mean()
            )
        if len(self.classes_) == 1:
            return lambda network, history: 1.0
        return lambda network, history: history.val_accuracy[-1]

    def _weights(self, y: Array, weights: Array | None, incremental: bool) -> Array | None:
        if self.class_weight is None:
            return weights
        if self._multilabel:
            raise ValueError("class_weight is for one label of a sample, not for any number")
        if self.class_weight == "balanced" and incremental:
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit. In order to use "
                "'balanced' weights, use compute_class_weight('balanced', classes=classes, y=y) "
                "on all data and pass the result as class_weight."
            )
        codes = y.ravel().astype(np.int64) if len(self.classes_) > 1 else np.zeros(len(y), np.int64)
        of_classes = compute_class_weight(
            self.class_weight, classes=self.classes_, y=self.classes_[codes]
        )
        check_non_negative(of_classes, "`class_weight`")
        factors: Array = of_classes[codes]
        return factors if weights is None else factors * weights
