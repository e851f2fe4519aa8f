"""Check the claim of a network file: python -m exactnet.check FILE DATA [--target COLUMN] ...

It prints "ok: ..." and exits with 0, or "REJECTED: ..." and 1; 2 is for what cannot be opened.
It needs only Python and may be copied; docs/file-format.md has the formats. A digest tells that
DATA are those of the claim, and outputs are computed without rounding.
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
import os
import re
import struct
import sys
from fractions import Fraction
from functools import lru_cache
from itertools import chain, groupby, islice
from math import gcd, lcm, prod
from operator import itemgetter, mul
from typing import Any

Ratio = tuple[int, int]  # n / m, with m > 0
Function = tuple[int, int, int]  # (a, b, d): the function (a t + b) / d of t, with d > 0
Layer = tuple[bool, list[list[Ratio]], list[Ratio]]  # ReLU?, weights [input][unit], biases [unit]
NUMBER = re.compile(r"[+-]?([0-9]+/[0-9]+|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)")
NPY = r"'descr': '([<>|])(..)', 'fortran_order': (True|False), 'shape': \((\d{1,18}), ?(\d{1,18})\)"
NPY_CODES = dict(b1="B", u1="B", i1="b", u2="H", i2="h", u4="I", i4="i", u8="Q", i8="q")
NPY_CODES |= dict(f2="e", f4="f", f8="d")
MISSING = {"", "?", "na", "n/a", "#n/a", "nan", "null"}
SWAP = {".": {}, ",": str.maketrans(",.", ".,")}  # turns decimal commas into points
DECIMALS = " (0.1 in CSV is 1/10 and no float: `exactnet memorize` it, or write floats as .npy)"
IDX_CODES = {0x08: "B", 0x09: "b", 0x0B: "h", 0x0C: "i", 0x0D: "f", 0x0E: "d"}


def require(condition: object, reason: str) -> None:
    """Reject unless the condition holds."""
    if not condition:
        raise ValueError(reason)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object, whose keys must differ."""
    require(len(dict(pairs)) == len(pairs), "FILE has an entry twice")
    return dict(pairs)


def read_network(path: str) -> tuple[list[Layer], dict[str, Any], list[str]]:
    """Return the layers, the claim and the names of classes, if any, of a network file."""
    with open(path, encoding="utf-8") as file:
        net = json.load(file, object_pairs_hook=unique)
    require(type(net) is dict and net.get("format") == "exactnet", "FILE is no network file")
    advice = "`exactnet memorize --claim` or save(claim_for=(X, y)) writes one"
    require("claim" in net, f"{path!a} has no claim: {advice}")
    keys = {"format", "version", "layer_sizes", "activations", "weights", "biases", "claim"}
    keys |= net.keys() & {"classes"}
    good = net.keys() == keys and type(net["version"]) is int and net["version"] == 1
    require(good, "FILE is of another version, or has other entries than it should")
    claim, sizes = net["claim"], net["layer_sizes"]
    keys = {"points", "features", "outputs", "sha256"}
    require(type(claim) is dict and claim.keys() == keys, "the claim has other entries")
    require(type(sizes) is list and len(sizes) > 1, "layer_sizes in FILE is no list of two or more")
    numbers = [claim["points"], claim["features"], claim["outputs"], *sizes]
    require(all(type(n) is int and n > 0 for n in numbers), "a size in FILE is not positive")
    require(numbers[1:3] == [sizes[0], sizes[-1]], "the claim is of a network of other sizes")
    classes = net.get("classes", [])
    good = type(classes) is list and all(type(name) is str for name in classes)
    good = good and len(set(classes)) == len(classes) and (classes or "classes" not in net)
    good = good and (sizes[-1] == 1 or len(classes) in (0, sizes[-1]))
    require(good, "the classes in FILE are not different names, one for each output")
    parts, layers = [net["activations"], net["weights"], net["biases"]], []
    require(all(type(part) is list for part in parts), "FILE has a wrong shape")
    for name, weights, biases, n, m in zip(*parts, sizes[:-1], sizes[1:], strict=True):
        require(name in ("relu", "linear"), "FILE has an unknown activation")
        good = type(weights) is type(biases) is list and len(weights) == len(biases) == m
        good = good and all(type(row) is list and len(row) == n for row in weights)
        require(good, "FILE has a wrong shape")
        rows = [[*row, bias] for row, bias in zip(weights, biases, strict=True)]
        for cell in chain.from_iterable(rows):
            good = type(cell) is str and re.fullmatch("-?[0-9]+(/0*[1-9][0-9]*)?", cell)
            require(good, "a parameter in FILE is not a rational as a string")
        ratios = [common([Fraction(cell).as_integer_ratio() for cell in row]) for row in rows]
        *columns, constants = map(list, zip(*ratios, strict=True))
        layers.append((name == "relu", columns, constants))
    return layers, claim, classes


