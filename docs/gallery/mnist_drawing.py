"""Networks drawn: the article's small ones, and one that has learned digits.

Article: a network is drawn as a graph, where "thickness represents the size of the weight".
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save
from matplotlib.collections import LineCollection

from exactnet import Network, plot
from exactnet.datasets import load_digits

X, y, X_test, y_test = load_digits()
digits = Network([64, 30, 10], init="normal", seed=0)
digits.fit(X, y, epochs=30, batch_size=10, learning_rate=3.0)
print(f"{digits.layer_sizes}: {digits.accuracy(X_test, y_test):.1%} of the test digits right")

figure, axes = plt.subplot_mosaic([["small", "middle"], ["digits", "digits"]], figsize=(8, 7.4),
                                  height_ratios=(1, 1.5))  # fmt: skip
small, middle = (Network(sizes, init="normal", seed=0) for sizes in ([3, 2, 1], [10, 4, 4]))
for name, network in (("small", small), ("middle", middle), ("digits", digits)):
    plot.network(network, ax=axes[name])

# The article's call: one input, one output.
output = small.predict([[1, 0.5, 2]])[0, 0]
print(f"[3, 2, 1] says {output:.3f} of (1, 0.5, 2)")
by_hand = np.array([1, 0.5, 2])
for W, b in zip(small.weights, small.biases, strict=True):
    by_hand = 1 / (1 + np.exp(-(W @ by_hand + b)))
assert abs(output - by_hand[0]) < 1e-6

# Of each pair of layers the larger weight has the thicker line.
lines = [part for part in axes["middle"].collections if isinstance(part, LineCollection)]
for W, drawn in zip(middle.weights, lines, strict=True):
    widths = np.sort(drawn.get_linewidths())
    relation = np.corrcoef(np.sort(np.abs(W).ravel()), widths)[0, 1]
    print(f"{W.size} weights, {len(widths)} lines, correlation of size and width {relation:.4f}")
    assert len(widths) == W.size
    assert relation > 0.999
save(figure, __file__)
