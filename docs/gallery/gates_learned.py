"""The gates learned from their truth tables instead of set by hand.

Article: a perceptron holds a gate once somebody has chosen its threshold. Training chooses it, but
no training makes a single unit XOR: a line gets three of its four rows right at most.
"""

import matplotlib.pyplot as plt
from _picture import save

from exactnet import Network, gates

figure, axis = plt.subplots()
for name in gates.NAMES:
    network, history = gates.learned(name, seed=0)
    table = gates.truth_table(network)
    right = next(
        epoch
        for epoch in range(1, 1001)
        if gates.truth_table(gates.learned(name, seed=0, epochs=epoch)[0]) == gates.TRUTH[name]
    )
    print(f"{name:4} {network.layer_sizes}: {table}, right for the first time after {right} epochs")
    assert table == gates.TRUTH[name]
    axis.loglog(range(1, 1001), history.loss, label=f"{name}, {network.layer_sizes}")

best = 0
for seed in range(20):
    line = Network([2, 1], init="normal", dtype="float64", seed=seed)
    rule = dict(epochs=1000, batch_size=4, learning_rate=0.5, loss="cross_entropy", shuffle=False)
    history = line.fit(gates.INPUTS, gates.TRUTH["XOR"], **rule)
    rows = zip(gates.truth_table(line), gates.TRUTH["XOR"], strict=True)
    best = max(best, sum(said == true for said, true in rows))
print(f"XOR  [2, 1]: {best} of 4 rows at best, of 20 starts")
assert best < 4

axis.loglog(range(1, 1001), history.loss, "--", label="XOR, [2, 1]: a single unit")
axis.set(xlabel="epoch", ylabel="cross-entropy", title="Gates learned from their four rows")
axis.grid(alpha=0.3)
axis.legend()
save(figure, __file__)
