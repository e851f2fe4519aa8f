"""The seed's harder function against PyTorch from the same start, as a Markdown table.

    python benches/harder_function.py [--seeds 10]

20 tanh units, he_normal, 400 epochs of batches of 32, rate 0.01, Nesterov momentum 0.9, mean
squared error on 1,000 points of [-3, 3]. Both start from the same weights; the shuffles are each
one's own. The claim: our mean error is no worse, up to twice the standard error of the difference,
which comes of the shuffles.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from exact_table import cpu
from exactnet import Network

try:
    import torch
except ImportError:
    torch = None

EPOCHS, BATCH, RATE, MOMENTUM = 400, 32, 0.01, 0.9
x = np.linspace(-3, 3, 1000)
right = -x * np.sin(np.pi * x) + np.exp(x / 2) - 1
y = np.where(x < 0, x * np.sin(2 * np.pi * x), right)
X, Y = x[:, None].astype(np.float32), y[:, None].astype(np.float32)


def start(seed):
    return Network([1, 20, 1], activations=["tanh", "linear"], init="he_normal", seed=seed)


def train_exactnet(seed):
    """Return root mean square and largest error, and seconds."""
    net = start(seed)
    began = time.perf_counter()
    rule = dict(learning_rate=RATE, momentum=MOMENTUM, nesterov=True, loss="mse")
    net.fit(X, Y, epochs=EPOCHS, batch_size=BATCH, **rule)
    seconds = time.perf_counter() - began
    return *errors(net.predict(X)), seconds


def train_torch(seed):
    net = start(seed)
    model = torch.nn.Sequential(torch.nn.Linear(1, 20), torch.nn.Tanh(), torch.nn.Linear(20, 1))
    with torch.no_grad():
        for layer, W, b in zip((model[0], model[2]), net.weights, net.biases, strict=True):
            layer.weight.copy_(torch.from_numpy(W))
            layer.bias.copy_(torch.from_numpy(b))
    np.testing.assert_allclose(model(torch.from_numpy(X)).detach(), net.predict(X), atol=1e-5)
    step = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM, nesterov=True)
    generator = torch.Generator().manual_seed(seed)
    inputs, targets = torch.from_numpy(X), torch.from_numpy(Y)
    began = time.perf_counter()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(X), generator=generator).split(BATCH):
            step.zero_grad()
            torch.nn.functional.mse_loss(model(inputs[batch]), targets[batch]).backward()
            step.step()
    seconds = time.perf_counter() - began
    return *errors(model(inputs).detach().numpy()), seconds


def errors(outputs):
    residuals = outputs[:, 0].astype(np.float64) - y
    return np.sqrt((residuals**2).mean()), np.abs(residuals).max()


def main():
    """Train and print; says whether ours is no worse."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(parser.parse_args().seeds)
    versions = f"Python {sys.version.split()[0]}, NumPy {np.__version__}"
    peers = {"exactnet": train_exactnet}
    if torch is None:
        print("PyTorch is not installed: skipped.\n")
    else:
        torch.set_num_threads(1)
        versions += f", PyTorch {torch.__version__}"
        peers["PyTorch"] = train_torch
    print(f"Machine: {cpu()}, 1 thread; {versions}; means of {len(seeds)} seeds.\n")
    print("| | RMS error | standard error | lowest | highest | largest error | seconds |")
    print("|---|---|---|---|---|---|---|")
    rms = {}
    for name, train in peers.items():
        seen = np.array([train(seed) for seed in seeds])
        rms[name] = seen[:, 0]
        spread = rms[name].std(ddof=1) / len(seeds) ** 0.5
        print(
            f"| {name} | {rms[name].mean():.4f} | {spread:.4f} | {rms[name].min():.4f} "
            f"| {rms[name].max():.4f} | {seen[:, 1].mean():.3f} | {seen[:, 2].mean():.3f} |",
            flush=True,
        )
    if len(rms) == 2:
        differences = rms["exactnet"] - rms["PyTorch"]
        spread = differences.std(ddof=1) / len(seeds) ** 0.5
        print(f"\nOurs minus PyTorch's: {differences.mean():+.4f} +- {spread:.4f}.", end=" ")
        print("No worse." if differences.mean() <= 2 * spread else "Worse.")


if __name__ == "__main__":
    main()
