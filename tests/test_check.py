"""The portable claim: what `save` writes, and the program that checks it on its own."""

import argparse
import ast
import gzip
import hashlib
import io
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import textwrap
import warnings
from fractions import Fraction
from pathlib import Path

import gmpy2
import numpy as np
import pytest

from conftest import random_points, slow
from exactnet import ExactNetwork, check, datasets, memorize, verify
from exactnet.base.labels import class_names, encode
from exactnet.cli import csvfile
from exactnet.cli.csvfile import Dialect
from exactnet.cli.datafiles import read_data
from exactnet.exact.data import Data
from exactnet.exact.digest import data_digest
from reference import forward, fractions

SOURCE = Path(check.__file__)


@pytest.fixture
def run(capsys, monkeypatch):
    """The program's main(), in this process, with the interpreter's settings restored."""
    limit = sys.get_int_max_str_digits()

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["check", *map(str, arguments)])
        status = check.main()
        captured = capsys.readouterr()
        assert captured.err == ""
        assert captured.out.count("\n") == 1
        assert captured.out.startswith("ok: " if status == 0 else "REJECTED: ")
        return status, captured.out

    yield call
    sys.set_int_max_str_digits(limit)


def reference_digest(X, y):
    """The canonical form as the documentation has it, written down slowly."""
    X, y = fractions(X), fractions(y)
    y = [row if isinstance(row, list) else [row] for row in y]
    text = f"exactnet-data 1 {len(X)} {len(X[0])} {len(y[0])}\n"
    for row, targets in zip(X, y, strict=True):
        cells = []
        for value in row + targets:
            n, d = value.numerator, value.denominator
            cells.append(gmpy2.digits(n) + ("" if d == 1 else f"/{gmpy2.digits(d)}"))
        text += ",".join(cells) + "\n"
    return hashlib.sha256(text.encode()).hexdigest()


def write_csv(path, X, y, header=False):
    y = [row if isinstance(row, list) else [row] for row in fractions(y)]
    rows = [[*x, *t] for x, t in zip(fractions(X), y, strict=True)]
    lines = [",".join(str(v) for v in row) for row in rows]
    if header:
        lines.insert(0, ",".join(f"c{k}" for k in range(len(rows[0]))))
    path.write_text("\n".join(lines) + "\n")


def claimed(tmp_path, net, X, y):
    write_csv(tmp_path / "data.csv", X, y)
    net.save(tmp_path / "net.json", claim_for=(X, y))
    return tmp_path / "net.json", tmp_path / "data.csv"


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def random_rational(rng, bits=5):
    return Fraction(rng.randrange(-(2**bits), 2**bits), rng.choice([1, 1, 2, 3, 7, 2**bits]))


def random_exact_network(rng, sizes, parallel, activations=None):
    weights, biases = [], []
    for k in range(len(sizes) - 1):
        w = [[random_rational(rng) for _ in range(sizes[k])] for _ in range(sizes[k + 1])]
        if k == 0 and parallel:
            w = [[f * v for v in w[0]] for f in (random_rational(rng) for _ in w)]
        weights.append(w)
        biases.append([random_rational(rng, 8) for _ in range(sizes[k + 1])])
    return ExactNetwork.from_arrays(weights, biases, activations)


# ------------------------------------------------------------------ the program itself


def test_it_is_short_and_stands_alone():
    source = SOURCE.read_text()
    assert len(source.splitlines()) <= 320
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules.add(node.module)
        elif isinstance(node, ast.Name):
            assert node.id not in ("eval", "exec", "__import__", "compile", "float")
        assert not isinstance(node, ast.Assert)  # python -O would drop it
    allowed = "argparse collections.abc csv fractions functools gzip hashlib io itertools json math"
    allowed += " operator os re struct"
    assert modules <= {*allowed.split(), "sys", "typing"}


@pytest.mark.parametrize("way", ["module", "file", "isolated copy"])
def test_it_runs_where_numpy_and_gmpy2_cannot_be_imported(tmp_path, way):
    X, y = [[1, 2], [3, 4], [5, 0], [7, 7]], [Fraction(1, 3), -2, 0, 10**30]
    net, data = claimed(tmp_path, memorize(X, y), X, y)
    blocked = textwrap.dedent(
        """
        import sys

        class Blocker:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in BLOCKED or name == "exactnet._core":
                    raise ImportError(f"{name} is blocked")

        sys.meta_path.insert(0, Blocker())
        import runpy
        """
    )
    names = {"numpy", "gmpy2", "safetensors"}
    if way == "module":
        command = "sys.argv[0] = 'check'; runpy.run_module('exactnet.check', run_name='__main__')"
    else:
        names.add("exactnet")
        file = SOURCE
        if way == "isolated copy":
            file = tmp_path / "audited.py"
            shutil.copy(SOURCE, file)
        command = f"runpy.run_path({str(file)!r}, run_name='__main__')"
    program = f"BLOCKED = {names!r}\n{blocked}\n{command}\n"
    for target, status in (("2", 0), ("1", 1)):
        arguments = [str(net), str(data), "--target", target]
        result = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True
        )
        assert (result.returncode, result.stderr) == (status, ""), result.stderr
        assert result.stdout.startswith("REJECTED: " if status else "ok: ")
        assert result.stdout.count("\n") == 1
    # the blockade holds
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run(
            [sys.executable, "-c", f"BLOCKED = {names!r}\n{blocked}\nimport gmpy2"],
            check=True,
            capture_output=True,
        )


def test_it_runs_as_a_module_and_as_a_file(tmp_path):
    X, y = [[1], [2]], [3, 4]
    net, data = claimed(tmp_path, memorize(X, y), X, y)
    for program in (["-m", "exactnet.check"], [str(SOURCE)]):
        result = subprocess.run(
            [sys.executable, *program, str(net), str(data)], capture_output=True, text=True
        )
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith("ok: the outputs at all 2 points are exact")


