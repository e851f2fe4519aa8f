from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import gmpy2
import numpy as np
import pytest

from conftest import random_points
from exactnet import ExactNetwork, memorize, verify
from reference import forward, fractions


def random_rational(rng, bits):
    return Fraction(rng.randrange(-(2**bits), 2**bits), rng.randrange(1, 2**bits))


def random_network(rng, *, collinear):
    """Any depth, any rational parameters; first-layer rows multiples of one vector or not."""
    depth = rng.randint(0, 3)
    sizes = [rng.randint(1, 4) for _ in range(depth + 2)]
    bits = rng.choice([2, 8, 70])
    value = rng.choice(
        [lambda: random_rational(rng, bits), lambda: rng.gauss(0, 1), lambda: rng.randint(-3, 3)]
    )
    weights = [
        [[value() if rng.random() < 0.9 else 0 for _ in range(n)] for _ in range(m)]
        for n, m in pairwise(sizes)
    ]
    if collinear:
        direction = [Fraction(value()) for _ in range(sizes[0])]
        weights[0] = [[Fraction(value()) * w for w in direction] for _ in range(sizes[1])]
    biases = [[value() for _ in range(m)] for m in sizes[1:]]
    activations = [rng.choice(["relu", "relu", "linear"]) for _ in sizes[1:]]
    return ExactNetwork.from_arrays(weights, biases, activations)


@pytest.mark.parametrize("collinear", [False, True])
@pytest.mark.parametrize("block", range(5))
def test_random_networks_against_fractions(rng, collinear, block):
    for _ in range(60):
        net = random_network(rng, collinear=collinear)
        n_features, n_outputs = net.layer_sizes[0], net.layer_sizes[-1]
        X = [
            [rng.choice([rng.randint(-5, 5), random_rational(rng, 4)]) for _ in range(n_features)]
            for _ in range(rng.randint(1, 40))
        ]
        expected = forward(net, X)
        for n_threads in (1, 3):
            assert fractions(net.predict(X, n_threads=n_threads)) == expected
            assert verify(net, X, expected, n_threads=n_threads).exact
        # and with one target off
        row, column = rng.randrange(len(X)), rng.randrange(n_outputs)
        delta = random_rational(rng, 40) or Fraction(1, 3)
        expected[row][column] += delta
        report = verify(net, X, expected)
        assert not report.exact
        assert (report.n_points, report.n_wrong, report.first_wrong) == (len(X), 1, row)
        assert report.max_error == gmpy2.mpq(abs(delta))


def parameters(net):
    for arrays in (net.weights, net.biases):
        for array in arrays:
            for index in np.ndindex(array.shape):
                yield array, index


@pytest.mark.parametrize(("a1", "a2"), [(3, 3), (4, 3), (1, 4), (4, 1)])
def test_any_changed_parameter_is_found(rng, a1, a2):
    X, y = random_points(rng, a1 * a2, 2)
    X = [[a + 1, b + 1] for a, b in X]  # a zero would hide a change of its weight
    net = memorize(X, y, hidden=(a1, a2))
    assert verify(net, X, y).exact
    changes = 0
    for array, index in parameters(net):
        original = array[index]
        for sign in (1, -1):
            array[index] = original + sign * gmpy2.mpq(1, 10**9)
            wrong = [
                r
                for r, (out, target) in enumerate(zip(forward(net, X), y, strict=True))
                if out[0] != target
            ]
            report = verify(net, X, y)
            assert not report.exact, (array.shape, index)
            assert report.first_wrong == wrong[0]
            assert report.n_wrong == len(wrong)
            assert report.max_error > 0
            changes += 1
        array[index] = original
    assert changes == 2 * (2 * a1 + a1 + a1 * a2 + a2 + a2 + 1)
    assert verify(net, X, y).exact


def test_max_error_is_exact():
    net = ExactNetwork.from_arrays([[[1]]], [[0]])
    report = verify(net, [[1], [2], [3]], [1, Fraction(7, 3), 2])
    assert report.max_error == gmpy2.mpq(1)
    assert (report.n_wrong, report.first_wrong) == (2, 1)
    assert not report
    assert report.seconds > 0


def test_floats_are_the_binary_fractions_they_are():
    net = ExactNetwork.from_arrays([[[10]]], [[0]])
    assert not verify(net, [[0.1]], [1])
    assert verify(net, [[0.1]], [10 * Fraction(0.1)])
    assert verify(net, np.array([[0.1]], dtype=np.float32), [10 * Fraction(float(np.float32(0.1)))])


def test_many_outputs_and_first_wrong_over_threads(rng):
    X, _ = random_points(rng, 200, 3)
    net = ExactNetwork.from_arrays([[[1, 2, 3], [0, 1, -1]]], [[0, 5]])
    Y = [[a + 2 * b + 3 * c, b - c + 5] for a, b, c in X]
    assert verify(net, X, Y, n_threads=4)
    Y[150][1] += 1
    Y[77][0] -= 2
    report = verify(net, X, Y, n_threads=4)
    assert (report.n_wrong, report.first_wrong, report.max_error) == (2, 77, 2)


@pytest.mark.parametrize("n_threads", [2**20, 2**61, 2**62, 10**23])
def test_any_number_of_threads(n_threads):
    X, y = [[0], [1], [2], [3]], [5, -1, 4, 0]
    net = memorize(X, y, n_threads=n_threads)
    assert verify(net, X, y, n_threads=n_threads)
    report = verify(net, X, [9] * 4, n_threads=n_threads)
    assert (report.exact, report.n_wrong) == (False, 4)
    assert fractions(net.predict(X, n_threads=n_threads)) == [[5], [-1], [4], [0]]


def test_very_deep_networks():
    """The path through the layers is not on the call stack."""
    depth = 20_000
    weights = [[[1], [-1]], [[0, 1]]] + [[[1]]] * (depth - 2)
    net = ExactNetwork.from_arrays(weights, [[0, depth], [-1]] + [[-1]] * (depth - 2))
    # every unit takes 1 away, so that each point switches off at a layer of its own
    X = [[k] for k in (0, 1, 500, depth - 1, depth)]
    expected = [[max(depth - x - (depth - 2), 0) - 1] for (x,) in X]
    assert fractions(net.predict(X)) == expected


def test_progress(rng):
    X, y = random_points(rng, 10_000, 5)
    net = memorize(X, y, hidden=(100, 100))
    shares = []
    assert verify(net, X, y, progress=shares.append)
    assert shares
    assert all(0 <= s <= 1 for s in shares)


def included(*names):
    """The files of the core that these of cpp/exact lead to, headers with their sources."""
    cpp = Path(__file__).parents[2] / "cpp"
    seen, todo = set(), [cpp / "exact" / name for name in names]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for line in path.read_text().splitlines():
            if line.startswith('#include "'):
                name = line.split('"')[1]
                beside = path.parent / name
                header = beside if beside.exists() else cpp / name
                sources = header.with_suffix(".cpp")
                todo += [header, sources] if sources.exists() else [header]
    return {path.relative_to(cpp).as_posix() for path in seen}


def test_verifier_and_constructions_know_nothing_of_each_other():
    verifier, constructions = included("verify.cpp"), included("theorem3.cpp", "projection.cpp")
    assert {"exact/verify.hpp", "exact/evaluate.cpp", "exact/network.hpp"} <= verifier
    assert verifier & constructions <= {"base/monitor.hpp", "exact/integer.hpp", "exact/table.hpp"}
