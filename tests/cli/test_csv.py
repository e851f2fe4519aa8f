"""CSV as it is found: how its cells are separated, written, missing, and damaged."""

import csv
import io
import json
import shutil
import subprocess
import sys
from argparse import Namespace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from exactnet import ExactNetwork, Network, check, verify
from exactnet.cli import csvfile
from exactnet.cli.csvfile import Dialect
from exactnet.cli.datafiles import read_data
from exactnet.datasets import sample_csv
from exactnet.exact.data import as_points

NAMES = ["red", "blue", "red"]
DIALECTS = {
    # name: (text, options, X, y)
    "commas": ("a,b,t\n1,2,3\n4,5,6\n", "", [[1, 2], [4, 5]], [3, 6]),
    "semicolons": ("a;b;t\n1;2;3\n4;5;6\n", "", [[1, 2], [4, 5]], [3, 6]),
    "tabs": ("a\tb\tt\n1\t2\t3\n4\t5\t6\n", "", [[1, 2], [4, 5]], [3, 6]),
    "semicolons without header": ("1;2\n4;5\n", "--target 0", [[2], [5]], [1, 4]),
    "tabs without header": ("1\t2\n4\t5\n", "--target 1", [[1], [4]], [2, 5]),
    "commas in names": ("a, in m;t\n1;2\n", "", [[1]], [2]),
    "semicolons in names": ('"a;b;c",t\n1,2\n', "", [[1]], [2]),
    "a tab behind a number": ("a,t\n1\t,2\n3,4\n", "", [[1], [3]], [2, 4]),
    "decimal commas": ("a;t\n1,5;2\n-,25;3,\n", "--decimal ,", [["3/2"], ["-1/4"]], [2, 3]),
    "decimal commas and tabs": ("a\tt\n1,5\t2\n", "--decimal ,", [["3/2"]], [2]),
    "decimal commas without header": (
        "1,5;2,5\n3;4\n",
        "--decimal , --target 1",
        [["3/2"], [3]],
        ["5/2", 4],
    ),
    "decimal commas in quotes": ('a;t\n"1,5";"-2,5e1"\n', "--decimal ,", [["3/2"]], [-25]),
    "a column less": ("id,a,t\nx,1,2\ny,3,4\n", "--ignore id", [[1], [3]], [2, 4]),
    "a column less by number": ("id,a,t\nx,1,2\n", "--ignore 0", [[1]], [2]),
    "columns less": ("i,a,t,j\nx,1,2,\ny,3,4,?\n", "--ignore i j", [[1], [3]], [2, 4]),
    "an index": (",a,t\n0,1,2\n1,3,4\n", "--ignore 0", [[1], [3]], [2, 4]),
    "ignored with quotes": ('n,t,a\n"a, ""b""\nc",1,2\n', "--ignore n", [[2]], [1]),
    "ignored in UTF-8": ("größe,t,a\nmäßig,1,2\n", "--ignore größe", [[2]], [1]),
    "names": ("a,t\n1,red\n2,blue\n3,red\n", "", [[1], [2], [3]], NAMES),
    "names in front": ("t;a\nred;1\nblue;2\nred;3\n", "--target t", [[1], [2], [3]], NAMES),
    "names without header": ("1,red\n2,blue\n3,red\n", "--target 1", [[1], [2], [3]], NAMES),
    "names in quotes": ('a,t\n1,"red"\n2, "blue"\n3, red\n', "", [[1], [2], [3]], NAMES),
    "names with marks": (
        'a,t\n1,"a,b"\n2,"c\nd"\n3,"e""f"\n',
        "",
        [[1], [2], [3]],
        ["a,b", "c\nd", 'e"f'],
    ),
    "names in UTF-8": (
        "a,t\n1,rot\n2,grün\n3,日\n",
        "",
        [[1], [2], [3]],
        ["rot", "grün", "日"],
    ),
    "a number among names": ("a,t\n1,red\n2,7\n3,red\n", "", [[1], [2], [3]], ["red", "7", "red"]),
    "missing cells": ("a,t\n1,2\n,3\n4,NA\n5,6\n", "--missing drop", [[1], [5]], [2, 6]),
    "all that is missing": (
        "a,t\n"
        + "".join(f"{m},1\n" for m in ("NaN", "nan", "?", "null", "N/A", "#N/A", " ", '""'))
        + "1,2\n",
        "--missing drop",
        [[1]],
        [2],
    ),
    "missing names": (
        "a,t\n1,red\n2,\n3,blue\n4,NA\n5,red\n",
        "--missing drop",
        [[1], [3], [5]],
        NAMES,
    ),
    "missing where it is ignored": ("a,b,t\n1,,2\n", "--ignore b --missing drop", [[1]], [2]),
    "blank lines": ("\n\na,t\n\n1,2\n\n\n3,4\n\n", "", [[1], [3]], [2, 4]),
    "CR LF": ("a,t\r\n1,2\r\n3,4\r\n", "", [[1], [3]], [2, 4]),
    "CR": ("a,t\r1,2\r3,4", "", [[1], [3]], [2, 4]),
    "mark of byte order": ("\ufeffa;t\n1;2\n", "", [[1]], [2]),
    "no last line end": ("a,t\n1,2\n3,4", "", [[1], [3]], [2, 4]),
    "spaces": ("a, t\n 1 , 2 \n\t3\t, 4\n", "", [[1], [3]], [2, 4]),
    "quoted numbers": ('"a","t"\n"1"," 2 "\n"\n3",4\n', "", [[1], [3]], [2, 4]),
    "fractions": ("a,t\n1/3,-2/4\n+1/7,3\n", "", [["1/3"], ["1/7"]], ["-1/2", 3]),
    "exponents": ("a,t\n1e-3,2E+2\n.5e1,3.e0\n", "", [["1/1000"], [5]], [200, 3]),
    "zeros": ("a,t\n-0,0.000\n000,0e99\n", "", [[0], [0]], [0, 0]),
    "digits beyond 64 bits": (
        "a,t\n12345678901234567890123.5,1\n0.00000000000000000000000000000000012345678901,2\n",
        "",
        [["24691357802469135780247/2"], [f"12345678901/{10**44}"]],
        [1, 2],
    ),
    "digits beyond 128 bits": (
        "a,t\n" + "9" * 60 + ",1\n1.5,2\n",
        "",
        [["9" * 60], ["3/2"]],
        [1, 2],
    ),
    "digits of floats": (
        "a,t\n" + "".join(f"{k / 7!r},{k / 3:.18e}\n" for k in range(9)),
        "",
        [[f"{k / 7!r}"] for k in range(9)],
        [f"{k / 3:.18e}" for k in range(9)],
    ),
    "large and small": ("a,t\n1e300,1\n1e-300,2\n", "", [["1e300"], ["1e-300"]], [1, 2]),
    "whole decimals": ("a,t\n1.0,5.00\n2.50,7.00\n", "", [[1], ["5/2"]], [5, 7]),
}
DAMAGES = {
    # name: (text, options, reason)
    "no target": (
        "a;b;t\n1;2;3\n",
        None,
        "name the target column with --target, such as --target t; the columns are a, b, t",
    ),
    "no such target": ("a;b\n1;2\n", "", "there is no column 't'; the columns are a, b"),
    "no such column": ("a,t\n1,2\n", "--ignore z", "there is no column 'z'; the columns are a, t"),
    "target ignored": ("a,t\n1,2\n", "--ignore t", "column 't' is the target, it cannot be ig"),
    "nothing left": ("a,t\n1,2\n", "--ignore a", "there are no columns besides the target"),
    "text": ("a,n,t\n1,x,2\n3,y,4\n", "", "line 2, column 'n': 'x' is not a number; --ignore n "),
    "text with spaces": ("my n,a,t\nx,1,2\ny,3,4\n", "", "--ignore 'my n' leaves out a column"),
    "one odd cell": ("a,t\n1,2\nx,4\n3,5\n", "", "line 3, column 'a': 'x' is not a number\n"),
    "one odd target": ("a,t\n1,2\n2,5O\n3,5\n", "", "line 3, column 't': '5O' is not a number\n"),
    "empty": ("a,t\n1,2\n,4\n", "", "line 3, column 'a': '' is not a number; --missing drop "),
    "NA": ("a,t\n1,2\n3,NA\n", "", "line 3, column 't': 'NA' is not a number; --missing drop "),
    "empty name": (
        "a,t\n1,x\n2,\n3,y\n",
        "",
        "line 3, column 't': '' is not the name of a class; --missing drop",
    ),
    "all missing": ("a,t\n1,\n,2\n", "--missing drop", "there are no rows without a missing cell"),
    "decimal commas": (
        "a;t\n1;2\n1,5;2\n",
        "",
        "line 3, column 'a': '1,5' is not a number; --decimal , takes decimal commas",
    ),
    "points for commas": ("a;t\n1.5;2\n", "--decimal ,", "line 2, column 'a': '1.5' is not a num"),
    "longer": ("a;t\n1;2\n1;2;3\n", "", "line 3 has 3 cells, the first line has 2"),
    "shorter": ("a,b,t\n1,2,3\n\n1,2\n", "", "line 4 has 2 cells, the first line has 3"),
    "open quote": ('a,t\n1,2\n"3,4\n', "", "line 3: a quote is not closed"),
    "text behind a quote": ('a,t\n"1"x,2\n', "", "line 2: ',' expected after '\"'"),
    "latin-1": ("a,t\n1,2\n\udce4,3\n", "", "not a text file in UTF-8"),
    "ignored latin-1": ("n,a,t\n\udce4,1,2\n", "--ignore n", "not a text file in UTF-8"),
    "equal rows": (
        "a,t\n\n1,2\n3,4\n\n1,5\n",
        "",
        "rows 0 and 2 of X are equal but their targets differ: 2 and 5; leave one of them out "
        "(lines 3 and 6 of the file)",
    ),
}


