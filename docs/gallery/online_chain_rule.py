"""Backpropagation, three times: the article's formulas, differences, and `Network.gradients`.

Article: with the chain rule the gradient of every weight follows from that of the layer above it.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import Network
from exactnet.activations import Sigmoid

ALPHA, THETA = 0.04, 0.1  # slope and threshold of all sigmoids
rng = np.random.default_rng(0)
X, y = rng.integers(0, 2, (100, 3)), rng.integers(0, 2, (100, 3))
weights = [rng.standard_normal((4, 3)), rng.standard_normal((3, 4))]


def forward(weights):
    """Return the outputs of all layers."""
    outputs = [X]
    for w in weights:
        outputs.append(1 / (1 + np.exp(-ALPHA * (outputs[-1] @ w.T - THETA))))
    return outputs


def error(weights):
    """Return the article's E, summed over the rows."""
    return ((forward(weights)[-1] - y) ** 2).sum()


# E depends on an output as 2 (y - t), on what enters a unit as alpha y (1 - y) times that.
_, hidden, out = forward(weights)
delta_out = 2 * (out - y) * ALPHA * out * (1 - out)
delta_hidden = delta_out @ weights[1] * ALPHA * hidden * (1 - hidden)
article = np.concatenate([(delta_hidden.T @ X).ravel(), (delta_out.T @ hidden).ravel()])

h, differences = 1e-4, []
for w in weights:
    for place in np.ndindex(w.shape):
        before = w[place]
        w[place] = before + h
        above = error(weights)
        w[place] = before - h
        differences.append((above - error(weights)) / (2 * h))
        w[place] = before

# A loss here is the mean of half the sum of squares.
network = Network.from_arrays(weights, [np.zeros(4), np.zeros(3)], Sigmoid(ALPHA, THETA))
ours = np.concatenate([dw.ravel() for dw, _ in network.gradients(X, y)]) * 2 * len(X)

scale = np.abs(article).max()
print(f"{len(article)} weights, largest gradient {scale:.3g}; largest difference of the article's")
print(f"  from finite differences  {np.abs(article - differences).max():.1g}")
print(f"  from Network.gradients   {np.abs(article - ours).max():.1g}")
assert np.abs(article - differences).max() < 1e-6 * scale
assert np.abs(article - ours).max() < 1e-12 * scale

figure, axes = plt.subplots(1, 2)
split = weights[0].size
parts = (("first layer", slice(split)), ("second layer", slice(split, None)))
for axis, (name, part) in zip(axes, parts, strict=True):
    axis.axline((0, 0), slope=1, color="black", linewidth=0.8)
    axis.plot(differences[part], article[part], "o", markersize=9, label="the article's formulas")
    axis.plot(differences[part], ours[part], "x", label="Network.gradients")
    axis.set(title=f"Weights of the {name}", xlabel="finite difference", ylabel="gradient")
    axis.grid(alpha=0.3)
    axis.locator_params(nbins=5)
    axis.legend(loc="upper left")
save(figure, __file__)
