"""scikit-learn's own tests of its MLP, of which the names of the estimators are ours.

Its file is not copied: it is read where scikit-learn is installed, and is of that version.
"""

import importlib.util
import re

import pytest

from exactnet.sklearn import MLPClassifier, MLPRegressor

# Those that look at attributes with an underscore, which are no part of the interface.
PRIVATE = {
    "test_fit": "writes the state of a training into private attributes",
    "test_gradient": "differentiates by the private _loss_grad_lbfgs",
    "test_learning_rate_warmstart": "reads _optimizer.learning_rate",
    "test_adaptive_learning_rate": "reads _optimizer.learning_rate",
    "test_n_iter_no_change": "reads _no_improvement_count",
    "test_n_iter_no_change_inf": "reads _no_improvement_count",
}

_SPEC = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
_THEIRS = importlib.util.module_from_spec(_SPEC)
with open(_SPEC.origin, encoding="utf-8") as _file:
    _SOURCE = re.sub(
        r"^from sklearn.neural_network import .*$",
        "from exactnet.sklearn import MLPClassifier, MLPRegressor",
        _file.read(),
        flags=re.MULTILINE,
    )
exec(compile(_SOURCE, _SPEC.origin, "exec"), _THEIRS.__dict__)

pytestmark = pytest.mark.filterwarnings("default")  # which they expect, or take no notice of
globals().update(
    {
        name: test
        for name, test in vars(_THEIRS).items()
        if name.startswith("test_") and name not in PRIVATE
    }
)


@pytest.fixture
def global_random_seed():
    """One of those that scikit-learn's own runs take."""
    return 42


def test_they_are_of_these_estimators_and_all_there():
    assert (_THEIRS.MLPClassifier, _THEIRS.MLPRegressor) == (MLPClassifier, MLPRegressor)
    tests = {name for name in vars(_THEIRS) if name.startswith("test_")}
    assert set(PRIVATE) <= tests
    assert len(tests) > 40
    for name in PRIVATE:  # what they need that is not there
        source = _SOURCE.split(f"def {name}(")[1].split("\ndef ")[0]
        assert re.search(r"(mlp|clf)\._\w+", source)