def words(options):
    return ["--target", "t", *options.split()] if "--target" not in options else options.split()


def parsed(options):
    """Options of the command line as `read_data` takes them, and as the checker does."""
    values = {"target": None, "ignore": [], "decimal": ".", "missing": None}
    for word in words(options):
        if word.startswith("--"):
            name = word[2:]
        elif name == "ignore":
            values[name].append(word)
        else:
            values[name] = word
    dialect = Dialect(values["ignore"], values["decimal"], values["missing"] == "drop")
    return values["target"], dialect, Namespace(**{**values, "target": [values["target"]]})


def rows_of(table):
    return [list(row) for row in zip(*map(table.rationals, range(table.shape[1])), strict=True)]


@pytest.fixture(params=[7, csvfile._CHUNK])
def chunk(request, monkeypatch):
    """Files read in very small parts, too."""
    monkeypatch.setattr(csvfile, "_CHUNK", request.param)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("name", DIALECTS)
def test_dialects(tmp_path, name):
    text, options, X, y = DIALECTS[name]
    X = [[Fraction(v) for v in row] for row in X]
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode())
    target, dialect, for_checker = parsed(options)
    has_names = isinstance(y[0], str) and y[0][0].isalpha()

    exact = read_data(str(path), target, dialect=dialect)
    assert rows_of(exact.X) == X
    same = as_points(X)  # with the same denominators, and 64 bits where they suffice
    assert same.denominators == exact.X.denominators
    assert same.numerators.dtype == exact.X.numerators.dtype
    numbers = [] if has_names else [Fraction(v) for v in y]
    assert exact.y == y if has_names else exact.y.rationals(0) == numbers

    floats = read_data(str(path), target, exact=False, dialect=dialect)
    assert floats.X.tobytes() == np.array([[float(v) for v in row] for row in X]).tobytes() or (
        name == "zeros"
        and np.signbit(floats.X).tolist() == [[True], [False]]
        and not floats.X.any()
    )
    assert list(floats.y) == (y if has_names else [float(v) for v in numbers])

    # a line holds the cells of its row, or the last of its lines the end of them
    lines = io.StringIO(text.removeprefix("\ufeff"), newline="").readlines()
    for line, row in zip(exact.lines, X, strict=True):
        cell = str(row[0]) if row[0].denominator == 1 and abs(row[0]) < 10 else ""
        assert name == "names with marks" or cell.lstrip("-0") in lines[line - 1]
    if name == "names with marks":
        assert exact.lines.tolist() == [2, 4, 5]

    classes = sorted(set(y)) if has_names else []
    found = list(check.read_data(str(path), for_checker, 1, classes))
    targets = [classes.index(v) for v in y] if has_names else numbers
    assert found == [(row, [t]) for row, t in zip(X, targets, strict=True)]


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("name", DAMAGES)
def test_damages(tmp_path, run, name):
    text, options, reason = DAMAGES[name]
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    arguments = [] if options is None else words(options)
    status, out, err = run("memorize", path, *arguments, "-o", tmp_path / "net.json")
    assert (status, out) == (2, "")
    assert err.startswith("exactnet: error: ")
    assert err.count("\n") == 1
    assert reason in err
    assert not (tmp_path / "net.json").exists()


