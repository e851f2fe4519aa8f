"""What the contenders have to do, and how it is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Task:
    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    batch: int = 1
    rate: float = 1.0
    loss: str = "quadratic"
    epochs: tuple[int, int] = (1, 1)  # of one measurement: at least, and at most if it lasts less
    window: float = 0.5  # seconds
    samples: int = 0  # to predict at once; 0 for training
    xor: bool = False

    def label(self):
        unit = "step" if self.xor else "epoch"
        what = f"{self.loss.replace('_', ' ')}, batch {self.batch}, one {unit}"
        if self.samples:
            what = f"prediction of {self.samples:,} sample{'s' * (self.samples > 1)}"
        return f"{list(self.sizes)} {self.activations[0]}, {what}"


SIGMOID, RELU, CE = ("sigmoid", "sigmoid"), ("relu", "relu", "softmax"), "cross_entropy"


TASKS = {
    "small": Task((784, 30, 10), SIGMOID, 10, 3.0, epochs=(1, 30), window=1.0),
    "medium": Task((784, 128, 64, 10), RELU, 64, 0.1, CE, epochs=(1, 5)),
    "large": Task((784, 512, 512, 10), RELU, 128, 0.1, CE, epochs=(1, 2)),
    "huge": Task((784, 1024, 1024, 10), RELU, 256, 0.1, CE),
    "xor": Task((2, 3, 1), SIGMOID, 4, 5.0, epochs=(2000, 2000), xor=True),
    "predict-1": Task((784, 30, 10), SIGMOID, samples=1),
    "predict-10000": Task((784, 30, 10), SIGMOID, samples=10_000),
}


ONLY = {"nielsen": [("small", 1)]}


ONLY["onnxruntime"] = [(name, n) for name in TASKS if TASKS[name].samples for n in (1, 2)]


def activate(z, kind):
    """Apply an activation in place."""
    if kind == "relu":
        return np.maximum(z, 0, out=z)
    if kind == "softmax":
        z -= z.max(1, keepdims=True)
    else:
        np.negative(z, out=z)
    np.exp(z, out=z)
    if kind == "softmax":
        z /= z.sum(1, keepdims=True)
        return z
    z += 1
    return np.reciprocal(z, out=z)


def forward(params, X, task):
    outputs = [X]
    for (W, b), kind in zip(params, task.activations, strict=True):
        z = outputs[-1] @ W.T
        z += b
        outputs.append(activate(z, kind))
    return outputs


def evaluate(params, X, y, Y, task):
    """Return loss and accuracy, by one program for all contenders."""
    out = forward(params, X, task)[-1]
    accuracy = float(np.mean((out[:, 0] > 0.5 if task.xor else out.argmax(1)) == y))
    if task.loss == "quadratic":
        return float(((out - Y) ** 2).sum() / (2 * len(X))), accuracy
    likely = np.where(Y == 1, out, 1 - out) if task.xor else out[np.arange(len(y)), y]
    return float(-np.log(np.maximum(likely, 1e-30)).mean()), accuracy


def able(name, workload, threads):
    return name not in ONLY or (workload, threads) in ONLY[name]
