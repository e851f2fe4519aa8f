"""Gradients, dead units, contributions and linear regions."""

import math
from fractions import Fraction
from itertools import pairwise, product

import gmpy2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import random_network
from exactnet import ExactNetwork, Network, diagnostics, memorize
from exactnet.activations import LeakyReLU
from reference import exact_gradients, forward, fractions, numpy_activation, numpy_pre_activations

# ---------------------------------------------------------------- gradients


def test_gradient_norms_against_fractions(np_rng):
    net = random_network(np_rng, [3, 5, 4, 2], ["relu", "relu", "linear"])
    X, y = np_rng.normal(size=(6, 3)), np_rng.normal(size=(6, 2))
    norms = diagnostics.gradient_norms(net, X, y)
    for norm, (dW, _) in zip(norms, exact_gradients(net, X, y), strict=True):
        expected = math.sqrt(sum(v * v for row in dW for v in row))
        assert norm == pytest.approx(expected, rel=1e-12)
        assert type(norm) is float


def test_gradient_norms_of_labels_and_losses(np_rng):
    net = random_network(np_rng, [3, 5, 4], ["tanh", "softmax"])
    X, labels = np_rng.normal(size=(6, 3)), np.array([0, 1, 2, 3, 0, 1])
    norms = diagnostics.gradient_norms(net, X, labels, "cross_entropy")
    gradients = net.gradients(X, labels, "cross_entropy")
    assert norms == [pytest.approx(np.sqrt((dW**2).sum())) for dW, _ in gradients]


def test_gradient_norms_vanish_under_sigmoids(np_rng):
    X, y = np_rng.normal(size=(50, 10)), np_rng.random((50, 10))
    ratios = {}
    for activation in ("sigmoid", "relu"):
        net = Network([10] * 11, activations=activation, init="he_normal", dtype="float64", seed=1)
        norms = diagnostics.gradient_norms(net, X, y)
        ratios[activation] = norms[-1] / norms[0]
    assert ratios["sigmoid"] > 1e4
    assert ratios["relu"] < 1e2


def test_gradient_norms_of_float32_are_summed_in_float64():
    net = Network.from_arrays([np.float32([[1e10, 1e10]])], [np.float32([0])], "linear")
    norm = diagnostics.gradient_norms(net, [[1e10, 1e10]], [[0]], "quadratic")[0]
    assert norm == pytest.approx(math.sqrt(2) * 2e30)


# ---------------------------------------------------------------- dead units


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 5, 200])
def test_dead_units(np_rng, dtype, n):
    activations = ["relu", "tanh", "relu", LeakyReLU(0.1), "relu", "relu"]
    net = random_network(np_rng, [2, 20, 9, 20, 6, 15, 3], activations, dtype)
    X = np_rng.normal(size=(n, 2)).astype(dtype)
    found = diagnostics.dead_units(net, X)
    assert [d.layer for d in found] == [0, 2, 4]  # hidden, and relu
    values = [
        numpy_activation(a, z)[0]
        for a, z in zip(activations, numpy_pre_activations(net, X), strict=True)
    ]
    for dead in found:
        expected = np.flatnonzero((values[dead.layer] == 0).all(axis=0))
        assert dead.units.tolist() == expected.tolist()
        assert dead.count == len(expected)
    assert n > 5 or sum(dead.count for dead in found) > 5


def test_dead_units_come_to_life_with_data():
    net = Network.from_arrays([[[1.0], [-1.0]], [[1, 1]]], [[0, 0], [0]], ["relu", "linear"])
    assert diagnostics.dead_units(net, [[1.0]])[0].units.tolist() == [1]
    assert diagnostics.dead_units(net, [[0.0]])[0].units.tolist() == [0, 1]
    assert diagnostics.dead_units(net, [[1], [-1]])[0].count == 0
    assert diagnostics.dead_units(Network([1, 3, 1], seed=0), [[1.0]]) == []


