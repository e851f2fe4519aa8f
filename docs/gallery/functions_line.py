"""One unit without activation: a straight line.

Article: trained on 1,000 points of y = 2x + 5 the unit finds the line, "with a bang"; on those of
y = 2 sin x + 5 it finds the best line, with weight 0.69 and bias 5.00.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import Network, plot

x = np.linspace(-3, 3, 1000)
figure, axes = plt.subplots(1, 2)
for axis, title, f, tolerance in (
    (axes[0], "y = 2x + 5", lambda x: 2 * x + 5, 1e-3),
    # The unit walks about the best line, by some rate times the errors that stay: 0.05 or so.
    (axes[1], "y = 2 sin x + 5", lambda x: 2 * np.sin(x) + 5, 0.1),
):
    network = Network([1, 1], activations="linear", init="glorot_uniform", seed=0)
    # What Keras took, if not told otherwise: batches of 32, and a rate of 0.01.
    network.fit(x[:, None], f(x), epochs=100, batch_size=32, learning_rate=0.01, loss="mse")
    found = network.weights[0].item(), network.biases[0].item()
    best = np.polyfit(x, f(x), 1)  # of least squares
    print(f"{title}: weight {found[0]:.5f}, bias {found[1]:.5f}; best {best.round(5)}")
    assert np.abs(found - best).max() < tolerance

    plot.fit_1d(network, f, (-3, 3), contributions=False, ax=axis)
    axis.text(0.04, 0.9, f"{title}\nfound {found[0]:.4f} x + {found[1]:.4f}",
              transform=axis.transAxes, va="center")  # fmt: skip
save(figure, __file__)
