"""The MNIST table: three depths of sigmoid networks, 30 epochs, batches of 10, rate 3.

Article: [784, 30, 10] gets 95-96 % of the test images right, [784, 30, 30, 10] 96-97 %,
[784, 30, 30, 30, 10] 95-96 %, from weights drawn from N(0, 1). With EXACTNET_DATA naming MNIST's
folder this is what is trained here, else the same on the small digits that the package has.
"""

import os

import matplotlib.pyplot as plt
from _picture import save

from exactnet import plot, sweep
from exactnet.datasets import load_digits, load_mnist

mnist = "EXACTNET_DATA" in os.environ
X, y, X_test, y_test = load_mnist() if mnist else load_digits()
X, y = X[:50_000], y[:50_000]  # the article leaves the last 10,000 images of MNIST aside
inputs = X.shape[1]
data = f"{len(X):,} images of {inputs} pixels"

depths = [(30,), (30, 30), (30, 30, 30)]
claimed = [(0.95, 0.96), (0.96, 0.97), (0.95, 0.96)]
configs = [
    dict(layer_sizes=[inputs, *hidden, 10], init=init, seed=0)
    for init in ("normal", "glorot_normal")
    for hidden in depths
]
rule = dict(epochs=30, batch_size=10, learning_rate=3.0, validation_data=(X_test, y_test))
results = sweep(configs, X, y, **rule)

figure, (curves, matrix) = plt.subplots(2, 1, figsize=(8, 8.4), height_ratios=(1, 1.5))
print(f"{data}; accuracy on {len(X_test):,} others, at the best epoch")
best = []
for k, (config, result) in enumerate(zip(configs, results, strict=True)):
    accuracy, seconds = result.history.val_accuracy, sum(result.history.seconds)
    best.append(max(accuracy))
    print(f"{config['layer_sizes']}, {config['init']}: {best[-1]:.2%} in {seconds:.1f} s")
    label = f"{len(depths[k % 3])} x 30, {config['init']}"
    percent = [100 * share for share in accuracy]
    curves.plot(range(1, 31), percent, "--" if k < 3 else "-", color=f"C{k % 3}", label=label)
if mnist:
    # From N(0, 1) two hidden layers miss what is claimed; from Glorot's start they reach it.
    normal, glorot = best[:3], best[3:]
    assert [low - 0.002 < a for a, (low, _) in zip(normal, claimed, strict=True)] == [
        True,
        False,
        True,
    ]
    assert all(a > low for a, (low, _) in zip(glorot, claimed, strict=True))
    curves.set_ylim(88, 97)
assert min(best) > 0.85
curves.set(xlabel="epoch", ylabel="right, % of test images", title=data)
curves.grid(alpha=0.3)
curves.legend(loc="lower right")

# Which digits are taken for which by the first network.
plot.confusion_matrix(y_test, results[0].network.classify(X_test), ax=matrix)
matrix.set_title(f"{configs[0]['layer_sizes']}, normal")
save(figure, __file__)