# ---------------------------------------------------------------- contributions


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", LeakyReLU(0.2), "linear"])
def test_contributions(np_rng, dtype, activation):
    net = random_network(np_rng, [1, 20, 1], [activation, "linear"], dtype)
    x = np.linspace(-3, 3, 101)
    parts = diagnostics.unit_contributions(net, x)
    assert parts.units.shape == (20, 101)
    assert parts.units.dtype == np.float64
    assert type(parts.bias) is float
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(
        parts.units.sum(axis=0) + parts.bias, net.predict(x[:, None])[:, 0], atol=tolerance
    )
    for unit, contribution in enumerate(parts.units):
        z = float(net.weights[0][unit, 0]) * x + float(net.biases[0][unit])
        value = numpy_activation(activation, z)[0]
        np.testing.assert_allclose(contribution, net.weights[1][0, unit] * value, atol=tolerance)
    again = diagnostics.unit_contributions(net, x[:, None])
    assert (again.units == parts.units).all()


# ---------------------------------------------------------------- linear regions


def brute_force(layers, interval):
    """Breakpoints of all outputs, from the kinks that any pattern of active units would allow.

    Every unit of every pattern is one line, of which the zero is a candidate. Between candidates
    the network is linear, and its slopes are taken from its values.
    """
    hidden = [len(b) for W, b in layers[:-1]]
    candidates = set()
    for pattern in product((0, 1), repeat=sum(hidden)):
        slopes, intercepts, used = [Fraction(1)], [Fraction(0)], 0
        for W, b in layers[:-1]:
            z = [
                (
                    sum(w * s for w, s in zip(row, slopes, strict=True)),
                    sum((w * c for w, c in zip(row, intercepts, strict=True)), start=bias),
                )
                for row, bias in zip(W, b, strict=True)
            ]
            candidates |= {-c / s for s, c in z if s}
            on = pattern[used : used + len(z)]
            used += len(z)
            slopes = [s * o for (s, _), o in zip(z, on, strict=True)]
            intercepts = [c * o for (_, c), o in zip(z, on, strict=True)]
    candidates = sorted(candidates)
    if interval is not None:
        candidates = [c for c in candidates if interval[0] < c < interval[1]]
        ends = [interval[0], *candidates, interval[1]]
    else:
        first, last = (candidates[0], candidates[-1]) if candidates else (0, 0)
        ends = [first - 1, *candidates, last + 1]
    return candidates, [Fraction(x) for x in ends]


def check_regions(net, interval, regions):
    """Compare with brute force, and the pieces with exact values of the network."""
    layers = [(fractions(w), fractions(b)) for w, b in zip(net.weights, net.biases, strict=True)]
    candidates, ends = brute_force(layers, interval)
    values = forward(net, [[x] for x in ends])
    slopes = [
        [(d - c) / (b - a) for c, d in zip(u, v, strict=True)]
        for (a, u), (b, v) in pairwise(zip(ends, values, strict=True))
    ]
    expected = [
        x for x, (left, right) in zip(candidates, pairwise(slopes), strict=True) if left != right
    ]
    assert fractions(regions.breakpoints) == expected
    assert all(type(x) is gmpy2.mpq for x in regions.breakpoints)
    assert regions.count == len(expected) + 1
    n_outputs = net.layer_sizes[-1]
    assert regions.slopes.shape == regions.intercepts.shape == (regions.count, n_outputs)
    for a, b in pairwise(ends):
        x = (a + b) / 2
        r = sum(p < x for p in expected)
        line = [
            s * x + c
            for s, c in zip(
                fractions(regions.slopes[r]), fractions(regions.intercepts[r]), strict=True
            )
        ]
        assert line == forward(net, [[x]])[0]


NUMBERS = st.one_of(st.integers(-3, 3), st.fractions(-2, 2, max_denominator=4))


