"""All 1,797 digits in networks whose plain float inference makes no error at all.

Article: with floats in place of fractions the error may be large. Networks of small integers avoid
that: no sum in them is ever rounded, whatever its order.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import Network, certificate, memorize
from exactnet.datasets import load_digits

X_train, y_train, X_test, y_test = load_digits()
X, y = np.concatenate([X_train, X_test]), np.concatenate([y_train, y_test])
rng = np.random.default_rng(0)


def shuffled(net):
    """Return the same network with the hidden units of every layer in another order."""
    weights, biases = [w.copy() for w in net.weights], [b.copy() for b in net.biases]
    for k in range(len(weights) - 1):
        order = rng.permutation(len(biases[k]))
        weights[k], biases[k] = weights[k][order], biases[k][order]
        weights[k + 1] = weights[k + 1][:, order]
    return Network.from_arrays(weights, biases, net.activations)


figure, axis = plt.subplots()
for dtype in ("float64", "float32"):
    for construction in ("theorem3", "integer"):
        exact = memorize(X, y, construction=construction, dtype=dtype)
        net = exact.to_network(dtype)
        errors = np.abs(net.predict(X)[:, 0].astype(float) - y)
        other = np.abs(shuffled(net).predict(X)[:, 0].astype(float) - y)
        title = f"{construction}, {dtype}, {exact.layer_sizes}"
        print(f"{title}: largest error {errors.max():.2g}, with units shuffled {other.max():.2g}")
        if construction == "integer":
            proof = certificate(exact, X, dtype=dtype)
            print(f"  no sum exceeds {proof.bound:,}, floats are exact below {proof.limit:,}")
            assert proof.exact
            assert errors.max() == other.max() == 0
        else:
            assert errors.max() > 0
        colour = "C0" if construction == "integer" else "C1"
        style = dict(linewidth=5, alpha=0.5) if dtype == "float64" else dict(linestyle="--")
        axis.plot(np.sort(errors), color=colour, label=title, **style)
axis.set_yscale("symlog", linthresh=1e-14)
axis.set(xlabel="digits, sorted by error", ylabel="error", title="The same digits in floats")
axis.grid(alpha=0.3)
axis.legend(loc="center right", bbox_to_anchor=(1, 0.63))
save(figure, __file__)
