"""`exactnet demo`."""

from __future__ import annotations

import argparse
import json
import time
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from exactnet.cli.arguments import add_json
from exactnet.datasets import load_digits
from exactnet.dense.network import Network
from exactnet.exact.construct.memorization import memorize
from exactnet.exact.network import ExactNetwork
from exactnet.exact.rationals import to_floats
from exactnet.exact.verification import verify

DESCRIPTION = (
    "Memorize nine points, print the network as formulas and check it; memorize the 1,797 bundled "
    "digits, verify all and compare with float64; train a network of floats on 1,437 of the digits "
    "and test it on the others. Says what it does before it does it, and takes a second or two."
)

# The example of the article this package grew from, and the projection behind its parameters.
NINE_INPUTS = np.array(
    [
        [93, 59, 58, 20, 80, 57, 35, 21, 38],
        [4, 91, 47, 69, 98, 85, 68, 2, 15],
        [14, 60, 31, 86, 37, 12, 23, 69, 42],
        [4, 14, 52, 98, 72, 60, 67, 51, 90],
        [27, 12, 6, 32, 76, 63, 49, 41, 28],
    ]
).T
NINE_TARGETS = np.array([1, 81, 17, 65, 25, 33, 45, 77, 10])
ARTICLE_PROJECTION = [823849691, 4336051, 28907, 149, 1]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `exactnet demo` takes."""
    parser.add_argument(
        "--article",
        action="store_true",
        help="also print the nine points' network with the constants of the article, of hundreds "
        "of digits",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do what `exactnet demo` is asked, and return the exit status."""
    tell = _nothing if arguments.json else _print
    tell(_INTRODUCTION)
    nine = nine_points()
    tell(_text_of_nine_points(nine["exactnet"]))
    if arguments.article:
        tell(_text_of_article(nine["article"]))
    tell(_BEFORE_DIGITS)
    digits = all_digits()
    tell(_text_of_digits(digits))
    tell(_BEFORE_TRAINING)
    training = trained_digits()
    tell(_text_of_training(training))
    if arguments.json:
        print(json.dumps(_facts(nine, digits, training)))
    return 0 if digits["exact"] and nine["exactnet"]["exact"] else 1


def _print(text: str) -> None:
    print(text, flush=True)  # before what it announces begins


def _nothing(text: str) -> None:
    pass


def float64_error(network: ExactNetwork, X: npt.NDArray[Any], y: npt.NDArray[Any]) -> float:
    """Return the largest error of the network with float64 parameters; inf if not finite."""
    h = X.astype(np.float64)
    with np.errstate(all="ignore"):
        for w, b, activation in zip(
            network.weights, network.biases, network.activations, strict=True
        ):
            h = h @ to_floats(w).T + to_floats(b)
            if activation == "relu":
                h = np.maximum(h, 0)
        error = np.abs(h[:, 0] - y).max()
    return float("inf") if np.isnan(error) else float(error)


def format_parameters(network: ExactNetwork) -> str:
    """Print the parameters as the article does."""
    text = ["parameters"]
    ordinals = {1: "1st", 2: "2nd", 3: "3rd"}
    for k, (w, b) in enumerate(zip(network.weights, network.biases, strict=True), start=1):
        last = k == len(network.weights)
        text.append(f"\n{ordinals.get(k, f'{k}th')} layer")
        for name, values in (("W", w), ("b", b[:, None])):
            array = np.vectorize(_to_fraction, otypes=[object])(values)
            if last and all(v.denominator == 1 for v in array.ravel()):
                array = array.astype(int)
            text.append(f"{name}{k} =\n{array}")
    return "\n".join(text)


def _to_fraction(value: Any) -> Fraction:
    return Fraction(int(value.numerator), int(value.denominator))


def nine_points() -> dict[str, Any]:
    """Build and check both networks of the nine points."""
    result: dict[str, Any] = {}
    for name, projection, scale in (
        ("article", ARTICLE_PROJECTION, "worst_case"),
        ("exactnet", "smallest", "least"),
    ):
        network = memorize(
            NINE_INPUTS, NINE_TARGETS, hidden=(3, 3), projection=projection, scale=scale
        )
        outputs = network.predict(NINE_INPUTS)[:, 0]
        result[name] = {
            "network": network,
            "outputs": [_to_fraction(v) for v in outputs],
            "exact": verify(network, NINE_INPUTS, NINE_TARGETS).exact,
            "largest_bits": network.bit_sizes().largest,
        }
    return result


def all_digits() -> dict[str, Any]:
    """Memorize and verify the bundled digits."""
    X_train, y_train, X_test, y_test = load_digits()
    X, y = np.concatenate([X_train, X_test]), np.concatenate([y_train, y_test])
    start = time.perf_counter()
    network = memorize(X, y, progress=True)
    seconds = time.perf_counter() - start
    report = verify(network, X, y, progress=True)
    return {
        "layer_sizes": network.layer_sizes,
        "n_points": report.n_points,
        "n_wrong": report.n_wrong,
        "exact": report.exact,
        "max_error": str(report.max_error),
        "construction_seconds": seconds,
        "verification_seconds": report.seconds,
        "largest_bits": network.bit_sizes().largest,
        "float64_max_error": float64_error(network, X, y),
    }


