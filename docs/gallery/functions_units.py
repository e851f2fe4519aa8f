"""What each unit adds to the fit, and what the network says outside its training region.

Article: each tanh has a small area of responsibility and is a constant elsewhere; beyond [-3, 3],
where training took place, the units turn into constants and the network sees nothing.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import Network, diagnostics, plot


def f(x):
    right = -x * np.sin(np.pi * x) + np.exp(x / 2) - 1
    return np.where(x < 0, x * np.sin(2 * np.pi * x), right)


x = np.linspace(-3, 3, 1000)
rule = dict(epochs=400, learning_rate=0.01, momentum=0.9, nesterov=True, loss="mse")
networks = {}
for units, activation, init in ((20, "tanh", "he_normal"), (100, "relu", "glorot_uniform")):
    net = Network([1, units, 1], activations=[activation, "linear"], init=init, seed=0)
    net.fit(x[:, None], f(x), **rule)
    networks[activation] = net
tanh, relu = networks.values()

# The network is the sum of its units' parts and the bias of the output.
parts = diagnostics.unit_contributions(tanh, x)
assert np.allclose(parts.units.sum(axis=0) + parts.bias, tanh.predict(x[:, None])[:, 0], atol=1e-5)
# tanh(w x + b) changes from -0.9 to 0.9 within a width of 2 artanh(0.9) / |w|.
slopes, biases = tanh.weights[0][:, 0], tanh.biases[0]
widths = 2 * np.arctanh(0.9) / np.abs(slopes)
inside = np.abs(biases / slopes) < 3
print(f"{inside.sum()} of {len(slopes)} tanh units change inside [-3, 3], within widths of "
      f"{widths.min():.2f} to {widths.max():.1f}, median {np.median(widths):.2f}")  # fmt: skip
assert np.median(widths) < 6 / 3  # a small area for most of them ...
assert widths.max() > 6 / 2  # ... but not for all


def error(network, low, high):
    x = np.linspace(low, high, 1000)
    return np.abs(network.predict(x[:, None])[:, 0] - f(x)).max()


for name, network in networks.items():
    within, beyond = error(network, -3, 3), max(error(network, -6, -3), error(network, 3, 6))
    far = network.predict([[-200], [-100], [100], [200]])[:, 0]
    print(f"{name}: largest error {within:.2f} on [-3, 3], {beyond:.1f} on [-6, 6]; "
          f"at -200, -100, 100, 200 it says {far.round(1)}")  # fmt: skip
    assert beyond > 2 * within
    changes = np.abs(far[[0, 3]] - far[[1, 2]])
    # Far out tanh units are constants; ReLU units go on along their last straight lines.
    assert changes.max() < 1e-3 if name == "tanh" else changes.max() > 10

figure, axes = plt.subplots(2, 1, figsize=(8, 7))
plot.fit_1d(tanh, f, (-3, 3), ax=axes[0])
far = np.linspace(-6, 6, 1200)
axes[1].axvspan(-3, 3, color="0.9", label="trained here")
axes[1].plot(far, f(far), color="black", linewidth=3.5, alpha=0.45, label="function")
for (name, network), style in zip(networks.items(), ("-", "--"), strict=True):
    units = network.layer_sizes[1]
    axes[1].plot(far, network.predict(far[:, None]), style, label=f"{units} {name} units")
axes[1].set(xlim=(-6, 6), ylim=(-10, 20), xlabel="x", ylabel="y")
axes[1].legend(loc="upper left")
save(figure, __file__)
