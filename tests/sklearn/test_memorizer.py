import numpy as np
import pytest
from sklearn.metrics import accuracy_score
from sklearn.utils.estimator_checks import check_estimator

from exactnet import datasets, verify
from exactnet.sklearn import Memorizer

X, Y, X_TEST, Y_TEST = datasets.load_digits()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.EstimatorCheckFailedWarning")
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_scikit_learn_on_a_memorizer_in_floats(task):
    """By this function, for what is expected to fail need not do so with every rounding."""
    failures = {
        "check_methods_subset_invariance": (
            "far from what it knows, the sums of a memorized network cancel, and float64 rounds "
            "them otherwise for one sample than for many; exact arithmetic passes"
        )
    }
    check_estimator(Memorizer(task, arithmetic="float"), expected_failed_checks=failures)


@pytest.mark.parametrize("arithmetic", ["exact", "float"])
@pytest.mark.parametrize(
    "options", [{}, dict(encoding="one_hot"), dict(construction="integer")], ids=str
)
def test_memorizer_knows_the_digits(arithmetic, options):
    labels = np.array(list("abcdefghij"))[Y]
    model = Memorizer(arithmetic=arithmetic, **options).fit(X, labels)
    assert model.score(X, labels) == 1.0
    assert (model.predict(X) == labels).all()
    assert list(model.classes_) == list("abcdefghij")
    assert set(model.predict(X_TEST)) <= set(labels)
    codes = np.searchsorted(model.classes_, labels)
    targets = np.eye(10, dtype=int)[codes] if "encoding" in options else codes
    assert verify(model.network_, X, targets).exact
    assert model.score(X_TEST, Y_TEST.astype(str)) == 0.0
    other = "exact" if arithmetic == "float" else "float"
    assert accuracy_score(labels, model.set_params(arithmetic=other).predict(X)) == 1.0


def test_memorizer_returns_the_numbers_themselves(np_rng):
    y = np_rng.normal(size=(200, 2)) * [1e-9, 1e9]
    points = np_rng.normal(size=(200, 3))
    model = Memorizer("regression").fit(points, y)
    assert (model.predict(points) == y).all()
    assert model.score(points, y) == 1.0
    assert model.fit(points, y[:, 0]).predict(points).shape == (200,)
    assert (model.predict(points) == y[:, 0]).all()
    wide = np.arange(2**60, 2**60 + 100)[:, None]  # no float64 can tell these apart
    assert Memorizer("regression").fit(wide, range(100)).score(wide, range(100)) == 1.0


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_memorizer_scores_one(np_rng, task):
    for n in (2, 3, 50, 200):
        X = np_rng.normal(size=(n, 3))
        y = np_rng.permutation(np.arange(n) % 7)
        assert Memorizer(task=task).fit(X, y).score(X, y) == 1.0


def test_memorizer_refuses():
    points = [[0, 1], [2, 3], [0, 1]]
    for labels, shown in ((["a", "a", "b"], "'a' and 'b'"), ([50, 50, 70], "50 and 70")):
        for encoding in ("scalar", "one_hot"):
            text = f"rows 0 and 2 of X are equal but their targets differ: {shown}; leave"
            with pytest.raises(ValueError, match=text):
                Memorizer(encoding=encoding).fit(points, labels)
    with pytest.raises(ValueError, match="rows 0 and 2 of X are equal but their targets differ"):
        Memorizer("regression").fit(points, [1, 2, 1.5])
    assert Memorizer().fit(points, ["a", "b", "a"]).score(points, ["a", "b", "a"]) == 1.0
    with pytest.raises(ValueError, match="exceed the capacity"):
        Memorizer(hidden=(2, 2)).fit(X, Y)
    for name, value in (("task", "auto"), ("arithmetic", "float32"), ("projection", "best")):
        with pytest.raises(ValueError, match=f"'{name}' parameter of Memorizer must be"):
            Memorizer(**{name: value}).fit(X, Y)
