"""Networks that are constructed, as estimators."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import ClassifierTags, RegressorTags, Tags, check_array, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from exactnet.base.checks import refuse_mask, shown
from exactnet.base.dataset import Dataset
from exactnet.exact.construct.duplicates import ConflictError
from exactnet.exact.construct.memorization import CONSTRUCTIONS, PROJECTIONS, memorize
from exactnet.exact.network import ExactNetwork
from exactnet.exact.rationals import to_floats
from exactnet.sklearn.preparation import targets_of
from exactnet.sklearn.random_state import seed_of

Array: TypeAlias = npt.NDArray[Any]


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

    def fit(self, X: Any, y: Any = None) -> Memorizer:
        """Construct the network.

        Parameters
        ----------
        X : array-like (n_samples, n_features), or Dataset with y
            Integers and floats are taken as they are.
        y : array-like (n_samples,), or (n_samples, n_outputs) in regression; none with a Dataset

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
        y = targets_of(X, y)
        if isinstance(X, Dataset):
            X = X.X
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
        try:
            network = memorize(
                X,
                targets,
                hidden=None if self.hidden is None else tuple(self.hidden),
                construction=self.construction,
                projection=self.projection,
                seed=seed_of(self.random_state),
                encoding=encoding,
                n_threads=self.n_threads,
            )
        except ConflictError as error:
            if not classify:
                raise
            first, second = (shown(label) for label in np.take(y, error.rows).tolist())
            raise ConflictError.of(error.rows, (first, second)) from None  # labels, not codes
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
        if isinstance(X, Dataset):
            X = X.X
        refuse_mask(X, "X")
        X = validate_data(self, X, reset=False)
        if self.arithmetic == "exact":
            outputs: Array = to_floats(self.network_.predict(X, n_threads=self.n_threads))
        else:
            if self._floats is None:  # the parameter was set after fit
                self._floats = self.network_.to_network()
            outputs = self._floats.predict(X, n_threads=self.n_threads)
        if self.task == "regression":
            return outputs.ravel() if outputs.shape[1] == 1 else outputs
        if outputs.shape[1] > 1:  # one_hot, when it was fitted
            codes = np.argmax(outputs, axis=1)
        else:  # far from the points that it knows, a network may return anything
            codes = np.rint(np.nan_to_num(outputs[:, 0])).clip(0, len(self.classes_) - 1)
        labels: Array = self.classes_[np.minimum(codes, len(self.classes_) - 1).astype(np.intp)]
        return labels

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the accuracy of a classifier, the R^2 of a regressor.

        Parameters
        ----------
        X : array-like (n_samples, n_features), or Dataset with y
        y : array-like (n_samples,) or (n_samples, n_outputs); none with a Dataset
        sample_weight : array-like (n_samples,), optional
        """
        measure = accuracy_score if self.task == "classification" else r2_score
        return float(measure(targets_of(X, y), self.predict(X), sample_weight=sample_weight))

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
