"""Data sets to try the package on."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

_DIGITS_TRAIN = 1437


def load_digits() -> tuple[
    npt.NDArray[np.float32], npt.NDArray[Any], npt.NDArray[np.float32], npt.NDArray[Any]
]:
    """Load the 1,797 handwritten digits of 8 x 8 pixels that come with the package.

    From "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak, UCI Machine
    Learning Repository, 1998 (CC BY 4.0), in its order: the first 1,437 digits are the training
    part and the last 360 the test part. No network access.

    Returns
    -------
    X_train : ndarray of float32, (1437, 64)
        Pixels, multiples of 1/16 in [0, 1].
    y_train : ndarray of int64, (1437,)
        Labels from 0 to 9.
    X_test : ndarray of float32, (360, 64)
    y_test : ndarray of int64, (360,)

    Examples
    --------
    >>> from exactnet.datasets import load_digits
    >>> X_train, y_train, X_test, y_test = load_digits()
    >>> X_train.shape, y_train[:5]
    ((1437, 64), array([0, 1, 2, 3, 4]))
    """
    with (files("exactnet") / "data" / "digits.npz").open("rb") as file:
        data = np.load(file, allow_pickle=False)
        X = data["pixels"].astype(np.float32) / np.float32(16)
        y = data["labels"].astype(np.int64)
    n = _DIGITS_TRAIN
    return X[:n], y[:n], X[n:], y[n:]
