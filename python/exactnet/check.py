"""Check the claim of a network file: python -m exactnet.check FILE DATA [--target COLUMN].

It prints one line, "ok: ..." with exit status 0 or "REJECTED: ..." with 1; status 2 is for files
that cannot be read. This file needs only Python and may be copied; docs/file-format.md has the
formats. A digest tells that DATA are those of the claim, and outputs are computed without rounding.
"""

import argparse
import csv
import gzip
import hashlib
import json
import re
import struct
import sys
from fractions import Fraction
from functools import lru_cache
from itertools import chain, groupby
from math import gcd, lcm
from operator import mul
from typing import Any

Ratio = tuple[int, int]  # n / m, with m > 0
Affine = tuple[int, int, int]  # (a, b, d): the function (a t + b) / d of t, with d > 0
Layer = tuple[bool, list[list[Ratio]], list[Ratio]]  # ReLU?, weights [input][unit], biases [unit]
NUMBER = r"[+-]?([0-9]+/[0-9]+|(?=\.?[0-9])[0-9]*(\.[0-9]*)?([eE][+-]?0*[0-9]{1,3})?)"
NPY = r"{'descr': '[<|](\w\d)', 'fortran_order': (T?)\w+, 'shape': \((\d+), (\d+)\), } *\n"
NPY_CODES = dict(u1="B", i1="b", u2="H", i2="h", u4="I", i4="i", u8="Q", i8="q", f4="f", f8="d")


def require(condition: object, reason: str) -> None:
    """Reject unless the condition holds."""
    if not condition:
        raise ValueError(reason)


