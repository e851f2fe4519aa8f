import os
from importlib.resources import files

import numpy as np

from exactnet import datasets, memorize, verify


def test_digits():
    X_train, y_train, X_test, y_test = datasets.load_digits()
    assert X_train.shape == (1437, 64)
    assert X_test.shape == (360, 64)
    assert y_train.shape == (1437,)
    assert y_test.shape == (360,)
    for X in (X_train, X_test):
        assert X.dtype == np.float32
        assert X.min() == 0
        assert X.max() == 1
        assert (X * 16 == np.round(X * 16)).all()
    labels = np.concatenate([y_train, y_test])
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_digits_are_small_and_say_where_they_come_from():
    folder = files("exactnet") / "data"
    assert os.path.getsize(folder / "digits.npz") < 100_000
    assert "CC BY 4.0" in (folder / "README.md").read_text()


def test_all_digits_are_memorized_exactly():
    X_train, y_train, X_test, y_test = datasets.load_digits()
    X, y = np.concatenate([X_train, X_test]), np.concatenate([y_train, y_test])
    net = memorize(X, y)
    assert net.layer_sizes == [64, 43, 42, 1]
    assert verify(net, X, y).exact
