"""The construction beyond nine points: up to 10,000, all 1,797 digits, ten outputs, all of MNIST.

Article: widths 100 and 100 hold 10,000 points; ten outputs take more units in the same way.
"""

import os
import time

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import memorize, verify
from exactnet.datasets import load_digits, load_mnist

rng = np.random.default_rng(0)


def build(name, X, y, **arguments):
    """Memorize, verify and print; return the bits of the largest parameter and the seconds."""
    start = time.perf_counter()
    net = memorize(X, y, **arguments)
    built = time.perf_counter()
    outputs = np.eye(10, dtype=int)[y] if "encoding" in arguments else y
    assert verify(net, X, outputs).exact
    seconds = built - start, time.perf_counter() - built
    bits = net.bit_sizes().largest
    print(
        f"{name:28} {net.layer_sizes!s:20} {bits:6,} bits, "
        f"built in {seconds[0]:.3f} s, verified in {seconds[1]:.3f} s"
    )
    return bits, *seconds


memorize([[0], [1]], [0, 1])  # so that no time below includes loading the library
widths = np.array([3, 5, 10, 20, 40, 70, 100])
least, proof = [], []
for a in widths:
    X, y = rng.integers(0, 100, (a * a, 5)), rng.integers(0, 100, a * a)
    least.append(build(f"{a * a:,} random points", X, y, hidden=(a, a)))
    if a <= 20:  # beyond, the constants of the article's proof take too long
        worst = dict(hidden=(a, a), projection="random", scale="worst_case")
        proof.append(build("  article's constants", X, y, **worst))
least, proof = np.array(least), np.array(proof)
assert (least[:4, 0] < proof[:, 0]).all()

X_train, y_train, X_test, y_test = load_digits()
X, y = np.concatenate([X_train, X_test]), np.concatenate([y_train, y_test])
digits = build("1,797 digits", X, y)
build("1,797 digits, ten outputs", X, y, encoding="one_hot")
if "EXACTNET_DATA" in os.environ:
    X, y = load_mnist()[:2]  # pixels k / 255; integers are shorter
    build("MNIST", np.rint(255 * X).astype(int), y, hidden=(250, 240))

figure, (left, right) = plt.subplots(1, 2)
left.loglog(widths[:4] ** 2, proof[:, 0], "s--", color="C1", label="article's constants")
left.loglog(widths**2, least[:, 0], "o-", color="C0", label="least constants")
left.loglog(1797, digits[0], "*", color="black", markersize=12, label="digits")
left.set(title="Longest parameter", xlabel="points", ylabel="bits")
right.loglog(widths**2, least[:, 1], "o-", color="C0", label="build")
right.loglog(widths**2, least[:, 2], "v--", color="C2", label="verify")
right.loglog([1797] * 2, digits[1:], "*", color="black", markersize=12, label="digits")
right.set(title="Time of a single run", xlabel="points", ylabel="seconds")
for axis in (left, right):
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right")
save(figure, __file__)
