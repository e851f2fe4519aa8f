"""Estimators for scikit-learn: pipelines, grid searches, and whatever else takes an estimator.

The extra ``exactnet[sklearn]`` brings scikit-learn, which nothing else in this package needs.
"""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.utils import (
    ClassifierTags,
    RegressorTags,
    Tags,
    assert_all_finite,
    check_array,
    check_random_state,
    column_or_1d,
    compute_class_weight,
)
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    check_non_negative,
    validate_data,
)

from exactnet import _core
from exactnet.activations import NAMES, Activation, LeakyReLU, Sigmoid
from exactnet.base.checks import refuse_mask
from exactnet.dense.callbacks import (
    Callback,
    EarlyStopping,
    StopTraining,
    check_callbacks,
    copies,
)
from exactnet.dense.history import DivergenceError, History
from exactnet.dense.network import INITS, Network
from exactnet.exact.construct.memorization import CONSTRUCTIONS, PROJECTIONS, memorize
from exactnet.exact.network import ExactNetwork
from exactnet.exact.rationals import to_floats

Array: TypeAlias = npt.NDArray[Any]

__all__ = ["MLPClassifier", "MLPRegressor", "Memorizer"]

# What scikit-learn calls them.
_ALIASES = {"identity": "linear", "logistic": "sigmoid"}
_DTYPES = ("float32", "float64")


class _Monitor(EarlyStopping):
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