@st.composite
def networks(draw):
    """Of 1 to 4 layers, with many zeros and equal numbers, so that kinks meet and cancel."""
    hidden = draw(st.sampled_from([[], [1], [4], [7], [3, 3], [2, 4], [2, 2, 2], [3, 1, 3]]))
    sizes = [1, *hidden, draw(st.integers(1, 2))]
    matrix = lambda a, b: [[draw(NUMBERS) for _ in range(a)] for _ in range(b)]  # noqa: E731
    weights = [matrix(a, b) for a, b in pairwise(sizes)]
    biases = [[draw(NUMBERS) for _ in range(b)] for b in sizes[1:]]
    return ExactNetwork.from_arrays(weights, biases)


@settings(max_examples=150, deadline=None)
@given(networks(), st.none() | st.tuples(NUMBERS, NUMBERS).filter(lambda t: t[0] < t[1]))
def test_regions_by_brute_force(net, interval):
    check_regions(net, interval, diagnostics.linear_regions(net, interval))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [[6], [3, 4], [2, 3, 3]])
def test_regions_of_float_networks(np_rng, dtype, hidden):
    sizes = [1, *hidden, 1]
    net = random_network(np_rng, sizes, ["relu"] * len(hidden) + ["linear"], dtype)
    for interval in (None, (Fraction(-1, 2), Fraction(3, 4))):
        check_regions(net.to_exact(), interval, diagnostics.linear_regions(net, interval))


def test_regions_of_wide_networks(np_rng):
    """Too many units for brute force: values and slopes of the pieces, and no kink left out."""
    for sizes in ([1, 100, 1], [1, 20, 20, 1], [1, 8, 8, 8, 8, 2]):
        net = random_network(np_rng, sizes, ["relu"] * (len(sizes) - 2) + ["linear"])
        regions = diagnostics.linear_regions(net)
        exact = net.to_exact()
        inner = regions.breakpoints
        assert regions.count == len(inner) + 1 > 10
        ends = [inner[0] - 1, *inner, inner[-1] + 1]
        rows = []
        for a, b in pairwise(ends):
            rows += [[a], [(2 * a + b) / 3], [(a + 2 * b) / 3], [b]]
        values = exact.predict(rows).reshape(-1, 4, sizes[-1])
        for r, block in enumerate(values):
            xs = np.array([row[0] for row in rows[4 * r : 4 * r + 4]])
            assert (block == xs[:, None] * regions.slopes[r] + regions.intercepts[r]).all()
        assert (regions.slopes[1:] != regions.slopes[:-1]).any(axis=1).all()
        if len(sizes) == 3:
            kinks = {
                -gmpy2.mpq(b) / gmpy2.mpq(w)
                for w, b in zip(net.weights[0][:, 0].tolist(), net.biases[0].tolist(), strict=True)
            }
            assert inner == sorted(kinks)


def test_what_a_region_is():
    def count(weights, biases, activations=None, interval=None):
        net = ExactNetwork.from_arrays(weights, biases, activations)
        return diagnostics.linear_regions(net, interval).count

    assert count([[[3]]], [[1]]) == 1  # no unit at all
    assert count([[[3]]], [[1]], ["relu"]) == 2  # the output may be one
    assert count([[[1], [-1]], [[1, 1]]], [[0, 0], [0]]) == 2  # |x|: two units, one kink
    assert count([[[1], [-1]], [[1, -1]]], [[0, 0], [0]]) == 1  # x: they cancel
    assert count([[[1], [1]], [[1, 0]]], [[0, -1], [0]]) == 2  # the second is not used
    assert count([[[0], [0]], [[1, 1]]], [[1, -1], [0]]) == 1  # no unit ever switches
    assert count([[[1], [1]], [[1, 0], [0, 1]]], [[0, -1], [0, 0]]) == 3  # any output counts
    # relu(x - 1) is 0 to the right of 1 in one unit and to the left in another, which differ
    assert count([[[1], [-1]], [[1, 1]]], [[-1, -1], [0]]) == 3
    # at the end of an interval there is no region of its own
    tent = [[[1], [-1]], [[1, 1]]], [[0, 0], [0]]
    assert count(*tent, None, (0, 1)) == 1
    assert count(*tent, None, (-1, 0)) == 1
    assert count(*tent, None, (Fraction(-1, 10**30), 1e300)) == 2