def test_there_are_forty():
    assert len(DIALECTS) + len(DAMAGES) >= 40


def test_a_file_that_is_not_there_is_said_first(tmp_path, run):
    err = run("memorize", tmp_path / "none.csv", "-o", tmp_path / "net.json")[2]
    assert err == f"exactnet: error: {tmp_path / 'none.csv'}: No such file or directory\n"


def test_dropped_rows_are_counted(tmp_path, run):
    path, net = tmp_path / "data.csv", tmp_path / "net.json"
    path.write_text("a,t\n1,2\n,3\n4,NA\n5,6\n")
    arguments = (path, "--target", "t", "--missing", "drop")
    status, _, err = run("memorize", *arguments, "-o", net)
    assert (status, err) == (0, f"{path}: dropped 2 rows with missing cells, 2 are left\n")
    path.write_text("a,t\n1,2\n,3\n4,NA\n5,7\n")
    status, out, _ = run("verify", net, *arguments)
    assert status == 1
    assert "the first is row 1 (counted from 0, line 5 of the file)" in out
    out = run("verify", net, *arguments, "--json")[1]
    assert json.loads(out)["first_wrong_line"] == 5


def test_floats_out_of_range_are_told_by_line(tmp_path, run):
    path = tmp_path / "data.csv"
    path.write_text("a,t\n\n1,2\n1e39,3\n")
    status, _, err = run("train", path, "--target", "t", "-o", tmp_path / "net")
    assert (status, "X[1, 0]" in err) == (2, True)
    assert err.endswith(" (line 4 of the file)\n")


