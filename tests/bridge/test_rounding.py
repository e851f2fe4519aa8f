"""`rounding_error`: float inference against the real arithmetic of the same weights."""

from fractions import Fraction
from itertools import pairwise

import gmpy2
import numpy as np
import pytest

from conftest import random_network
from exactnet import Dataset, ExactNetwork, Network, RoundingError, datasets, rounding_error
from reference import forward, fractions

DTYPES = ["float32", "float64"]


def relu_then_linear(sizes):
    return ["relu"] * (len(sizes) - 2) + ["linear"]


def by_hand(net, X):
    """The first of the largest differences, in Fractions."""
    computed = [[Fraction(v) for v in row] for row in net.predict(X).tolist()]
    worst = (Fraction(-1), 0, 0)
    for r, (a, b) in enumerate(zip(computed, forward(net, X), strict=True)):
        for k, (u, v) in enumerate(zip(a, b, strict=True)):
            if abs(u - v) > worst[0]:
                worst = (abs(u - v), r, k)
    return worst


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [[3, 1], [1, 4, 2], [5, 7, 3], [4, 6, 5, 2], [2, 3, 3, 3, 1]])
def test_against_fractions(np_rng, dtype, sizes):
    for activations in (relu_then_linear(sizes), "relu", "linear"):
        net = random_network(np_rng, sizes, activations, dtype)
        X = np_rng.normal(size=(20, sizes[0])).astype(dtype)
        result = rounding_error(net, X)
        assert isinstance(result, RoundingError)
        assert type(result.error) is gmpy2.mpq
        assert type(result.row) is type(result.output) is int
        expected = by_hand(net, X)
        assert (Fraction(str(result.error)), result.row, result.output) == expected
        assert rounding_error(net, X, n_threads=2) == result
        if activations == "linear":
            assert result.error > 0


def test_in_several_batches_of_rows(np_rng, monkeypatch):
    net = random_network(np_rng, [4, 5, 2], ["relu", "linear"])
    X = np_rng.normal(size=(50, 4))
    X[30:] *= 1000  # so that the largest error is in a later batch
    expected = rounding_error(net, X)
    monkeypatch.setattr("exactnet.bridge.rounding._ROWS", 7)
    shares = []
    assert rounding_error(net, X, progress=shares.append) == expected
    assert (Fraction(str(expected.error)), expected.row, expected.output) == by_hand(net, X)
    assert expected.row >= 30
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)


@pytest.mark.parametrize("dtype", DTYPES)
def test_integers_within_range_have_no_error(np_rng, dtype):
    sizes = [6, 8, 8, 3]
    net = Network.from_arrays(
        [np_rng.integers(-9, 10, (b, a)).astype(dtype) for a, b in pairwise(sizes)],
        [np_rng.integers(-9, 10, b).astype(dtype) for b in sizes[1:]],
        relu_then_linear(sizes),
    )
    X = np_rng.integers(-9, 10, (200, 6))  # at most 9^4 6 8 8 and some: below 2^24
    assert rounding_error(net, X) == (0, 0, 0)


def test_first_integer_beyond_the_range():
    net = Network.from_arrays([np.ones((1, 2), "float32")], [np.zeros(1, "float32")], "linear")
    X = [[2**24 - 1, 1], [2**24, 2], [2**24, 1], [2**24, 1]]
    assert rounding_error(net, X) == (1, 2, 0)
    assert rounding_error(net, X[:2]) == (0, 0, 0)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_predictions_of_another_runtime(np_rng, dtype, monkeypatch):
    monkeypatch.setattr("exactnet.bridge.rounding._ROWS", 7)
    net = random_network(np_rng, [3, 5, 2], ["relu", "linear"])
    X = np_rng.normal(size=(30, 3)).astype(net.dtype)
    h = X.astype(dtype)
    for w, b, activation in zip(net.weights, net.biases, net.activations, strict=True):
        h = h @ w.T.astype(dtype) + b.astype(dtype)
        h = np.maximum(h, 0) if activation == "relu" else h
    assert h.dtype == dtype
    worst = (Fraction(-1), 0, 0)
    for r, (computed, exact) in enumerate(zip(h.tolist(), forward(net, X), strict=True)):
        for k, (u, v) in enumerate(zip(computed, exact, strict=True)):
            if abs(Fraction(u) - v) > worst[0]:
                worst = (abs(Fraction(u) - v), r, k)
    assert worst[0] > 0
    for network in (net, net.to_exact()):
        for data in (X, Dataset(X)):
            shares = []
            result = rounding_error(network, data, predictions=h, progress=shares.append)
            assert (Fraction(str(result.error)), result.row, result.output) == worst
            assert shares == sorted(shares)
    assert rounding_error(net, X, predictions=net.predict(X)) == rounding_error(net, X)


