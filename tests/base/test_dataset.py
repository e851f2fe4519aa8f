"""`Dataset`, the data that are prepared once."""

import copy
import pickle
import signal
from fractions import Fraction

import numpy as np
import pytest

from exactnet import Dataset, Network, memorize


def test_data_are_copies():
    X, y = np.array([[1.0, 2.0]]), [[Fraction(1, 3)]]
    data = Dataset(X, y)
    X[0, 0], y[0][0] = 5.0, 7
    assert data.X.tolist() == [[1.0, 2.0]]
    assert data.y == ((Fraction(1, 3),),)
    with pytest.raises(ValueError, match="read-only"):
        data.X[0, 0] = 3


def test_data_cannot_be_changed():
    data = Dataset([[1], [2]], [3, 4])
    for name in ("X", "y"):
        with pytest.raises(AttributeError):
            setattr(data, name, [[5], [6]])
    with pytest.raises(TypeError):
        data.X[0][0] = 5


def test_numbers_are_not_rounded():
    assert Dataset([[2**64 + 1]], ["1/3"]).X == ((2**64 + 1,),)
    assert Dataset(iter([[1], [2]])).X == ((1,), (2,))


@pytest.mark.parametrize("X", [[b"ab", b"cd"], [{1, 2}, {3, 4}], [{1: 2}, {3: 4}], {1: [2]}, "ab"])
def test_what_is_no_data_is_refused_as_without(X):
    for call in (memorize, Network([2, 1]).fit):
        with pytest.raises((ValueError, TypeError)) as expected:
            call(X, [1, 2][: len(X)])
        with pytest.raises(type(expected.value)) as error:
            call(Dataset(X, [1, 2][: len(X)]))
        assert str(error.value) == str(expected.value)


def test_cells_of_any_kind():
    y = [np.array(0), np.array(1)]
    net = Network([1, 2], seed=0)
    assert net.loss(Dataset([[1], [2]], y)) == net.loss([[1], [2]], y)
    X = memoryview(np.array([[1.0], [2.0]]))
    assert net.loss(Dataset(X, y)) == net.loss(X, y)


def test_a_handler_may_use_data_that_are_being_packed():
    """It gets its turn within the packing, in the thread that packs."""
    X = np.random.default_rng(0).random((20_000, 500))
    X[X > 0.2] = 0
    data = Dataset(X, np.zeros(len(X)))
    networks = [Network([500, 1], seed=k, dtype="float64") for k in (0, 1)]
    networks[0].loss(data)  # converts and checks
    handled = []

    def handle(*_):
        handled.append(networks[1].fit(data))

    old = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        networks[0].fit(data, epochs=5)
    finally:
        signal.signal(signal.SIGALRM, old)
    assert len(handled) == 1


def test_masks_are_kept_for_the_functions_to_refuse():
    X = np.ma.masked_array([[1.0, 2.0]], [[True, False]])
    assert np.ma.is_masked(Dataset(X).X)


def test_each_kind_is_prepared_once():
    data = Dataset([[1]], [1])
    first = data._prepare("kind", object)
    assert data._prepare("kind", object) is first
    assert data._prepare("another", object) is not first


def test_copies_and_pickles():
    data = Dataset([[1], [2]], [3, 4])
    data._prepare("kind", object)
    for same in (copy.copy(data), copy.deepcopy(data), pickle.loads(pickle.dumps(data))):
        assert (same.X, same.y, len(same)) == (((1,), (2,)), (3, 4), 2)
        assert same._prepared == {}
    assert repr(data) == "Dataset(2 points with targets)"


def test_wrong_data():
    with pytest.raises(ValueError, match="y has 1 samples but X has 2"):
        Dataset([[1], [2]], [3])
    with pytest.raises(TypeError, match="must be arrays or sequences, not int"):
        Dataset(3)
    with pytest.raises(ValueError, match="data must have rows, not be the number 3"):
        Dataset(np.array(3))
