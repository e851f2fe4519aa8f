"""The estimators are the networks they claim."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPClassifier as PeerClassifier
from sklearn.utils import compute_sample_weight

from exactnet import Network, datasets, schedules
from exactnet.activations import LeakyReLU
from exactnet.sklearn import MLPClassifier, MLPRegressor

X, Y, X_TEST, Y_TEST = datasets.load_digits()
X_SMALL, Y_SMALL = X[:300], Y[:300]

# Training that is not to converge, but to be counted.
FIXED = dict(n_iter_no_change=np.inf, random_state=3)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of FIXED


def same(a, b):
    pairs = zip((*a.weights, *a.biases), (*b.weights, *b.biases), strict=True)
    return all(np.array_equal(v, w) for v, w in pairs)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_is_the_network_it_claims(solver):
    weights = np.linspace(0.5, 1.5, len(X))
    model = MLPClassifier(
        (20, 10),
        ["logistic", LeakyReLU(0.1)],
        solver=solver,
        penalty="l1",
        alpha=1e-4 * 50,  # of which a batch has its share
        dropout=[0.1, 0.2],
        clip_norm=2.0,
        batch_size=50,
        learning_rate=schedules.Exponential(0.01, 0.9),
        max_iter=4,
        init="he_normal",
        dtype="float64",
        n_threads=2,
        **FIXED,
    )
    model.fit(X, Y, weights, X_val=X_TEST, y_val=Y_TEST)
    net = Network(
        [64, 20, 10, 10],
        activations=["sigmoid", LeakyReLU(0.1), "softmax"],
        init="he_normal",
        dtype="float64",
        seed=3,
    )
    sgd = dict(momentum=0.9, nesterov=True) if solver == "sgd" else {}
    history = net.fit(
        X,
        Y,
        epochs=4,
        batch_size=50,
        learning_rate=schedules.Exponential(0.01, 0.9),
        optimizer=solver,
        loss="cross_entropy",
        penalty="l1",
        alpha=1e-4,
        dropout=[0.1, 0.2],
        clip_norm=2.0,
        sample_weight=weights,
        validation_data=(X_TEST, Y_TEST),
        **sgd,
    )
    assert same(model.network_, net)
    assert model.n_iter_ == 4
    assert model.loss_curve_ == history.loss
    assert model.validation_loss_curve_ == history.val_loss
    assert model.validation_scores_ == history.val_accuracy
    assert model.loss_ == history.loss[-1]
    assert model.best_loss_ == min(history.loss)
    assert model.best_validation_score_ == max(history.val_accuracy)
    np.testing.assert_array_equal(model.predict_proba(X_TEST), net.predict(X_TEST))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))
    np.testing.assert_array_equal(model.coefs_[1], net.weights[1].T)
    np.testing.assert_array_equal(model.intercepts_[0], net.biases[0])


def test_regressor_is_the_network_it_claims(np_rng):
    values = np_rng.normal(size=(len(X), 2))
    model = MLPRegressor(
        7, "tanh", alpha=0.5, max_iter=3, batch_size=64, init="glorot_uniform", **FIXED
    ).fit(X, values)
    net = Network([64, 7, 2], activations=["tanh", "linear"], init="glorot_uniform", seed=3)
    net.fit(
        X, values, epochs=3, batch_size=64, learning_rate=0.001, optimizer="adam",
        loss="quadratic", penalty="l2", alpha=0.5 / 2 / 64,
    )  # fmt: skip
    assert same(model.network_, net)
    np.testing.assert_array_equal(model.predict(X), net.predict(X))
    assert model.fit(X, values[:, 0]).predict(X).shape == (len(X),)


def test_labels_of_any_kind():
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "8", "9"])
    model = MLPClassifier(20, learning_rate_init=0.01, max_iter=30, **FIXED).fit(X, names[Y])
    assert list(model.classes_) == sorted(names)
    assert model.score(X, names[Y]) > 0.95
    booleans = MLPClassifier((), learning_rate_init=0.01, max_iter=30, **FIXED).fit(X, Y == 3)
    assert booleans.predict(X).dtype == bool
    assert booleans.predict_proba(X[:5]).shape == (5, 2)


def test_one_class_is_what_scikit_learn_makes_of_it():
    peer = PeerClassifier(5, max_iter=1, tol=np.finfo(float).max)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        expected = peer.fit(X_SMALL, ["a"] * 300).predict(X_SMALL)
    for options in ({}, dict(early_stopping=True), dict(class_weight="balanced")):
        model = MLPClassifier(5, max_iter=20, **options).fit(X_SMALL, ["a"] * 300)
        np.testing.assert_array_equal(model.predict(X_SMALL), expected)
        assert (model.predict_proba(X_SMALL) == 1).all()
        assert model.predict_proba(X_SMALL).shape == (300, len(model.classes_))


def test_converges_by_the_rules_of_scikit_learn():
    class Recorded(list):
        def __call__(self, network, epoch, history):
            self.append([a.copy() for a in (*network.weights, *network.biases)])

    seen = Recorded()
    model = MLPClassifier(20, learning_rate_init=0.01, early_stopping=True, random_state=0)
    model.fit(X, Y, callbacks=[seen])
    scores = model.validation_scores_
    best, waited = -np.inf, 0
    for score in scores:
        waited = waited + 1 if score < best + model.tol else 0
        best = max(best, score)
        done = waited > model.n_iter_no_change
    assert done
    assert len(seen) == len(scores) == len(model.loss_curve_) == model.n_iter_ < model.max_iter
    arrays = (*model.network_.weights, *model.network_.biases)
    for a, b in zip(arrays, seen[int(np.argmax(scores))], strict=True):
        np.testing.assert_array_equal(a, b)

    model = MLPClassifier(20, tol=0.5, n_iter_no_change=3, random_state=0).fit(X, Y)
    losses, waited = model.loss_curve_, 0
    for k, loss in enumerate(losses):
        waited = waited + 1 if k and loss > min(losses[:k]) - 0.5 else 0
    assert waited == 4
    assert model.validation_scores_ is model.validation_loss_curve_ is None
    assert model.best_validation_score_ is None
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\) reached"):
        MLPClassifier(5, max_iter=2).fit(X_SMALL, Y_SMALL)


def test_early_stopping_of_a_regressor(np_rng):
    values = X[:, 20:22] @ [[1, 2], [0, 3]] + np_rng.normal(size=(len(X), 2)) / 10
    model = MLPRegressor(20, learning_rate_init=0.01, early_stopping=True, random_state=0)
    model.fit(X, values, X_val=X_TEST, y_val=X_TEST[:, 20:22] @ [[1, 2], [0, 3]])
    expected = r2_score(X_TEST[:, 20:22] @ [[1, 2], [0, 3]], model.predict(X_TEST))
    assert model.best_validation_score_ == pytest.approx(expected, abs=1e-6)
    assert expected > 0.9
    again = clone(model).fit(X, values, X_val=X_TEST, y_val=X_TEST[:, 20:22] @ [[1, 2], [0, 3]])
    assert same(model.network_, again.network_)


def test_seeds(np_rng):
    def fit(random_state, **options):
        model = MLPClassifier(8, max_iter=2, early_stopping=True, random_state=random_state)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.set_params(**options).fit(X_SMALL, Y_SMALL).network_

    assert same(fit(1), fit(1))
    assert not same(fit(1), fit(2))
    assert same(fit(np.random.RandomState(1)), fit(np.random.RandomState(1)))
    assert not same(fit(None), fit(None))
    generator = np.random.RandomState(1)
    assert not same(fit(generator), fit(generator))
    np.random.seed(5)  # noqa: NPY002 - what scikit-learn takes for random_state=None
    first = fit(None)
    np.random.seed(5)  # noqa: NPY002
    assert same(first, fit(None))


def test_warm_start_goes_on():
    options = dict(learning_rate=schedules.StepDecay(0.01, 0.5, every=2), solver="sgd", **FIXED)
    whole = MLPClassifier(8, max_iter=5, **options).fit(X, Y)
    parts = MLPClassifier(8, max_iter=3, warm_start=True, **options).fit(X, Y)
    parts.set_params(max_iter=2).fit(X, Y)
    assert same(whole.network_, parts.network_)
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts.n_iter_ == 2
    with pytest.raises(ValueError, match="same classes as in the previous call"):
        parts.fit(X, Y % 5)
    with pytest.raises(ValueError, match=r"layers of .* units, not"):
        parts.set_params(hidden_layer_sizes=(9,)).fit(X, Y)
    with pytest.raises(ValueError, match="is of float32, not float64"):
        parts.set_params(hidden_layer_sizes=(8,), dtype="float64").fit(X, Y)
    assert parts.set_params(warm_start=False).fit(X, Y).n_iter_ == 2


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_parts_of_a_training_are_the_whole(kind, early_stopping):
    """With the test of convergence and the best weights, in one process or by way of a pickle."""
    options = dict(
        early_stopping=early_stopping,
        solver="sgd",
        dropout=0.1,
        random_state=0,
        n_iter_no_change=2,
        tol=1e-3,
    )
    for max_iter, rate in ((6, 0.01), (30, 0.2)):
        whole = kind(8, max_iter=max_iter, learning_rate_init=rate, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            whole.fit(X, Y)
            parts = kind(8, max_iter=2, warm_start=True, learning_rate_init=rate, **options)
            parts.fit(X, Y)
            parts = pickle.loads(pickle.dumps(parts))
            parts.set_params(max_iter=max_iter - 2).fit(X, Y)
        assert same(whole.network_, parts.network_)
        assert parts.loss_curve_ == whole.loss_curve_
        assert parts.validation_scores_ == whole.validation_scores_
        assert parts.network_.epochs_trained == len(parts.loss_curve_)


def test_a_training_that_diverges_does_not_blame_the_data():
    from sklearn.datasets import load_iris

    data, targets = load_iris(return_X_y=True)
    model = MLPRegressor(
        solver="sgd", activation="identity", learning_rate_init=1, max_iter=20, random_state=0
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"take a smaller learning_rate_init\b") as error:
        model.fit(data, targets)
    assert "Input" not in str(error.value)
    assert "\n" not in str(error.value)
    # relu layers, of too large weights, in the first epoch
    wide = MLPRegressor((300, 300, 300), init="normal", solver="sgd", batch_size=10, random_state=0)
    wide.set_params(learning_rate_init=1.0)
    with pytest.raises(ValueError, match="smaller weights of relu layers") as error:
        wide.fit(data, targets)
    assert "init=" not in str(error.value)
    assert "learning_rate_init" in str(error.value)


@pytest.mark.parametrize("n_samples", [150, 1000])
def test_a_training_that_diverges_has_its_best_weights(n_samples):
    """Found out by the score, if there is one batch, or else by the loss."""
    data, targets = X[:n_samples].astype(float), Y[:n_samples].astype(float)
    kept = []

    def keep(network, epoch, history):
        kept.append([a.copy() for a in (*network.weights, *network.biases)])

    model = MLPRegressor(
        solver="sgd",
        activation="identity",
        learning_rate=lambda epoch: 1e155 if epoch > 1 else 1e-6,
        early_stopping=True,
        max_iter=90,
        random_state=0,
    )
    # which is what the schedule is called here too
    with pytest.warns(ConvergenceWarning, match=r"a smaller learning_rate\b.*weights of"):
        model.fit(data, targets, callbacks=[keep])
    scores = model.validation_scores_
    assert not np.isfinite(scores[-1])
    assert np.isnan(model.loss_curve_[-1]) == (n_samples > 200)
    assert len(scores) == len(model.loss_curve_) == len(model.validation_loss_curve_)
    best = int(np.nanargmax(scores))
    assert model.best_validation_score_ == scores[best]
    assert model.best_loss_ is None
    for a, b in zip((*model.network_.weights, *model.network_.biases), kept[best], strict=True):
        np.testing.assert_array_equal(a, b)


def chunks():
    return [(X[k : k + 400], Y[k : k + 400]) for k in range(0, len(X), 400)]


def test_partial_fit_is_an_epoch_of_the_network():
    schedule = schedules.Exponential(0.02, 0.9)
    model = MLPClassifier(
        8, learning_rate=schedule, init="glorot_uniform", alpha=0.0, random_state=3
    )
    net = Network([64, 8, 10], activations=["relu", "softmax"], init="glorot_uniform", seed=3)
    for k, (part, labels) in enumerate(2 * chunks()):
        model.partial_fit(part, labels, classes=np.arange(10) if k == 0 else None)
        rate, size = schedule(k), min(200, len(part))
        net.fit(
            part, labels, batch_size=size, learning_rate=rate, optimizer="adam",
            loss="cross_entropy",
        )  # fmt: skip
        assert model.n_iter_ == 1
    assert len(model.loss_curve_) == 8
    assert same(model.network_, net)
    # goes on after fit, and from what fit has learned
    fitted = MLPClassifier(8, max_iter=3, **FIXED).fit(X, Y)
    assert fitted.partial_fit(X, Y).network_ is fitted.network_
    assert same(fitted.network_, MLPClassifier(8, max_iter=4, **FIXED).fit(X, Y).network_)


def test_partial_fit_refuses():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        MLPClassifier().partial_fit(X, Y)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        MLPClassifier(early_stopping=True).partial_fit(X, Y, range(10))
    with pytest.raises(ValueError, match="'balanced' is not supported for partial_fit"):
        MLPClassifier(class_weight="balanced").partial_fit(X, Y, range(10))
    with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`"):
        MLPClassifier().partial_fit(X, Y, range(9))
    model = MLPClassifier(5).partial_fit(X, Y, range(12))
    assert model.predict_proba(X[:3]).shape == (3, 12)
    with pytest.raises(ValueError, match="is not the same as on last call"):
        model.partial_fit(X, Y, range(10))
    # a refused first call leaves no classes behind
    model = MLPClassifier(5, dropout=[0.1, 0.1])
    with pytest.raises(ValueError, match="dropout has 2 rates for 1 hidden layers"):
        model.partial_fit(X, Y, range(10))
    assert list(model.set_params(dropout=0.1).partial_fit(X, Y, range(11)).classes_) == [*range(11)]


def test_weights_of_samples_and_classes():
    options = dict(max_iter=3, **FIXED)
    weights = np.where(Y == 3, 5.0, 1.0)
    by_class = MLPClassifier(8, class_weight={3: 5.0}, **options).fit(X, Y)
    assert same(by_class.network_, MLPClassifier(8, **options).fit(X, Y, weights).network_)
    assert not same(by_class.network_, MLPClassifier(8, **options).fit(X, Y).network_)
    balanced = MLPClassifier(8, class_weight="balanced", **options).fit(X, Y, weights)
    product = weights * compute_sample_weight("balanced", Y)
    expected = MLPClassifier(8, **options).fit(X, Y, product).network_
    for a, b in zip(balanced.network_.weights, expected.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)  # the product was rounded elsewhere
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        MLPClassifier().fit(X, Y, -weights)
    with pytest.raises(ValueError, match="Negative values in data passed to `class_weight`"):
        MLPClassifier(class_weight={3: -1}).fit(X, Y)
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(5,\), expected"):
        MLPRegressor().fit(X, Y, np.ones(5))


PARAMETERS = [
    (dict(hidden_layer_sizes=0), "'hidden_layer_sizes' parameter of MLPClassifier must be"),
    (dict(hidden_layer_sizes=(5, 0)), r"hidden_layer_sizes must be > 0, got \[5, 0\]"),
    (dict(hidden_layer_sizes=(5, 2.5)), "hidden_layer_sizes must be > 0"),
    (dict(activation="step"), "'activation' parameter of MLPClassifier must be"),
    (dict(activation="nonsense"), "'activation' parameter of MLPClassifier must be"),
    (dict(activation=["relu", "relu"]), "activation has 2 entries for 1 hidden layers"),
    (dict(activation=["softmax"]), "softmax is for the last layer only"),
    (dict(activation=["step"]), "step activation cannot be trained"),
    (dict(solver="newton"), "'solver' parameter of MLPClassifier must be a str among"),
    (dict(solver="lbfgs", dropout=0.1), "dropout=0.1 is for solver 'sgd' or 'adam', not 'lbfgs'"),
    (dict(solver="lbfgs", penalty="l1"), "penalty='l1' is for solver 'sgd' or 'adam'"),
    (dict(solver="lbfgs", clip_norm=1), "clip_norm=1 is for solver 'sgd' or 'adam'"),
    (dict(max_fun=0), "'max_fun' parameter of MLPClassifier must be an int"),
    (dict(power_t=-1), "'power_t' parameter of MLPClassifier must be a float"),
    (dict(penalty=-1), r"'penalty' parameter of MLPClassifier must be .*\(0.0, inf\)"),
    (dict(penalty=0), "'penalty' parameter of MLPClassifier must be"),
    (dict(penalty="l3"), "'penalty' parameter of MLPClassifier must be"),
    (dict(alpha=-1e-4), "'alpha' parameter of MLPClassifier must be a float in the range"),
    (dict(alpha=np.inf), r"'alpha' parameter of MLPClassifier must be .*Got inf"),
    (dict(dropout=1.0), "'dropout' parameter of MLPClassifier must be"),
    (dict(dropout=-0.1), "'dropout' parameter of MLPClassifier must be"),
    (dict(dropout=[1.0]), r"dropout\[0\] must be in \[0, 1\)"),
    (dict(dropout=[0.1, 0.1]), "dropout has 2 rates for 1 hidden layers"),
    (dict(batch_size=0), "'batch_size' parameter of MLPClassifier must be"),
    (dict(learning_rate="inverse"), "'learning_rate' parameter of MLPClassifier must be"),
    (dict(learning_rate=0.1), "'learning_rate' parameter of MLPClassifier must be"),
    (dict(learning_rate=lambda epoch: -1.0), r"learning_rate\(0\) must be positive"),
    (dict(learning_rate_init=0), "'learning_rate_init' parameter of MLPClassifier must be"),
    (dict(momentum=1.0), "'momentum' parameter of MLPClassifier must be"),
    (dict(max_iter=0), "'max_iter' parameter of MLPClassifier must be an int"),
    (dict(tol=-1), "'tol' parameter of MLPClassifier must be"),
    (dict(n_iter_no_change=0), "'n_iter_no_change' parameter of MLPClassifier must be"),
    (dict(validation_fraction=1.0), "'validation_fraction' parameter of MLPClassifier must"),
    (dict(init="random"), "'init' parameter of MLPClassifier must be a str among"),
    (dict(dtype="float16"), "'dtype' parameter of MLPClassifier must be a str among"),
    (dict(random_state=-1), "'random_state' parameter of MLPClassifier must be"),
    (dict(class_weight="even"), "'class_weight' parameter of MLPClassifier must be"),
]


@pytest.mark.parametrize(
    ("parameters", "message"), PARAMETERS, ids=lambda value: str(value).split(" at 0x")[0]
)
def test_bad_parameters(parameters, message):
    model = MLPClassifier(**{"hidden_layer_sizes": 5, **parameters})
    with pytest.raises(ValueError, match=message):
        model.fit(X_SMALL, Y_SMALL)
    with pytest.raises(NotFittedError):
        model.predict(X_SMALL)


def test_bad_validation_data():
    model = MLPClassifier(5, max_iter=2, **FIXED)
    with pytest.raises(ValueError, match="X_val and y_val must be passed together"):
        model.fit(X, Y, X_val=X_TEST)
    with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is expecting 64"):
        model.fit(X, Y, X_val=X_TEST[:, :3], y_val=Y_TEST)
    with pytest.raises(ValueError, match="Input X_val contains NaN"):
        model.fit(X, Y, X_val=np.full((5, 64), np.nan), y_val=Y_TEST[:5])
    with pytest.raises(ValueError, match=r"`y_val` has classes not in `self.classes_`"):
        model.fit(X, Y, X_val=X_TEST, y_val=Y_TEST + 1)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, Y, X_val=X_TEST, y_val=Y_TEST[1:])
    with pytest.raises(ValueError, match="validation set is too small"):
        model.fit(X, Y, X_val=X_TEST[:1], y_val=Y_TEST[:1])
    with pytest.raises(ValueError, match="y_val has 2 outputs but y has 1"):
        MLPRegressor().fit(X, Y, X_val=X_TEST, y_val=np.ones((len(X_TEST), 2)))


def test_divergence():
    model = MLPRegressor(5, solver="sgd", learning_rate_init=1e20, random_state=0)
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        model.fit(X_SMALL, Y_SMALL * 1e6)


def test_what_a_callback_raises():
    reference = MLPClassifier(5, max_iter=2, **FIXED).fit(X, Y)

    def fail(network, epoch, history):
        if epoch == 1:
            raise RuntimeError("enough")

    model = MLPClassifier(5, max_iter=10, **FIXED)
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(X, Y, callbacks=[fail])
    assert same(model.network_, reference.network_)
    assert model.loss_curve_ == reference.loss_curve_
    np.testing.assert_array_equal(model.predict(X), reference.predict(X))
    model.set_params(warm_start=True, max_iter=3).fit(X, Y)
    whole = MLPClassifier(5, max_iter=5, **FIXED).fit(X, Y)
    assert same(model.network_, whole.network_)


@pytest.mark.parametrize("option", [dict(tol=10**400), dict(n_iter_no_change=10**400)])
def test_numbers_of_any_size(option):
    MLPClassifier(max_iter=3, **option).fit([[0], [1], [2]], [0, 1, 1])