def test_an_exact_network_takes_numbers_as_they_are():
    third = ExactNetwork.from_arrays([[[3]]], [[0]])
    X = [[Fraction(1, 3)], [Fraction(2, 3)]]
    assert rounding_error(third, X, predictions=[1, 2]) == (0, 0, 0)
    assert rounding_error(third, X, predictions=np.array([[1], [2.5]])) == (0.5, 1, 0)


@pytest.mark.parametrize(
    ("predictions", "error"),
    [
        ([1.0], r"predictions must be of shape \(2, 1\), as X and the network are, not \(1,\)"),
        ([[1.0, 2.0]], r"not \(1, 2\)"),
        ([1, np.inf], r"predictions\[1, 0\] is inf"),
        ([1, np.nan], r"predictions\[1, 0\] is nan"),
        (["a", "b"], "predictions must hold real numbers"),
        (np.longdouble([1, 2]), "predictions must be floats of at most 64 bits, .*, not float128"),
        ([True, False], "predictions must be floats of at most 64 bits, or integers, not bool"),
    ],
    ids=str,
)
def test_bad_predictions(predictions, error):
    with pytest.raises((ValueError, TypeError), match=error):
        rounding_error(
            ExactNetwork.from_arrays([[[1]]], [[0]]), [[1], [2]], predictions=predictions
        )


def test_it_is_one_line():
    exact = ExactNetwork.from_arrays([[[Fraction(1, 3**400)]]], [[0]])
    assert repr(rounding_error(exact, [[1]], predictions=[0])) == (
        f"RoundingError({1 / 3**400:.3g} in row 0, output 0)"
    )
    assert repr(RoundingError(gmpy2.mpq(1, 2), 3, 1)) == "RoundingError(1/2 in row 3, output 1)"


def a_priori_bound(net, X):
    """Largest error that any order of additions, fused or not, can make at each sample.

    A sum of n products and a bias has a relative error of gamma = (n + 1) u / (1 - (n + 1) u) in
    each term (Higham, Accuracy and Stability, 3.1), ReLU passes errors on without enlarging them.
    """
    unit = Fraction(float(np.finfo(net.dtype).eps)) / 2
    bounds = []
    for x in fractions(X):
        value, error = [abs(v) for v in x], [Fraction(0)] * len(x)  # |computed| <= value
        for w, b in zip(net.weights, net.biases, strict=True):
            n = w.shape[1] + 1
            gamma = n * unit / (1 - n * unit)
            terms = [
                sum((abs(a) * v for a, v in zip(row, value, strict=True)), start=abs(c))
                for row, c in zip(fractions(w), fractions(b), strict=True)
            ]
            passed = [
                sum(abs(a) * e for a, e in zip(row, error, strict=True)) for row in fractions(w)
            ]
            error = [p + gamma * t for p, t in zip(passed, terms, strict=True)]
            value = [(1 + gamma) * t for t in terms]
        bounds.append(max(error))
    return bounds


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [[30, 1], [10, 20, 5], [8, 9, 10, 11, 3]])
def test_error_is_below_the_a_priori_bound(np_rng, dtype, sizes):
    net = random_network(np_rng, sizes, relu_then_linear(sizes), dtype)
    X = np_rng.normal(size=(25, sizes[0])).astype(dtype)
    bounds = a_priori_bound(net, X)
    result = rounding_error(net, X)
    assert 0 < Fraction(str(result.error)) <= bounds[result.row]
    assert Fraction(str(result.error)) > max(bounds) / 10**4  # a bound of the right kind