def test_options_of_csv_are_refused_for_other_files(tmp_path, run):
    path = tmp_path / "data.npy"
    np.save(path, np.array([[1, 2, 3], [4, 5, 6]]))
    command = ("memorize", path, "--target", "2", "-o", tmp_path / "net.json")
    assert "--decimal and --missing are for CSV" in run(*command, "--decimal", ",")[2]
    assert "--decimal and --missing are for CSV" in run(*command, "--missing", "drop")[2]
    assert run(*command, "--ignore", "0")[0] == 0
    assert verify(ExactNetwork.load(tmp_path / "net.json"), [[2], [5]], [3, 6])
    assert "cannot be ignored" in run(*command, "--ignore", "2")[2]
    np.savez(tmp_path / "data.npz", X=[[1], [2]], y=[1, 2])
    command = ("memorize", tmp_path / "data.npz", "-o", tmp_path / "net.json")
    assert "--ignore is for CSV and .npy" in run(*command, "--ignore", "0")[2]


@pytest.mark.parametrize("form", ["{:.3f}", "{!r}", "{:.18e}", "{:.25f}", "{:.0f}"])
def test_random_numbers(tmp_path, rng, form):
    """Thousands of rows, read by the core but for those that are not plain."""
    rows = [
        [rng.choice([-1, 1]) * rng.random() * 10.0 ** rng.randrange(-9, 9) for _ in range(4)]
        for _ in range(3000)
    ]
    cells = [[form.format(v) for v in row] for row in rows]
    for _ in range(30):
        row = rng.choice(cells)
        row[rng.randrange(4)] = rng.choice(['"\n1"', "1/3", "1e-400", "9" * 50, "0" * 600 + "7"])
    path = tmp_path / "data.csv"
    path.write_text("".join(";".join(row) + "\n" for row in cells))
    expected = [[Fraction(cell.strip('"\n')) for cell in row] for row in cells]
    X, y, _ = read_data(str(path), "3")
    assert [[*x, t] for x, t in zip(rows_of(X), y.rationals(0), strict=True)] == expected
    X, y, _ = read_data(str(path), "3", exact=False)
    nearest = [[n.numerator / n.denominator for n in row] for row in expected]
    assert np.column_stack([X, y]).tolist() == nearest