def test_usage_and_unreadable_files(tmp_path):
    X, y = [[1], [2]], [3, 4]
    net, data = claimed(tmp_path, memorize(X, y), X, y)
    cases = [
        [],
        [net],
        [net, data, "more"],
        [net, data, "--colour", "1"],
        [tmp_path / "none.json", data],
        [net, tmp_path / "none.csv"],
        [tmp_path, data],
        [net, tmp_path],
    ]
    for arguments in cases:
        result = subprocess.run(
            [sys.executable, str(SOURCE), *map(str, arguments)], capture_output=True, text=True
        )
        assert (result.returncode, result.stdout) == (2, ""), arguments
        assert "error: " in result.stderr
        assert "Traceback" not in result.stderr


# ------------------------------------------------------------------ good claims


@pytest.mark.parametrize(
    ("X", "y"),
    [
        ([[0], [1], [2], [3]], [5, -1, 4, 0]),
        ([[93, 4], [59, 91], [58, 47], [20, 69]], [1, 81, 17, 65]),
        ([[0.5, -0.1], [1e-3, 2.0], [7.25, 1e10]], [0.1, -3.0, 1e-7]),
        ([[Fraction(1, 3), 2], [Fraction(-22, 7), 0]], [Fraction(5, 9), 10**40]),
        ([[gmpy2.mpq(1, 3), 2**70], [gmpy2.mpz(4), -(2**63)]], [gmpy2.mpq(-1, 7), 2**62]),
        (np.array([[2**63, 1], [5, 6]], dtype=np.uint64), np.array([True, False])),
        (np.array([[1, -2], [-(2**63), 4]]), np.array([[1], [2]])),
        (np.array([[1e300, 1e-300], [0.0, -0.0]]), np.float32([0.1, 0.2])),
        ([[10**5000 + 1, 3], [4, Fraction(5, 10**4400)]], [1, 2]),
        ([[7, 7]], [3]),
    ],
    ids=["line", "ints", "floats", "fractions", "mpq", "uint64", "int64", "range", "long", "one"],
)
def test_good_claims(tmp_path, run, X, y):
    net = memorize(X, y)
    sys.set_int_max_str_digits(0)  # for str(); `run` restores the limit
    path, data = claimed(tmp_path, net, X, y)
    sys.set_int_max_str_digits(4300)
    claim = json.loads(path.read_text())["claim"]
    assert claim == {
        "points": len(X),
        "features": len(X[0]),
        "outputs": 1,
        "sha256": reference_digest(X, y),
    }
    assert run(path, data)[0] == 0
    sys.set_int_max_str_digits(0)
    write_csv(data, X, y, header=True)
    assert run(path, data)[0] == 0
    assert run(path, data, "--target", f"c{len(X[0])}")[0] == 0
    assert run(path, data, "--target", "c0")[0] == 1


def test_the_digest_of_ints_is_that_of_a_csv_with_a_first_line(tmp_path):
    X, y = [[1, -2], [30, 4]], [5, 6]
    path, data = claimed(tmp_path, memorize(X, y), X, y)
    text = b"exactnet-data 1 2 2 1\n" + data.read_bytes()
    assert text == b"exactnet-data 1 2 2 1\n1,-2,5\n30,4,6\n"
    found = json.loads(path.read_text())["claim"]["sha256"]
    assert found == hashlib.sha256(text).hexdigest()


def test_the_digest_does_not_depend_on_how_data_are_given(rng):
    def digest(X, y):
        return data_digest(Data(X, y))

    for _ in range(slow(30, 8)):
        n, m = rng.randrange(1, 2500), rng.randrange(1, 4)
        X = [[rng.randrange(-40, 40) / 8 for _ in range(m)] for _ in range(n)]
        y = [[rng.randrange(-3, 3), rng.random()] for _ in range(n)]
        expected = reference_digest(X, y)
        assert digest(X, y) == expected
        assert digest(np.array(X), y) == expected
        assert digest(np.float32(X), y) == expected
        assert digest(np.array(X, dtype=object), np.array(y)) == expected
        exact = [[gmpy2.mpq(v) for v in row] for row in X]
        assert digest(exact, y) == expected
        assert digest([[Fraction(v) for v in row] for row in X], y) == expected
        if m > 1:  # the same numbers, divided otherwise into features and outputs
            moved = [[x[-1], *t] for x, t in zip(X, y, strict=True)]
            assert digest([x[:-1] for x in X], moved) != expected
        if X[0] + y[0] != X[-1] + y[-1]:
            assert digest(X[::-1], y[::-1]) != expected


@pytest.mark.parametrize("header", [True, False])
def test_csv_is_read_as_memorize_reads_it(tmp_path, run, header):
    from exactnet.cli import main

    text = ' 0.1 , "1",1e3\r\n\r\n-.2e1,-1/3,+2\n3.,1.25E-2,0002/4\n5,6,1e-003\n'
    if header:
        text = '\ufeff"the\ntarget",b,"c ""d"""\n' + text
    data = tmp_path / "data.csv"
    data.write_bytes(text.encode())
    target = "the\ntarget" if header else "0"
    arguments = ["memorize", str(data), "--target", target, "-o", str(tmp_path / "net.json")]
    assert main([*arguments, "--claim"]) == 0
    claim = json.loads((tmp_path / "net.json").read_text())["claim"]
    X = [[1, 1000], [Fraction(-1, 3), 2], [Fraction(1, 80), Fraction(1, 2)], [6, Fraction(1, 1000)]]
    assert claim["sha256"] == reference_digest(X, [Fraction(1, 10), -2, 3, 5])
    for name in (target, "0"):
        result = subprocess.run(
            [sys.executable, str(SOURCE), tmp_path / "net.json", data, "--target", name]
        )
        assert result.returncode == 0
    assert subprocess.run([sys.executable, str(SOURCE), tmp_path / "net.json", data]).returncode


def test_a_target_may_be_named_by_a_header_of_numbers(tmp_path, run):
    net = memorize([[7, 8, 9], [1, 2, 3]], [1, 2])
    path, data = claimed(tmp_path, net, [[7, 8, 9], [1, 2, 3]], [1, 2])
    data.write_text(",0,1,label\n7,8,9,1\n1,2,3,2\n")
    assert run(path, data, "--target", "label")[0] == 0
    status, out = run(path, data)  # without it, the first line is a row with a fault, not names
    assert (status, out) == (1, "REJECTED: row 0 of DATA has a missing cell\n")