def test_trained_on_digits():
    X, y, X_test, _ = datasets.load_digits()
    for dtype, limit in (("float32", 1e-4), ("float64", 1e-13)):
        net = Network(
            [64, 30, 10],
            activations=["relu", "linear"],
            init="he_normal",
            dtype=dtype,
            seed=1,
        )
        net.fit(X, y, epochs=30, learning_rate=0.1)
        assert net.accuracy(X, y) > 0.9
        result = rounding_error(net, X_test)
        assert 0 < result.error < limit
        # and there it is
        outputs = net.predict(X_test)
        exact = net.to_exact().predict(X_test[result.row : result.row + 1])
        at = float(outputs[result.row, result.output])
        assert abs(gmpy2.mpq(at) - exact[0, result.output]) == result.error


def test_samples_are_converted_first():
    """0.1 in float64 is not in float32: the error is that of the arithmetic, not of the data."""
    net = Network.from_arrays([np.float32([[1]])], [np.float32([0])], "linear")
    assert rounding_error(net, [[0.1]]) == (0, 0, 0)
    # what is written into the weights counts
    net.weights[0][0, 0] = 3
    tenth = gmpy2.mpq(float(np.float32(0.1)))
    expected = abs(gmpy2.mpq(float(np.float32(3) * np.float32(0.1))) - 3 * tenth)
    assert rounding_error(net, [[0.1]]) == (expected, 0, 0)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "softmax", "step", "leaky_relu"])
def test_other_activations(activation):
    net = Network([2, 3, 2], activations=["relu", activation])
    with pytest.raises(ValueError, match=f"'{activation}', which has no exact counterpart"):
        rounding_error(net, [[1, 2]])


def test_overflow():
    net = Network.from_arrays([np.float32([[1e30], [-1e30]])], [np.float32([0, 0])], "linear")
    with pytest.raises(ValueError, match=r"overflows in row 2 of X: output 0 is inf in float32"):
        rounding_error(net, [[1], [-2], [1e30]])
    # infinity less infinity
    deeper = Network.from_arrays(
        [np.float32([[1e30], [1e30]]), np.float32([[1, -1]])],
        [np.float32([0, 0]), np.float32([0])],
        "linear",
    )
    with pytest.raises(ValueError, match=r"overflows in row 1 of X: output 0 is -?nan"):
        rounding_error(deeper, [[1], [1e30]])


@pytest.mark.parametrize(
    ("X", "error"),
    [
        ([], "samples"),
        ([[1]], "X has 1 features but the network takes 2"),
        ([[1, np.nan]], r"X\[0, 1\] is nan"),
        ([[1, 1e300]], r"X\[0, 1\] is 1e\+300, beyond float32"),
        ([["a", "b"]], "X must hold real numbers"),
    ],
    ids=str,
)
def test_bad_samples(X, error):
    net = Network([2, 2], activations="relu", seed=1)
    with pytest.raises(ValueError, match=error):
        rounding_error(net, X)


def test_bad_network_and_threads():
    net = Network([2, 2], activations="relu", seed=1)
    with pytest.raises(TypeError, match="an ExactNetwork computes without rounding: pass predict"):
        rounding_error(net.to_exact(), [[1, 2]])
    with pytest.raises(TypeError, match="network must be a Network or an ExactNetwork, not int"):
        rounding_error(3, [[1, 2]])
    with pytest.raises(ValueError, match="n_threads must be a positive integer"):
        rounding_error(net, [[1, 2]], n_threads=0)
    net.weights[0][1, 0] = np.nan
    with pytest.raises(ValueError, match="only finite numbers are allowed"):
        rounding_error(net, [[1, 2]])