def test_names_of_classes_from_file_to_file(tmp_path, run):
    """Memorized, verified, checked without the package, and told by name."""
    data, net = tmp_path / "iris.csv", tmp_path / "iris.json"
    shutil.copy(sample_csv(), data)
    target = ("--target", "species")
    assert run("memorize", data, *target, "-o", net, "--claim")[0] == 0
    assert ExactNetwork.load(net).classes == ("setosa", "versicolor", "virginica")
    assert run("verify", net, data, *target)[0] == 0
    checker = [sys.executable, check.__file__, net, data]
    assert subprocess.run([*checker, *target]).returncode == 0
    status, out, err = run("predict", net, data, *target, "--classify")
    species = [line.rpartition(",")[2] for line in data.read_text().splitlines()[1:]]
    assert (status, out.split(), err) == (0, species, "accuracy 1.0000: 150 of 150\n")
    unnamed = tmp_path / "points.csv"
    unnamed.write_text("5.1,3.5,1.4,0.2\n5.9,3.0,5.1,1.8\n")
    assert run("predict", net, unnamed, "--classify") == (0, "setosa\nvirginica\n", "")
    data.write_text(data.read_text().replace("5.1,3.5,1.4,0.2,setosa", "5.1,3.5,1.4,0.2,virginica"))
    status, out, _ = run("verify", net, data, *target)
    assert (status, "line 2 of the file" in out) == (1, True)
    assert subprocess.run([*checker, *target], stdout=subprocess.DEVNULL).returncode == 1
    data.write_text(data.read_text().replace("setosa", "daisy"))
    status, _, err = run("verify", net, data, *target)
    assert (status, err.count("\n"), "'daisy'" in err) == (2, 1, True)
    assert err.endswith(" (line 3 of the file)\n")  # the second is one of virginica by now
    status, out, err = run("predict", net, data, *target, "--classify")
    assert (status, out, err.count("\n"), "'daisy'" in err) == (2, "", 1, True)


def test_targets_to_classify_are_those_the_network_knows(tmp_path, run):
    """Codes for names, and names for codes, are errors, not the accuracy 0."""
    data = tmp_path / "data.csv"
    for net in (tmp_path / "net.safetensors", tmp_path / "net.json"):
        command = "train" if net.suffix != ".json" else "memorize"
        assert run(command, sample_csv(), "--target", "species", "-o", net)[0] == 0
        data.write_text("a,b,c,d,t\n5,4,1,2,setosa\n\n5,4,1,3,1\n")
        status, out, err = run("predict", net, data, "--target", "t", "--classify")
        reason = "y[1] is '1', which is none of the classes 'setosa', 'versicolor', 'virginica'"
        assert (status, out) == (2, "")
        assert err == f"exactnet: error: {reason} (line 4 of the file)\n"
        for codes, status, said in (
            ([0, 2], 0, "accuracy "),
            ([0, 3], 2, "exactnet: error: y[1] is 3, which is no code of 'setosa', "),
        ):
            np.savez(tmp_path / "data.npz", X=[[5.0, 4, 1, 2], [5, 4, 1, 3]], y=codes)
            found, _, err = run("predict", net, tmp_path / "data.npz", "--classify")
            assert found == status
            assert err.startswith(said)
    np.savez(tmp_path / "codes.npz", X=np.eye(4), y=[0, 1, 2, 1])
    assert run("train", tmp_path / "codes.npz", "-o", tmp_path / "net")[0] == 0
    status, out, err = run("predict", tmp_path / "net", sample_csv(), "--target", "4", "--classify")
    assert (status, out) == (2, "")
    assert "names of classes, of which the network knows none" in err


