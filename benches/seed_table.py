"""The classic MNIST table: three depths, 30 epochs, medians over seeds, as a Markdown table.

    EXACTNET_DATA=folder python benches/seed_table.py

Sigmoid units, quadratic loss, learning rate 3.0, batches of 10, the first 50,000 images; accuracy
on the 10,000 test images at the best epoch, as the sources of the table report it.
"""

from __future__ import annotations

import argparse
import statistics

from exact_table import cpu
from exactnet import Network, datasets

# hidden widths: accuracy that must be reached
TABLE = {(30,): 0.95, (30, 30): 0.955, (30, 30, 30): 0.95}


def main():
    """Train and print; says whether every depth reaches its accuracy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--init", default="normal", help="start of the weights; default: normal")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    X_train, y_train, X_test, y_test = datasets.load_mnist()
    X, y = X_train[:50_000], y_train[:50_000]
    print(f"Machine: {cpu()}, 1 thread; init {arguments.init}, {arguments.seeds} seeds.\n")
    print("| layers | accuracy | lowest | highest | target | seconds of training |")
    print("|---|---|---|---|---|---|")
    missed = []
    for hidden, target in TABLE.items():
        sizes, best, seconds = [784, *hidden, 10], [], []
        for seed in range(arguments.seeds):
            net = Network(sizes, init=arguments.init, seed=seed)
            history = net.fit(
                X,
                y,
                epochs=arguments.epochs,
                batch_size=10,
                learning_rate=3.0,
                validation_data=(X_test, y_test),
            )
            best.append(max(history.val_accuracy))
            seconds.append(sum(history.seconds))
        median = statistics.median(best)
        print(
            f"| {sizes} | {median:.2%} | {min(best):.2%} | {max(best):.2%} | {target:.1%} "
            f"| {statistics.median(seconds):.2f} |",
            flush=True,
        )
        if median < target:
            missed.append(str(sizes))
    print("\n" + (f"Below target: {'; '.join(missed)}" if missed else "All targets hold."))


if __name__ == "__main__":
    main()