def shared(ratios: list[Ratio]) -> list[Ratio]:
    """Return the ratios over a common denominator, unless that is much longer than they are."""
    longest, d = max(max(n.bit_length(), m.bit_length()) for n, m in ratios), 1
    for m in {m for _, m in ratios}:
        d = lcm(d, m)
        if d.bit_length() > 2 * longest + 64:
            return ratios
    return [(n * (d // m), d) for n, m in ratios]


def read_network(path: str) -> tuple[list[Layer], dict[str, Any]]:
    """Return the layers and the claim of a network file."""
    with open(path, encoding="utf-8") as file:
        net = json.load(file, object_pairs_hook=lambda p: dict(p) if len(dict(p)) == len(p) else p)
    require(type(net) is dict and net.get("format") == "exactnet", "no network, or an entry twice")
    require("claim" in net, "FILE has no claim")
    sizes, claim, layers = net["layer_sizes"], net["claim"], []
    good = (len(net), len(claim), repr(net["version"])) == (7, 4, "1")
    require(good, "FILE is of another version, or has other entries than it should")
    numbers = [claim["features"], claim["outputs"], claim["points"], *sizes]
    require(all(type(n) is int and n > 0 for n in numbers), "a size in FILE is not positive")
    require(numbers[:2] == [sizes[0], sizes[-1]], "the claim is of a network of other sizes")
    lists = net["activations"], net["weights"], net["biases"], sizes[:-1], sizes[1:]
    for name, w, b, n, m in zip(*lists, strict=True):
        rows = [[*v, c] for v, c in zip(w, b, strict=True) if type(v) is type(b) is list]
        good = len(rows) == m and {len(row) for row in rows} == {n + 1}
        require(good and name in ("relu", "linear"), "FILE has a wrong shape or activation")
        good = all(re.fullmatch("-?[0-9]+(/[0-9]+)?", cell) for row in rows for cell in row)
        require(good, "a parameter in FILE is not a rational as a string")
        ratios = (shared([Fraction(cell).as_integer_ratio() for cell in row]) for row in rows)
        *columns, biases = map(list, zip(*ratios, strict=True))
        layers.append((name == "relu", columns, biases))
    return layers, claim


def line(layer: Layer) -> tuple[list[int], Layer]:
    """Return integers w and the layer as one of w . x alone, if its rows are multiples of w."""
    rows = [[Fraction(*v) for v in row] for row in zip(*layer[1], strict=True)]
    first = next(filter(any, rows), rows[0])
    common = lcm(*(v.denominator for v in first))
    w = [v.numerator * (common // v.denominator) for v in first]
    k = next((k for k, v in enumerate(w) if v), 0)
    c = [row[k] / (w[k] or 1) for row in rows]
    if any(row != [f * v for v in w] for row, f in zip(rows, c, strict=True)):
        return [], layer
    flat = shared([f.as_integer_ratio() for f in c] + layer[2])
    return w, (layer[0], [flat[: len(c)]], flat[len(c) :])


def add(total: Affine, c: Ratio, z: Affine, sign: int) -> Affine:
    """Return total + sign c z."""
    (a, b, d), (n, m), (u, v, e) = total, c, z
    n, e = n * sign, e * m
    if d == e:
        return a + n * u, b + n * v, d
    g = gcd(d, e)
    a, b, d = a * (e // g) + n * u * (d // g), b * (e // g) + n * v * (d // g), d // g * e
    g = gcd(a, b, d)
    return a // g, b // g, d // g


def check(layers: list[Layer], depth: int, z: list[Affine], points: list[Any]) -> None:
    """Compare outputs with targets at points (p, q, targets, row), where t = p / q.

    z are the values that enter layers[depth], prior to activation: functions of t, the same at all
    the points. Neighbours with the same active units have the same functions in the next layer;
    from one such group to the next, units that switch are added or removed.
    """
    relu = depth > 0 and layers[depth - 1][0]
    if depth == len(layers):
        for p, q, targets, row in points:
            for (a, b, d), y in zip(z, targets, strict=True):
                n = max(a * p + b * q, 0) if relu else a * p + b * q
                require(n * y.denominator == y.numerator * d * q, f"wrong output at row {row}")
        return
    before, sums = [False] * len(z), [(0, n, m) for n, m in layers[depth][2]]
    groups = groupby(points, lambda v: [not relu or a * v[0] + b * v[1] > 0 for a, b, _ in z])
    for now, group in groups:
        for k in (k for k in range(len(z)) if now[k] != before[k]):
            column, sign = layers[depth][1][k], now[k] - before[k]
            sums = [add(s, c, z[k], sign) for s, c in zip(sums, column, strict=True)]
        before = now
        check(layers, depth + 1, sums, list(group))


@lru_cache(4096)
def number(cell: Any) -> int | Fraction:
    """Return a number as it stands: "0.1" is one tenth, a float the fraction that it is."""
    require(type(cell) is not str or re.fullmatch(NUMBER, cell), f"{cell!a:.40} is not a number")
    return v.numerator if (v := Fraction(cell)).denominator == 1 else v


def table(path: str, wanted: list[str]) -> tuple[list[str], Any]:
    """Return the names of the columns, if there are, and the rows of DATA."""
    with open(path, "rb") as file:
        data = file.read()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    if data[:3] == b"\0\0\x08":  # IDX: bytes, those of images with their labels' behind them
        start = 4 + 4 * data[3]
        size = (len(data) - start) // int.from_bytes(data[4:8], "big")
        items = [data[k : k + size] for k in range(start, len(data), size)]
        other = re.sub(r"images([-.])idx3(?=[^/]*$)", r"labels\1idx1", path)
        return [], items if other == path else map(bytes.__add__, items, table(other, [])[1])
    if data[:6] == b"\x93NUMPY":
        start = 10 + int.from_bytes(data[8:10], "little")
        match = re.fullmatch(NPY, data[10:start].decode("latin-1"))
        kind, by_column, height, width = match.groups() if match else [""] * 4
        require(kind in NPY_CODES, "DATA is no matrix of integers or of float32 or float64")
        width = height if by_column else width
        records = struct.iter_unpack(f"<{width}{NPY_CODES[kind]}", data[start:])
        return [], zip(*records, strict=True) if by_column else records
    lines = csv.reader(data.decode("utf-8-sig").splitlines(True), skipinitialspace=True)
    rows = ([cell.strip() for cell in row] for row in lines if row)
    first = next(rows, [])
    names = [cell for cell in first if not re.fullmatch(NUMBER, cell)]
    header = len(names) == len(first) or set(names) & set(wanted)
    return (first, rows) if header else ([], chain([first], rows))


def confirmed(path: str, data: str, wanted: list[str]) -> str:
    """Return what holds, or raise."""
    layers, claim = read_network(path)
    w, layers[0] = line(layers[0])
    N, F, M, points = claim["points"], claim["features"], claim["outputs"], []
    digest = hashlib.sha256(f"exactnet-data 1 {N} {F} {M}\n".encode())
    names, rows = table(data, wanted)
    targets = [names.index(c) if c in names else int(c) for c in wanted] or list(range(F, F + M))
    for k, cells in enumerate(list(map(number, row)) for row in rows):
        x, y = [v for c, v in enumerate(cells) if c not in targets], [cells[c] for c in targets]
        require((len(x), len(y)) == (F, M), f"row {k} of DATA is not as long as the claim says")
        digest.update((",".join(map(str, x + y)) + "\n").encode())
        points.append((*sum(map(mul, w, x)).as_integer_ratio(), y, k))
        if not w:  # each point by itself, with its features as constant functions of t
            check(layers, 0, [(0, v.numerator, v.denominator) for v in x], [points[k]])
    require(len(points) == N, f"DATA has {len(points)} points, the claim says {N}")
    require(digest.hexdigest() == claim["sha256"], "the digest of DATA is not that of the claim")
    if w:  # all are functions of t = w . x
        check(layers, 0, [(1, 0, 1)], sorted(points, key=lambda v: Fraction(v[0], v[1])))
    return f"ok: the outputs at all {len(points)} points are exact, and the data are those claimed"


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description="Check the claim of a network file.")
    parser.add_argument("FILE", help="network file with a claim")
    parser.add_argument("DATA", help="CSV, .npy with one matrix, or the images of an IDX pair")
    parser.add_argument("--target", action="append", default=[], help="column; default: the last")
    options = parser.parse_args()
    getattr(sys, "set_int_max_str_digits", int)(10**6)  # by default, 4,300 are too many
    try:
        print(confirmed(options.FILE, options.DATA, options.target))
        return 0
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Exception as error:  # whatever goes wrong, nothing is accepted
        reason = str(error) if type(error) is ValueError else ascii(error)
        print("REJECTED:", " ".join(reason.split())[:300])
        return 1


if __name__ == "__main__":
    sys.exit(main())
