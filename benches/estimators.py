"""What the estimators add to `Network.fit`, a Dataset saves, and `sweep` makes of two cores.

Prints Markdown.

    python benches/estimators.py

The contenders of a table take turns, so that the load of a shared machine falls on all of them;
ratios are the medians of those within a turn. The first table, of one thread, counts the time of
the processor, which others on the machine do not take from us. Real MNIST when present
(EXACTNET_DATA), the bundled digits otherwise.
"""

from __future__ import annotations

import os

# scikit-learn's products are to use one core per process, as ours
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import platform
import statistics
import time
import warnings

import joblib
import numpy as np
import sklearn.datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as PeerClassifier
from sklearn.neural_network import MLPRegressor as PeerRegressor
from sklearn.preprocessing import StandardScaler

import exactnet
from exact_table import cpu
from exactnet import Dataset, Network, datasets, sweep
from exactnet.sklearn import MLPClassifier, MLPRegressor

N_NETWORKS = 32
N_SPLITS = N_SEEDS = 5
SWEEP_EPOCHS = 10
PEER_SHARE = 4  # of the networks; scikit-learn's own training of all would take minutes


def turns(contenders, repetitions, clock=time.perf_counter):
    """Return the seconds of every contender in every turn."""
    seconds = {name: [] for name in contenders}
    for _ in range(repetitions):
        for name, call in contenders.items():
            begin = clock()
            call()
            seconds[name].append(clock() - begin)
    return seconds


def ratio(seconds, one, other):
    """Return how many times as long as `other` one took."""
    return statistics.median(a / b for a, b in zip(seconds[one], seconds[other], strict=True))


def overhead(X, y, hidden, batch_size, epochs, solver):
    """Measure fit of the estimator, with its test of convergence in every epoch, and without."""
    rate = 0.001 if solver == "adam" else 0.1

    def network():
        net = Network(
            [X.shape[1], *hidden, 10],
            activations=["relu"] * len(hidden) + ["softmax"],
            init="glorot_uniform",
            seed=0,
        )
        net.fit(
            X,
            y,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=rate,
            optimizer=solver,
            loss="cross_entropy",
        )
        return net

    def estimator(**options):
        model = MLPClassifier(
            hidden,
            solver=solver,
            momentum=0.0,
            batch_size=batch_size,
            learning_rate_init=rate,
            alpha=0.0,
            init="glorot_uniform",
            max_iter=epochs,
            random_state=0,
            **options,
        )
        return model.fit(X, y).network_

    never = dict(n_iter_no_change=np.inf)
    watched = dict(n_iter_no_change=epochs)  # counts, but does not end before
    for other in (estimator(**never), estimator(**watched)):
        for a, b in zip(network().weights, other.weights, strict=True):
            assert (a == b).all()  # the same work
    seconds = turns(
        {
            "Network.fit": network,
            "MLPClassifier": lambda: estimator(**watched),
            "without test of convergence": lambda: estimator(**never),
        },
        9,
        time.process_time,
    )
    return seconds, [
        ratio(seconds, name, "Network.fit")
        for name in ("MLPClassifier", "without test of convergence")
    ]


def repeated(X, y):
    """Measure epochs that are calls of fit, on arrays and on a Dataset, which is prepared once."""
    data = Dataset(X, y)
    of_arrays, of_dataset = (Network([X.shape[1], 30, 10], init="normal", seed=0) for _ in range(2))
    common = dict(batch_size=10, learning_rate=3.0)

    def fit(network, *given):
        network.fit(*given, **common)

    fit(of_dataset, data)
    fit(of_arrays, X, y)
    seconds = turns(
        {"arrays": lambda: fit(of_arrays, X, y), "Dataset": lambda: fit(of_dataset, data)},
        9,
        time.process_time,
    )
    for a, b in zip(of_arrays.weights, of_dataset.weights, strict=True):
        assert (a == b).all()  # the same work
    return seconds


