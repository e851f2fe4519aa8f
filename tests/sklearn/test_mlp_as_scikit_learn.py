"""What scikit-learn's estimators are told means the same here: from one seed, to one network."""

import inspect
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn import neural_network as theirs
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from exactnet import Dataset
from exactnet import sklearn as ours
from exactnet.dense.history import History
from exactnet.dense.network import Network
from exactnet.sklearn.convergence import Monitor
from exactnet.sklearn.parameters import Parameters

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_REG = scale(load_diabetes().data)
Y_REG = load_diabetes().target / 100
X_MULTI, Y_MULTI = make_multilabel_classification(n_samples=60, random_state=1)
WEIGHTS = np.linspace(0.5, 2, len(X_IRIS))

PROBLEMS = {
    "binary": ("MLPClassifier", X_IRIS[50:], Y_IRIS[50:], {}),
    "multiclass": ("MLPClassifier", X_IRIS, Y_IRIS, {}),
    "multilabel": ("MLPClassifier", X_MULTI / 10, Y_MULTI, {}),
    "regression": ("MLPRegressor", X_REG, Y_REG, {}),
    "counts": ("MLPRegressor", X_REG, np.round(Y_REG), dict(loss="poisson")),
}
# One batch, for they shuffle otherwise. Their losses of an epoch include the penalty, and have an
# end: both may tell otherwise when to end.
FIXED = dict(n_iter_no_change=np.inf, max_iter=30, batch_size=10**6, shuffle=False, alpha=0.3)
SOLVERS = {
    "adam": dict(**FIXED),
    "sgd": dict(**FIXED, solver="sgd", learning_rate_init=0.1),
    "plain": dict(**FIXED, solver="sgd", momentum=0.0),
    "invscaling": dict(
        **FIXED, solver="sgd", learning_rate="invscaling", power_t=0.2, learning_rate_init=0.05
    ),
    "adaptive": dict(
        solver="sgd", learning_rate="adaptive", learning_rate_init=0.02, alpha=0.0, tol=0.05,
        n_iter_no_change=2, max_iter=60, batch_size=10**6, shuffle=False,
    ),
    "lbfgs": dict(solver="lbfgs", max_iter=7, alpha=0.3),
}  # fmt: skip


def pair(kind, **options):
    if "loss" in options and not hasattr(getattr(theirs, kind)(), "loss"):
        pytest.skip("scikit-learn has had this loss since 1.7")
    return [getattr(module, kind)(hidden_layer_sizes=12, **options) for module in (theirs, ours)]


@pytest.mark.filterwarnings("ignore:.*sample size. It is going to be clipped")
@pytest.mark.filterwarnings("ignore:.*larger than sample size. it is clipped")
@pytest.mark.filterwarnings("ignore:batch_size=1000000 is larger than sample size")
@pytest.mark.parametrize("activation", ["relu", "logistic", "tanh"])
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_networks_are_the_same(problem, solver, activation):
    kind, X, y, loss = PROBLEMS[problem]
    models = pair(kind, activation=activation, random_state=5, **loss, **SOLVERS[solver])
    if solver == "adam":
        models[0].epsilon = models[1].epsilon = 1e-12  # which theirs scales otherwise
    for model in models:
        model.fit(X, y)
    peer, model = models
    assert model.n_iter_ == peer.n_iter_
    for attribute in ("coefs_", "intercepts_"):
        for a, b in zip(*(getattr(m, attribute) for m in models), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.predict(X), peer.predict(X), rtol=1e-4, atol=1e-6)
    if kind == "MLPClassifier":
        expected = peer.predict_proba(X)
        np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-4, atol=1e-6)
    assert model.predict(X).dtype == peer.predict(X).dtype
    for attribute in ("n_layers_", "n_outputs_", "out_activation_", "t_"):
        assert getattr(model, attribute) == getattr(peer, attribute)


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_losses_of_several_outputs_are_their_mean(solver):
    y = np.c_[Y_REG, X_REG[:, 0], X_REG[:, 1] * Y_REG]
    options = dict(solver=solver, alpha=0.0, max_iter=300, tol=1e-3, random_state=0)
    if solver == "sgd":
        options |= dict(batch_size=len(X_REG), shuffle=False, learning_rate_init=0.02)
    else:
        options |= dict(alpha=0.5, max_iter=7)
    peer, model = (one.fit(X_REG, y) for one in pair("MLPRegressor", **options))
    assert model.n_iter_ == peer.n_iter_ < 300
    assert model.loss_ == pytest.approx(peer.loss_, rel=1e-12)
    assert model.best_loss_ == min(model.loss_curve_)
    if solver == "sgd":  # the other has no curve
        assert model.best_loss_ == pytest.approx(peer.best_loss_, rel=1e-12)
        np.testing.assert_allclose(model.loss_curve_, peer.loss_curve_, rtol=1e-12)
        model.set_params(max_iter=3).fit(X_REG, y, X_val=X_REG, y_val=y)
        mean = model.network_.loss(X_REG, y, "quadratic") / 3
        assert model.validation_loss_curve_[-1] == pytest.approx(mean, rel=1e-12)