@pytest.mark.parametrize(
    "dtype",
    ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path, run, np_rng, dtype, order):
    matrix = np_rng.integers(0, 100, (9, 4)).astype(dtype)
    matrix[0, 0] = 1.5 if dtype.startswith("f") else np.iinfo(dtype).min
    matrix[1, 0] = -0.1 if dtype.startswith("f") else np.iinfo(dtype).max
    np.save(tmp_path / "data.npy", np.asarray(matrix, order=order))
    X, y = np.delete(matrix, 1, axis=1), matrix[:, 1]
    net = memorize(X, y)
    net.save(tmp_path / "net.json", claim_for=(X, y))
    assert run(tmp_path / "net.json", tmp_path / "data.npy", "--target", "1")[0] == 0
    assert run(tmp_path / "net.json", tmp_path / "data.npy")[0] == 1
    data = (tmp_path / "data.npy").read_bytes()
    for damaged in (data[:-1], data[:30], data + data[-4:], data[:5], b""):
        (tmp_path / "data.npy").write_bytes(damaged)
        assert run(tmp_path / "net.json", tmp_path / "data.npy", "--target", "1")[0] == 1


def test_commas_in_npy_headers(tmp_path, run):
    """As NumPy writes them: one after the shape, none after its last number."""
    path, _ = claimed(tmp_path, memorize([[0], [1]], [5, 7]), [[0], [1]], [5, 7])
    for shape, good in (("(2, 2), ", True), ("(2, 2)", True), ("(2, 2,), ", False)):
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n".encode()
        data = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + bytes([0, 5, 1, 7])
        (tmp_path / "data.npy").write_bytes(data)
        assert (run(path, tmp_path / "data.npy")[0] == 0) == good
        if good:
            read_data(str(tmp_path / "data.npy"), "1")
        else:
            with pytest.raises(ValueError, match="header"):
                read_data(str(tmp_path / "data.npy"), "1")


def test_other_npy_files_are_refused(tmp_path, run):
    X, y = [[1], [2]], [3, 4]
    path, _ = claimed(tmp_path, memorize(X, y), X, y)
    good = np.array([[1, 3], [2, 4]])
    nan = good.astype(float)
    nan[1, 1] = np.nan
    infinite = good.astype(float)
    infinite[0, 1] = -np.inf
    arrays = [good.ravel(), good[None], good.astype(complex), nan, infinite]
    for array in (*arrays, np.array(["a"]), good.astype("M8[s]"), good.astype("S2")):
        np.save(tmp_path / "data.npy", array)
        assert run(path, tmp_path / "data.npy")[0] == 1
    np.save(tmp_path / "data.npy", good.astype(object), allow_pickle=True)
    assert run(path, tmp_path / "data.npy")[0] == 1
    np.save(tmp_path / "data.npy", good)
    assert run(path, tmp_path / "data.npy")[0] == 0


def test_thousands_of_layers(tmp_path, run):
    weights = [[[1, -1], [0, 2]], *[[[1, 0], [Fraction(1, 2), Fraction(1, 2)]]] * 1200, [[1, 1]]]
    biases = [[0, 1], *[[1, -1]] * 1200, [Fraction(1, 3)]]
    net = ExactNetwork.from_arrays(weights, biases)
    X = [[1, 2], [-3, 5], [7, 0]]
    path, data = claimed(tmp_path, net, X, forward(net, X))
    assert run(path, data)[0] == 0
    edit(path, lambda d: d["biases"][600].__setitem__(0, "2"))
    assert run(path, data)[1].startswith("REJECTED: wrong output at row")


def test_the_name_tells_the_kind(tmp_path, run):
    X, y = [[1], [2]], [3, 4]
    path, data = claimed(tmp_path, memorize(X, y), X, y)
    (tmp_path / "link.npy").symlink_to(data)  # its name says what it is, and the file is not
    assert run(path, tmp_path / "link.npy") == (1, "REJECTED: DATA is no NPY\n")
    (tmp_path / "link").symlink_to(data)
    assert run(path, tmp_path / "link")[0] == 0
    (tmp_path / "data.csv.gz").write_bytes(gzip.compress(data.read_bytes()))
    assert run(path, tmp_path / "data.csv.gz")[0] == 1
    np.savez(tmp_path / "data.npz", X=X, y=y)
    assert run(path, tmp_path / "data.npz")[0] == 1
    (tmp_path / "csv.NPZ").write_bytes(data.read_bytes())
    assert run(path, tmp_path / "csv.NPZ")[0] == 1
    data.write_bytes(b"")
    assert run(path, data)[0] == 1


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx(tmp_path, run, ending):
    images, labels = (
        tmp_path / f"t10k-{kind}-ubyte{ending}" for kind in ("images-idx3", "labels-idx1")
    )
    X = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
    datasets.write_idx(images, X)
    datasets.write_idx(labels, np.uint8([3, 1, 200, 5]))
    flat = X.reshape(4, 6)
    memorize(flat, [3, 1, 200, 5]).save(tmp_path / "net.json", claim_for=(flat, [3, 1, 200, 5]))
    assert run(tmp_path / "net.json", images)[0] == 0
    good = labels.read_bytes()
    datasets.write_idx(labels, np.uint8([3, 1, 200, 6]))
    assert run(tmp_path / "net.json", images)[0] == 1
    datasets.write_idx(labels, np.uint8([3, 1, 200]))
    assert run(tmp_path / "net.json", images)[0] == 1
    labels.write_bytes(good[:-1])
    assert run(tmp_path / "net.json", images)[0] == 1
    labels.write_bytes(b"\0\0\x08\x01\0\0\0\0")
    assert run(tmp_path / "net.json", images)[0] == 1
    labels.write_bytes(good)
    for kind in ("i1", "i2", "i4", "f4", "f8"):  # the same numbers
        datasets.write_idx(images, X.astype(kind))
        assert run(tmp_path / "net.json", images)[0] == 0
    datasets.write_idx(images, X + np.float32(0.5))
    assert run(tmp_path / "net.json", images)[0] == 1