def test_training_on_names_of_classes(tmp_path, run):
    net = tmp_path / "net.safetensors"
    arguments = ("train", sample_csv(), "--target", "species", "--test", sample_csv(), "-o", net)
    status, out, _ = run(*arguments, "--epochs", "2")
    assert (status, out.splitlines()[0]) == (0, "task: classify, 3 classes")
    network = Network.load(net)
    assert network.classes == ("setosa", "versicolor", "virginica")
    status, out, err = run("predict", net, sample_csv(), "--target", "species", "--classify")
    X, y, _ = read_data(sample_csv(), "species", exact=False)
    told = np.array(network.classes)[network.classify(X)].tolist()
    assert (status, out.split()) == (0, told)
    right = sum(a == b for a, b in zip(told, y, strict=True))
    assert err == f"accuracy {right / 150:.4f}: {right} of 150\n"
    out = tmp_path / "told.npy"
    assert run("predict", net, sample_csv(), "--target", "4", "--classify", "-o", out)[0] == 0
    assert np.load(out).tolist() == told
    assert "must be numbers" in run(*arguments, "--task", "regress")[2]


def test_names_with_commas_are_quoted(tmp_path, run):
    data = tmp_path / "data.csv"
    data.write_text('a;t\n1;"x, y"\n2;"say ""z"""\n3;"x, y"\n')
    assert run("memorize", data, "--target", "t", "-o", tmp_path / "net.json")[0] == 0
    out = run("predict", tmp_path / "net.json", data, "--target", "t", "--classify")[1]
    assert list(csv.reader(io.StringIO(out))) == [["x, y"], ['say "z"'], ["x, y"]]


def test_one_sigmoid_output_has_classes(tmp_path, run):
    net = Network.from_arrays([[[1, -1]]], [[0]], activations="sigmoid")
    net.save(tmp_path / "net.safetensors")
    (tmp_path / "data.csv").write_text("a,b,t\n2,1,1\n1,2,0\n5,4,0\n")
    command = ("predict", tmp_path / "net.safetensors", tmp_path / "data.csv", "--target", "t")
    assert run(*command, "--classify") == (0, "1\n0\n1\n", "accuracy 0.6667: 2 of 3\n")


@pytest.mark.parametrize(
    ("targets", "task"),
    [
        ([k % 3 for k in range(30)], "classify, 3 classes"),
        ([k % 2 for k in range(4)], "classify, 2 classes"),
        ([(k * 37) % 347 for k in range(442)], "regress, 1 output"),
        ([(k * 7) % 40 for k in range(442)], "regress, 1 output"),
        ([18 + k % 73 for k in range(1000)], "regress, 1 output"),  # ages
        ([k % 26 for k in range(26 * 70)], "classify, 26 classes"),
        ([(k % 5) * 10 for k in range(50)], "classify, 41 classes, of which 5 occur"),
        ([k / 4 for k in range(30)], "regress, 1 output"),
        ([-1, 1] * 10, "regress, 1 output"),
    ],
)
def test_tasks_are_recognised(tmp_path, run, targets, task):
    path = tmp_path / "data.csv"
    path.write_text("".join(f"{k / 100},{t}\n" for k, t in enumerate(targets)))
    command = ("train", path, "--target", "1", "--epochs", "1", "--learning-rate", "1e-6")
    status, out, _ = run(*command, "-o", tmp_path / "net")
    assert (status, out.startswith(f"task: {task} (--task ")) == (0, True), out
    status, out, _ = run(*command, "-o", tmp_path / "net", "--task", "regress")
    assert out.splitlines()[0] == "task: regress, 1 output"


def test_the_sample_is_that_of_scikit_learn(run):
    status, out, err = run("sample")
    assert (status, out, err) == (0, Path(sample_csv()).read_text(), "")
    bunch = pytest.importorskip("sklearn.datasets").load_iris()
    X, y, _ = read_data(sample_csv(), "species", exact=False)
    np.testing.assert_array_equal(X, bunch.data)
    assert y == bunch.target_names[bunch.target].tolist()