def test_regions_of_sawtooth_networks():
    """Three layers of two units each have the 8 regions that one layer needs 8 units for."""
    for depth in (1, 2, 5, 8):
        layer = [[2, -4], [2, -4]]
        net = ExactNetwork.from_arrays(
            [[[1], [1]], *[layer] * (depth - 1), [[2, -4]]],
            [*[[0, -0.5]] * depth, [0]],
        )
        regions = diagnostics.linear_regions(net, (0, 1))
        assert regions.count == 2**depth
        assert fractions(regions.breakpoints) == [Fraction(k, 2**depth) for k in range(1, 2**depth)]
        assert set(abs(regions.slopes[:, 0])) == {2**depth}


def test_regions_of_memorized_points():
    net = memorize([[0], [1], [2], [3]], [5, -1, 4, 0], construction="one_layer")
    regions = diagnostics.linear_regions(net, (0, 3))
    assert regions.breakpoints == [1, 2]
    assert regions.slopes[:, 0].tolist() == [-6, 5, -4]


def test_regions_of_a_changed_network():
    """Parameters that anyone wrote into the attributes are converted as elsewhere."""
    net = ExactNetwork.from_arrays([[[1]], [[1]]], [[0], [0]])
    net.biases[0][0] = 0.5
    assert diagnostics.linear_regions(net).breakpoints == [gmpy2.mpq(-1, 2)]


# ---------------------------------------------------------------- bad input


def test_bad_input(np_rng):
    net = random_network(np_rng, [1, 3, 1], ["relu", "linear"])
    wide = random_network(np_rng, [2, 3, 1], ["relu", "linear"])
    for function in (diagnostics.gradient_norms, diagnostics.dead_units):
        arguments = ([[1.0]], [[1.0]])[: 2 if function is diagnostics.gradient_norms else 1]
        with pytest.raises(TypeError, match="must be a Network, not ExactNetwork"):
            function(net.to_exact(), *arguments)
        with pytest.raises(ValueError, match="1 features but the network takes 2"):
            function(wide, *arguments)
    with pytest.raises(ValueError, match="step"):
        diagnostics.gradient_norms(Network([1, 1], activations="step", seed=0), [[1]], [[1]])
    with pytest.raises(ValueError, match="finite"):
        diagnostics.dead_units(net, [[math.nan]])

    with pytest.raises(TypeError, match="must be a Network"):
        diagnostics.unit_contributions(None, [1])
    for sizes, activations in (
        ([2, 3, 1], ["relu", "linear"]),
        ([1, 3, 2], ["relu", "linear"]),
        ([1, 3, 1], ["relu", "sigmoid"]),
        ([1, 3, 3, 1], ["relu", "relu", "linear"]),
        ([1, 1], "linear"),
    ):
        with pytest.raises(ValueError, match="one hidden layer"):
            diagnostics.unit_contributions(random_network(np_rng, sizes, activations), [1])
    for x, match in (([], "no samples"), ([[1, 2]], "features"), ([math.inf], r"x\[0, 0\] is inf")):
        with pytest.raises(ValueError, match=match):
            diagnostics.unit_contributions(net, x)

    with pytest.raises(TypeError, match="must be a Network or an ExactNetwork, not list"):
        diagnostics.linear_regions([[1]])
    with pytest.raises(ValueError, match="one input, not 2"):
        diagnostics.linear_regions(wide)
    with pytest.raises(ValueError, match="'tanh', which has no exact counterpart"):
        diagnostics.linear_regions(random_network(np_rng, [1, 3, 1], ["tanh", "linear"]))
    for interval in (3, (1, 2, 3), (2, 1), (1, 1), (0, math.inf), (math.nan, 1)):
        with pytest.raises(ValueError, match=r"interval|finite"):
            diagnostics.linear_regions(net, interval)
    with pytest.raises(TypeError, match="interval"):
        diagnostics.linear_regions(net, ("0", 1))