def test_the_digits_take_seconds(tmp_path, run):
    X_train, y_train, X_test, y_test = datasets.load_digits()
    X = np.rint(np.concatenate([X_train, X_test]) * 16).astype(np.int64)
    y = np.concatenate([y_train, y_test])
    net = memorize(X, y, hidden=(43, 42))
    path, data = claimed(tmp_path, net, X, y)
    result = subprocess.run([sys.executable, str(SOURCE), path, data], timeout=20)
    assert result.returncode == 0
    lines = data.read_text().splitlines()
    lines[1000] = lines[1000][:-1] + str((int(lines[1000][-1]) + 1) % 10)
    data.write_text("\n".join(lines))
    assert run(path, data)[0] == 1


# ------------------------------------------------------------------ the package's readers agree

ODD = [
    b"\x85",
    b"\xc2\x85",
    b"\x0b",
    b"\x0c",
    b"\x1c",
    b"\r",
    b"\n",
    b"\0",
    b'"',
    b"'",
    b" ",
    b"\t",
]
ODD += [
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\xc2\xa0",
    b",",
    b";",
    b"+",
    b"-",
    b".",
    b"/",
    b"e",
    b"_",
]
ODD += [
    b"0",
    b"9",
    b"e400",
    b"e-401",
    b"e9999",
    b"/0",
    b"nan",
    b"inf",
    b'""',
    b"\r\n\r\n",
    b"\xd9\xa3",
]


def damaged(rng, data):
    """Return bytes with some damage, or with none."""
    data = bytearray(data)
    for _ in range(rng.choice([0, 0, 0, 0, 1, 1, 1, 2, 4])):
        place = rng.randrange(len(data) + 1)
        if rng.random() < 0.3:  # headers are short
            place = min(place, rng.randrange(100))
        stop = min(len(data), place + rng.choice([1, 1, 2, 7, 30]))
        kind = rng.randrange(7)
        if kind == 0 and place < len(data):
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[place:stop]
        elif kind == 2:
            data[place:place] = data[place:stop]
        elif kind == 3:
            data[place:place] = rng.choice(ODD)
        elif kind == 4:
            data[place:stop] = rng.choice(ODD)
        elif kind == 5:
            del data[place:]
        else:
            old, new = rng.choice([b",", b"\n", b"1", b'"', b"\0", b"'", b" "]), rng.choice(ODD)
            data = data.replace(old, new, rng.choice([1, 1000]))
    return bytes(data)


def a_cell(rng):
    n, m = rng.randrange(-99, 999), rng.randrange(1, 99)
    kinds = [f"{n}", f"{n}", f"{n}.{m}", f"{n}/{m}", f"{n}.", f".{m}", f"+{m}e-{m}", f"{n}E+00{m}"]
    cell = rng.choice([*kinds, f" {n}", f"{n} \t", f'"{n}"', f' "{n}.5"', f'"\n{n}\r\n"'])
    return (
        cell if rng.random() < 0.995 else rng.choice(["", "O", "nan", "--1", "1e401", "1/0", "."])
    )


def a_csv(rng, decimal):
    width, height = rng.randrange(1, 5), rng.randrange(5)
    rows = [[a_cell(rng) for _ in range(width)] for _ in range(height)]
    if decimal == ",":
        rows = [[cell.replace(".", ",") for cell in row] for row in rows]
    if rng.random() < 0.15:  # a column of names, most of the time that of the target
        for row in rows:
            row[rng.choice([0, 0, 0, -1])] = rng.choice(["a", "b", "label", "", "x y", '"c"'])
    if rng.random() < 0.6:
        names = [*"abcabc", "0", "2", "", "1e999", 'x"y', '"a,\nb"', " b ", "label"]
        rows.insert(0, rng.sample(names, width))
    end = rng.choice(["\n", "\r\n", "\r", "\n\n"])
    mark = rng.choice(";\t" if decimal == "," else ",,;\t")
    text = end.join(mark.join(row) for row in rows) + rng.choice([end, ""])
    return rng.choice(["", "", "\ufeff"]) + text


@pytest.mark.parametrize("form", ["csv", "npy", "idx"])
def test_the_checker_and_the_package_read_alike(tmp_path, rng, form, monkeypatch):
    """Files good and damaged: the same verdict, and the same sizes and digest where it is good."""
    verdicts = []
    for _ in range(slow(20_000, 1000)):
        target, dialect, classes = None, Dialect(), None
        if form == "csv":
            ignore = rng.choice([*[[]] * 40, ["b"], ["1"], ["1"], ["a", "0"], ["9"]])
            dialect = Dialect(ignore, rng.choice("...,"), rng.random() < 0.5)
            monkeypatch.setattr(csvfile, "_CHUNK", rng.choice([3, 20, 2**20]))
            path = tmp_path / "data.csv"
            path.write_bytes(damaged(rng, a_csv(rng, dialect.decimal).encode()))
            classes = rng.choice([*[None] * 12, ("a", "b", "label", "x y", "c", "7")])
            target = rng.choice(["a", "b", "label", *"00000000000000112", "-1", "00", "", "1e999"])
        elif form == "npy":
            path = tmp_path / "data.npy"
            path.write_bytes(damaged(rng, an_npy(rng)))
            target = rng.choice([*"000112", "-1"])
            dialect = Dialect(rng.choice([*[[]] * 9, ["1"], ["2", "0"], ["9"]]))
        else:
            ending = rng.choice(["", "", ".gz", ".GZ"])
            path = tmp_path / f"t-images-idx3-ubyte{ending}"
            labels = tmp_path / f"t-labels-idx1-ubyte{rng.choice([ending, ending, '', '.gz'])}"
            for file, data in zip((path, labels), two_idx(rng), strict=True):
                data = damaged(rng, data) if rng.random() < 0.4 else data
                if rng.random() < 0.5:
                    data = gzip.compress(data, mtime=0)
                    data = rng.choice([*[data] * 6, data + b"\0\0", data + b"x", data + data])
                    data = damaged(rng, data) if rng.random() < 0.2 else data
                file.write_bytes(data)
        ours, used = read_by_package(path, target, dialect, classes)
        theirs = read_by_checker(path, target, dialect, used)
        assert ours == theirs, (target, [file.read_bytes() for file in tmp_path.iterdir()])
        verdicts.append(ours is not None)
        for file in tmp_path.iterdir():
            file.unlink()
    assert 0.1 < sum(verdicts) / len(verdicts) < 0.9


