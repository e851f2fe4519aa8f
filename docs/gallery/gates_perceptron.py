"""One perceptron is OR or AND, as its threshold says; XOR takes two layers.

Article: weights 0.5 and 0.5 with threshold 0.4 give 0 1 1 1, with threshold 0.7 they give 0 0 0 1.
"""

import matplotlib.pyplot as plt
import numpy as np
from _picture import save

from exactnet import Network, gates
from exactnet.activations import Step

networks = {
    f"threshold {threshold}": Network.from_arrays([[[0.5, 0.5]]], [[0.0]], Step(threshold))
    for threshold in (0.4, 0.7)
}
# No line separates the ones of XOR from its zeros, so no single perceptron is it.
networks["two layers"] = gates.fixed("XOR")
claims = dict(zip(networks, ("OR", "AND", "XOR"), strict=True))

side = np.linspace(-0.5, 1.5, 601)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
corners = np.array(gates.INPUTS)

figure, axes = plt.subplots(1, 3, figsize=(8, 3.7), sharey=True)
for axis, (name, network) in zip(axes, networks.items(), strict=True):
    table = gates.truth_table(network)
    print(f"{name}: {claims[name]}")
    for (a, b), output in zip(gates.INPUTS, table, strict=True):
        print(f"  {a} {b} -> {output}")
    assert table == gates.TRUTH[claims[name]]

    region = network.predict(plane).reshape(len(side), len(side))
    axis.contourf(side, side, region, levels=[-0.5, 0.5, 1.5], colors=["white", "#cfe3f3"])
    for output, fill in ((0, "white"), (1, "black")):
        here = corners[np.array(table) == output]
        axis.scatter(*here.T, s=90, facecolor=fill, edgecolor="black", label=f"output {output}")
    axis.set(title=f"{claims[name]}: {name}", xlabel="x1", aspect="equal")
    axis.set(xticks=[0, 1], yticks=[0, 1])
axes[0].set_ylabel("x2")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
save(figure, __file__)
