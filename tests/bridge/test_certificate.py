"""`certificate` against slow exact sums, and against float arithmetic of every order."""

import ctypes
import platform
import random
import shutil
import subprocess
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from conftest import random_network, random_points, slow
from exactnet import ExactNetwork, Network, certificate, memorize
from exactnet.datasets import load_digits
from exactnet.exact.data import as_points
from reference import forward, fractions

ONE = ExactNetwork.from_arrays([[[1]]], [[0]])
LIMITS = {"float32": 2**24, "float64": 2**53}
DTYPES = tuple(LIMITS)


# ---------------------------------------------------------------- the oracle


def last_bit(values):
    """The largest power of two of which all values are multiples; None if all are 0."""
    bits = [Fraction(v.numerator & -v.numerator, v.denominator) for v in values if v]
    return min(bits, default=None)


def all_terms(network, X):
    """The terms w h and b of every unit's sum at every point, layer by layer."""
    layers = []
    rows = fractions(X)
    for W, b, activation in zip(network.weights, network.biases, network.activations, strict=True):
        W, b = fractions(W), fractions(b)
        terms = [
            [
                [w * v for w, v in zip(weights, h, strict=True)] + [c]
                for weights, c in zip(W, b, strict=True)
            ]
            for h in rows
        ]
        rows = [[sum(t) for t in units] for units in terms]
        if activation == "relu":
            rows = [[max(v, Fraction(0)) for v in h] for h in rows]
        layers.append(terms)
    return layers


def bound_of_sums(network, X):
    """The largest sum of magnitudes, every sum counted in units of its own last bit."""
    return max(
        (
            sum(map(abs, terms)) / last_bit(terms)
            for points in all_terms(network, X)
            for units in points
            for terms in units
            if any(terms)
        ),
        default=0,
    )


def bound_of_layers(network, X):
    """The same in units that all sums of a layer share: the last bit of the numbers that come in
    times that of the weights, or that of the biases."""
    unit, bound = last_bit([v for row in fractions(X) for v in row]), Fraction(0)
    layers = zip(all_terms(network, X), network.weights, network.biases, strict=True)
    for points, W, b in layers:
        in_weights = last_bit(fractions(W.ravel()))
        products = None if unit is None or in_weights is None else unit * in_weights
        unit = min((u for u in (products, last_bit(fractions(b))) if u is not None), default=None)
        if unit is None:
            continue
        largest = max(sum(map(abs, terms)) for units in points for terms in units)
        bound = max(bound, largest / unit)
    return bound


def holds(value, dtype):
    """Whether a float type has the number."""
    try:
        with np.errstate(over="ignore"):
            rounded = np.dtype(dtype).type(float(value))
    except OverflowError:
        return False
    return bool(np.isfinite(rounded)) and Fraction(float(rounded)) == value


def roundings(network, X, dtype, rng, fused):
    """Evaluate in a random order of every sum and count what the type cannot hold.

    With `fused`, products enter the sum without being rounded themselves. Sums are made one
    number after the other and, as BLAS does, from several partial ones.
    """
    wrong = 0
    for points in all_terms(network, X):
        for units in points:
            for terms in units:
                wrong += 0 if fused else sum(not holds(t, dtype) for t in terms)
                parts = [[] for _ in range(rng.randint(1, 3))]
                for term in rng.sample(terms, len(terms)):
                    rng.choice(parts).append(term)
                totals = []
                for part in parts:
                    total = Fraction(0)
                    for term in part:
                        total += term
                        wrong += not holds(total, dtype)
                    totals.append(total)
                total = Fraction(0)
                for value in totals:
                    total += value
                    wrong += not holds(total, dtype)
    return wrong