def an_npy(rng):
    height, width = rng.randrange(6), rng.randrange(1, 6)
    kind = rng.choice(
        ["u1", "i1", "u2", "i2", "u4", "i8", "f2", "f4", "f8", "b1", ">i2", ">f8", "c8"]
    )
    values = [[rng.randrange(2) for _ in range(width)] for _ in range(height)]
    array = np.array(values).reshape(height, width).astype(kind)
    if rng.random() < 0.1:
        array = array.view(np.uint8)
        array[array == 1] = rng.randrange(256)
        array = array.view(kind)
    array = rng.choice([*[array] * 6, array.T, array.T, array.ravel(), array[None]])
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of version 3
        np.lib.format.write_array(file, array, rng.choice([(1, 0), (1, 0), (2, 0), (3, 0)]))
    data = file.getvalue()
    changes = [
        (b", }", b"}"),
        (b", }", b",}"),
        (b", ", b","),
        (b"<", b"|"),
        (b"<", b"="),
        (b"<", b""),
    ]
    changes += [
        (b"False", b"True"),
        (b"False", b"0"),
        (b"shape", b"descr"),
        (b"(", b"(0"),
        (b"(", b"["),
    ]
    return data.replace(*rng.choice(changes)) if rng.random() < 0.2 else data


def two_idx(rng):
    shape = [
        rng.randrange(4),
        *(rng.randrange(1, 4) for _ in range(rng.choice([0, 1, 2, 2, 2, 2, 2, 2, 40]))),
    ]
    shape = [shape[0], *([1] * 40 if len(shape) > 5 else shape[1:])]
    n = rng.choice([*[shape[0]] * 6, 2])
    for sizes in (shape, rng.choice([*[[n]] * 6, [n, 1]])):
        code, kind = rng.choice(
            [(8, "B"), (8, "B"), (9, "b"), (11, "h"), (12, "i"), (13, "f"), (14, "d")]
        )
        numbers = [
            rng.randrange(100) / (1 if kind in "Bbhi" else 8) for _ in range(math.prod(sizes))
        ]
        numbers = numbers if kind in "fd" else list(map(int, numbers))
        yield struct.pack(f">BBBB{len(sizes)}I", 0, 0, code, len(sizes), *sizes) + struct.pack(
            f">{len(numbers)}{kind}", *numbers
        )


def read_by_package(path, target, dialect, classes):
    """Sizes and digest as `exactnet memorize` and `verify` read a file, None where they refuse.

    And the classes of the network that is memorized, or `classes`, those that it has already.
    """
    try:
        names = None if classes is None else True
        X, y, _ = read_data(str(path), target, dialect=dialect, names=names)
        if isinstance(y, list):
            classes = class_names(y) if classes is None else classes
            y = encode(y, classes)
        data = Data(X, y)
    except (ValueError, TypeError):
        return None, classes
    return (data.points.shape, data.targets.shape[1], data_digest(data)), classes


def read_by_checker(path, target, dialect, classes):
    options = argparse.Namespace(
        target=[] if target is None else [target],
        ignore=dialect.ignore,
        decimal=dialect.decimal,
        missing="drop" if dialect.drop_missing else None,
    )
    try:
        rows = list(check.read_data(str(path), options, 1, list(classes or ())))
        check.require(rows, "no rows")
    except Exception:
        return None
    sizes = len(rows), len(rows[0][0])
    lines = [",".join(map(str, [*x, *y])) for x, y in rows]
    text = "\n".join([f"exactnet-data 1 {sizes[0]} {sizes[1]} 1", *lines, ""])
    return sizes, 1, hashlib.sha256(text.encode()).hexdigest()


# ------------------------------------------------------------------ bad claims


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_agreement_with_verify(tmp_path, run, rng, layers, parallel):
    """On random networks of every kind and random changes of them."""
    verdicts = set()
    for case in range(6):
        sizes = [rng.randrange(1, 4) for _ in range(layers)] + [rng.choice([1, 2, 3])]
        activations = None
        if case % 2:
            activations = [rng.choice(["relu", "linear"]) for _ in range(layers)]
        net = random_exact_network(rng, sizes, parallel, activations)
        X = [[random_rational(rng) for _ in range(sizes[0])] for _ in range(12)]
        X = [[int(v) for v in row] for row in X] if case % 3 == 0 else X
        y = forward(net, X)
        path, data = claimed(tmp_path, net, X, y)
        original = path.read_text()
        assert json.loads(original)["claim"]["sha256"] == reference_digest(X, y)
        assert run(path, data)[0] == 0
        for _ in range(8):
            document = json.loads(original)
            k = rng.randrange(layers)
            row = rng.randrange(sizes[k + 1])
            place = document["weights"][k][row] if rng.random() < 0.7 else document["biases"][k]
            c = rng.randrange(len(place))
            step = rng.choice([1, -1]) * Fraction(1, 10 ** rng.choice([0, 9]))
            place[c] = str(Fraction(place[c]) + step)
            path.write_text(json.dumps(document))
            good = verify(ExactNetwork.load(path), X, y).exact
            assert run(path, data)[0] == (0 if good else 1)
            verdicts.add(good)
    assert False in verdicts


def parameters(document):
    for matrix in document["weights"]:
        for row in matrix:
            yield from ((row, c) for c in range(len(row)))
    for row in document["biases"]:
        yield from ((row, c) for c in range(len(row)))