def common(ratios: list[Ratio]) -> list[Ratio]:
    """Return the ratios over a common denominator."""
    d = lcm(*(m for _, m in ratios))
    if d.bit_length() > 2 * max(abs(v) for ratio in ratios for v in ratio).bit_length() + 64:
        return ratios
    return [(n * (d // m), d) for n, m in ratios]


@lru_cache(4096)
def number(cell: Any, decimal: str = ".") -> int | Fraction:
    """Return a number as it stands: "0.1" is one tenth, a float the fraction that it is."""
    if type(cell) is str:
        cell = cell.translate(SWAP[decimal])
        require(NUMBER.fullmatch(cell), f"{cell!a:.40} is not a number")
        exponent = cell.lower().partition("e")[2].lstrip("+-0")
        require(len(exponent) < 4 and int(exponent or "0") <= 400, f"{cell!a:.40} is out of range")
    value = Fraction(cell)
    return value.numerator if value.denominator == 1 else value


def read_npy(path: str) -> Any:
    """Return the rows of the matrix in an NPY file."""
    with open(path, "rb") as file:
        data = file.read()
    require(data[:8] in (b"\x93NUMPY\1\0", b"\x93NUMPY\2\0", b"\x93NUMPY\3\0"), "DATA is no NPY")
    start = 10 if data[6] == 1 else 12
    end = start + int.from_bytes(data[8:start], "little")
    header = re.fullmatch(rf"\{{{NPY},? ?\}} *\n", data[start:end].decode("latin-1"))
    order, kind, fortran, height, width = header.groups() if header else [""] * 5
    require(kind in NPY_CODES and (kind[1] == "1" or order != "|"), "DATA is no matrix of numbers")
    data, size = data[end:], int(height) * int(width) * int(kind[1])
    require(len(data) == size > 0, "DATA is empty or not as long as it says")
    require(kind != "b1" or max(data) < 2, "DATA has a truth value that is not 0 or 1")
    length = height if fortran == "True" else width
    lines = struct.iter_unpack(f"{order.replace('|', '<')}{length}{NPY_CODES[kind]}", data)
    return zip(*lines, strict=True) if fortran == "True" else lines


def read_images(path: str) -> Any:
    """Return the rows of images in an IDX file, each with its label from the file beside it."""
    folder, name = os.path.split(path)
    name = re.sub(r"images([-.])idx3", r"labels\1idx1", name).removesuffix(".gz")
    plain = os.path.join(folder, name)
    names = sorted([plain, plain + ".gz"], reverse=path.endswith(".gz"))
    parts = []
    for name in (path, names[0] if os.path.exists(names[0]) else names[1]):
        with open(name, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(name) if packed else open(name, "rb") as file:
            zeros, code, dimensions = struct.unpack(">HBB", file.read(4))
            require(zeros == 0 and code in IDX_CODES and 0 < dimensions < 33, f"{name!a} is no IDX")
            shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
            item = struct.Struct(f">{prod(shape[1:])}{IDX_CODES[code]}")
            data = file.read(shape[0] * item.size + 1)
        require(len(data) == shape[0] * item.size > 0, f"{name!a} is not as long as it says")
        parts.append((shape, item.iter_unpack(data)))
    (shape, images), (labels_shape, labels) = parts
    require(len(shape) > 1 and labels_shape == shape[:1], "DATA has not one label per image")
    return map(tuple.__add__, images, labels)


def read_csv(path: str, decimal: str) -> Any:
    """Return the rows of a CSV file, as lists of the cells' texts.

    What separates cells gives the first ten rows the same number of them, two or more; if nothing
    does, it is what gives the first row most.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        text = file.read()

    def rows(mark: str) -> Any:
        lines = io.StringIO(text, newline="")
        cells = csv.reader(lines, delimiter=mark, skipinitialspace=True, strict=True)
        return ([cell.strip(" \t\r\n") for cell in row] for row in cells if row)

    marks = ";\t" if decimal == "," else ";,\t"
    sizes: dict[str, list[int]] = {mark: [] for mark in marks}
    for mark in marks:
        try:
            sizes[mark].extend(map(len, islice(rows(mark), 10)))
        except csv.Error:
            sizes[mark].append(0)
    good = [mark for mark in marks if len(set(sizes[mark])) == 1 and sizes[mark][0] > 1]
    return rows(good[0] if good else max(marks, key=lambda mark: sizes[mark][:1]))


def read_data(path: str, options: Any, M: int, classes: list[str]) -> Any:
    """Yield features and targets of every point; the kind of file is told by its name."""
    ending = os.path.splitext(path)[1].lower()
    require(ending != ".npz", "DATA in .npz are not read here: write them as CSV or .npy")
    is_images = re.search(r"images[-.]idx3", os.path.basename(path))
    is_text, wanted = not (is_images or ending == ".npy"), [*options.target, *options.ignore]
    names: list[str] = []
    if not is_text:
        require(options.decimal == "." and not options.missing, "--decimal, --missing are for CSV")
        require(not (is_images and wanted), "--target and --ignore are not for IDX files")
        rows, classes = read_images(path) if is_images else read_npy(path), []
        first: Any = next(rows, [])
    else:
        rows = read_csv(path, options.decimal)
        first = next(rows, [])
        swap = SWAP[options.decimal]
        texts = {cell for cell in first if not NUMBER.fullmatch(cell.translate(swap))}
        if all(cell in texts for cell in first) or texts & set(wanted):
            names = first
    n_targets = 1 if classes else M
    numbers, places = [str(c) for c in range(len(first))], []
    for name in wanted:
        columns = names if name in names else numbers
        require(columns.count(name) == 1, f"DATA has no column {name!a}, or several")
        places.append(columns.index(name))
    targets, ignored = places[: len(options.target)], places[len(options.target) :]
    left = [c for c in range(len(first)) if c not in ignored]
    targets = targets or left[-n_targets:]
    features = [c for c in left if c not in targets]
    good = len(set(targets)) == n_targets and not set(targets) & set(ignored)
    require(features and good, "DATA has no features, or other targets")
    for k, row in enumerate(rows if names else chain([first], rows)):
        require(len(row) == len(first), f"row {k} of DATA is not as long as the first")
        if is_text and not MISSING.isdisjoint(map(str.lower, row)):
            gap = any(row[c].lower() in MISSING for c in left)
            if gap and options.missing:
                continue
            require(not gap, f"row {k} of DATA has a missing cell")
        x = [row[c] if type(row[c]) is int else number(row[c], options.decimal) for c in features]
        if classes:
            code = classes.index(row[targets[0]])
            yield x, [code] if M == 1 else [int(c == code) for c in range(M)]
        else:
            yield x, [number(row[c], options.decimal) for c in targets]


def direction(layer: Layer) -> tuple[list[int], Layer]:
    """Return integers w and the layer as one of w . x alone, if its rows are multiples of w."""
    rows = [[Fraction(*v) for v in row] for row in zip(*layer[1], strict=True)]
    first = next(filter(any, rows), rows[0])
    scale = lcm(*(v.denominator for v in first))
    w = [v.numerator * (scale // v.denominator) for v in first]
    k = next((k for k, v in enumerate(w) if v), 0)
    factors = [row[k] / (w[k] or 1) for row in rows]
    if any(row != [c * v for v in w] for row, c in zip(rows, factors, strict=True)):
        return [], layer
    flat = common([c.as_integer_ratio() for c in factors] + layer[2])
    return w, (layer[0], [flat[: len(rows)]], flat[len(rows) :])


def add(total: Function, c: Ratio, f: Function, sign: int) -> Function:
    """Return total + sign c f."""
    (a, b, d), (n, m), (u, v, e) = total, c, f
    n, e = n * sign, e * m
    if d == e:
        return a + n * u, b + n * v, d
    g = gcd(d, e)
    a, b, d = a * (e // g) + n * u * (d // g), b * (e // g) + n * v * (d // g), d // g * e
    g = gcd(a, b, d)
    return a // g, b // g, d // g


def require_exact(layers: list[Layer], inputs: list[Function], points: list[Any]) -> None:
    """Require that the outputs at the points are the targets; the inputs are functions of t.

    Neighbours with the same positive inputs of a layer have the same sums, as functions of t;
    from one such group to the next, inputs that switch are added or removed.
    """
    work = [(0, inputs, points)]  # what enters which layer at which points
    while work:
        depth, inputs, points = work.pop()
        relu = depth > 0 and layers[depth - 1][0]
        if depth == len(layers):
            for p, q, targets, row in points:
                for (a, b, d), y in zip(inputs, targets, strict=True):
                    n = max(a * p + b * q, 0) if relu else a * p + b * q
                    require(n * y.denominator == y.numerator * d * q, f"wrong output at row {row}")
            continue
        count = ([not relu or a * p + b * q > 0 for a, b, _ in inputs] for p, q, _, _ in points)
        before, sums = [False] * len(inputs), [(0, n, m) for n, m in layers[depth][2]]
        for now, group in groupby(zip(count, points, strict=True), itemgetter(0)):
            for k in (k for k in range(len(inputs)) if now[k] != before[k]):
                terms, sign = zip(sums, layers[depth][1][k], strict=True), now[k] - before[k]
                sums = [add(total, c, inputs[k], sign) for total, c in terms]
            before = now
            work.append((depth + 1, sums, [point for _, point in group]))


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description="Check the claim of a network file.")
    parser.add_argument("FILE", help="network file with a claim")
    parser.add_argument("DATA", help="CSV, .npy with one matrix, or the images of an IDX pair")
    parser.add_argument("--target", action="append", default=[], help="column; repeat for several")
    parser.add_argument("--ignore", action="extend", nargs="+", default=[], help="other columns")
    parser.add_argument("--decimal", choices=".,", default=".", help="of numbers in CSV")
    parser.add_argument("--missing", choices=["drop"], help="leave out rows with missing cells")
    options = parser.parse_args()
    getattr(sys, "set_int_max_str_digits", int)(10**6)  # by default, 4,300 are too many
    points: list[Any] = []  # (p, q, targets, row): there, t = p / q
    decimals = False
    try:
        layers, claim, classes = read_network(options.FILE)
        w, layers[0] = direction(layers[0])
        N, F, M = claim["points"], claim["features"], claim["outputs"]
        digest = hashlib.sha256(f"exactnet-data 1 {N} {F} {M}\n".encode())
        for row, (x, y) in enumerate(read_data(options.DATA, options, M, classes)):
            require(len(x) == F, f"DATA has {len(x)} features, the claim says {F}")
            digest.update((",".join(map(str, x + y)) + "\n").encode())
            decimals = decimals or any(type(v) is Fraction for v in x + y)
            points.append((*sum(map(mul, w, x)).as_integer_ratio(), y, row))
            if not w:  # each point by itself, with its features as constant functions of t
                require_exact(layers, [(0, v.numerator, v.denominator) for v in x], points[row:])
        require(len(points) == N, f"DATA has {len(points)} points, the claim says {N}")
        require(
            digest.hexdigest() == claim["sha256"],
            f"the digest of DATA is not the claim's{DECIMALS * decimals}",
        )
        if w:  # all are functions of t = w . x
            points.sort(key=lambda point: Fraction(point[0], point[1]))
            require_exact(layers, [(1, 0, 1)], points)
        print(f"ok: the outputs at all {N} points are exact, and the data are those claimed")
        return 0
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Exception as error:  # whatever goes wrong, nothing is accepted
        reason = str(error) if isinstance(error, ValueError) else ascii(error)
        print("REJECTED:", " ".join(reason.split())[:300])
        return 1


if __name__ == "__main__":
    sys.exit(main())
