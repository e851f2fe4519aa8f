"""2 sin x with 5 linear, 5 ReLU and 100 ReLU units, and with momentum.

Article: linear units together are a straight line, ReLU units at most as many segments as there
are units; more units do better, and momentum, Nesterov's for example, better still.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import Network, diagnostics, plot

x = np.linspace(-3, 3, 1000)
dense = np.linspace(-3, 3, 100_001)


def f(x):
    return 2 * np.sin(x)


nesterov = dict(momentum=0.9, nesterov=True)
runs = {
    "5 linear units": (5, "linear", {}),
    "5 ReLU units": (5, "relu", {}),
    "100 ReLU units": (100, "relu", {}),
    "100 ReLU units, momentum": (100, "relu", dict(momentum=0.9)),
    "100 ReLU units, Nesterov": (100, "relu", nesterov),
    "the same, 400 epochs": (100, "relu", dict(nesterov, epochs=400)),
}
figure, axes = plt.subplots(2, 3, figsize=(8, 5.4), sharex=True, sharey=True)
worst, segments = {}, {}
for axis, (title, (units, activation, options)) in zip(axes.flat, runs.items(), strict=True):
    errors, counts = [], []
    for seed in range(10):
        network = Network([1, units, 1], activations=[activation, "linear"],
                          init="glorot_uniform", seed=seed)  # fmt: skip
        options = {"epochs": 100, "learning_rate": 0.01, "loss": "mse", **options}
        network.fit(x[:, None], f(x), **options)
        errors.append(np.abs(network.predict(dense[:, None])[:, 0] - f(dense)).max())
        counts.append(diagnostics.linear_regions(network, (-3, 3)).count)  # exactly, in rationals
        if seed == 0:
            plot.fit_1d(network, f, (-3, 3), contributions=False, ax=axis)
    worst[title], segments[title] = np.array(errors), counts
    print(f"{title}: largest error {min(errors):.3f} to {max(errors):.3f} of 10 starts, "
          f"{min(counts)} to {max(counts)} segments")  # fmt: skip
    axis.legend_ and axis.legend_.remove()
    axis.set_ylim(-2.5, 2.5)
    axis.set_title(f"{title}:\nerror {errors[0]:.3f}, {counts[0]} segments", fontsize=10)

assert set(segments["5 linear units"]) == {1}
assert max(segments["5 ReLU units"]) <= 5 + 1  # one more than the article says
line, few, many, momentum, nesterov, longer = worst.values()
assert many.mean() < few.mean() < line.mean()
assert nesterov.max() < 0.05 < 0.25 < many.min()
assert momentum.mean() < many.mean() / 5
assert longer.max() < 0.025
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
save(figure, __file__)
