"""Penalties alpha sum |w|^p: which p makes weights negligible?

Article: with p at most 1 the penalty promotes sparse connectivity, for as p tends to 0 it counts
the weights that are not 0.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import sweep
from exactnet.datasets import load_digits

NEGLIGIBLE = 0.01  # of the largest weight; cutting these must not matter
STARTS = 3
X, y, X_test, y_test = load_digits()
shape = dict(layer_sizes=[64, 60, 10], activations=["relu", "softmax"], init="he_normal")
rule = dict(epochs=100, batch_size=20, learning_rate=0.1, loss="cross_entropy")
alphas = [1e-5, 1e-4, 3e-4, 1e-3, 3e-3]


def measure(network):
    """Return the test accuracy, the negligible share of weights, and accuracy without them."""
    largest = max(np.abs(W).max() for W in network.weights)
    small = [np.abs(W) < NEGLIGIBLE * largest for W in network.weights]
    accuracy = network.accuracy(X_test, y_test)
    for W, cut in zip(network.weights, small, strict=True):
        W[cut] = 0
    share = sum(cut.sum() for cut in small) / sum(cut.size for cut in small)
    return accuracy, share, network.accuracy(X_test, y_test)


figure, axis = plt.subplots()
best = {}
for p, style in ((2, "o-"), (1, "s--"), (0.5, "^-.")):
    configs = [dict(penalty=p, alpha=a, seed=seed) for a in alphas for seed in range(STARTS)]
    results = sweep(configs, X, y, **shape, **rule)
    seen = np.reshape([measure(result.network) for result in results], (-1, STARTS, 3)).mean(axis=1)
    for alpha, (accuracy, share, cut) in zip(alphas, seen, strict=True):
        print(f"p = {p}, alpha = {alpha:g}: {accuracy:.1%} right, {share:.0%} of the weights "
              f"negligible, {cut:.1%} right without these")  # fmt: skip
    axis.plot(100 * seen[:, 1], 100 * seen[:, 0], style, label=f"p = {p}")
    # Equal accuracy: at most a percent, less than four of the test digits, below the weakest's.
    equal = seen[seen[:, 0] > seen[0, 0] - 0.01]
    best[p] = equal[:, 1].max()
    assert np.abs(equal[:, 0] - equal[:, 2]).max() < 0.02
print("negligible at equal accuracy:", {p: f"{share:.0%}" for p, share in best.items()})
assert min(best[1], best[0.5]) > best[2] + 0.3

axis.set_xlabel(f"weights below {NEGLIGIBLE:.0%} of the largest, %")
axis.set_ylabel("right, % of test digits")
axis.set_title(f"Penalties from alpha = {alphas[0]:g}, at the left, to {alphas[-1]:g}")
axis.grid(alpha=0.3)
axis.legend()
save(figure, __file__)
