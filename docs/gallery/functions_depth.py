"""Two hidden layers, and more.

Article: two hidden layers of 50 tanh units do better than one, in the centre above all; adding
layers blindly does not improve anything by itself, and two are enough for most.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import plot, sweep

STARTS, DEPTHS = 5, (1, 2, 3, 5, 8)
x = np.linspace(-3, 3, 1000)


def f(x):
    right = -x * np.sin(np.pi * x) + np.exp(x / 2) - 1
    return np.where(x < 0, x * np.sin(2 * np.pi * x), right)


rule = dict(epochs=400, learning_rate=0.01, momentum=0.9, nesterov=True, loss="mse")
configs = [
    dict(layer_sizes=[1] + [50] * depth + [1], activations=["tanh"] * depth + ["linear"], seed=seed)
    for depth in DEPTHS
    for seed in range(STARTS)
]
results = sweep(configs, x[:, None], f(x), init="he_normal", **rule)
assert not any(result.error for result in results)
residuals = np.array([result.network.predict(x[:, None])[:, 0] - f(x) for result in results])
rms = np.sqrt((residuals**2).mean(axis=1)).reshape(-1, STARTS)
for depth, row in zip(DEPTHS, rms, strict=True):
    print(f"{depth} hidden layers of 50: RMS error {row.min():.3f} to {row.max():.3f}")
centre = np.sqrt((residuals[:, np.abs(x) < 1] ** 2).mean(axis=1)).reshape(-1, STARTS)
print(f"on [-1, 1]: {centre[0].mean():.3f} with one layer, {centre[1].mean():.3f} with two")
assert rms[1].max() < rms[0].min()
assert rms[1].mean() < rms[0].mean() / 3
assert centre[1].mean() < centre[0].mean() / 1.5
assert rms[-1].max() > 2 * rms[0].max()  # depth by itself is no improvement

figure, axes = plt.subplot_mosaic([["one", "depths"], ["two", "depths"]], figsize=(8, 5.6))
for name, depth in (("one", 0), ("two", 1)):
    best = results[depth * STARTS + np.argmin(rms[depth])].network
    plot.fit_1d(best, f, (-3, 3), contributions=False, ax=axes[name])
    axes[name].text(0.04, 0.9, f"{name} x 50 units", transform=axes[name].transAxes)
axes["depths"].semilogy(DEPTHS, rms, "o", color="#0072B2", alpha=0.6)
axes["depths"].semilogy(DEPTHS, np.median(rms, axis=1), color="#D55E00")
axes["depths"].set(xlabel="hidden layers", ylabel="RMS error, each start and median",
                   xticks=DEPTHS)  # fmt: skip
save(figure, __file__)
