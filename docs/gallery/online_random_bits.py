"""A sigmoid network learns random bits sample by sample until its error is below 1e-5. Or not.

Article: 3-4-3 network, sigmoids of slope 0.04 and threshold 0.1, rate 0.01; 1,000 rows of three
random bits, each with three random bits to say; train while the sum of squares exceeds 1e-5.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import Network
from exactnet.activations import Sigmoid

LIMIT = 1e-5
rng = np.random.default_rng(0)
weights = [rng.standard_normal((4, 3)), rng.standard_normal((3, 4))]


def train(title, X, y, slope, rate, epochs):
    """Run the article's loop; return its error by epoch."""
    sigmoid = Sigmoid(slope, threshold=0.1)
    network = Network.from_arrays(weights, [np.zeros(4), np.zeros(3)], sigmoid)
    # The article's error is a sum of squares, a loss here the mean of half of it: hence the 2s.
    scale = 2 * len(X)
    history = network.fit(
        X, y, epochs=epochs, batch_size=1, learning_rate=2 * rate, until=LIMIT / scale
    )
    errors = scale * np.array(history.loss)
    print(f"{title}: {errors[-1]:.3g} after {len(errors)} epochs")
    return errors


X = rng.integers(0, 2, (1000, 3))
kind = X @ [4, 2, 1]  # there are only eight different rows
random = rng.integers(0, 2, (1000, 3))
# What no function of the row can do better: the mean answer to each kind of row.
floor = sum(random[kind == k].var(axis=0).sum() * (kind == k).sum() for k in range(8))
print(f"equal rows contradict each other: no network has an error below {floor:.1f}")

table = rng.integers(0, 2, (8, 3))  # one answer for each kind of row
eight = np.array([[k >> 2 & 1, k >> 1 & 1, k & 1] for k in range(8)])
runs = {}
for title, data, slope, rate, epochs in (
    ("random bits, as in the article", (X, random), 0.04, 0.01, 1000),
    ("an answer to each kind of row", (X, table[kind]), 0.04, 0.01, 1000),
    ("the same, slope 1", (X, table[kind]), 1, 0.01, 1000),
    ("the same, one row of each kind, rate 5", (eight, table), 1, 5, 400_000),
):
    runs[title] = train(title, *data, slope, rate, epochs)
first, second, third, last = (errors[-1] for errors in runs.values())
assert first > floor > 100  # so the article's loop never ends ...
assert LIMIT < third < second / 100
assert last < LIMIT  # ... unless the data have an answer

figure, axis = plt.subplots(figsize=(8, 5))
for title, errors in runs.items():
    epochs = np.unique(np.geomspace(1, len(errors), 300).astype(int))
    axis.loglog(epochs, errors[epochs - 1], label=f"{title}: {errors[-1]:.3g}")
axis.axhline(
    floor, color="black", linestyle=":", label=f"least possible for random bits: {floor:.3g}"
)
axis.axhline(LIMIT, color="black", linestyle="--", label="where the loop ends")
axis.set(xlabel="epoch", ylabel="sum of squares", title="Training until the error is below 1e-5")
figure.legend(loc="outside lower center", ncols=2)
save(figure, __file__)