BATCHES = dict(batch_size=30, shuffle=False, n_iter_no_change=np.inf)
ONE_BATCH = dict(batch_size=len(X_IRIS), shuffle=False, n_iter_no_change=np.inf)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_constant_weights_of_samples(kind, solver):
    y = Y_IRIS if kind == "MLPClassifier" else X_IRIS @ [1, 2, 0, 1] / 10
    for alpha, w in ((0.0, 10.0), (0.0, 1000.0), (2.0, 7.0)):
        peer, model = pair(
            kind, solver=solver, alpha=alpha, max_iter=6, random_state=0, epsilon=1e-12, **BATCHES
        )
        for estimator in (peer, model):
            estimator.fit(X_IRIS, y, sample_weight=np.full(len(y), w))
        for a, b in zip(peer.coefs_, model.coefs_, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)
        if not alpha:
            np.testing.assert_allclose(model.loss_curve_, peer.loss_curve_, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_a_common_factor_of_the_weights_changes_nothing(kind, early_stopping, dtype):
    def trained(factor):
        model = getattr(ours, kind)(
            6, max_iter=3, random_state=0, early_stopping=early_stopping, alpha=0.5 * factor,
            dtype=dtype,
        )  # fmt: skip
        model.fit(X_IRIS, Y_IRIS, WEIGHTS * factor)
        if not early_stopping:
            model.partial_fit(X_IRIS[::2], Y_IRIS[::2], sample_weight=WEIGHTS[::2] * factor)
        return [*model.coefs_, *model.intercepts_, model.loss_curve_]

    largest = 2.0**120 if dtype == "float32" else 2.0**1022
    for factor in (2.0**-60, 0.25, 8.0, largest):
        for a, b in zip(trained(1.0), trained(factor), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_common_factor_of_the_weights_of_classes_changes_nothing():
    options = dict(alpha=0.0, max_iter=3, random_state=0)
    once, more = (
        ours.MLPClassifier(6, class_weight={0: w, 1: 2 * w, 2: 5 * w}, **options)
        for w in (1.0, 64.0)
    )
    once.fit(X_IRIS, Y_IRIS)
    more.fit(X_IRIS, Y_IRIS)
    assert once.loss_curve_ == more.loss_curve_
    assert once.loss_ != ours.MLPClassifier(6, **options).fit(X_IRIS, Y_IRIS).loss_


@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_weights_of_samples(kind, solver):
    options = dict(solver=solver, alpha=2.0, max_iter=6, random_state=0)
    if solver != "lbfgs":
        options |= dict(ONE_BATCH, learning_rate_init=0.01, epsilon=1e-12)
    peer, model = pair(kind, **options)
    y = Y_IRIS if kind == "MLPClassifier" else X_IRIS @ [1, 2, 0, 1]
    peer.fit(X_IRIS, y, sample_weight=WEIGHTS)
    model.fit(X_IRIS, y, sample_weight=WEIGHTS)
    for a, b in zip(peer.coefs_, model.coefs_, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)
    assert len(model.loss_curve_) == model.n_iter_ == 6
    assert model.best_loss_ == min(model.loss_curve_)
    if solver == "lbfgs":  # else theirs has the penalty
        assert model.loss_ == pytest.approx(peer.loss_, rel=1e-6)
        assert model.best_loss_ == model.loss_


def test_an_interrupted_lbfgs_has_the_weights_of_an_iteration(monkeypatch):
    whole = ours.MLPRegressor(5, solver="lbfgs", max_iter=3, random_state=0).fit(X_REG, Y_REG)
    again = ours.MLPRegressor(5, solver="lbfgs", max_iter=3, random_state=0).fit(X_REG, Y_REG)
    calls = []
    original = np.concatenate

    def fail(*arguments, **options):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(np, "concatenate", fail)
    again.set_params(warm_start=True, max_iter=100)
    with pytest.raises(KeyboardInterrupt):
        again.fit(X_REG, Y_REG)
    monkeypatch.undo()
    assert len(calls) == 6
    assert again.network_.loss(X_REG, Y_REG[:, None], "quadratic") < whole.loss_
    assert again.fit(X_REG, Y_REG).score(X_REG, Y_REG) > whole.score(X_REG, Y_REG)


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_samples_are_the_same(kind, solver):
    X = np.where(np.abs(X_REG) > 1, X_REG, 0)
    y = (Y_REG > 1.5) + 0.0
    options = dict(solver=solver, max_iter=5, random_state=0)
    for dtype in (np.float32, np.float64):
        dense, sparse, kept = (getattr(ours, kind)(12, **options) for _ in range(3))
        dense.fit(X.astype(dtype), y)
        sparse.fit(csr_array(X.astype(dtype)), y)
        kept.fit(Dataset(csr_array(X.astype(dtype)), y))
        assert sparse.network_.dtype == dtype
        for a, b, c in zip(dense.coefs_, sparse.coefs_, kept.coefs_, strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(a, c)
        expected = dense.predict(X.astype(dtype))
        np.testing.assert_array_equal(sparse.predict(csr_array(X.astype(dtype))), expected)
    early = getattr(ours, kind)(12, early_stopping=True, max_iter=3).fit(csr_array(X), y)
    assert len(early.validation_scores_) == 3
    broken = csr_array(X)
    broken.data[3] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        sparse.fit(broken, y)


def test_labels_of_any_number():
    model = ours.MLPClassifier(20, early_stopping=True, max_iter=200, random_state=0)
    model.fit(X_MULTI, Y_MULTI, X_val=X_MULTI, y_val=Y_MULTI)
    assert model.best_validation_score_ == model.score(X_MULTI, Y_MULTI)  # all labels right
    one_hot = np.eye(3, dtype=int)[Y_IRIS]
    model = ours.MLPClassifier(20, solver="lbfgs", random_state=0).fit(X_IRIS, one_hot)
    assert model.network_.activations[-1] == "sigmoid"
    assert model.score(X_IRIS, one_hot) > 0.95
    with pytest.raises(ValueError, match="class_weight is for one label of a sample"):
        ours.MLPClassifier(class_weight={0: 2}).fit(X_MULTI, Y_MULTI)
    with pytest.raises(ValueError, match="y_val must have 5 columns of 0 and 1, as y"):
        ours.MLPClassifier().fit(X_MULTI, Y_MULTI, X_val=X_MULTI, y_val=Y_MULTI[:, :4])
    with pytest.raises(ValueError, match="y has 5 columns for 4 classes"):
        ours.MLPClassifier().partial_fit(X_MULTI, Y_MULTI, classes=range(4))
    with pytest.raises(ValueError, match="y has 2 columns, which must tell by 0 and 1"):
        ours.MLPClassifier().fit(X_MULTI, Y_MULTI[:, :2] + np.arange(60)[:, None] % 3)
    model = ours.MLPClassifier(warm_start=True, max_iter=2).fit(X_MULTI, Y_MULTI)
    with pytest.raises(ValueError, match="y must tell one label of a sample, or any number, as it"):
        model.fit(X_MULTI, Y_MULTI[:, 0])


def test_names_of_classes_go_with_the_network():
    names = np.array(["setosa", "versicolor", "virginica"])
    model = ours.MLPClassifier(5, max_iter=2).fit(X_IRIS, names[Y_IRIS])
    assert model.network_.classes == tuple(names)
    codes = model.network_.classify(X_IRIS)
    np.testing.assert_array_equal(model.predict(X_IRIS), names[codes])
    assert ours.MLPClassifier(5, max_iter=2).fit(X_IRIS, Y_IRIS).network_.classes is None


def test_quantiles(np_rng):
    X = np_rng.uniform(-1, 1, (2000, 1))
    noise = np_rng.normal(size=2000)
    y = 3 * X[:, 0] + noise
    levels = [0.1, 0.5, 0.9]
    model = ours.MLPRegressor(
        10, loss="pinball", quantiles=levels, learning_rate_init=0.01, random_state=0
    ).fit(X, y)
    outputs = model.predict(X)
    assert outputs.shape == (2000, 3)
    np.testing.assert_allclose((y[:, None] < outputs).mean(axis=0), levels, atol=0.04)
    assert 0.3 < model.score(X, y) < 1
    median = ours.MLPRegressor(10, loss="pinball", max_iter=3, early_stopping=True).fit(X, y)
    assert median.predict(X).shape == (2000,)
    assert max(median.validation_scores_) == median.best_validation_score_
    with pytest.raises(ValueError, match="y has 2 columns, but loss='pinball' is for one"):
        model.fit(X, np.c_[y, y])
    with pytest.raises(ValueError, match=r"quantiles\[1\] must lie between 0 and 1, not 2"):
        ours.MLPRegressor(loss="pinball", quantiles=[0.5, 2]).fit(X, y)
    with pytest.raises(ValueError, match=r"quantiles=0\.5 is for loss='pinball'"):
        ours.MLPRegressor(quantiles=0.5).fit(X, y)
    with pytest.raises(ValueError, match=r"quantiles must be a number .*, not \[\]"):
        ours.MLPRegressor(loss="pinball", quantiles=[]).fit(X, y)
    for n, words in ((1, "one number, for one output"), (3, "3 numbers, one for every output")):
        with pytest.raises(ValueError, match=rf"quantiles must be {words}, not \[0.1, 0.9\]"):
            Network([1, n]).loss(X, np.zeros((2000, n)), "pinball", quantiles=[0.1, 0.9])


def test_a_network_of_other_outputs_is_not_trained_further():
    for old, new, outputs in (
        ("squared_error", "poisson", "linear"),
        ("poisson", "squared_error", "exp"),
    ):
        model = ours.MLPRegressor(5, loss=old, max_iter=2, warm_start=True).fit(X_REG, Y_REG)
        model.set_params(loss=new)
        message = f"goes on with the old network, of {outputs} outputs:"
        with pytest.raises(ValueError, match=f"warm_start=True {message} set warm_start=False"):
            model.fit(X_REG, Y_REG)
        with pytest.raises(ValueError, match=f"partial_fit {message} call fit"):
            model.partial_fit(X_REG, Y_REG)
        assert model.set_params(warm_start=False).fit(X_REG, Y_REG).n_iter_ == 2


def test_epochs_between_calls_of_the_monitor_are_the_same():
    """It need not be called after every epoch; with another callback it is."""
    calls = []
    for options in (dict(tol=1e-2), dict(tol=1e-2, solver="sgd", learning_rate="adaptive")):
        few = ours.MLPClassifier(8, random_state=0, learning_rate_init=0.01, **options)
        many = ours.MLPClassifier(8, random_state=0, learning_rate_init=0.01, **options)
        few.fit(X_IRIS, Y_IRIS)
        many.fit(X_IRIS, Y_IRIS, callbacks=[lambda *given: calls.append(given[1])])
        assert calls == list(range(many.n_iter_))
        assert few.loss_curve_ == many.loss_curve_
        for a, b in zip(few.coefs_, many.coefs_, strict=True):
            np.testing.assert_array_equal(a, b)
        calls.clear()


def losses_until_converged(losses, tol=0.01, patience=2):
    monitor, history = Monitor(by_score=False), History()
    monitor.start(tol, patience, None)
    network = Network([1, 1], activations="linear")
    for epoch, loss in enumerate(losses):
        history.loss.append(loss)
        try:
            monitor(network, epoch, history)
        except Exception:
            return epoch + 1
    return None


def test_training_does_not_end_at_a_leap():
    assert losses_until_converged([1.0] * 9) == 4
    assert losses_until_converged([1.0, 3, 4, 3, 2, 1.05, 1.05]) == 6
    assert losses_until_converged([1.0, 3, 4, 3, 2, 0.9, 1, 1, 0.95, 0.95]) == 9
    assert losses_until_converged([1.0, 3, 4, 3, 2]) is None
    assert losses_until_converged([0.0, 0.009, 0.02, 0.02, 0.009]) == 5


def test_verbose_prints_what_scikit_learn_does(capsys):
    for kind, options in (
        ("MLPClassifier", dict(max_iter=4, batch_size=150, shuffle=False)),
        ("MLPRegressor", dict(max_iter=200, solver="sgd", tol=10, shuffle=False)),
        (
            "MLPRegressor",
            dict(max_iter=400, solver="sgd", learning_rate="adaptive", tol=10, shuffle=False),
        ),
    ):
        lines = []
        for model in pair(kind, random_state=0, verbose=True, **options):
            model.fit(X_IRIS, Y_IRIS)
            lines.append([line.split("loss = ")[0] for line in capsys.readouterr().out.split("\n")])
        assert lines[1] == [line.replace(" Learning rate too small.", "") for line in lines[0]]


def test_a_training_that_converges_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        ours.MLPClassifier(8, tol=0.1, n_iter_no_change=2).fit(X_IRIS, Y_IRIS)
        ours.MLPRegressor(8, solver="lbfgs", tol=0.1, max_iter=2000).fit(X_IRIS, Y_IRIS)


def test_signatures_are_those_of_the_parameters_and_their_own():
    """scikit-learn reads the signature of each class, so that they stand in three places."""
    common = dict(inspect.signature(Parameters).parameters)
    for kind, own in (
        (ours.MLPClassifier, {"class_weight"}),
        (ours.MLPRegressor, {"loss", "quantiles"}),
    ):
        parameters = dict(inspect.signature(kind).parameters)
        assert parameters.keys() - common.keys() == own
        assert {name: parameters[name] for name in common} == common
