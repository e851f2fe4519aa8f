"""Estimators take a Dataset in place of X and y, and prepare it once."""

import numpy as np
import pytest

from exactnet import Dataset, datasets
from exactnet.dense.data import Data, Samples
from exactnet.sklearn import Memorizer, MLPClassifier, MLPRegressor

X, Y = datasets.load_digits()[:2]
X, LABELS = X[:200], np.array(list("abcdefghij"))[Y[:200]]
KINDS = [(MLPClassifier, LABELS), (MLPRegressor, Y[:200] / 10), (MLPRegressor, X[:, 20:23])]
FIXED = dict(n_iter_no_change=np.inf, random_state=3)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of FIXED


def parameters(model):
    return [a.tobytes() for a in (*model.coefs_, *model.intercepts_)]


@pytest.mark.parametrize(("kind", "y"), KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_dataset_is_its_arrays(kind, y, dtype):
    data = Dataset(X, y)
    for options in [{}, dict(early_stopping=True, validation_fraction=0.3)]:
        one, other = (kind(5, max_iter=3, dtype=dtype, **FIXED, **options) for _ in range(2))
        one.fit(data, X_val=Dataset(X[:50], y[:50]))
        other.fit(X, y, X_val=X[:50], y_val=y[:50])
        assert parameters(one) == parameters(other)
        assert one.validation_loss_curve_ == other.validation_loss_curve_
        assert one.n_features_in_ == 64
        assert (one.predict(data) == other.predict(X)).all()
        assert one.score(data) == other.score(X, y)
        assert parameters(one.fit(data)) == parameters(other.fit(X, y))  # splits, to stop early


@pytest.mark.parametrize(("kind", "y"), KINDS)
def test_it_is_checked_and_packed_once(kind, y, monkeypatch):
    calls = []

    def counted(name, function):
        def call(*arguments, **options):
            calls.append(name)
            return function(*arguments, **options)

        return call

    for where, name in [
        ("exactnet.sklearn.preparation", "check_array"),
        ("exactnet.sklearn.preparation", "_check_y"),
        ("exactnet.sklearn.classifier", "check_classification_targets"),
        ("exactnet.sklearn.regressor", "check_array"),
    ]:
        function = getattr(__import__(where, fromlist=[name]), name)
        monkeypatch.setattr(f"{where}.{name}", counted(f"{where}.{name}", function))
    for made in (Samples, Data):
        monkeypatch.setattr(made, "__init__", counted(made.__name__, made.__init__))
    data, options = Dataset(X, y), {}
    if kind == MLPClassifier:
        options = dict(classes=[*"abcdefghijk"])  # of which one is still to come
    model = kind(5, random_state=3).partial_fit(data, **options)
    assert {"Samples", "Data", "exactnet.sklearn.preparation.check_array"} < set(calls)
    assert len(set(calls)) == len(calls)
    calls.clear()
    for _ in range(3):
        model.partial_fit(data)
    model.predict(data)
    assert calls in ([], ["Samples"])  # of the prediction, which has no targets
    arrays = kind(5, random_state=3)
    for k in range(4):
        arrays.partial_fit(X, y, **(options if k == 0 else {}))
    assert parameters(model) == parameters(arrays)


def test_what_estimators_want_of_a_dataset():
    data = Dataset(X, LABELS)
    broken = X.copy()
    broken[3, 5] = np.nan
    fitted = MLPClassifier(5, max_iter=2, **FIXED).fit(data)
    for call, text in [
        (lambda: MLPClassifier().fit(data, LABELS), "y must be left out: X is a Dataset"),
        (lambda: MLPRegressor().partial_fit(data, LABELS), "y must be left out: X is a Dataset"),
        (lambda: MLPClassifier().fit(Dataset(X)), "X is a Dataset without y"),
        (lambda: MLPClassifier().fit(Dataset(broken, LABELS)), "Input X contains NaN"),
        (lambda: MLPClassifier().fit(Dataset(X[:, 0], LABELS)), "Expected 2D array, got 1D"),
        (lambda: MLPClassifier().fit(Dataset(X, X)), "Unknown label type: continuous-multi"),
        (lambda: MLPRegressor().fit(Dataset(X, Y[:200] * np.nan)), "Input y contains NaN"),
        (lambda: MLPClassifier().fit(X, LABELS, X_val=data, y_val=LABELS), "y_val must be left"),
        (lambda: MLPClassifier().fit(X, LABELS, X_val=Dataset(X)), "X_val is a Dataset without"),
        (lambda: fitted.partial_fit(Dataset(X[:, :9], LABELS)), "X has 9 features, but"),
        (lambda: fitted.partial_fit(Dataset(X[:2], ["a", "z"])), "`y` has classes not in"),
        (lambda: fitted.predict(Dataset(broken)), "Input X contains NaN"),
        (lambda: fitted.score(data, LABELS), "y must be left out: X is a Dataset"),
        (lambda: fitted.score(Dataset(X)), "X is a Dataset without y"),
        (lambda: Memorizer().fit(data, LABELS), "y must be left out"),
    ]:
        with pytest.raises(ValueError, match=text):
            call()


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_memorizer_of_a_dataset(task):
    y = LABELS if task == "classification" else Y[:200] / 3
    data = Dataset(X, y)
    model = Memorizer(task).fit(data)
    assert model.n_features_in_ == 64
    assert (model.predict(data) == y).all()
    assert model.score(data) == 1
    assert (model.network_.weights[1] == Memorizer(task).fit(X, y).network_.weights[1]).all()
