"""Universal approximation, by finite differences as in its proof.

Article: unless its activation is a polynomial, one hidden layer comes as close to any continuous
function as one likes: differences of shifted units become polynomials, and those are dense.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import Network, approximate

# The second difference of three tanh units tends to x^2 as their weight h tends to 0 ...
x = np.linspace(-1, 1, 1001)
at = 0.5  # tanh'' is not 0 there
curvature = -2 * np.tanh(at) * (1 - np.tanh(at) ** 2)
steps = 10.0 ** -np.arange(0, 7.01, 0.25)
errors = []
for h in steps:
    outer = np.array([[1, -2, 1]]) / (h * h * curvature)
    square = Network.from_arrays([[[h], [0], [-h]], outer], [[at] * 3, [0]], ["tanh", "linear"])
    errors.append(np.abs(square.predict(x[:, None])[:, 0] - x**2).max())
best = np.argmin(errors)
print(f"x^2 from 3 tanh units: error {errors[0]:.1e} with h = 1, {errors[best]:.1e} with "
      f"h = {steps[best]:.1e}, {errors[-1]:.1e} with h = {steps[-1]:.0e}")  # fmt: skip
assert errors[best] < 1e-6
# ... in real numbers. In floats the difference loses all its digits in the end.
assert errors[-1] > 1e-3

# ... and polynomials come close to any function.
figure, axes = plt.subplots(1, 2)
axes[0].loglog(steps, errors, "o-", markersize=4)
axes[0].set(xlabel="h", ylabel="largest error on [-1, 1]", title="$x^2$ from 3 tanh units")
dense = np.linspace(-3, 3, 10_001)
tolerances = 10.0 ** -np.arange(0, 6)
for activation, style in (("tanh", "s-"), ("sigmoid", "o--"), ("relu", "^-.")):
    units = []
    for tolerance in tolerances:
        bound = dict(second_derivative=2) if activation == "relu" else {}
        found = approximate(lambda x: 2 * np.sin(x), (-3, 3), tolerance, activation, **bound)
        assert np.abs(found(dense) - 2 * np.sin(dense)).max() <= tolerance
        assert found.proven == (activation == "relu")
        units.append(found.n_units)
    print(
        f"2 sin x on [-3, 3] within {tolerances[0]:g} ... {tolerances[-1]:g}: {units} {activation}"
    )
    size = 9 if activation == "tanh" else 5  # of markers, for two curves are the same
    axes[1].loglog(tolerances, units, style, label=activation, markersize=size)

# A polynomial activation, here of degree 1, stays a polynomial however many units there are.
line = Network([1, 1000, 1], activations="linear", init="glorot_normal", dtype="float64", seed=0)
second_difference = np.diff(line.predict(dense[:, None])[:, 0], n=2)
assert np.abs(second_difference).max() < 1e-12

axes[1].set(xlabel="tolerance", ylabel="units", title="2 sin x on [-3, 3]")
axes[1].invert_xaxis()
axes[1].legend()
for axis in axes:
    axis.grid(alpha=0.3)
save(figure, __file__)