class _MLP(BaseEstimator):
    """What classifier and regressor have in common."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(numbers.Integral, 1, None, closed="left")],
        "activation": [
            StrOptions({*NAMES, *_ALIASES} - {"step", "softmax"}),
            "array-like",
            Sigmoid,
            LeakyReLU,
        ],
        "solver": [StrOptions({"sgd", "adam"})],
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
        "dtype": [StrOptions(set(_DTYPES))],
        "n_threads": [Interval(numbers.Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    network_: Network
    _split_seed: int
    _monitor: _Monitor

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

    def _targets(self, y: Array, fresh: bool, incremental: bool, classes: Any) -> tuple[Array, int]:
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
        with np.errstate(over="ignore"):  # what becomes infinite is refused
            X, y = validate_data(
                self,
                X,
                y,
                dtype=dtype,
                order="C",
                multi_output=not is_classifier(self),
                ensure_all_finite=False,
                reset=fresh,
            )
        self._check_finite(X)
        y, n_outputs = self._targets(y, fresh, incremental, classes)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=dtype)
            check_non_negative(weights, "`sample_weight`")
        weights = self._weights(y, weights, incremental)
        if fresh:
            seed = _seed(self.random_state)
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

        X, y, weights, X_val, y_val = self._split(
            X, y, weights, *validation, n_outputs=n_outputs, seed=seed
        )
        endless = incremental or self.n_iter_no_change >= 2**62
        patience = math.inf if endless else self.n_iter_no_change
        score = None if X_val is None else self._score(y_val, X_val)
        if fresh or self._monitor.converged or self._monitor.by_score != self.early_stopping:
            monitor = _Monitor(self.early_stopping)
        else:
            monitor = self._monitor
        monitor.start(min(self.tol, 1e300), patience, score)
        callbacks = check_callbacks(callbacks)
        # Without need for it, training is not interrupted after every epoch.
        watched = X_val is not None or callbacks or math.isfinite(patience)
        done = 0 if fresh else len(self.loss_curve_)
        history, refused = None, False
        try:
            history = network.fit(
                X,
                y,
                epochs=done + (1 if incremental else self.max_iter),
                initial_epoch=done,
                batch_size=min(200, len(X))
                if isinstance(self.batch_size, str)
                else self.batch_size,
                learning_rate=self.learning_rate_init
                if isinstance(self.learning_rate, str)
                else self.learning_rate,
                optimizer=self.solver,
                momentum=self.momentum if self.solver == "sgd" else 0.0,
                nesterov=self.nesterovs_momentum,
                betas=(self.beta_1, self.beta_2),
                epsilon=self.epsilon,
                loss=self._loss,
                # an unnecessary penalty costs time
                penalty=self.penalty if self.alpha else None,
                alpha=self.alpha,
                dropout=self.dropout,
                clip_norm=self.clip_norm,
                sample_weight=weights,
                validation_data=None if X_val is None else (X_val, y_val),
                shuffle=self.shuffle,
                callbacks=[monitor, *callbacks] if watched else (),
                n_threads=self.n_threads,
                verbose=bool(self.verbose),
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
        single = isinstance(given, str | Sigmoid | LeakyReLU)
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

    def _check_finite(self, X: Array, name: str = "X") -> None:
        if not _core.all_finite(X):  # several times faster than scikit-learn's
            assert_all_finite(X, estimator_name=type(self).__name__, input_name=name)

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
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be passed together")
        if X_val is not None:
            with np.errstate(over="ignore"):
                X_val = validate_data(
                    self, X_val, dtype=X.dtype, order="C", ensure_all_finite=False, reset=False
                )
            self._check_finite(X_val, "X_val")
            y_val = self._validation_targets(y_val, n_outputs)
            check_consistent_length(X_val, y_val)
        elif self.early_stopping:
            arrays = [X, y] if weights is None else [X, y, weights]
            parts = train_test_split(
                *arrays,
                test_size=self.validation_fraction,
                random_state=seed % 2**32,
                stratify=y if is_classifier(self) and y.ndim == 1 else None,
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
        with np.errstate(over="ignore"):
            X = validate_data(
                self,
                X,
                dtype=self.network_.dtype,
                order="C",
                ensure_all_finite=False,
                reset=False,
            )
        self._check_finite(X)
        return self.network_.predict(X)


class MLPClassifier(ClassifierMixin, _MLP):
    """A classifier: a `Network` with softmax outputs, trained for least cross-entropy.

    Parameters have the names and defaults of scikit-learn's estimator of this name where they mean
    the same; what is of this package is described in `Network.fit`.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
    activation : str, activation object, or a sequence with one per hidden layer
        "identity" or "linear", "logistic" or "sigmoid", "tanh", "relu", "leaky_relu", or an object
        of `exactnet.activations`.
    solver : {"adam", "sgd"}
    penalty : {"l2", "l1", None} or float > 0
    alpha : float
        Adds alpha sum |w|^p over all weights to the mean loss; scikit-learn divides by twice the
        size of the batch. 0 is no penalty.
    dropout : float or sequence of float in [0, 1)
        Share of the units of every hidden layer, or of each, to be switched off in training.
    clip_norm : float, optional
    batch_size : int or "auto"
        At most the number of samples; "auto" is at most 200.
    learning_rate : "constant" or callable
        "constant" is `learning_rate_init`. A callable, such as those of `exactnet.schedules`, gets
        the number of epochs trained so far, calls of `partial_fit` among them, and returns the rate
        instead.
    learning_rate_init : float
    momentum, nesterovs_momentum
        For "sgd".
    beta_1, beta_2, epsilon
        For "adam".
    max_iter : int
        Greatest number of epochs.
    shuffle : bool
    tol, n_iter_no_change : float, int
        Training ends, converged, when more than `n_iter_no_change` epochs in a row have not brought
        the loss, or with `early_stopping` the score, forward by `tol`. ``np.inf`` trains `max_iter`
        epochs without such a test.
    early_stopping : bool
        Watch the accuracy on validation data: those passed to `fit`, or `validation_fraction` of
        the samples, stratified. The network then has the weights of the best epoch.
    validation_fraction : float in (0, 1)
    init : str
        As of `Network`.
    dtype : {"float32", "float64"}
    n_threads : int
        Threads of a training, which pay for wide layers; results are the same.
    warm_start : bool
        `fit` trains the network it has further, including its momentum and schedule, and, unless
        the last training had converged, the test of convergence and `early_stopping`.
    random_state : int, RandomState or None
        Of initial weights, shuffles, dropout and split. An integer is the seed of the `Network`.
    verbose : bool
        Print a line per epoch to stderr.
    class_weight : dict, "balanced" or None
        Factors of the samples' losses by their class.

    Attributes
    ----------
    network_ : Network
    classes_ : ndarray (n_classes,)
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if X has had names.
    n_iter_ : int
        Epochs of the last call.
    loss_curve_, validation_loss_curve_, validation_scores_ : list of float
        An entry per epoch; of the latter only with validation data, else None.

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
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_MLP._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    classes_: Array
    _loss = "cross_entropy"
    _output = "softmax"

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
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            max_iter=max_iter,
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
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        callbacks: Iterable[Callback] = (),
    ) -> MLPClassifier:
        """Train the network.

        Parameters
        ----------
        X : array-like (n_samples, n_features)
        y : array-like (n_samples,)
            Labels of any kind.
        sample_weight : array-like (n_samples,), optional
            Factors of the samples' losses.
        X_val, y_val : array-like, optional
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
        TypeError
            If X is sparse.
        """
        result: MLPClassifier = self._fit(
            X, y, sample_weight, validation=(X_val, y_val), callbacks=callbacks
        )
        return result

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> MLPClassifier:
        """Train one epoch on some of the data, from where the last call ended.

        Parameters
        ----------
        X : array-like (n_samples, n_features)
        y : array-like (n_samples,)
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

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X is not finite or does not fit the network.
        """
        outputs = self._outputs(X)
        labels: Array = self.classes_[np.argmax(outputs, axis=1)]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of every class, (n_samples, n_classes); errors as `predict`."""
        return self._outputs(X)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):  # of probabilities that are 0 in the network's type
            logarithms: Array = np.log(self.predict_proba(X))
        return logarithms

    def _targets(self, y: Array, fresh: bool, incremental: bool, classes: Any) -> tuple[Array, int]:
        check_classification_targets(y)
        if incremental:
            if fresh and hasattr(self, "classes_"):
                del self.classes_  # of a call that has failed
            _check_partial_fit_first_call(self, classes)
            self.classes_ = np.asarray(self.classes_)
            codes = self._codes(y, "y")
        elif fresh:
            self.classes_, codes = np.unique(y, return_inverse=True)
        else:
            present = np.unique(y)
            if not np.array_equal(present, self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the "
                    f"previous call to fit. Previously got {self.classes_}, `y` has {present}"
                )
            codes = self._codes(y, "y")
        return self._encoded(codes), len(self.classes_)

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
        # a network of one output takes values
        return codes.astype(np.int64) if len(self.classes_) > 1 else np.ones((len(codes), 1))

    def _validation_targets(self, y: Any, n_outputs: int) -> Array:
        return self._encoded(self._codes(column_or_1d(y, warn=True), "y_val"))

    def _score(self, y: Array, X: Array) -> Callable[[Network, History], float]:
        if len(self.classes_) == 1:
            return lambda network, history: 1.0
        return lambda network, history: history.val_accuracy[-1]

    def _weights(self, y: Array, weights: Array | None, incremental: bool) -> Array | None:
        if self.class_weight is None:
            return weights
        if self.class_weight == "balanced" and incremental:
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit. In order to use "
                "'balanced' weights, use compute_class_weight('balanced', classes=classes, y=y) "
                "on all data and pass the result as class_weight."
            )
        codes = y if y.ndim == 1 else np.zeros(len(y), np.int64)
        of_classes = compute_class_weight(
            self.class_weight, classes=self.classes_, y=self.classes_[codes]
        )
        check_non_negative(of_classes, "`class_weight`")
        factors: Array = of_classes.astype(self.dtype)[codes]
        return factors if weights is None else factors * weights


class MLPRegressor(RegressorMixin, _MLP):
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

    _loss = "quadratic"
    _output = "linear"

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        callbacks: Iterable[Callback] = (),
    ) -> MLPRegressor:
        """Train the network.

        Parameters
        ----------
        X : array-like (n_samples, n_features)
        y : array-like (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like (n_samples,), optional
            Factors of the samples' losses.
        X_val, y_val : array-like, optional
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

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Train one epoch on some of the data, from where the last call ended.

        Parameters
        ----------
        X : array-like (n_samples, n_features)
        y : array-like (n_samples,) or (n_samples, n_outputs)
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

    def _targets(self, y: Array, fresh: bool, incremental: bool, classes: Any) -> tuple[Array, int]:
        values = self._values(y)
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


class Memorizer(BaseEstimator):
    """An estimator that is right about everything it has seen: `memorize` with an interface.

    Classifiers number their labels 0, 1, ... in sorted order; the network returns the number, and
    the label of the nearest one is predicted. In exact arithmetic the
    training score is 1.0; with ``arithmetic="float"`` it need not be.

    Parameters
    ----------
    task : {"classification", "regression"}
        Whether targets are labels of any kind, or numbers, which may have several columns.
    hidden, construction, projection, n_threads :
        Those of `memorize`.
    encoding : {"scalar", "one_hot"}
        For classification; "one_hot" has an output for every class, and the largest is predicted.
    arithmetic : {"exact", "float"}
        How `predict` evaluates the network. "exact" rounds once, at the end. "float" computes in
        float64: faster, and as exact for ``construction="integer"``, but with the errors that
        `rounding_error` measures for the others.
    random_state : int, RandomState or None
        Of the projection.

    Attributes
    ----------
    network_ : ExactNetwork
    classes_ : ndarray (n_classes,)
        Of classifiers.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if X has had names.

    Examples
    --------
    >>> from exactnet.datasets import load_digits
    >>> from exactnet.sklearn import Memorizer
    >>> X, y = load_digits()[:2]
    >>> Memorizer().fit(X, y).score(X, y)
    1.0
    >>> model = Memorizer(task="regression").fit([[0], [1], [3]], [0.1, -5, 7])
    >>> model.predict([[3], [0]])
    array([7. , 0.1])
    >>> model.network_.predict([[0]])[0, 0]  # what 0.1 is in binary
    mpq(3602879701896397,36028797018963968)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "task": [StrOptions({"classification", "regression"})],
        "hidden": ["array-like", None],
        "construction": [StrOptions(set(CONSTRUCTIONS))],
        "projection": [StrOptions(set(PROJECTIONS)), "array-like"],
        "encoding": [StrOptions({"scalar", "one_hot"})],
        "arithmetic": [StrOptions({"exact", "float"})],
        "n_threads": [Interval(numbers.Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    network_: ExactNetwork

    def __init__(
        self,
        task: str = "classification",
        *,
        hidden: tuple[int, ...] | None = None,
        construction: str = "auto",
        projection: Any = "smallest",
        encoding: str = "scalar",
        arithmetic: str = "exact",
        n_threads: int = 1,
        random_state: Any = 0,
    ) -> None:
        self.task = task
        self.hidden = hidden
        self.construction = construction
        self.projection = projection
        self.encoding = encoding
        self.arithmetic = arithmetic
        self.n_threads = n_threads
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Memorizer:
        """Construct the network.

        Parameters
        ----------
        X : array-like (n_samples, n_features)
            Integers and floats are taken as they are.
        y : array-like (n_samples,), or (n_samples, n_outputs) in regression

        Returns
        -------
        Memorizer
            Itself.

        Raises
        ------
        ValueError
            If equal rows have different targets, `hidden` is too small, or a parameter or the data
            are not as described.
        TypeError
            If X is sparse.
        MemoryError
            If the network would not fit into memory.
        """
        self._validate_params()
        classify = self.task == "classification"
        refuse_mask(X, "X")
        refuse_mask(y, "y")
        X, y = validate_data(self, X, y, multi_output=not classify, y_numeric=not classify)
        encoding = None
        if classify:
            check_classification_targets(y)
            classes, targets = np.unique(y, return_inverse=True)
            encoding = self.encoding
        else:
            targets = check_array(y, ensure_2d=False, input_name="y")
            if targets.ndim == 2 and targets.shape[1] == 1:
                targets = column_or_1d(targets, warn=True)
        network = memorize(
            X,
            targets,
            hidden=None if self.hidden is None else tuple(self.hidden),
            construction=self.construction,
            projection=self.projection,
            seed=_seed(self.random_state),
            encoding=encoding,
            n_threads=self.n_threads,
        )
        self._floats = network.to_network() if self.arithmetic == "float" else None
        self.network_ = network
        if classify:
            self.classes_ = classes
        return self

    def predict(self, X: Any) -> Array:
        """Return labels, (n_samples,), or numbers, (n_samples,) or (n_samples, n_outputs).

        Numbers are the float64 nearest to the network's outputs; ``network_.predict`` returns these
        as fractions.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X is not finite or does not fit the network.
        """
        check_is_fitted(self, "network_")
        refuse_mask(X, "X")
        X = validate_data(self, X, reset=False)
        if self.arithmetic == "exact":
            outputs: Array = to_floats(self.network_.predict(X, n_threads=self.n_threads))
        else:
            if self._floats is None:  # the parameter was set after fit
                self._floats = self.network_.to_network()
            outputs = self._floats.predict(X)
        if self.task == "regression":
            return outputs.ravel() if outputs.shape[1] == 1 else outputs
        if outputs.shape[1] > 1:  # one_hot, when it was fitted
            codes = np.argmax(outputs, axis=1)
        else:  # far from the points that it knows, a network may return anything
            codes = np.rint(np.nan_to_num(outputs[:, 0])).clip(0, len(self.classes_) - 1)
        labels: Array = self.classes_[np.minimum(codes, len(self.classes_) - 1).astype(np.intp)]
        return labels

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of a classifier, the R^2 of a regressor.

        Parameters
        ----------
        X : array-like (n_samples, n_features)
        y : array-like (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like (n_samples,), optional
        """
        measure = accuracy_score if self.task == "classification" else r2_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        if self.task == "classification":
            tags.estimator_type = "classifier"
            # It has no idea of what it has not seen.
            tags.classifier_tags = ClassifierTags(poor_score=True)
        else:
            tags.estimator_type = "regressor"
            tags.regressor_tags = RegressorTags(poor_score=True)
            tags.target_tags.multi_output = True
        return tags


def _seed(random_state: Any) -> int:
    """Return the seed of a network; integers are taken as they are."""
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