def random_dyadic(rng, sizes, bits, exponents, activations=None):
    """Integers of some bits times a power of two for each array, all of them if bits is large."""

    def array(*shape):
        unit = Fraction(2) ** rng.randint(-exponents, exponents)
        values = np.empty(shape, dtype=object)
        flat = [rng.randrange(-(2**bits), 2**bits) * unit for _ in range(values.size)]
        values.ravel()[:] = [0 if rng.random() < 0.2 else v for v in flat]
        return values.tolist()

    weights = [array(b, a) for a, b in pairwise(sizes)]
    biases = [array(b) for b in sizes[1:]]
    if rng.random() < 0.2:
        biases = [[0] * len(b) for b in biases]
    network = ExactNetwork.from_arrays(weights, biases, activations)
    X = array(rng.randint(1, 5), sizes[0])
    return network, X


def random_case(rng, dtype):
    """About half of them within the limit of the type."""
    sizes = [rng.randint(1, 4) for _ in range(rng.randint(2, 4))]
    layers = len(sizes) - 1
    most = {"float32": 24, "float64": 53}[dtype] // (layers + 1)
    bits, exponents = rng.randint(most // 3, most + 5), rng.choice([0, 0, 1, 3])
    activations = [rng.choice(["relu", "linear"]) for _ in range(layers)]
    return random_dyadic(rng, sizes, bits, exponents, activations)


# ---------------------------------------------------------------- bounds and claims


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block", range(4))
def test_bound_against_exact_sums(rng, dtype, block):
    """Never below what the sums need, never above what the units of layers make of it."""
    verdicts = set()
    for _ in range(100):
        network, X = random_case(rng, dtype)
        proof = certificate(network, X, dtype)
        low, high = bound_of_sums(network, X), bound_of_layers(network, X)
        assert proof.limit == LIMITS[dtype]
        assert proof.n_points == len(X)
        assert bool(proof) is proof.exact
        verdicts.add(proof.exact)
        if proof.bound < 2**53:
            assert low <= proof.bound <= high
            assert proof.exact is (proof.bound < LIMITS[dtype])
        else:
            assert high >= 2**53
            assert not proof.exact
        if high < LIMITS[dtype]:
            assert proof.exact
    assert verdicts == {True, False}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("construction", ["integer", "theorem4"])
def test_bound_of_memorized_networks(rng, construction, dtype):
    for _ in range(10):
        X, _ = random_points(rng, 12, 2)
        y = [[rng.randrange(9)] for _ in X]
        # steps of t by 1 and two points a block make the slopes of Theorem 4 halves of integers
        if construction == "theorem4":
            X, y = [[k] for k in range(4)], y[:4]
        net = memorize(X, y, construction=construction)
        try:
            net.to_network(dtype)
            proof = certificate(net, X, dtype)
        except ValueError:
            assert construction == "theorem4"  # thirds
            continue
        assert bound_of_sums(net, X) <= proof.bound <= bound_of_layers(net, X)
        if construction == "integer":
            assert proof.exact
            assert proof.bound <= max(
                sum(map(abs, terms)) for layer in all_terms(net, X) for u in layer for terms in u
            )


@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_means_that_no_operation_rounds(rng, dtype):
    """In random orders, with and without fused multiply-add; and the bound is not idle."""
    n_exact = n_rounded = 0
    for _ in range(400):
        network, X = random_case(rng, dtype)
        proof = certificate(network, X, dtype)
        wrong = sum(roundings(network, X, dtype, rng, fused) for fused in (False, True))
        if proof.exact:
            assert wrong == 0
            n_exact += 1
            floats = network.to_network(dtype)
            X_floats = np.array(X, dtype=np.float64).astype(dtype)
            assert fractions(floats.predict(X_floats)) == forward(network, X)
        n_rounded += wrong > 0
    assert n_exact > 100
    assert n_rounded > 50


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unit", [0, -20, 20])
@pytest.mark.parametrize("part", ["weight", "input", "bias", "second layer", "second point"])
def test_at_the_limit(dtype, unit, part):
    """Sums of magnitudes limit - 1 and limit, whatever brings the last bit."""
    unit = Fraction(2) ** unit
    for excess, exact in ((-1, True), (0, False)):
        first, second = LIMITS[dtype] // 2 * unit, (LIMITS[dtype] // 2 - 1 + excess) * unit
        weights, biases, X = {
            "weight": ([[[first, -second, unit]]], [[0]], [[1, 1, 1]]),
            "input": ([[[1, 1, 1]]], [[0]], [[first, -second, unit]]),
            "bias": ([[[first, second]]], [[-unit]], [[1, 1]]),
            "second layer": ([[[1], [1]], [[1, -1]]], [[0, second - first], [unit]], [[first]]),
            "second point": ([[[1, 1]]], [[unit]], [[unit, unit], [first, -second]]),
        }[part]
        network = ExactNetwork.from_arrays(weights, biases)
        proof = certificate(network, X, dtype)
        assert bound_of_sums(network, X) == LIMITS[dtype] + excess
        assert proof.exact is exact
        assert proof.bound == LIMITS[dtype] + excess


@pytest.mark.parametrize("dtype", DTYPES)
def test_just_over_the_limit_numbers_are_rounded(dtype):
    """What the limit is for: limit + 1 is no float, though all that is added is."""
    limit = LIMITS[dtype]
    network = ExactNetwork.from_arrays([[[1, 1, 1]]], [[0]])
    X = [[limit // 2, limit // 2, 1]]
    assert certificate(network, X, dtype).exact is False
    assert certificate(network, X, dtype).bound >= limit
    assert float(network.to_network(dtype).predict(np.array(X, dtype=dtype))[0, 0]) == limit
    assert roundings(network, X, dtype, random.Random(0), fused=True) > 0


def test_cancelling_sums_are_not_exact():
    """The outputs are right in one order only; magnitudes see that."""
    network = ExactNetwork.from_arrays([[[1, -1, 1]]], [[0]])
    assert not certificate(network, [[2**60, 2**60, 1]]).exact
    assert certificate(network, [[2**51, 2**51, 1]]).exact


@pytest.mark.parametrize("dtype", [np.int64, np.uint32])
@pytest.mark.parametrize("copies", [1, 3])
def test_the_worst_point_counts(copies, dtype):
    """In whatever part of the data it lies, and in whichever of several units of its weights."""
    weights = [np.tile(np.eye(60, dtype=int), (copies, 1)), np.ones((2, 60 * copies), dtype=int)]
    weights[1][1, :60] = -1
    network = ExactNetwork.from_arrays(weights[:1], [[1 - k // 60 for k in range(60 * copies)]])
    deep = ExactNetwork.from_arrays(weights, [[0] * 60 * copies, [3, 4]])
    X = np.ones((6000, 60), dtype=dtype)
    for row in (0, 1700, 1800, 5999):
        X[row, 7] = 1000 + row
        proof = certificate(network, X)
        largest = 1000 + row + max(1, copies - 2)
        assert (proof.bound, proof.exact, proof.n_points) == (largest, True, 6000)
        assert certificate(deep, X).bound == (1059 + row) * copies + 4
        if dtype == np.int64:
            X[row, 7] = 2**53
            assert not certificate(network, X).exact
        X[row, 7] = 1


# Zeros have no last bit, and numbers that never meet share none.
EXACT_THOUGH_UNEVEN = {
    "no biases": ([[[3]]], [[0]], [[2**30], [2**31]]),
    "no biases, tiny": ([[[2.0**-20]], [[3]]], [[0], [0]], [[5]]),
    "no weights": ([[[0]]], [[2**30]], [[2.0**-20]]),
    "zeros only": ([[[0, 0]]], [[0]], [[2.0**-20, 2**20]]),
    "a column without weight": ([[[1, 0]]], [[1]], [[2**12, 2.0**-20]]),
    "a coarse and a fine column": ([[[1, 2**20]]], [[1]], [[2**10 + 1, 2.0**-20]]),
    "a coarse and a fine unit": (
        [[[1, 0], [0, 2.0**-20]], [[1, 0], [0, 1]]],
        [[0, 0], [0, 0]],
        [[2**16 + 1, 7]],
    ),
    "a coarse and a fine output": (
        [[[1], [1]], [[2.0**-20, 0], [0, 2**12]]],
        [[0, 0], [2.0**-20, 2**12]],
        [[3], [1]],
    ),
}


@pytest.mark.parametrize("name", EXACT_THOUGH_UNEVEN)
def test_exact_though_uneven(rng, name):
    """No sum comes near the limit in units of its own last bit."""
    weights, biases, X = EXACT_THOUGH_UNEVEN[name]
    network = ExactNetwork.from_arrays(weights, biases)
    assert bound_of_sums(network, X) < 2**20
    assert not any(roundings(network, X, "float32", rng, fused) for fused in (False, True))
    assert certificate(network, X, "float32").exact


# ---------------------------------------------------------------- other networks


@pytest.mark.parametrize("dtype", DTYPES)
def test_trained_networks_are_not_exact(dtype):
    X, y, _, _ = load_digits()
    net = Network([64, 16, 10], activations=["relu", "linear"], dtype=dtype, seed=0)
    net.fit(X, y, epochs=1, learning_rate=0.1, loss="mse")
    proof = certificate(net, X, dtype)
    assert not proof.exact
    assert proof.bound >= proof.limit


def test_a_float32_network_can_be_exact_in_float64(np_rng):
    """Products of 24-bit numbers have 48 bits: one layer without long exponents fits."""
    W = np_rng.integers(2**23, 2**24, size=(3, 4)).astype(np.float32)
    net = Network.from_arrays([W], [np.zeros(3, dtype=np.float32)], ["linear"])
    X = np_rng.integers(0, 2**20, size=(10, 4)).astype(np.float32)
    assert certificate(net, X, "float64").exact
    assert not certificate(net, X, "float32").exact


@pytest.mark.parametrize("dtype", DTYPES)
def test_network_and_exact_network_agree(rng, np_rng, dtype):
    X, _ = random_points(rng, 50, 3)
    y = [[rng.randrange(9), rng.randrange(9)] for _ in X]
    exact = memorize(X, y, construction="integer", dtype=dtype)
    trained = random_network(np_rng, [3, 5, 2], ["relu", "linear"], dtype)
    for one, other in [(exact, exact.to_network(dtype)), (trained.to_exact(), trained)]:
        assert certificate(one, X, dtype) == certificate(other, X, dtype)


@pytest.mark.parametrize("convert", [np.array, np.float32, np.float64, np.uint8, tuple])
def test_points_of_any_type(rng, convert):
    X, y = random_points(rng, 30, 2)
    net = memorize(X, y, construction="integer")
    assert certificate(net, convert(X)) == certificate(net, X)


def test_progress_reaches_the_caller(rng):
    X, y = random_points(rng, 300, 2)
    net = memorize(X, y, construction="integer")
    shares = []
    assert certificate(net, X, progress=shares.append).exact
    assert shares[-1] == 1
    assert shares == sorted(shares)


# ---------------------------------------------------------------- exponents far apart

E = 2.0**600
FAR = {
    "weights": ([[[E, 1 / E]]], [[0]], [[1, 1]]),
    "subnormal weight": ([[[5e-324, 1.0]]], [[0]], [[1, 1]]),
    "weight and bias": ([[[1 / E]]], [[E]], [[1]]),
    "bias and weight": ([[[E]]], [[1 / E]], [[1]]),
    "inputs": ([[[1, 1]]], [[0]], [[E, 1 / E]]),
    "sum beyond the range": ([[[1.5 * 2.0**1023, 1.5 * 2.0**1023]]], [[0]], [[1, 1]]),
    "product beyond the range": ([[[E]]], [[0]], [[E]]),
    "layers beyond the range": ([[[E]], [[E]]], [[0], [0]], [[1]]),
    "layers below the range": ([[[1 / E]], [[1 / E]]], [[0], [0]], [[1]]),
    "input beyond float64": ([[[1.0]]], [[0]], [[10**400]]),
}


@pytest.mark.parametrize("name", FAR)
def test_exponents_far_apart_are_not_exact(name):
    """Or refused as no floats; by no other error or warning."""
    weights, biases, X = FAR[name]
    network = ExactNetwork.from_arrays(weights, biases)
    if name == "input beyond float64":
        with pytest.raises(ValueError, match="column 0 of X holds numbers that are no float64"):
            certificate(network, X)
    else:
        assert certificate(network, X).exact is False


NEAR = {
    "large": ([[[E]]], [[3 * E]], [[5]], "float64"),
    "small": ([[[1 / E]]], [[3 / E]], [[5]], "float64"),
    "large times small": ([[[E]]], [[3]], [[5 / E]], "float64"),
    "large then small": ([[[E]], [[1 / E]]], [[E], [3]], [[5]], "float64"),
    "large in float32": ([[[2.0**100]]], [[2.0**101]], [[3]], "float32"),
    "small in float32": ([[[2.0**-100]]], [[2.0**-101]], [[3]], "float32"),
}


@pytest.mark.parametrize("name", NEAR)
def test_exponents_of_any_size_are_exact(rng, name):
    weights, biases, X, dtype = NEAR[name]
    network = ExactNetwork.from_arrays(weights, biases)
    assert roundings(network, X, dtype, rng, fused=False) == 0
    assert certificate(network, X, dtype).exact


@pytest.mark.parametrize("exponent", [-75, 64])
def test_products_outside_the_range_of_float32(rng, exponent):
    """Parameters and inputs are floats, what they make is not."""
    network, X = ExactNetwork.from_arrays([[[2.0**exponent]]], [[0]]), [[2.0**exponent]]
    assert roundings(network, X, "float32", rng, fused=False) > 0
    assert not certificate(network, X, "float32").exact
    assert certificate(network, X, "float64").exact


def test_points_of_very_different_size():
    """No common unit holds them; that is no error."""
    assert certificate(ONE, [[E], [1 / E]]).n_points == 2


# ---------------------------------------------------------------- subnormal numbers, flushed or not

# A layer of a network with or without subnormal numbers taken for 0, as inputs of operations (DAZ)
# and as their results (FTZ), and a switch that does the same to the calling thread.
FLUSHING = """
#include <xmmintrin.h>
#define FLUSH 0x8040
void flush(int on) { _mm_setcsr(on ? _mm_getcsr() | FLUSH : _mm_getcsr() & ~FLUSH); }
#define LAYER(name, type)                                                                      \\
    void name(int on, int backwards, int relu, int m, int n, const type *w, const type *b,     \\
              const type *h, type *out) {                                                      \\
        unsigned before = _mm_getcsr();                                                        \\
        flush(on);                                                                             \\
        for (int i = 0; i < m; ++i) {                                                          \\
            volatile type sum = backwards ? 0 : b[i];                                          \\
            for (int k = 0; k < n; ++k) {                                                      \\
                int j = backwards ? n - 1 - k : k;                                             \\
                volatile type product = w[i * n + j] * h[j];                                   \\
                sum = sum + product;                                                           \\
            }                                                                                  \\
            if (backwards) sum = sum + b[i];                                                   \\
            out[i] = relu && sum < 0 ? 0 : sum;                                                \\
        }                                                                                      \\
        _mm_setcsr(before);                                                                    \\
    }
LAYER(layer_float32, float)
LAYER(layer_float64, double)
"""


@pytest.fixture(scope="module")
def flushing(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if platform.machine() not in ("x86_64", "AMD64") or compiler is None:
        pytest.skip("needs an x86-64 processor and a C compiler")
    folder = tmp_path_factory.mktemp("flushing")
    (folder / "flushing.c").write_text(FLUSHING)
    command = [compiler, "-O1", "-msse2", "-mfpmath=sse", "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run([*command, "flushing.c", "-o", "flushing.so"], cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "flushing.so"))
    # flushing is what it is said to be, in what goes in and in what comes out, and only where asked
    for dtype, (low, _) in RANGES.items():
        tiny, normal = np.finfo(dtype).smallest_subnormal, np.ldexp(np.dtype(dtype).type(1), low)
        for w, h, value in [(tiny, 2.0**100, tiny * 2.0**100), (normal, 0.5, normal * 0.5)]:
            assert value != 0
            for on in (False, True):
                result = layer(library, on, 0, [[w]], [0], [h], "linear", dtype)
                assert result[0] == (0 if on else value)
    return library


def layer(library, on, backwards, W, b, h, activation, dtype):
    W, b, h = (np.array(a, dtype=dtype, order="C") for a in (W, b, h))
    out = np.empty(len(b), dtype=dtype)
    getattr(library, f"layer_{dtype}")(
        int(on), int(backwards), int(activation == "relu"), *map(ctypes.c_int, W.shape),
        *(ctypes.c_void_p(a.ctypes.data) for a in (W, b, h, out)),
    )  # fmt: skip
    return out


RANGES = {"float32": (-126, 127), "float64": (-1022, 1023)}


def near_the_edge(rng, dtype):
    """Small networks whose inputs, parameters, products or sums are about the least numbers."""
    (low, high), digits = RANGES[dtype], LIMITS[dtype].bit_length() - 1
    sizes = [rng.randint(1, 3) for _ in range(rng.randint(2, 4))]
    bits = rng.choice([1, 3, 3, digits // (2 * len(sizes)), digits])

    def exponent():
        return rng.choice(
            [
                0,
                rng.randint(-9, 9),
                low + rng.randint(-4, 4),
                low + rng.randint(0, -low),
                rng.randint(0, high - digits),
                low - digits + rng.randint(-1, 5),
            ]
        )

    def number(unit):
        value = rng.choice([0, 1, rng.randint(-(2**bits) + 1, 2**bits - 1)])
        return value * Fraction(2) ** unit

    unit = exponent()
    X = [[number(unit) for _ in range(sizes[0])] for _ in range(rng.randint(1, 3))]
    weights, biases = [], []
    for n, m in pairwise(sizes):
        sums = rng.choice([exponent(), low, unit])
        of_weights = min(max(sums - unit, low - digits), high - digits)
        weights.append([[number(of_weights) for _ in range(n)] for _ in range(m)])
        unit += of_weights
        biases.append([number(rng.choice([unit, unit + 1, exponent()])) for _ in range(m)])
        if rng.random() < 0.5:
            biases[-1] = [Fraction(0)] * m
    activations = [rng.choice(["relu", "linear"]) for _ in weights]
    return ExactNetwork.from_arrays(weights, biases, activations), X


def infer(library, on, backwards, network, x, dtype):
    h = np.array([float(v) for v in x], dtype=dtype)
    for W, b, activation in zip(network.weights, network.biases, network.activations, strict=True):
        W, b = W.astype(np.float64), b.astype(np.float64)
        h = layer(library, on, backwards, W, b, h, activation, dtype)
    return [Fraction(float(v)) if np.isfinite(v) else None for v in h]


@pytest.mark.parametrize("dtype", DTYPES)
def test_never_exact_where_inference_is_not_flushed_or_not(rng, flushing, dtype):
    """And refused just where a number is none of the type."""
    n_exact = n_flushed = n_refused = 0
    for _ in range(slow(10_000, 250)):
        network, X = near_the_edge(rng, dtype)
        arrays = (*network.weights, *network.biases, np.array(X))
        if not all(holds(v, dtype) for v in fractions(np.concatenate([a.ravel() for a in arrays]))):
            with pytest.raises(ValueError, match=f"no {dtype}|no float64"):
                certificate(network, X, dtype)
            n_refused += 1
            continue
        proof, truth = certificate(network, X, dtype), forward(network, X)
        results = {
            (on, backwards): [infer(flushing, on, backwards, network, x, dtype) for x in X]
            for on in (False, True)
            for backwards in (False, True)
        }
        if proof.exact:
            n_exact += 1
            assert all(result == truth for result in results.values())
            floats = network.to_network(dtype)
            points = np.array([[float(v) for v in x] for x in X], dtype=dtype)
            try:
                flushing.flush(1)
                outputs = floats.predict(points)
            finally:
                flushing.flush(0)
            assert fractions(outputs) == truth
        elif results[False, False] == results[False, True] == truth:
            n_flushed += results[True, False] != truth
    n = n_exact + n_flushed + n_refused
    assert min(n_exact, n_flushed, n_refused) > n / 30


@pytest.mark.parametrize("dtype", DTYPES)
def test_flushing_frameworks(rng, dtype):
    """The same by a framework that can flush, where it is installed."""
    torch = pytest.importorskip("torch")
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush")
    torch.set_flush_denormal(False)
    kind = getattr(torch, dtype)
    n_exact = n_flushed = 0
    for _ in range(slow(2000, 100)):
        network, X = near_the_edge(rng, dtype)
        try:
            exact = certificate(network, X, dtype).exact
        except ValueError:
            continue
        layers = [
            [torch.tensor(a.astype(np.float64), dtype=kind) for a in (W, b)]
            for W, b in zip(network.weights, network.biases, strict=True)
        ]
        h = torch.tensor([[float(v) for v in x] for x in X], dtype=kind)
        torch.set_flush_denormal(True)
        try:
            for (W, b), activation in zip(layers, network.activations, strict=True):
                h = torch.nn.functional.linear(h, W, b)
                h = torch.relu(h) if activation == "relu" else h
        finally:
            torch.set_flush_denormal(False)
        right = bool(h.isfinite().all()) and fractions(h.tolist()) == forward(network, X)
        assert right or not exact
        n_exact += exact
        n_flushed += not right
    assert min(n_exact, n_flushed) > 10


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_process_that_flushes_gets_the_same_answers(rng, flushing, dtype):
    """Subnormal numbers are seen, though its arithmetic takes them for 0."""
    for _ in range(slow(1000, 100)):
        network, X = near_the_edge(rng, dtype)
        try:
            points = np.array([[float(v) for v in x] for x in X], dtype=dtype)
            floats = network.to_network(dtype)
            expected = certificate(floats, points, dtype).exact
        except ValueError:
            continue
        table = as_points(points)
        try:
            flushing.flush(1)
            found = certificate(floats, points, dtype).exact
            flushed_table = as_points(points)
        finally:
            flushing.flush(0)
        assert found is expected
        assert (flushed_table.numerators == table.numerators).all()
        assert flushed_table.denominators == table.denominators


SUBNORMAL = {
    "weight": ([[[2.0**-140]]], [[0]], [[2.0**120]], "float32"),
    "input": ([[[2.0**120]]], [[0]], [[2.0**-140]], "float32"),
    "weight with more than the least bit": ([[[2.0**-127 + 2.0**-140]]], [[0]], [[2]], "float32"),
    "bias": ([[[1]]], [[2.0**-140]], [[0]], "float32"),
    "product": ([[[2.0**-100]]], [[0]], [[2.0**-30]], "float32"),
    "sum": ([[[1, 1]]], [[0]], [[2.0**-126 + 2.0**-130, -(2.0**-126)]], "float32"),
    "hidden": ([[[2.0**-100]], [[2.0**100]]], [[0], [0]], [[2.0**-30]], "float32"),
    "weight of float64": ([[[2.0**-1060]]], [[0]], [[2.0**1000]], "float64"),
    "input of float64": ([[[2.0**1000]]], [[0]], [[1.0], [5e-324]], "float64"),
}


@pytest.mark.parametrize("name", SUBNORMAL)
def test_subnormal_numbers_are_not_exact(name):
    """Whatever becomes of them later: they are floats, but frameworks may take them for 0."""
    weights, biases, X, dtype = SUBNORMAL[name]
    network = ExactNetwork.from_arrays(weights, biases)
    assert certificate(network, X, dtype).exact is False
    assert certificate(network.to_network(dtype), X, dtype).exact is False
    if dtype == "float32":
        assert certificate(network, X, "float64").exact is True


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("exponent", [-1080, -1075, 1024, 10_000, -10_000, 2**20])
def test_inputs_outside_all_floats(dtype, exponent):
    network = ExactNetwork.from_arrays([[[2.0**100, 1]]], [[0]])
    for X in ([[Fraction(2) ** exponent, 1]], [[0, 1], [3 * Fraction(2) ** exponent, 2**70]]):
        with pytest.raises(ValueError, match=f"column 0 of X holds numbers that are no {dtype}"):
            certificate(network, X, dtype)


# ---------------------------------------------------------------- refusals

REFUSED = {
    "a third as weight": (
        ExactNetwork.from_arrays([[[Fraction(1, 3)]]], [[0]]),
        [[1]],
        "float64",
        "weights[0] holds 1/3, which is no float64",
    ),
    "a third as bias": (
        ExactNetwork.from_arrays([[[1]], [[1]]], [[0], [Fraction(1, 3)]]),
        [[1]],
        "float64",
        "biases[1] holds 1/3, which is no float64",
    ),
    "a long weight": (
        ExactNetwork.from_arrays([[[2**53 + 1]]], [[0]]),
        [[1]],
        "float64",
        "weights[0] holds 9007199254740993, which is no float64",
    ),
    "a weight beyond the range": (
        ExactNetwork.from_arrays([[[2**2000]]], [[0]]),
        [[1]],
        "float64",
        "which is no float64",
    ),
    "a weight of float64": (
        ExactNetwork.from_arrays([[[2**24 + 1]]], [[0]]),
        [[1]],
        "float32",
        "weights[0] holds np.float64(16777217.0), which is no float32",
    ),
    "a weight beyond float32": (
        Network.from_arrays([np.array([[1e300]])], [np.array([0.0])], ["linear"]),
        [[1]],
        "float32",
        "weights[0] holds",
    ),
    "a bias of float64": (
        Network.from_arrays([np.array([[1.0]])], [np.array([0.1])], ["linear"]),
        [[1]],
        "float32",
        "biases[0] holds np.float64(0.1), which is no float32",
    ),
    "a third as input": (
        ONE,
        [[1], [Fraction(1, 3)]],
        "float64",
        "column 0 of X holds numbers that are no float64",
    ),
    "a long input": (
        ONE,
        [[2**53 + 1]],
        "float64",
        "column 0 of X holds numbers that are no float64",
    ),
    "a very long input": (
        ONE,
        [[2**90 + 1]],
        "float64",
        "column 0 of X holds numbers that are no float64",
    ),
    "an input of float64": (
        ONE,
        [[1], [0.1]],
        "float32",
        "column 0 of X holds numbers that are no float32",
    ),
    "an integer that float32 lacks": (
        ONE,
        [[2**24 + 1]],
        "float32",
        "column 0 of X holds numbers that are no float32",
    ),
    "other features": (ONE, [[1, 2]], "float64", "X has 2 features but the network takes 1"),
    "nan": (ONE, [[float("nan")]], "float64", "X[0, 0] is nan"),
    "no points": (ONE, [], "float64", "X is empty"),
    "another type": (ONE, [[1]], "float16", "dtype must be one of 'float32', 'float64'"),
    "another activation": (
        Network([1, 2, 1], activations=["sigmoid", "linear"], seed=0),
        [[1]],
        "float32",
        "sigmoid",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    network, X, dtype, text = REFUSED[name]
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is checked below
        certificate(network, X, dtype)
    assert "\n" not in str(error.value)
    assert text in str(error.value)


def test_other_objects_are_refused():
    with pytest.raises(TypeError, match="network must be an ExactNetwork or a Network, not str"):
        certificate("net.json", [[1]])
