"""Nine points, reproduced with error 0 by a ReLU network with 3 and 3 hidden units.

Article: there are parameters for any nine points; its own are huge, smaller ones may exist; with
floating-point division instead of fractions the error may be large.
"""

from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import memorize, verify

X = np.array(
    [
        [93, 59, 58, 20, 80, 57, 35, 21, 38],
        [4, 91, 47, 69, 98, 85, 68, 2, 15],
        [14, 60, 31, 86, 37, 12, 23, 69, 42],
        [4, 14, 52, 98, 72, 60, 67, 51, 90],
        [27, 12, 6, 32, 76, 63, 49, 41, 28],
    ]
).T
y = np.array([1, 81, 17, 65, 25, 33, 45, 77, 10])
projection = [823849691, 4336051, 28907, 149, 1]  # the article's first layer

article = memorize(X, y, hidden=(3, 3), projection=projection, scale="worst_case")
ours = memorize(X, y, hidden=(3, 3))
for name, net in (("the article's", article), ("exactnet's", ours)):
    report = verify(net, X, y)
    floats = np.abs(net.to_network().predict(X)[:, 0] - y).max()
    print(f"{name} parameters: at most {net.bit_sizes().largest} bits")
    print(f"  largest error {report.max_error}; in float64 {floats:.2g}")
    print(f"  outputs {[int(v) for v in net.predict(X)[:, 0]]}")
    assert report.exact

# Some of the numbers the article prints, from its first to its last.
assert article.biases[0][1] == Fraction(-60502822101, 2)
assert article.weights[1][0, 1] == Fraction(-9237952317912, 35473138591)
assert [*article.weights[2][0], article.biases[2][0]] == [1, -1, 1, 16]
assert ours.bit_sizes().largest < 32 < 300 < article.bit_sizes().largest
assert np.abs(ours.to_network().predict(X)[:, 0] - y).max() < 1e-9
assert np.abs(article.to_network().predict(X)[:, 0] - y).max() > 1

figure, axes = plt.subplots(1, 2, sharey=True)
for axis, net, name in zip(axes, (article, ours), ("Article", "exactnet"), strict=True):
    # Both networks see of a point only t = w . x, so we can walk along the feature of
    # largest weight.
    w = net.weights[0][0]
    t = X @ w
    low, high = min(t), max(t)
    place = np.array([Fraction(k, 2000) for k in range(-50, 2051)])
    feature = np.argmax(np.abs(w))
    line = np.full((len(place), 5), Fraction(0), dtype=object)
    line[:, feature] = (low + (high - low) * place) / w[feature]
    axis.plot(place.astype(float), net.predict(line)[:, 0].astype(float), label="network")
    here = ((t - low) / (high - low)).astype(float)
    axis.plot(here, y, "o", color="black", label="points")
    axis.set(title=f"{name}: {net.bit_sizes().largest} bits", xlabel="place along w . x")
    axis.set_yscale("symlog", linthresh=100)
axes[0].set_yticks([-1e12, -1e6, 0, 1e6, 1e12, 1e18, 1e24], minor=False)
axes[0].minorticks_off()
axes[0].set_ylabel("output")
axes[0].legend()
save(figure, __file__)
