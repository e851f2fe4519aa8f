"""What scikit-learn expects of estimators, in its own checks and in its tools."""

import pickle

import joblib
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from exactnet import Network, datasets
from exactnet.activations import LeakyReLU
from exactnet.sklearn import Memorizer, MLPClassifier, MLPRegressor

X, Y, X_TEST, Y_TEST = datasets.load_digits()
X_SMALL, Y_SMALL = X[:300], Y[:300]

# Training that is not to converge, but to be counted.
FIXED = dict(n_iter_no_change=np.inf, random_state=3)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of FIXED

ESTIMATORS = [
    MLPClassifier(random_state=0),
    MLPClassifier((10, 5), ["tanh", LeakyReLU(0.2)], dropout=0.1, alpha=1e-4, random_state=0),
    MLPRegressor(random_state=0),
    MLPRegressor(dtype="float64", random_state=0),
    Memorizer(),
    Memorizer(encoding="one_hot"),
    Memorizer("regression"),
]


def expected_failed_checks(estimator):
    failures = {}
    if isinstance(estimator, MLPClassifier) and estimator.dropout:
        for kind in ("dense", "sparse"):
            failures[f"check_sample_weight_equivalence_on_{kind}_data"] = (
                "a sample that is repeated loses other units each time, one of double weight once"
            )
    if isinstance(estimator, MLPRegressor) and estimator.dtype == "float32":
        failures["check_regressor_multioutput"] = (
            "it wants float64; predictions have the type of the network, which is a parameter"
        )
    return failures


# a generator before scikit-learn 1.8, of which pytest warns
CHECKS = parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failed_checks)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(CHECKS.args[0], list(CHECKS.args[1]), **CHECKS.kwargs)
def test_scikit_learn(estimator, check):
    check(estimator)


def same(a, b):
    pairs = zip((*a.weights, *a.biases), (*b.weights, *b.biases), strict=True)
    return all(np.array_equal(v, w) for v, w in pairs)


def test_masked_entries_are_refused():
    masked = np.ma.array(X_SMALL, mask=X_SMALL > 0)
    for kind in (MLPClassifier, MLPRegressor, Memorizer):
        model = kind().fit(X_SMALL, Y_SMALL)
        calls = [
            lambda kind=kind: kind().fit(masked, Y_SMALL),
            lambda kind=kind: kind().fit(X_SMALL, np.ma.array(Y_SMALL, mask=Y_SMALL > 3)),
            lambda model=model: model.predict(masked),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="has masked entries"):
                call()


@pytest.mark.parametrize("estimator", ESTIMATORS[::2], ids=str)
def test_bad_data(estimator):
    name = type(estimator).__name__
    model = clone(estimator)
    with pytest.raises(NotFittedError, match=f"This {name} instance is not fitted yet"):
        model.predict(X)
    if isinstance(model, Memorizer):
        with pytest.raises(TypeError, match="Sparse data was passed"):
            model.fit(csr_array(X_SMALL), Y_SMALL)
    with pytest.raises(ValueError, match="Found input variables with inconsistent numbers"):
        model.fit(X_SMALL, Y_SMALL[:-1])
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array instead"):
        model.fit(X_SMALL[0], Y_SMALL)
    for value, what in ((np.nan, "contains NaN"), (np.inf, "contains infinity or a value too")):
        wrong = X_SMALL.astype(float)
        wrong[7, 5] = value
        with pytest.raises(ValueError, match=f"Input X {what}"):
            model.fit(wrong, Y_SMALL)
    with pytest.raises(ValueError, match="requires y to be passed"):
        model.fit(X_SMALL, None)
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        model.fit(X_SMALL[:0], Y_SMALL[:0])
    with pytest.raises(NotFittedError):
        model.predict(X)
    if hasattr(model, "max_iter"):
        model.set_params(max_iter=2, n_iter_no_change=np.inf)
    model.fit(X_SMALL, Y_SMALL)
    with pytest.raises(ValueError, match=f"X has 63 features, but {name} is expecting 64"):
        model.predict(X[:, :63])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict(np.full((1, 64), np.nan))
    if isinstance(model, Memorizer):
        with pytest.raises(TypeError, match="Sparse data was passed"):
            model.predict(csr_array(X_SMALL))


