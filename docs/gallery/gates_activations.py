"""The activation functions: step, sigmoid and ReLU.

Article: the sigmoid approaches 0 and 1, the step function takes only these ("the sigmoid to the
extreme"), ReLU hands on what exceeds 0.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import Network, plot
from exactnet.activations import Sigmoid


def curve(activation, x):
    """Return the activation of x: that of a single unit of weight 1 and bias 0."""
    return Network.from_arrays([[[1.0]]], [[0.0]], activation).predict(x[:, None])[:, 0]


x = np.linspace(-5, 5, 1001)
step, sigmoid, relu = (curve(name, x) for name in ("step", "sigmoid", "relu"))

assert set(step) == {0, 1}
assert np.array_equal(step, x > 0)
assert np.allclose(sigmoid, 1 / (1 + np.exp(-x)), rtol=1e-14)
assert np.array_equal(relu, np.maximum(0, x))
far = curve("sigmoid", np.array([-700.0, 40.0]))
print(f"sigmoid: {far[0]:.2g} at -700, {far[1]:.2g} at 40")
assert 0 < far[0] < 1e-300
assert far[1] == 1

# To the extreme: steeper and steeper. At 0 it stays 1/2, where the step is 0.
away = np.abs(x) > 0.05
for slope in (1, 10, 100, 1000):
    gap = np.abs(curve(Sigmoid(slope), x) - step)
    print(f"sigmoid of slope {slope:4}: from the step {gap[away].max():.2g} beyond 0.05 of 0")
assert gap[away].max() < 1e-20
assert gap.max() == 0.5

figure, (left, right) = plt.subplots(1, 2)
plot.activation_functions(["sigmoid", Sigmoid(10), "step"], left, interval=(-5, 5))
plot.activation_functions(["relu", "leaky_relu", "tanh"], right, interval=(-5, 5))
save(figure, __file__)
