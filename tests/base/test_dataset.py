"""`Dataset`, the data that are prepared once."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest

from exactnet import Dataset


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
