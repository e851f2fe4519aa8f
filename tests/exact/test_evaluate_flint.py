"""Exact evaluation against FLINT, an independent library of rational matrices."""

from itertools import pairwise

import flint
import gmpy2
import pytest

from exactnet import ExactNetwork, verify


def random_rational(rng):
    """A small or a large one, often negative, sometimes an integer or 0."""
    bits = rng.choice([1, 3, 10, 64, 65, 400])
    numerator = rng.randrange(-(2**bits), 2**bits + 1)
    return gmpy2.mpq(numerator, 1 if rng.random() < 0.3 else rng.randrange(1, 2**bits + 1))


def random_sparse(rng, m, n):
    zeros = rng.choice([0.0, 0.3])
    return [
        [0 if rng.random() < zeros else random_rational(rng) for _ in range(n)] for _ in range(m)
    ]


def fmpq(value):
    return flint.fmpq(int(value.numerator), int(value.denominator))


def flint_outputs(layers, X):
    """Outputs (points, outputs) by products of matrices; data is transposed to columns there."""
    h = flint.fmpq_mat([[fmpq(v) for v in row] for row in X]).transpose()
    for weights, biases, activation in layers:
        w = flint.fmpq_mat([[fmpq(v) for v in row] for row in weights])
        z = w * h + flint.fmpq_mat([[fmpq(b)] * h.ncols() for b in biases])
        if activation == "relu":
            z = flint.fmpq_mat([[v if v > 0 else flint.fmpq(0) for v in row] for row in z.tolist()])
        h = z
    return h.transpose().tolist()


@pytest.mark.parametrize("collinear", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_random_networks(rng, depth, collinear):
    """25 networks of each kind, 200 in all."""
    active = inactive = 0
    for _ in range(25):
        sizes = [rng.randint(1, 7) for _ in range(depth + 1)]
        layers = []
        for n_in, n_out in pairwise(sizes):
            biases = [random_rational(rng) for _ in range(n_out)]
            activation = rng.choice(["relu", "linear"])
            layers.append((random_sparse(rng, n_out, n_in), biases, activation))
        if collinear:  # the evaluator's path for multiples of one vector
            (direction,) = random_sparse(rng, 1, sizes[0])
            factors = [random_rational(rng) for _ in range(sizes[1])]
            layers[0] = ([[c * w for w in direction] for c in factors], *layers[0][1:])
        X = random_sparse(rng, rng.randint(1, 12), sizes[0])
        expected = flint_outputs(layers, X)
        network = ExactNetwork.from_arrays(*map(list, zip(*layers, strict=True)))
        outputs = network.predict(X, n_threads=rng.choice([1, 2]))
        assert outputs.shape == (len(X), sizes[-1])
        for row, expected_row in zip(outputs.tolist(), expected, strict=True):
            assert [fmpq(v) for v in row] == expected_row
            active += any(v != 0 for v in expected_row)
            inactive += any(v == 0 for v in expected_row)
        assert verify(network, X, outputs)
    assert active > 20  # not all networks are dead
    assert inactive > 5
