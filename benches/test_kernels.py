"""Every kernel through the smallest call that leads to it, for every instruction set.

    pytest benches/test_kernels.py --benchmark-group-by=func

The extra information of a result holds GFLOP/s, where zeros that are skipped count as done.
"""

import numpy as np
import pytest

from exactnet import Network, _core

SHAPES = {
    "784x30, batch 10": ([784, 30], 10),
    "512x512, batch 128": ([512, 512], 128),
    "64x10, batch 64": ([64, 10], 64),
}


@pytest.fixture(params=_core.supported_isas())
def isa(request, monkeypatch):
    monkeypatch.setenv("EXACTNET_ISA", request.param)
    return request.param


def data(n, n_features, density=1.0):
    rng = np.random.default_rng(0)
    X = rng.random((n, n_features), dtype=np.float32)
    X[rng.random(X.shape) > density] = 0
    return X


def run(benchmark, function, flops):
    benchmark(function)
    if benchmark.stats is not None:  # they are off with --benchmark-disable
        benchmark.extra_info["GFLOP/s"] = round(flops / benchmark.stats["min"] / 1e9, 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("density", [1.0, 0.19])
def test_training(benchmark, isa, shape, density):
    """Product and update of one layer, dense or sparse."""
    sizes, batch = SHAPES[shape]
    X = data(20 * batch, sizes[0], density)
    net = Network(sizes, activations="linear", init="glorot_normal", seed=0)
    y = np.zeros((len(X), sizes[1]), dtype=np.float32)

    def train():
        net.fit(X, y, epochs=5, batch_size=batch, learning_rate=1e-6, loss="quadratic")

    run(benchmark, train, 5 * len(X) * 4 * sizes[0] * sizes[1])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [1, 10_000])
def test_predict(benchmark, isa, shape, n):
    sizes, _ = SHAPES[shape]
    X, net = data(n, sizes[0]), Network(sizes, activations="linear", seed=0)
    run(benchmark, lambda: net.predict(X), 2 * n * sizes[0] * sizes[1])


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "softmax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activation(benchmark, isa, activation, dtype):
    """A layer of one input is hardly more than its activation."""
    net = Network([1, 256], activations=activation, seed=0, dtype=dtype)
    X = data(10_000, 1).astype(dtype)
    run(benchmark, lambda: net.predict(X), X.size * 256)


@pytest.mark.parametrize("loss", ["quadratic", "cross_entropy"])
def test_loss(benchmark, isa, loss):
    net = Network([10, 10], activations="softmax", seed=0)
    X, labels = data(10_000, 10), np.arange(10_000) % 10
    run(benchmark, lambda: net.loss(X, labels, loss), 2 * X.size * 10)