def test_bad_targets():
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        MLPClassifier().fit(X_SMALL, Y_SMALL + 0.5)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        Memorizer().fit(X_SMALL, Y_SMALL + 0.5)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        MLPRegressor().fit(X_SMALL, np.full(300, np.nan))
    with pytest.raises(ValueError, match="Input y contains infinity or a value too large"):
        MLPRegressor(dtype="float32").fit(X_SMALL, np.full(300, 1e300))
    with pytest.raises(ValueError, match="too large for dtype"):
        MLPRegressor(dtype="float32").fit(X_SMALL.astype(float) * 1e300, Y_SMALL)
    with pytest.raises(ValueError, match="may contain large values and need to be preprocessed"):
        MLPRegressor().fit(X_SMALL.astype(float) * 1e300, Y_SMALL)
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        MLPRegressor(max_iter=1, **FIXED).fit(X_SMALL, Y_SMALL[:, None])


@pytest.mark.parametrize("estimator", [*ESTIMATORS, Memorizer(arithmetic="float")], ids=str)
def test_pickle_and_clone(estimator):
    model = clone(estimator)
    assert repr(model) == repr(estimator)
    if hasattr(model, "max_iter"):
        model.set_params(max_iter=2, n_iter_no_change=np.inf)
    model.fit(X_SMALL, Y_SMALL)
    same_model = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(same_model.predict(X_TEST), model.predict(X_TEST))
    assert not hasattr(clone(model), "network_")
    if hasattr(model, "partial_fit"):  # which needs the states of optimiser and generator
        model.partial_fit(X_SMALL, Y_SMALL)
        same_model.partial_fit(X_SMALL, Y_SMALL)
        assert same(model.network_, same_model.network_)


def test_networks_are_unpickled_into_memory_of_their_own(tmp_path):
    net = Network([64, 8, 10], seed=1)
    net.fit(X, Y, momentum=0.5)
    buffers = []
    data = pickle.dumps(net, protocol=5, buffer_callback=buffers.append)
    frozen = [bytes(b) for b in buffers]  # as Dask receives them
    joblib.dump(net, tmp_path / "net.joblib")
    for copy in (
        pickle.loads(data, buffers=frozen),
        joblib.load(tmp_path / "net.joblib", mmap_mode="r"),
    ):
        assert same(copy, net)
        for array in (*copy.weights, *copy.biases):
            assert array.flags.writeable  # neither bytes nor the file
            assert not any(np.shares_memory(array, np.frombuffer(b, np.uint8)) for b in frozen)
        other = pickle.loads(pickle.dumps(net))
        for each in (copy, other):
            each.fit(X, Y, momentum=0.5)
        assert same(copy, other)
        assert not same(copy, net)
        copy.weights[0][...] = 0
        assert len(np.unique(copy.predict(X), axis=0)) == 1


GRID = {"mlpclassifier__hidden_layer_sizes": [(5,), (20,)], "mlpclassifier__dropout": [0, 0.3]}


def search(**options):
    model = MLPClassifier(learning_rate_init=0.01, max_iter=10, **FIXED)
    pipeline = make_pipeline(StandardScaler(), model)
    return GridSearchCV(pipeline, GRID, cv=2, error_score="raise", **options).fit(X, Y)


@pytest.fixture(scope="module")
def serial_search():
    return search()


def same_search(one, two):
    np.testing.assert_array_equal(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"]
    )
    nets = [s.best_estimator_[-1].network_ for s in (one, two)]
    return one.best_params_ == two.best_params_ and same(*nets)


def test_grid_search(serial_search):
    assert serial_search.best_params_["mlpclassifier__hidden_layer_sizes"] == (20,)
    assert serial_search.best_score_ > 0.85
    assert same_search(search(n_jobs=2), serial_search)
    scores = cross_val_score(Memorizer(), X_SMALL, Y_SMALL, cv=2)  # stratified: a classifier
    assert scores.shape == (2,)


def test_grid_search_on_dask(serial_search, client):
    assert len(client.scheduler_info()["workers"]) == 2
    with joblib.parallel_config("dask"):
        found = search()
    assert same_search(found, serial_search)


def test_incremental_training_on_chunks_of_dask(client):
    """As `dask_ml.wrappers.Incremental` does it: blocks come to one model, one after the other."""
    array = pytest.importorskip("dask.array")
    blocks = array.from_array(X, chunks=(400, -1)).to_delayed().ravel()
    labels = array.from_array(Y, chunks=400).to_delayed().ravel()
    by_hand = MLPClassifier(8, random_state=1)
    model = client.submit(lambda: MLPClassifier(8, random_state=1))

    def step(model, X, y):
        return pickle.loads(pickle.dumps(model)).partial_fit(X, y, classes=np.arange(10))

    for block, part in zip(blocks, labels, strict=True):
        model = client.submit(step, model, client.compute(block), client.compute(part))
    for k in range(0, len(X), 400):
        by_hand.partial_fit(X[k : k + 400], Y[k : k + 400], classes=np.arange(10))
    assert same(model.result().network_, by_hand.network_)
