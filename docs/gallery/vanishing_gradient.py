"""The gradient vanishes in deep sigmoid networks, and not in ReLU networks.

Article: in a chain of units the derivative by the first bias is the product of all later weights
and of all slopes of the activation, which for the sigmoid are 1/4 at most: bottom layers learn much
slower than top layers. A remedy is an activation of large gradient, such as ReLU.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import Network, diagnostics, plot
from exactnet.datasets import load_digits

# The article's formula on its chain of five units.
chain = Network([1] * 6, activations=["sigmoid"] * 4 + ["linear"], init="normal",
                dtype="float64", seed=0)  # fmt: skip
product, a = np.prod([W.item() for W in chain.weights[1:]]), 0.5
for W, b in zip(chain.weights[:-1], chain.biases[:-1], strict=True):
    a = 1 / (1 + np.exp(-(W.item() * a + b.item())))
    product *= a * (1 - a)
# Of the loss 1/2 (output - target)^2, if the target lies 1 below, the derivative is the output's.
derivative = chain.gradients([[0.5]], chain.predict([[0.5]]) - 1, "quadratic")[0][1].item()
print(f"chain of 5 units: derivative {derivative:.3e}, the article's product {product:.3e}")
assert np.isclose(derivative, product, rtol=1e-9)

X, y, _, _ = load_digits()
sizes = [64] + [30] * 9 + [10]
figure, axes = plt.subplot_mosaic([["start", "sigmoid"], ["start", "relu"]], figsize=(8, 5.6))


def deep(activation, init, seed):
    return Network(sizes, activations=[activation] * 9 + ["softmax"], init=init, seed=seed)


def small(activation, seed):
    """Start from within 1 / sqrt(inputs) of 0, as PyTorch does."""
    rng = np.random.default_rng(seed)
    net = deep(activation, "zeros", seed)
    for array, W in zip((*net.weights, *net.biases), net.weights * 2, strict=True):
        array[...] = rng.uniform(-1, 1, array.shape) / W.shape[1] ** 0.5
    return net


falls = {}
for title, make, style in (
    ("sigmoid, within 1/sqrt(n)", lambda s: small("sigmoid", s), "o-"),
    ("sigmoid, glorot_normal", lambda s: deep("sigmoid", "glorot_normal", s), "s--"),
    ("sigmoid, N(0, 1)", lambda s: deep("sigmoid", "normal", s), "v:"),
    ("ReLU, he_normal", lambda s: deep("relu", "he_normal", s), "^-"),
):
    starts = [diagnostics.gradient_norms(make(s), X, y, "cross_entropy") for s in range(10)]
    norms = np.array(starts)
    falls[title] = (norms[:, -1] / norms[:, 0]) ** (1 / 9)
    print(f"10 layers, {title}: gradients fall {falls[title].min():.2f} to "
          f"{falls[title].max():.2f} times a layer, 10 starts")  # fmt: skip
    axes["start"].semilogy(range(1, 11), np.median(norms, axis=0), style, label=title)
small_fall, glorot, normal, relu = falls.values()
assert small_fall.min() > 5
assert 3.5 < glorot.min() < glorot.max() < 5  # 1 / 4 is the sigmoid's largest slope
assert normal.max() < 2  # large weights make up for it, at first
assert relu.max() < 1.2

# Where gradients vanish, nothing is learned, at whatever rate; else it is, even by sigmoids.
for title, name, make, rates in (
    ("sigmoid", "sigmoid", lambda: small("sigmoid", 0), (10, 1, 0.01)),
    ("ReLU", "relu", lambda: deep("relu", "he_normal", 0), (0.01,)),
    ("sigmoid, N(0, 1)", None, lambda: deep("sigmoid", "normal", 0), (0.1,)),
):
    for rate in rates:
        net = make()
        history = net.fit(X, y, epochs=30, batch_size=10, learning_rate=rate,
                          loss="cross_entropy", record_gradient_norms=True)  # fmt: skip
        right = net.accuracy(X, y)
        print(f"{title}, rate {rate}, after 30 epochs: {right:.1%} of the training digits right")
        assert right < 0.2 if name == "sigmoid" else right > 0.95
    if name:
        plot.gradient_norms(history, ax=axes[name])
        axes[name].set_title(f"{title}: {right:.0%} right", fontsize=10)

axes["start"].set(xlabel="layer", ylabel="norm of the gradient at the start, median of 10")
axes["start"].grid(alpha=0.3)
figure.legend(*axes["start"].get_legend_handles_labels(), loc="outside lower left", ncols=2)
save(figure, __file__)
