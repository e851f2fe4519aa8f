"""The forward pass through three layers, by numbers one can check by hand.

Article: the input (2, 1) gives 0.40442364 and 0.59557636; softmax does not overflow if the largest
of its inputs is subtracted from all.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import Network, plot

# The article multiplies x W; here rows belong to outputs, W x, so its matrices are transposed.
weights = [
    np.array([[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]).T,
    np.array([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]]).T,
    np.array([[0.1, 0.3], [0.2, 0.4]]).T,
]
biases = [np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.2]), np.array([0.1, 0.2])]
kinds = ["sigmoid", "sigmoid", "softmax"]

x = [[2, 1]]
layers = [np.array([2.0, 1.0])]
for depth in (1, 2, 3):
    front = Network.from_arrays(weights[:depth], biases[:depth], kinds[:depth])
    layers.append(front.predict(x)[0])
    print(f"after layer {depth}: {layers[-1].round(8)}")
assert np.array_equal(layers[-1].round(8), [0.40442364, 0.59557636])
# The article prints the same two numbers under its first layer alone, which has three others.
assert len(layers[1]) == 3

with np.errstate(over="raise"):
    large = Network.from_arrays([np.eye(2)], [np.zeros(2)], "softmax").predict([[1000, 999]])[0]
print(f"softmax of 1000 and 999: {large}")
assert np.allclose(large, [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))], rtol=1e-14)

figure, (left, right) = plt.subplots(1, 2, width_ratios=[3, 2])
plot.network(front, left)
labels = [f"layer {k}, unit {i}" for k, h in enumerate(layers[1:], 1) for i in range(1, len(h) + 1)]
values = np.concatenate(layers[1:])
colours = [f"C{k}" for k, h in enumerate(layers[1:]) for _ in h]
right.bar_label(right.barh(labels, values, color=colours), fmt=" %.8f")
right.invert_yaxis()
right.set(title="Outputs for the input (2, 1)", xlim=(0, 1.4), xticks=[0, 0.5, 1])
save(figure, __file__)