@pytest.mark.parametrize(("a1", "a2"), [(3, 3), (4, 1), (1, 4)])
def test_any_changed_parameter_is_found(tmp_path, run, rng, a1, a2):
    X, y = random_points(rng, a1 * a2, 2)
    X = [[a + 1, b + 1] for a, b in X]  # a zero would hide a change of its weight
    path, data = claimed(tmp_path, memorize(X, y, hidden=(a1, a2)), X, y)
    document = json.loads(path.read_text())
    changes = 0
    for row, c in parameters(document):
        original = row[c]
        for change in (Fraction(1, 10**9), Fraction(-1, 10**9), 1):
            row[c] = str(Fraction(original) + change)
            path.write_text(json.dumps(document))
            status, out = run(path, data)
            assert (status, out[:25]) == (1, "REJECTED: wrong output at")
            changes += 1
        row[c] = original
    assert changes == 3 * (2 * a1 + a1 + a1 * a2 + a2 + a2 + 1)
    path.write_text(json.dumps(document))
    assert run(path, data)[0] == 0


def test_any_changed_cell_is_found(tmp_path, run, rng):
    X, y = random_points(rng, 9, 3)
    path, data = claimed(tmp_path, memorize(X, y), X, y)
    rows = [line.split(",") for line in data.read_text().split()]
    for row in rows:
        for c in range(4):
            original = row[c]
            for change in (f"{original}.000000001", str(int(original) - 1), "-" + original + "1"):
                row[c] = change
                data.write_text("\n".join(",".join(r) for r in rows))
                assert run(path, data)[0] == 1
            row[c] = original
    data.write_text("\n".join(",".join(r) for r in rows))
    assert run(path, data)[0] == 0
    for k in range(8):  # row order matters
        swapped = [*rows[:k], rows[k + 1], rows[k], *rows[k + 2 :]]
        data.write_text("\n".join(",".join(r) for r in swapped))
        status, out = run(path, data)
        assert (status, "digest" in out) == (1, True)
    data.write_text("\n".join(",".join(r) for r in rows[:-1]))
    assert run(path, data) == (1, "REJECTED: DATA has 8 points, the claim says 9\n")
    data.write_text("\n".join(",".join(r) for r in [*rows, rows[0]]))
    assert run(path, data) == (1, "REJECTED: DATA has 10 points, the claim says 9\n")


def test_data_that_the_network_reproduces_are_not_enough(tmp_path, run):
    """Other data on which the network is exact, too, are not those of the claim."""
    net = ExactNetwork.from_arrays([[[1, 0]], [[2]]], [[0], [0]])
    path, data = claimed(tmp_path, net, [[1, 5], [2, 6]], [2, 4])
    data.write_text("1,5,2\n2,7,4\n")
    status, out = run(path, data)
    assert (status, out) == (1, "REJECTED: the digest of DATA is not the claim's\n")
    data.write_text("1,5,2\n2,6/1,4.0\n")  # but other ways to write the same numbers are
    assert run(path, data)[0] == 0


def test_a_claim_about_floats_is_not_one_about_decimals(tmp_path, run):
    """And the checker says so; of the floats in .npy it is."""
    X, y = [[0.1, 1.5], [0.7, 2.25], [1.3, 4.0]], [0, 1, 2]
    path, data = claimed(tmp_path, memorize(X, y), X, y)
    data.write_text("0.1,1.5,0\n0.7,2.25,1\n1.3,4.0,2\n")
    status, out = run(path, data)
    assert status == 1
    assert (
        "the digest of DATA is not the claim's (0.1 in CSV is 1/10 and no float: `exactnet mem"
        in out
    )
    assert out.endswith("or write floats as .npy)\n")
    np.save(tmp_path / "data.npy", np.column_stack([X, y]))
    assert run(path, tmp_path / "data.npy")[0] == 0


def test_a_truncated_file_is_rejected_wherever_it_ends(tmp_path, run):
    X, y = [[1, 2], [3, 5], [4, 4]], [1, 0, Fraction(1, 3)]
    path, data = claimed(tmp_path, memorize(X, y), X, y)
    text = path.read_text()
    for length in range(len(text) - 1):  # the last is the end of the line
        path.write_text(text[:length])
        assert run(path, data)[0] == 1
    path.write_text(text[:-1])
    assert run(path, data)[0] == 0


def set_claim(**entries):
    return lambda d: d["claim"].update(entries)


def set_weight(value):
    return lambda d: d["weights"][1][0].__setitem__(0, value)