def sweeps(X, y):
    """Measure 32 small networks, on one core, on two, and by scikit-learn."""
    configs = [dict(learning_rate=rate, seed=k) for k in range(16) for rate in (0.05, 0.2)]
    assert len(configs) == N_NETWORKS
    common = dict(
        layer_sizes=[X.shape[1], 30, 10],
        activations=["sigmoid", "softmax"],
        init="glorot_uniform",
        loss="cross_entropy",
        epochs=SWEEP_EPOCHS,
        batch_size=10,
    )

    def peer(config):
        warnings.simplefilter("ignore", ConvergenceWarning)  # the epochs are counted
        model = PeerClassifier(
            30,
            "logistic",
            solver="sgd",
            momentum=0.0,
            alpha=0.0,
            batch_size=10,
            learning_rate_init=config["learning_rate"],
            max_iter=SWEEP_EPOCHS,
            n_iter_no_change=SWEEP_EPOCHS,
            random_state=config["seed"],
        )
        return model.fit(X, y)

    few = configs[:: N_NETWORKS // PEER_SHARE]
    with joblib.Parallel(n_jobs=2) as parallel:
        parallel(joblib.delayed(abs)(k) for k in range(2))  # starts its processes
        seconds = turns(
            {
                "one core": lambda: sweep(configs, X, y, n_jobs=1, **common),
                "two cores": lambda: sweep(configs, X, y, n_jobs=2, **common),
                "scikit-learn": lambda: [peer(config) for config in few],
                "scikit-learn, two processes": lambda: parallel(
                    joblib.delayed(peer)(config) for config in few
                ),
            },
            5,
        )
    for name in ("scikit-learn", "scikit-learn, two processes"):
        seconds[name] = [s * N_NETWORKS / PEER_SHARE for s in seconds[name]]
    return seconds


def defaults():
    """Compare estimators of which only the seed is given with those of scikit-learn.

    Yields a row per data set: the scores on data held out, (theirs, ours), and the seconds.
    """
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes"):
        regression = name == "diabetes"
        kinds = (PeerRegressor, MLPRegressor) if regression else (PeerClassifier, MLPClassifier)
        load = getattr(sklearn.datasets, f"load_{name}")
        X, y = load(return_X_y=True, **({"scaled": False} if regression else {}))
        for scaled in (False, True):
            scores, seconds = ([], []), ([], [])
            for split in range(N_SPLITS):
                X_train, X_test, y_train, y_test = train_test_split(
                    X, y, random_state=split, stratify=None if regression else y
                )
                if scaled:
                    scaler = StandardScaler().fit(X_train)
                    X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
                for seed in range(N_SEEDS):
                    for kind, results, times in zip(kinds, scores, seconds, strict=True):
                        model = kind(random_state=seed)
                        begin = time.process_time()
                        model.fit(X_train, y_train)
                        times.append(time.process_time() - begin)
                        results.append(model.score(X_test, y_test))
            yield name, scaled, scores, seconds


def print_defaults():
    """Print the table of `defaults` and return what falls short."""
    failures = []
    print(
        "\nEstimators as they are, of which only the seed is given, one thread: scores on a fourth "
        f"of the data, that is held out,\nmeans and standard errors of {N_SPLITS} splits with "
        f"{N_SEEDS} seeds each; seconds of the processor per fit:\n\n"
        "| data | scikit-learn | exactnet | scikit-learn | exactnet | times as fast |\n"
        "|---|---|---|---|---|---|"
    )
    totals = np.zeros(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name, scaled, scores, seconds in defaults():
            label = f"{name}, {'scaled' if scaled else 'raw'}"
            means = [statistics.mean(values) for values in scores]
            errors = [statistics.stdev(values) / len(values) ** 0.5 for values in scores]
            each = [statistics.mean(values) for values in seconds]
            totals += each
            print(
                f"| {label} "
                + "".join(f"| {m:.4f} ± {e:.4f} " for m, e in zip(means, errors, strict=True))
                + "".join(f"| {s:.3g} s " for s in each)
                + f"| {each[0] / each[1]:.1f} |"
            )
            if means[1] < means[0] - errors[0]:
                failures.append(f"{label}: the score is worse by more than a standard error")
            if each[0] < 4 * each[1]:
                failures.append(f"{label}: not 4 times as fast")
    print(f"| all | | | {totals[0]:.3g} s | {totals[1]:.3g} s | {totals[0] / totals[1]:.1f} |")
    return failures


def main():
    """Print the tables and whether the targets hold."""
    try:
        X, y = datasets.load_mnist()[:2]
        X, y, what = X[:50_000], y[:50_000], "50,000 MNIST images"
    except FileNotFoundError:
        X, y = datasets.load_digits()[:2]
        what = "1,437 digits"
    print(
        f"Machine: {cpu()}, {platform.system()} {platform.machine()}, {os.cpu_count()} processors."
    )
    print(
        f"Versions: exactnet {exactnet.__version__}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, scikit-learn {sklearn.__version__}. Medians.\n"
    )
    print(
        f"Training of {what}, one thread, seconds of the processor:\n\n"
        "| network | epochs | Network.fit | MLPClassifier | without test of convergence |\n"
        "|---|---|---|---|---|"
    )
    failures = []
    for hidden, batch_size, epochs, solver in (
        ((30,), 10, 10, "sgd"),
        ((128, 64), 64, 5, "sgd"),
        ((100,), 200, 5, "adam"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            seconds, ratios = overhead(X, y, hidden, batch_size, epochs, solver)
        sizes = [X.shape[1], *hidden, 10]
        print(
            f"| {sizes} {solver}, batch {batch_size} | {epochs} "
            f"| {statistics.median(seconds['Network.fit']):.3g} s "
            f"| {100 * (ratios[0] - 1):+.1f} % | {100 * (ratios[1] - 1):+.1f} % |"
        )
        if max(ratios) > 1.1:
            failures.append(f"{sizes}: fit takes {max(ratios):.2f} x as long, more than 1.1")

    seconds = repeated(X, y)
    print(
        f"\nA second call of fit, of one epoch of {what} in batches of 10, one thread: "
        f"{statistics.median(seconds['Dataset']):.3g} s on a Dataset, "
        f"{statistics.median(seconds['arrays']):.3g} s on its arrays, "
        f"{ratio(seconds, 'Dataset', 'arrays'):.2f} x as long."
    )
    if (value := ratio(seconds, "Dataset", "arrays")) > 1:
        failures.append(f"fit on a Dataset takes {value:.2f} x as long as on arrays, more than 1")

    failures += print_defaults()

    X, y = datasets.load_digits()[:2]
    seconds = sweeps(X, y)
    print(
        f"\n{N_NETWORKS} networks [64, 30, 10] of sigmoid and softmax, batch 10, {SWEEP_EPOCHS} "
        f"epochs of 1,437 digits\n(of scikit-learn's, {PEER_SHARE} were trained and "
        f"{N_NETWORKS // PEER_SHARE} times their time taken):\n\n"
        "| | seconds | as a multiple of sweep on two cores |\n|---|---|---|"
    )
    for name, values in seconds.items():
        label = name if name.startswith("scikit") else f"sweep, {name}"
        print(
            f"| {label} | {statistics.median(values):.3g} "
            f"| {ratio(seconds, name, 'two cores'):.3g} x |"
        )
    for name, least in (("one core", 1.7), ("scikit-learn", 20)):
        if (value := ratio(seconds, name, "two cores")) < least:
            failures.append(f"sweep: {value:.3g} x as fast as {name}, less than {least} x")
    print("\n" + ("\n".join(failures) or "All targets hold."))


if __name__ == "__main__":
    main()
