"""Dropout: each hidden unit is left out with some probability, anew for every sample.

Article: dropout is among the ways to deal with overfitting; the output is an average over many
sparse networks.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import plot, sweep
from exactnet.datasets import load_digits

STARTS = 5
X, y, X_test, y_test = load_digits()
rule = dict(epochs=60, batch_size=20, learning_rate=0.1, loss="cross_entropy")
shape = dict(layer_sizes=[64, 100, 100, 10], activations=["relu", "relu", "softmax"],
             init="he_normal")  # fmt: skip
results = {
    rate: sweep([dict(seed=seed) for seed in range(STARTS)], X, y, dropout=rate,
                validation_data=(X_test, np.eye(10)[y_test]), **shape, **rule)
    for rate in (0.0, 0.5)
}  # fmt: skip

gaps = {}
for rate, runs in results.items():
    networks = [run.network for run in runs]
    # Of the whole networks, nothing left out: the loss of a history is one with dropout.
    train = np.array([net.loss(X, y, "cross_entropy") for net in networks])
    test = np.array([net.loss(X_test, y_test, "cross_entropy") for net in networks])
    right = np.mean([(net.accuracy(X, y), net.accuracy(X_test, y_test)) for net in networks], 0)
    gaps[rate] = test - train, right[0] - right[1]
    print(f"dropout {rate}: loss {train.mean():.4f} in training, {test.mean():.3f} in testing; "
          f"{right[0]:.1%} and {right[1]:.1%} right")  # fmt: skip
assert gaps[0.5][0].max() < gaps[0.0][0].min()  # of the losses, at every start
assert gaps[0.5][1] < gaps[0.0][1]  # of the shares that are right

figure, axes = plt.subplots(1, 2, figsize=(8, 4.2), sharey=True)
for axis, (rate, runs) in zip(axes, results.items(), strict=True):
    plot.learning_curves(runs[0].history, ax=axis)
    axis.set(xlabel=f"epoch, dropout {rate:g}", ylabel="cross-entropy", ylim=(1e-3, 3))
save(figure, __file__)