FAULTS = {
    "no claim": (
        lambda d: d.pop("claim"),
        "net.json' has no claim: `exactnet memorize --claim` or save(claim_for=(X, y)) writes",
    ),
    "more points": (set_claim(points=5), "DATA has 4 points, the claim says 5"),
    "fewer points": (set_claim(points=3), "DATA has 4 points, the claim says 3"),
    "many points": (set_claim(points=10**30), "DATA has 4 points"),
    "other features": (set_claim(features=3), "the claim is of a network of other sizes"),
    "other outputs": (set_claim(outputs=2), "the claim is of a network of other sizes"),
    "no points": (set_claim(points=0), "a size in FILE is not positive"),
    "points is true": (set_claim(points=True), "a size in FILE is not positive"),
    "points is a float": (set_claim(points=4.0), "a size in FILE is not positive"),
    "points is a string": (set_claim(points="4"), "a size in FILE is not positive"),
    "points is NaN": (set_claim(points=float("nan")), "a size in FILE is not positive"),
    "wrong digest": (set_claim(sha256="0" * 64), "the digest of DATA is not the claim's"),
    "empty digest": (set_claim(sha256=""), "the digest of DATA is not the claim's"),
    "digest is null": (set_claim(sha256=None), "the digest of DATA is not the claim's"),
    "no digest": (lambda d: d["claim"].pop("sha256"), "the claim has other entries"),
    "further entry of the claim": (set_claim(exact=True), "the claim has other entries"),
    "claim is a list": (
        lambda d: d.update(claim=[["points", 4], ["features", 2], ["outputs", 1], ["a", 1]]),
        "the claim has other entries",
    ),
    "claim is null": (lambda d: d.update(claim=None), "the claim has other entries"),
    "version": (lambda d: d.update(version=2), "FILE is of another version"),
    "version is true": (lambda d: d.update(version=True), "FILE is of another version"),
    "format": (lambda d: d.update(format="onnx"), "FILE is no network file"),
    "further entry": (lambda d: d.update(extra=1), "other entries than it should"),
    "missing entry": (lambda d: d.pop("biases"), "other entries than it should"),
    "other entry": (lambda d: d.update(bias=d.pop("biases")), "has other entries"),
    "short row": (lambda d: d["weights"][1][0].pop(), "a wrong shape"),
    "missing row": (lambda d: d["weights"][0].pop(), "a wrong shape"),
    "missing bias": (lambda d: d["biases"][1].pop(), "a wrong shape"),
    "missing layer": (lambda d: d["weights"].pop(), "shorter"),
    "further layer": (lambda d: d["weights"].append([["1"]]), "longer"),
    "missing activation": (lambda d: d["activations"].pop(), "longer"),
    "row is a string": (lambda d: d["weights"][1].__setitem__(0, "11"), "a wrong shape"),
    "biases are a string": (lambda d: d["biases"].__setitem__(0, "11"), "a wrong shape"),
    "weights are an object": (lambda d: d["weights"].__setitem__(0, {"1": 1, "2": 2}), "shape"),
    "huge sizes": (lambda d: d.update(layer_sizes=[2, 10**12, 2, 1]), "a wrong shape"),
    "no sizes": (lambda d: d.update(layer_sizes=[]), "no list of two or more"),
    "activation": (lambda d: d["activations"].__setitem__(0, "tanh"), "an unknown activation"),
    "activations are an object": (
        lambda d: d.update(activations=dict.fromkeys(["relu", "linear"])),
        "a wrong shape",
    ),
    "one size": (lambda d: d.update(layer_sizes=[2]), "no list of two or more"),
    "sizes are an object": (lambda d: d.update(layer_sizes={"2": 1}), "no list of two or more"),
    "a size is a float": (lambda d: d["layer_sizes"].__setitem__(1, 2.0), "is not positive"),
    "a size is true": (lambda d: d["layer_sizes"].__setitem__(3, True), "is not positive"),
    "number": (set_weight(1), "is not a rational as a string"),
    "float": (set_weight(1.5), "is not a rational as a string"),
    "NaN": (set_weight(float("nan")), "is not a rational as a string"),
    "decimal": (set_weight("1.5"), "is not a rational as a string"),
    "plus": (set_weight("+1"), "is not a rational as a string"),
    "spaces": (set_weight(" 1"), "is not a rational as a string"),
    "line end": (set_weight("1\n"), "is not a rational as a string"),
    "other digits": (set_weight("\u0661"), "is not a rational as a string"),
    "negative denominator": (set_weight("1/-2"), "is not a rational as a string"),
    "zero denominator": (set_weight("1/0"), "is not a rational as a string"),
    "classes are a string": (lambda d: d.update(classes="ab"), "are not different names"),
    "classes are null": (lambda d: d.update(classes=None), "are not different names"),
    "no classes": (lambda d: d.update(classes=[]), "are not different names"),
    "a class is a number": (lambda d: d.update(classes=["a", 1]), "are not different names"),
    "a class twice": (lambda d: d.update(classes=["a", "b", "a"]), "are not different names"),
    "classes of other data": (lambda d: d.update(classes=["a", "b"]), "'1' is not in list"),
    "many digits": (set_weight("1" * 1_000_001), "1000000"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_rejected(tmp_path, run, name):
    X, y = [[1, 2], [3, 4], [5, 0], [7, 7]], [1, -2, 0, 5]
    path, data = claimed(tmp_path, memorize(X, y), X, y)
    change, reason = FAULTS[name]
    edit(path, change)
    status, out = run(path, data)
    assert (status, reason in out) == (1, True), out
    assert len(out) < 400


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[1, 2]",
        "[" * 100_000,
        '{"a":' * 100_000,
        "P5 28 28 255",
        '{"format":"exactnet","version":' + "[" * 900 + "]" * 900 + "}",
        "\udcff",
    ],
    ids=["empty", "null", "list", "deep list", "deep object", "image", "version", "binary"],
)
def test_other_files_are_rejected(tmp_path, run, text):
    X, y = [[1], [2]], [3, 4]
    path, data = claimed(tmp_path, memorize(X, y), X, y)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert run(path, data)[0] == 1


def test_an_entry_twice_is_rejected(tmp_path, run):
    X, y = [[1], [2]], [3, 4]
    path, data = claimed(tmp_path, memorize(X, y), X, y)
    text = path.read_text()
    path.write_text('{"version":1,' + text[1:])
    assert run(path, data) == (1, "REJECTED: FILE has an entry twice\n")
    path.write_text(text.replace('"points":2', '"points":2,"points":2'))
    assert run(path, data)[0] == 1
    path.write_text(text)
    assert run(path, data)[0] == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n",
        "1,3\n2,nan\n",
        "1,3\n2,inf\n",
        "1,3\n2,1_0\n",
        "1,3\n2,\n",
        "1,3\n2\n",
        "1,3\n2,4,5\n",
        "1,3\n1/0,4\n",
        "1,3\n2,1e999999999\n",
        "1,3\n2,1e-99999999999999999999\n",
        '1,3\n"2,4\n',
        "1,3\n2," + "4" * 200_000 + "\n",
        "1,3\n2,\u0664\n",
        "1,3\n2,\u00e9\n",
        "1,3\n2,4\n\0\n",
        "\udcff\udcfe",
        "\x1f\udc8b packed",
    ],
)
def test_other_data_are_rejected(tmp_path, text):
    """Also where the terminal knows nothing but ASCII."""
    X, y = [[1], [2]], [3, 4]
    path, data = claimed(tmp_path, memorize(X, y), X, y)
    data.write_bytes(text.encode("utf-8", "surrogateescape"))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run(
        [sys.executable, str(SOURCE), path, data], capture_output=True, env=environment
    )
    assert result.returncode in (1, 2)
    assert b"Traceback" not in result.stderr
    assert (result.stdout + result.stderr).count(b"\n") == 1


def test_columns_that_are_not_there_are_rejected(tmp_path, run):
    X, y = [[1], [2]], [3, 4]
    path, data = claimed(tmp_path, memorize(X, y), X, y)
    for target in ("2", "-1", "-2", "label", "99999999999", "1.0", ""):
        assert run(path, data, f"--target={target}")[0] == 1
    assert run(path, data, "--target", "1", "--target", "1")[0] == 1
    assert run(path, data, "--target", "0", "--target", "1")[0] == 1
    assert run(path, data, "--target", "1")[0] == 0


