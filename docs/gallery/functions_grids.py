"""How many units, and how many epochs.

Article: from a certain point on more units do not improve the fit; "a good rule of thumb is to take
the average between the number of inputs and outputs". More epochs do better and better.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import sweep

STARTS = 3
x = np.linspace(-3, 3, 1000)
right = -x * np.sin(np.pi * x) + np.exp(x / 2) - 1
y = np.where(x < 0, x * np.sin(2 * np.pi * x), right)
rule = dict(learning_rate=0.01, momentum=0.9, nesterov=True, loss="mse", init="he_normal")


def errors(layers, configs):
    """Return RMS errors, (configs, starts), by (units, epochs); infinite where it diverged."""
    activations = ["tanh"] * layers + ["linear"]
    results = sweep(
        [
            dict(layer_sizes=[1] + [units] * layers + [1], epochs=epochs, seed=seed)
            for units, epochs in configs
            for seed in range(STARTS)
        ],
        x[:, None], y, activations=activations, **rule,
    )  # fmt: skip
    rms = [np.inf if r.error else r.network.loss(x[:, None], y, "mse") ** 0.5 for r in results]
    return np.reshape(rms, (-1, STARTS))


figure, axes = plt.subplots(1, 2, sharey=True)
widths, epochs = (1, 2, 5, 10, 20, 50, 100, 200), (10, 30, 100, 300, 1000, 3000)
medians = {}
for layers, style in ((1, "o-"), (2, "s--")):
    for axis, what, numbers, configs in (
        (axes[0], "units a layer, with 400 epochs", widths, [(n, 400) for n in widths]),
        (axes[1], "epochs, with 20 units a layer", epochs, [(20, n) for n in epochs]),
    ):
        grid = errors(layers, configs)
        median = np.median(grid, axis=1)
        for n, row, middle in zip(numbers, grid, median, strict=True):
            print(f"{layers} hidden, {n:4} {what}: RMS error {middle:.3f}, "
                  f"{np.isinf(row).sum()} of {STARTS} trainings diverge")  # fmt: skip
        medians[layers, what.split()[0].strip(",")] = dict(zip(numbers, median, strict=True))
        axis.loglog(numbers, median, style, label=f"{layers} hidden layer{'s' * (layers - 1)}")
        axis.set_xlabel(what)
        axis.grid(alpha=0.3)

for layers in (1, 2):
    by_width, by_epochs = medians[layers, "units"], medians[layers, "epochs"]
    # More units do not help from a certain point on, and at this rate even diverge in the end.
    assert by_width[100] > 0.8 * by_width[20]
    # The rule of thumb says (1 + 1) / 2 = 1 unit.
    assert by_width[1] > 3 * by_width[20]
    assert list(by_epochs.values()) == sorted(by_epochs.values(), reverse=True)
assert np.isinf(medians[1, "units"][200])
axes[0].set_ylabel(f"RMS error, median of {STARTS} starts")
axes[0].axvline(1, color="black", linestyle=":", label="the rule of thumb")
axes[0].set_title("200 units diverge at this rate", fontsize=10)
axes[0].legend()
save(figure, __file__)