def trained_digits() -> dict[str, Any]:
    """Train a network of floats on the digits, as Nielsen's book does on MNIST."""
    X_train, y_train, X_test, y_test = load_digits()
    network = Network([64, 30, 10], init="normal", seed=0)
    start = time.perf_counter()
    network.fit(X_train, y_train, epochs=30, batch_size=10, learning_rate=3.0)
    return {
        "layer_sizes": network.layer_sizes,
        "epochs": 30,
        "seconds": time.perf_counter() - start,
        "n_train": len(y_train),
        "train_accuracy": network.accuracy(X_train, y_train),
        "n_test": len(y_test),
        "test_accuracy": network.accuracy(X_test, y_test),
    }


_INTRODUCTION = """\
Three networks: one that reproduces nine points without error, one that reproduces 1,797 handwritten
digits without error, and one that learns from the digits and is tested on others.

1. Nine points
--------------
`memorize` constructs a network that returns the target of every point. Nothing is trained.
"""

_BEFORE_DIGITS = """\
2. All 1,797 handwritten digits that come with the package
----------------------------------------------------------
The same for images of 8 x 8 pixels and the digits they show: `memorize` constructs the network,
`verify` computes all outputs in exact arithmetic.
"""

_BEFORE_TRAINING = """\
3. Learning
-----------
A network of floats is trained on the first 1,437 digits, and then asked for the other 360.
"""


def _text_of_nine_points(nine: dict[str, Any]) -> str:
    points = [
        "  ".join(f"{v:>3}" for v in x) + f"   {target:>6}   {output!s:>6}"
        for x, target, output in zip(NINE_INPUTS, NINE_TARGETS, nine["outputs"], strict=True)
    ]
    network: ExactNetwork = nine["network"]
    wrong = sum(o != t for o, t in zip(nine["outputs"], NINE_TARGETS.tolist(), strict=True))
    sizes = ", ".join(map(str, network.layer_sizes))
    return "\n".join(
        [
            " x1   x2   x3   x4   x5   target   output",
            *points,
            "",
            f"The outputs are those of this [{sizes}] network, with relu(z) = max(z, 0):",
            "",
            *_formulas(network),
            "",
            f"Its longest number has {nine['largest_bits']} bits. In exact arithmetic {wrong} of 9 "
            "outputs are wrong.",
            "",
        ]
    )


def _formulas(network: ExactNetwork) -> list[str]:
    """Return a line per unit, such as "h1 = relu(120 - x1 - x3)"."""
    lines = []
    names = [f"x{k}" for k in range(1, network.layer_sizes[0] + 1)]
    layers = zip("hgy", network.weights, network.biases, network.activations, strict=True)
    for letter, weights, biases, activation in layers:
        before, names = names, []
        for k, (row, bias) in enumerate(zip(weights, biases, strict=True), 1):
            names.append(letter if len(biases) == 1 else f"{letter}{k}")
            terms = [(bias, ""), *zip(row, before, strict=True)]
            text = "".join(
                f" {'-' if v < 0 else '+'} {_factor(abs(v), name)}" for v, name in terms if v
            )
            text = f"-{text[3:]}" if text.startswith(" -") else text[3:]
            lines.append(f"  {names[-1]} = {f'relu({text})' if activation == 'relu' else text}")
    return lines


def _factor(value: Any, name: str) -> str:
    if not name:
        return str(value)
    return name if value == 1 else f"{value} {name}"


def _text_of_article(article: dict[str, Any]) -> str:
    return "\n".join(
        [
            'With the constants of the article (scale="worst_case"), at most '
            f"{article['largest_bits']} bits:",
            "",
            format_parameters(article["network"]),
            "",
        ]
    )


def _text_of_digits(digits: dict[str, Any]) -> str:
    return f"""\
network                         {digits["layer_sizes"]}, ReLU
constructed in                  {digits["construction_seconds"]:.3f} s
verified in exact arithmetic in {digits["verification_seconds"]:.3f} s
wrong outputs                   {digits["n_wrong"]} of {digits["n_points"]}
longest number                  {digits["largest_bits"]} bits
largest error of the same network
  with float64 parameters       {digits["float64_max_error"]:.3g}
"""


def _text_of_training(training: dict[str, Any]) -> str:
    return f"""\
network                         {training["layer_sizes"]}, sigmoid
trained in                      {training["seconds"]:.3f} s, {training["epochs"]} epochs
right on the digits it has seen {training["train_accuracy"]:.1%}
right on {training["n_test"]} others            {training["test_accuracy"]:.1%}
"""


def _facts(
    nine: dict[str, Any], digits: dict[str, Any], training: dict[str, Any]
) -> dict[str, Any]:
    """Return what is printed for machines."""
    return {
        "nine_points": {
            name: {
                "exact": entry["exact"],
                "largest_bits": entry["largest_bits"],
                "outputs": [str(o) for o in entry["outputs"]],
                "weights": [[[str(v) for v in r] for r in w] for w in entry["network"].weights],
                "biases": [[str(v) for v in b] for b in entry["network"].biases],
            }
            for name, entry in nine.items()
        },
        "digits": digits,
        "training": training,
    }