@pytest.mark.parametrize("encoding", ["scalar", "one_hot"])
def test_names_of_classes(tmp_path, run, encoding):
    X, y = [[1, 2], [3, 4], [5, 0], [7, 7]], ["red", "blue", "red", "a, b"]
    net = memorize(X, y, encoding=encoding)
    path, data = tmp_path / "net.json", tmp_path / "data.csv"
    net.save(path, claim_for=(X, y))
    text = 'a;b;c\n1;2;red\n3;4; blue\n5;0;"red"\n7;7;"a, b"\n'
    data.write_text(text)
    assert run(path, data)[0] == run(path, data, "--target", "c")[0] == 0
    assert run(path, data, "--target", "a")[0] == 1
    for old, new in (("red", "blue"), ("red", "Red"), ("blue", "1"), ("blue", "")):
        data.write_text(text.replace(old, new, 1))
        assert run(path, data)[0] == 1
    data.write_text(text)
    edit(path, lambda d: d["classes"].reverse())
    assert run(path, data)[0] == 1
    edit(path, lambda d: d["classes"].pop())
    assert run(path, data)[0] == 1


def test_dialects_are_read_as_said(tmp_path, run):
    net = memorize([[Fraction(3, 2)], [4]], [1, Fraction(-1, 4)])
    path, data = claimed(tmp_path, net, [[Fraction(3, 2)], [4]], [1, Fraction(-1, 4)])
    data.write_text("n;x;t\np;1,5;1\nq;;2\nr;4;-,25\n")
    said = ("--decimal", ",", "--ignore", "n", "--missing", "drop")
    assert run(path, data, *said)[0] == 0
    for k in (2, 4, 6):
        assert run(path, data, *said[: k - 2], *said[k:])[0] == 1


def test_several_target_columns(tmp_path, run):
    net = ExactNetwork.from_arrays([[[1, 0], [1, 1], [0, 2]]], [[0, Fraction(1, 3), 0]])
    X = [[1, 2], [-3, Fraction(1, 7)]]
    y = forward(net, X)
    path, data = claimed(tmp_path, net, X, y)
    assert run(path, data)[0] == 0
    write_csv(
        data, [[r[2], *x] for x, r in zip(X, y, strict=True)], [r[:2] for r in y], header=True
    )
    named = ("--target", "c3", "--target", "c4", "--target", "c0")
    assert run(path, data, *named)[0] == 0
    assert run(path, data)[0] == 1
    assert run(path, data, *named[2:], *named[:2])[0] == 1


def test_wide_rows_of_long_rationals(tmp_path, run, rng):
    """Rows that are not put over a common denominator, since it would be much too long."""
    primes = [p for p in range(1000, 2000) if all(p % k for k in range(2, 45))]
    for parallel in (True, False):
        w = [[Fraction(rng.randrange(1, 9), rng.choice(primes)) for _ in range(20)]]
        w += [[3 * v for v in w[0]] if parallel else w[0][::-1], [-v for v in w[0]]]
        out = [[Fraction(rng.randrange(-9, 9), p) for p in rng.sample(primes, 3)] for _ in range(2)]
        net = ExactNetwork.from_arrays([w, out], [[1, -2, 3], [Fraction(1, 3), 0]])
        X = [[random_rational(rng) for _ in range(20)] for _ in range(10)]
        y = forward(net, X)
        path, data = claimed(tmp_path, net, X, y)
        assert run(path, data)[0] == 0
        edit(path, lambda d: d["biases"][0].__setitem__(0, "1000000001/1000000000"))
        expected = 0 if verify(ExactNetwork.load(path), X, y) else 1
        assert run(path, data)[0] == expected


# ------------------------------------------------------------------ save and load


def test_save_refuses_a_network_that_is_not_exact(tmp_path):
    X, y = [[1, 2], [3, 4], [5, 0], [7, 7]], [1, -2, 0, 5]
    net = memorize(X, y)
    y[2] = 1
    with pytest.raises(ValueError, match=r"row 2 \(counted from 0\)"):
        net.save(tmp_path / "net.json", claim_for=(X, y))
    with pytest.raises(ValueError, match="y has 4 rows but X has 3"):
        net.save(tmp_path / "net.json", claim_for=(X[:3], y))
    assert os.listdir(tmp_path) == []


def test_a_claim_is_not_kept(tmp_path):
    X, y = [[1], [2]], [3, 4]
    path, _ = claimed(tmp_path, memorize(X, y), X, y)
    net = ExactNetwork.load(path)
    assert verify(net, X, y)
    assert not hasattr(net, "claim")
    net.save(path)
    assert "claim" not in json.loads(path.read_text())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_claim(points=0), "claim: points must be a positive integer"),
        (set_claim(points=True), "claim: points must be a positive integer"),
        (set_claim(features=2), "it is of 2 features and 1 outputs, but the network has 1 and 1"),
        (set_claim(outputs=2), "it is of 1 features and 2 outputs"),
        (set_claim(sha256="0" * 63), "sha256 must be 64 lowercase hexadecimal digits"),
        (set_claim(sha256="A" * 64), "sha256 must be 64 lowercase hexadecimal digits"),
        (set_claim(sha256="0" * 64 + "\n"), "sha256 must be 64 lowercase hexadecimal digits"),
        (set_claim(sha256=7), "sha256 must be 64 lowercase hexadecimal digits"),
        (set_claim(more=7), "claim must have the entries points, features, outputs, sha256"),
        (lambda d: d["claim"].pop("points"), "claim must have the entries"),
        (lambda d: d.update(claim=None), "claim must have the entries"),
        (lambda d: d.update(claims={}), "missing or unknown entries: claims"),
    ],
)
def test_load_checks_the_form_of_a_claim(tmp_path, change, reason):
    X, y = [[1], [2]], [3, 4]
    path, _ = claimed(tmp_path, memorize(X, y), X, y)
    edit(path, change)
    with pytest.raises(ValueError, match=r"net\.json: ") as error:
        ExactNetwork.load(path)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
