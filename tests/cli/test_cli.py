import io
import json
import os
import pickle
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from conftest import HEAR_CTRL_C, random_points, slow
from exactnet import ExactNetwork, Network, datasets, verify
from exactnet.cli import datafiles, demo, main

PROGRAM = [sys.executable, "-m", "exactnet"]


@pytest.fixture
def run(capsys):
    def call(*arguments):
        status = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b,label\n0,0.5,1\n1,0.25,-2\n2,1e-3,1/3\n3,7,4\n")
    return path


@pytest.fixture
def network(tmp_path, data, run):
    path = tmp_path / "net.json"
    assert run("memorize", data, "--target", "label", "-o", path)[0] == 0
    return path


def article_text():
    """The article's printed parameters, from `1st layer` to `b3`, as test_memorize.py has them."""
    from test_memorize import ARTICLE

    def fraction(text):
        n, _, d = text.partition("/")
        return f"Fraction({n}, {d or 1})"

    lines = [fraction(b) for b in ARTICLE["b1"] + ARTICLE["b2"]]
    return lines + [fraction(w) for row in ARTICLE["W2"] for w in row] + ["[[ 1 -1  1]]", "[[16]]"]


def test_demo(run):
    start = time.perf_counter()
    status, out, err = run("demo")
    assert time.perf_counter() - start < 20
    assert (status, err) == (0, "")
    for text in article_text():
        assert text in out
    assert "MP(x) - output = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]" in out
    assert "[64, 43, 42, 1]" in out
    assert "0 of 1797" in out
    assert "[64, 30, 10], sigmoid" in out
    assert re.search(
        r"trained in +0\.\d+ s, 30 epochs\nright on .* 9\d\.\d%\nright on 360 .* 9", out
    )


def test_demo_for_machines(run):
    status, out, _ = run("demo", "--json")
    facts = json.loads(out)
    assert status == 0
    assert facts["nine_points"]["article"]["exact"]
    assert facts["nine_points"]["exactnet"]["largest_bits"] <= 32
    digits = facts["digits"]
    assert digits["layer_sizes"] == [64, 43, 42, 1]
    assert (digits["exact"], digits["n_points"], digits["n_wrong"]) == (True, 1797, 0)
    assert digits["float64_max_error"] > 0
    training = facts["training"]
    assert (training["layer_sizes"], training["epochs"]) == ([64, 30, 10], 30)
    assert (training["n_train"], training["n_test"]) == (1437, 360)
    assert 0.95 < training["train_accuracy"] <= 1
    assert 0.85 < training["test_accuracy"] < 1
    assert training["seconds"] > 0


def test_demo_fails_when_anything_is_wrong(run, monkeypatch):
    from exactnet.exact.verification import verify as real

    def wrong(network, X, y, **arguments):
        return real(network, X, np.asarray(y) + (len(y) > 1000), **arguments)

    monkeypatch.setattr(demo, "verify", wrong)
    assert run("demo")[0] == 1


def test_float64_contrast_is_that_of_a_float_network():
    net = ExactNetwork.from_arrays([[[2**2000]], [[1]]], [[0], [0]])
    assert demo.float64_error(net, np.array([[1.0]]), np.array([0])) == float("inf")
    net = ExactNetwork.from_arrays([[[0.5]], [[2]]], [[1], [0]])
    assert demo.float64_error(net, np.array([[1.0], [4.0]]), np.array([3, 5])) == 1


def test_memorize_and_verify(tmp_path, data, run):
    path = tmp_path / "net.json"
    status, out, err = run("memorize", data, "--target", "label", "--hidden", "2x2", "-o", path)
    assert (status, err) == (0, "")
    assert "constructed [2, 2, 2, 1]" in out
    assert "all 4 outputs equal their targets" in out
    status, out, err = run("verify", path, data, "--target", "label")
    assert (status, err) == (0, "")
    assert "all 4 outputs equal their targets" in out


def test_decimals_are_exact(tmp_path, run):
    path = tmp_path / "data.csv"
    path.write_text("x,y\n0.1,1\n-.2e1,-1/3\n3.,+1.25E-2\n")
    assert run("memorize", path, "--target", "y", "-o", tmp_path / "net.json")[0] == 0
    net = ExactNetwork.load(tmp_path / "net.json")
    X = [[Fraction(1, 10)], [-2], [3]]
    assert verify(net, X, [1, Fraction(-1, 3), Fraction(1, 80)])
    assert not verify(net, [[0.1]], [1])  # the binary fraction nearest to 0.1


def test_json(tmp_path, data, run):
    path = tmp_path / "net.json"
    status, out, _ = run("memorize", data, "--target", "2", "-o", path, "--json", "--threads", "2")
    facts = json.loads(out)
    assert status == 0
    assert facts["layer_sizes"] == [2, 2, 2, 1]
    assert facts["exact"] is True
    status, out, _ = run("verify", path, data, "--target", "label", "--json")
    facts = json.loads(out)
    assert status == 0
    assert (facts["n_points"], facts["n_wrong"], facts["max_error"]) == (4, 0, "0")


def test_claim(tmp_path, data, run, monkeypatch):
    path = tmp_path / "net.json"
    calls = []

    def counted(*arguments, **options):
        calls.append(arguments)
        return verify(*arguments, **options)

    monkeypatch.setattr("exactnet.cli.memorizing.verify", counted)
    monkeypatch.setattr("exactnet.exact.verification.verify", counted)
    arguments = ("memorize", data, "--target", "label", "-o", path)
    assert run(*arguments)[0] == 0
    assert "claim" not in json.loads(path.read_text())
    calls.clear()
    status, out, err = run(*arguments, "--claim")
    assert (status, err) == (0, "")
    assert "all 4 outputs equal their targets" in out
    assert len(calls) == 1  # not once for the report and again for the claim
    X = [[0, 0.5], [1, 0.25], [2, Fraction(1, 1000)], [3, 7]]
    other = tmp_path / "other.json"
    ExactNetwork.load(path).save(other, claim_for=(X, [1, -2, Fraction(1, 3), 4]))
    assert other.read_bytes() == path.read_bytes()
    assert run("verify", path, data, "--target", "label")[0] == 0
    assert run("predict", path, data, "--target", "label")[0] == 0
    check = [sys.executable, "-m", "exactnet.check", path, data, "--target"]
    assert subprocess.run([*check, "label"]).returncode == 0
    assert subprocess.run([*check, "a"]).returncode == 1


def test_no_claim_without_exactness(tmp_path, data, run, monkeypatch):
    def wrong(network, data, **options):
        return verify(network, data.X, [v + 1 for v in data.y], **options)

    monkeypatch.setattr("exactnet.cli.memorizing.verify", wrong)
    path = tmp_path / "net.json"
    status, out, err = run("memorize", data, "--target", "label", "-o", path, "--claim")
    assert (status, out) == (2, "")
    assert "the network is not exact, nothing can be claimed" in err
    assert not path.exists()


def test_verify_exits_1_when_not_exact(network, data, run):
    data.write_text(data.read_text().replace("1,0.25,-2", "1,0.25,-3"))
    status, out, err = run("verify", network, data, "--target", "label")
    assert (status, err) == (1, "")
    assert out == (
        "NOT exact: 1 of 4 points are wrong, the first is row 1 (counted from 0), "
        "the largest error is 1\n"
    )
    status, out, _ = run("verify", network, data, "--target", "label", "--json")
    assert status == 1
    assert json.loads(out)["first_wrong"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffa,b,label\n1,2,3\n4,5,6\n",  # byte-order mark
        '"a","b","label"\n"1","2","3"\n"4", "5","6"\n',
        "a,b,label\r\n1,2,3\r\n\r\n4,5,6\r\n",
        "a,b,label\n 1 , 2 , 3 \n4,+5,6.0",
    ],
    ids=["bom", "quoted", "crlf", "spaces"],
)
def test_accepted_csv(tmp_path, run, text):
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode())
    status, _, err = run("memorize", path, "--target", "label", "-o", tmp_path / "net.json")
    assert (status, err) == (0, "")
    assert verify(ExactNetwork.load(tmp_path / "net.json"), [[1, 2], [4, 5]], [3, 6])


def test_csv_without_header_and_quoted_names(tmp_path, run):
    path = tmp_path / "data.csv"
    path.write_text("1,2,3\n4,5,6\n")
    assert run("memorize", path, "--target", "0", "-o", tmp_path / "net.json")[0] == 0
    assert verify(ExactNetwork.load(tmp_path / "net.json"), [[2, 3], [5, 6]], [1, 4])
    path.write_text('"x, in ""m""","the\ntarget"\n1,2\n3,4\n')
    assert run("memorize", path, "--target", "the\ntarget", "-o", tmp_path / "net.json")[0] == 0


def test_numpy_files(tmp_path, run, rng):
    X, y = random_points(rng, 20, 3)
    np.savez(tmp_path / "data.npz", X=np.array(X), y=np.array(y))
    np.save(tmp_path / "data.npy", np.column_stack([X, y]))
    assert run("memorize", tmp_path / "data.npz", "-o", tmp_path / "net.json")[0] == 0
    arguments = ("verify", tmp_path / "net.json", tmp_path / "data.npy", "--target", "3")
    assert run(*arguments)[0] == 0


def test_long_numbers_in_csv(tmp_path, run):
    path = tmp_path / "data.csv"
    path.write_text("x,y\n1" + "0" * 5000 + ",1\n1" + "0" * 5000 + ".5,2\n")
    assert run("memorize", path, "--target", "y", "-o", tmp_path / "net.json")[0] == 0


BAD_CSV = {
    "missing column": ("a,b\n1,2\n", "there is no column 'label'; the columns are a, b"),
    "no header": ("1,2\n3,4\n", "there is no column 'label'; the columns are 0 to 1"),
    "text cell": ("a,label\n1,2\nx,4\n", "line 3, column 'a': 'x' is not a number"),
    "empty cell": ("a,label\n1,2\n,4\n", "line 3, column 'a': '' is not a number"),
    "nan": ("a,label\n1,nan\n", "line 2, column 'label': 'nan' is not a number"),
    "lone sign": ("a,label\n-,1\n", "line 2, column 'a': '-' is not a number"),
    "lone point": ("a,label\n.,1\n", "line 2, column 'a': '.' is not a number"),
    "lone exponent": ("a,label\ne5,1\n", "line 2, column 'a': 'e5' is not a number"),
    "underscore": ("a,label\n1_0,1\n", "line 2, column 'a': '1_0' is not a number"),
    "typing error in the first row": ("0,5O\n1,2\n", "there is no column 'label'"),
    "no rows": ("a,label\n", "there are no rows below the header"),
    "empty": ("", "the file is empty"),
    "ragged": ("a,label\n1,2\n1,2,3\n", "line 3 has 3 cells, the first line has 2"),
    "only the target": ("label\n1\n", "there are no columns besides the target"),
    "two targets": ("a,label,label\n1,2,3\n", "there are 2 columns 'label'"),
    "open quote": ('a,label\n"1,2\n', "line 2: unexpected end of data"),
    "division by zero": ("a,label\n1/0,2\n", "line 2, column 'a': '1/0' divides by 0"),
    "exponent": (
        "a,label\n1e999999999,2\n",
        "line 2, column 'a': '1e999999999' has too large an exponent",
    ),
    "line after a multi-line cell": ('a,label\n"1\n",2\nx,1\n', "line 4, column 'a': 'x'"),
    "conflict": ("a,label\n1,2\n1,3\n", "rows 0 and 1 of X are equal but their targets differ"),
}


@pytest.mark.parametrize("name", BAD_CSV)
def test_bad_csv(tmp_path, run, name):
    text, reason = BAD_CSV[name]
    path = tmp_path / "data.csv"
    path.write_text(text)
    status, out, err = run("memorize", path, "--target", "label", "-o", tmp_path / "net.json")
    assert (status, out) == (2, "")
    assert err.startswith("exactnet: error: ")
    assert err.count("\n") == 1
    assert reason in err
    assert not (tmp_path / "net.json").exists()


def test_a_faulty_first_row_is_not_taken_for_names(tmp_path, network, run):
    path = tmp_path / "data.csv"
    path.write_text("0,0.5,l\n1,2,3\n")
    status, out, err = run("verify", network, path, "--target", "2")
    assert (status, out) == (2, "")
    assert "line 1, column '2': 'l' is not a number" in err
    path.write_text(",0,1,label\n7,8,9,1\n")  # names that are numbers, beside one that is not
    assert run("memorize", path, "--target", "label", "-o", tmp_path / "n.json")[0] == 0
    assert ExactNetwork.load(tmp_path / "n.json").layer_sizes[0] == 3


def test_errors_of_any_size_are_reported(tmp_path, run):
    path = tmp_path / "data.csv"
    path.write_text("x,y\n+1/2,1e400\n2,0\n")
    assert run("memorize", path, "--target", "y", "-o", tmp_path / "n.json")[0] == 0
    path.write_text("x,y\n+1/2,1\n2,0\n")
    status, out, err = run("verify", tmp_path / "n.json", path, "--target", "y")
    assert (status, err) == (1, "")
    assert "the largest error is about 1e+400" in out


def test_the_output_must_not_be_the_data(data, run):
    before = data.read_text()
    status, _, err = run("memorize", data, "--target", "label", "-o", data)
    assert status == 2
    assert "the output would replace what it is made from" in err
    assert data.read_text() == before


def test_large_network_files_need_leave(network, data, run):
    arguments = ("verify", network, data, "--target", "label", "--max-bytes")
    assert run(*arguments, "100")[0] == 2
    assert run(*arguments, "100000")[0] == 0


def test_damaged_archives(tmp_path, network, run):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, X=np.arange(2000.0).reshape(1000, 2), y=np.arange(1000))
    data = bytearray(path.read_bytes())
    for k in range(100, 400):
        data[k] ^= 0x55
    path.write_bytes(data)
    status, _, err = run("verify", network, path)
    assert status == 2
    assert err.startswith("exactnet: error: ")
    assert err.count("\n") == 1


class Unpickled:
    def __reduce__(self):
        return (print, ("un", "pickled"))


@pytest.mark.parametrize("ending", [".npy", ".npz", "object.npy", "object.npz", "pickle.npy"])
def test_damaged_arrays_are_one_line(tmp_path, network, run, rng, ending):
    """Whatever is wrong with a file, it is said in a line; nothing is ever unpickled."""
    path, clean = tmp_path / f"data{ending}", io.BytesIO()
    X, y = np.arange(12.0).reshape(6, 2), np.arange(6)
    if "object" in ending:
        X = X.astype(object)
        X[0, 0] = Unpickled()
    if ending == "pickle.npy":
        clean.write(pickle.dumps(Unpickled()))
    elif ending.endswith("npy"):
        np.save(clean, X, allow_pickle=True)
    else:
        rng.choice([np.savez, np.savez_compressed])(clean, X=X, y=y)
    arguments = ["--target", "0"] if ending.endswith("npy") else []
    statuses = Counter()
    for _ in range(slow(3000, 60)):
        data = bytearray(clean.getvalue())
        for _ in range(rng.choice([0, 1, 1, 2, 5])):
            place = rng.randrange(len(data) + 1)
            stop = place + rng.choice([1, 1, 3, 20])
            kind = rng.randrange(5)
            if kind == 0:
                data[place:stop] = rng.randbytes(stop - place)
            elif kind == 1:
                del data[place:stop]
            elif kind == 2:
                data[place:place] = data[place:stop]
            elif kind == 3:
                data[place:stop] = rng.choice(
                    [b"'", b"(", b"[" * 99, b"\n", b"\0", b"1" * 30, b"L"]
                )
            elif rng.random() < 0.3:
                del data[place:]
        path.write_bytes(data)
        status, out, err = run("memorize", path, *arguments, "-o", tmp_path / "new.json")
        assert "un pickled" not in out + err
        assert status in (0, 2)
        assert status == 0 or (out, err.count("\n"), err[:17]) == ("", 1, "exactnet: error: ")
        statuses[status] += 1
    assert statuses[2] > 0.1 * statuses.total()
    assert (statuses[0] > 0) == (ending in (".npy", ".npz"))


def test_an_output_that_cannot_be_written_is_refused_first(tmp_path, data, run, monkeypatch):
    def no_work(*arguments, **options):
        raise AssertionError("work has started")

    monkeypatch.setattr("exactnet.cli.memorizing.memorize", no_work)
    status, _, err = run("memorize", data, "--target", "label", "-o", tmp_path / "no/n.json")
    assert status == 2
    assert f"{tmp_path}/no/n.json: No such file or directory" in err


def test_other_refusals(tmp_path, data, network, run):
    cases = [
        (("memorize", tmp_path / "none.csv", "--target", "x", "-o", "n"), "No such file"),
        (("memorize", data, "-o", "n"), "name the target column with --target"),
        (("memorize", data, "--target", "label", "--hidden", "1x2", "-o", "n"), "hidden=(2, 2)"),
        (("memorize", data, "--target", "label", "--hidden", "0x3", "-o", "n"), "positive integer"),
        (("memorize", data, "--target", "label", "-o", tmp_path / "no/net.json"), "No such file"),
        (("memorize", data, "--target", "label", "-o", "n", "--max-bytes", "9"), "prediction"),
        (("verify", data, data, "--target", "label"), "not a network file"),
        (("verify", network, data, "--target", "label", "--threads", "0"), "n_threads"),
        (("verify", network, tmp_path, "--target", "label"), "Is a directory"),
    ]
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 2)))
    np.savez(tmp_path / "other.npz", a=np.zeros(2))
    np.save(tmp_path / "pickled.npy", np.array([[{}]]), allow_pickle=True)
    for name, reason in [
        ("broken.npz", "broken.npz: "),
        ("broken.npy", "broken.npy: "),
        ("binary.csv", "not a text file in UTF-8"),
        ("cube.npy", "an array of shape (2, 2, 2), not a matrix"),
        ("other.npz", "it holds no array X and no array y"),
        ("pickled.npy", "its header is not that of an array of numbers"),
    ]:
        cases.append((("verify", network, tmp_path / name, "--target", "0"), reason))
    for arguments, reason in cases:
        status, out, err = run(*arguments)
        assert (status, out) == (2, ""), arguments
        assert err.startswith("exactnet: error: ")
        assert err.count("\n") == 1
        assert reason in err, (arguments, err)


def test_plan(run):
    status, out, err = run("plan", "--points", 60_000, "--features", 784, "--outputs", 10)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "60,000 points, 784 features, 10 outputs"
    assert [line.split()[0].rstrip(",") for line in lines[2:5]] == [
        "theorem4",
        "one_layer",
        "integer",
    ]
    assert "780 x 770" in lines[2]


def test_plan_for_machines(run):
    status, out, err = run("plan", "--points", "60000", "--json")
    assert (status, err) == (0, "")
    facts = json.loads(out)
    assert facts["n_points"] == 60_000
    assert facts["n_features"] == facts["outputs"] == 1
    row = facts["rows"][0]
    assert (row["construction"], row["hidden"], row["neurons"]) == ("theorem3", [246, 244], 490)
    assert facts["bounds"]["one_layer"] == 59_998


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--points", "0"), "n_points must be a positive integer, not 0"),
        (("--points", "5", "--features", "-1"), "n_features must be a positive integer, not -1"),
        (("--points", "5", "--outputs", "0"), "outputs must be a positive integer, not 0"),
    ],
)
def test_plan_refuses(run, arguments, text):
    assert run("plan", *arguments) == (2, "", f"exactnet: error: {text}\n")


@pytest.mark.parametrize(
    "arguments",
    [[], ["demo"], ["memorize"], ["verify"], ["plan"], ["train"], ["predict"], ["draw"]],
)
def test_help(capsys, arguments):
    with pytest.raises(SystemExit) as error:
        main([*arguments, "--help"])
    assert error.value.code == 0
    assert "usage: exactnet" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["memorize", "x.csv", "--hidden", "3"],
        ["plan"],
        ["plan", "--points", "many"],
        ["train", "x.csv"],
        ["train", "x.csv", "-o", "n", "--hidden", "3x"],
        ["train", "x.csv", "-o", "n", "--activation", "softmax"],
        ["train", "x.csv", "-o", "n", "--loss", "hinge"],
        ["train", "x.csv", "-o", "n", "--epochs", "1.5"],
        ["predict", "n"],
        ["draw", "n"],
        ["draw", "n", "-o", "n.png", "--image", "28"],
        ["draw", "n", "-o", "n.png", "--dpi", "many"],
    ],
)
def test_wrong_usage(capsys, arguments):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "usage: exactnet" in capsys.readouterr().err


def test_the_installed_command():
    program = Path(sys.executable).with_name("exactnet")
    command = [program] if program.exists() else PROGRAM
    result = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("exactnet ")


@pytest.mark.parametrize("output", ["net.safetensors", "predictions.csv"])
def test_commands_of_floats_do_without_gmpy2(tmp_path, classes, trained, output):
    arguments = ["train", classes] if output.startswith("net") else ["predict", trained, classes]
    program = (
        "import sys; from exactnet.__main__ import main\n"
        "assert main() == 0 and 'gmpy2' not in sys.modules"
    )
    command = [*arguments, "--target", "kind", "-o", tmp_path / output]
    subprocess.run([sys.executable, "-c", program, *command], check=True, capture_output=True)


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_what_all_have_in_common_needs_no_command(option):
    program = (
        "import atexit, sys; from exactnet.__main__ import main\n"
        "atexit.register(lambda: print(*{m.split('.')[0] for m in sys.modules}))\n"
        "main()"
    )
    command = [sys.executable, "-c", program, option]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = result.stdout.splitlines()[-1].split()
    assert "exactnet" in loaded
    assert not {"gmpy2", "numpy", "matplotlib"} & set(loaded)


def test_a_closed_pipe_is_no_traceback():
    command = f"'{sys.executable}' -m exactnet demo | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1


def terminal_output(command):
    """What a command writes to a terminal that is its stderr."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    output = b""
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        output += chunk
    os.close(leader)
    assert process.wait() == 0
    return output.decode()


def test_progress_bar_only_where_it_is_of_use(tmp_path):
    slow = (
        "import time; from exactnet.base.progress import ProgressBar\n"
        "with ProgressBar('building') as bar:\n"
        "    for k in range(151): bar(k / 150); time.sleep(0.01)\n"
    )
    text = terminal_output([sys.executable, "-c", slow])
    assert text.startswith("\rbuilding [####")
    assert text.endswith("\r\x1b[K")  # it leaves the line as it was
    quick = slow.replace("0.01", "0.001")
    assert terminal_output([sys.executable, "-c", quick]) == ""
    piped = subprocess.run([sys.executable, "-c", slow], capture_output=True, check=True)
    assert piped.stderr == b""


def test_progress_bar_of_a_long_construction(tmp_path, rng):
    path = tmp_path / "data.csv"
    lines = [f"{rng.getrandbits(120)},{rng.randrange(100)}" for _ in range(3_000)]
    path.write_text("x,y\n" + "\n".join(lines) + "\n")
    # As if it took a second: how long it takes depends on the machine.
    program = (
        "import sys; from exactnet import cli; from exactnet.base.progress import ProgressBar\n"
        "ProgressBar._DELAY = 0\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    arguments = ["memorize", str(path), "--target", "y", "-o", str(tmp_path / "net.json")]
    output = terminal_output([sys.executable, "-c", program, *arguments])
    assert "constructing [" in output
    assert "verifying [" in output


@pytest.fixture
def classes(tmp_path, rng):
    """Three classes of points in a plane, as a CSV file with the column "kind"."""
    path = tmp_path / "classes.csv"
    lines = ["x,kind,y"]
    for k in range(90):
        x, y = [(0, 0), (3, 0), (0, 3)][k % 3]
        lines.append(f"{x + rng.gauss(0, 0.5):.3f},{k % 3},{y + rng.gauss(0, 0.5):.3f}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def trained(tmp_path, classes, run):
    path = tmp_path / "net.safetensors"
    assert run("train", classes, "--target", "kind", "-o", path)[0] == 0
    return path


def columns(path):
    """Return (X, y) of the file of the fixture `classes`."""
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return table[:, [0, 2]], table[:, 1].astype(int)


def parameters(net):
    return [a.tobytes() for a in (*net.weights, *net.biases)]


def test_train(tmp_path, classes, run):
    path = tmp_path / "net.safetensors"
    arguments = ("train", classes, "--target", "kind", "--test", classes, "-o", path)
    status, out, err = run(*arguments, "--epochs", 4)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    for k in range(4):
        pattern = rf"epoch {k + 1}/4  loss \S+  val_loss \S+  val_accuracy [01]\.\d+  \d.* s"
        assert re.fullmatch(pattern, lines[k])
    assert re.fullmatch(r"trained \[2, 30, 3\] to classify in \S+ s", lines[4])
    share = Network.load(path).accuracy(*columns(classes))
    assert share > 0.9
    assert lines[5:] == [f"accuracy {share:.4f} on {classes}"] * 2 + [f"wrote {path}"]


def test_train_is_fit_with_the_same_arguments(tmp_path, classes, run, monkeypatch):
    calls = []
    fit = Network.fit

    def recording(self, *arguments, **options):
        calls.append(options)
        return fit(self, *arguments, **options)

    monkeypatch.setattr(Network, "fit", recording)
    path = tmp_path / "net"
    status, out, _ = run(
        *("train", classes, "--target", "kind", "-o", path, "--json", "--hidden", "5x4"),
        *("--activation", "tanh", "--output-activation", "softmax", "--loss", "cross_entropy"),
        *("--epochs", 3, "--batch-size", 7, "--learning-rate", 0.2, "--momentum", 0.5),
        *("--nesterov", "--init", "glorot_uniform", "--seed", 9, "--threads", 2),
        *("--test", classes),
    )
    assert status == 0
    assert calls[0]["n_threads"] == 2
    X, y = columns(classes)
    activations = ["tanh", "tanh", "softmax"]
    net = Network([2, 5, 4, 3], activations=activations, init="glorot_uniform", seed=9)
    history = net.fit(
        *(X, y),
        epochs=3,
        batch_size=7,
        learning_rate=0.2,
        momentum=0.5,
        nesterov=True,
        loss="cross_entropy",
        validation_data=(X, y),
    )
    assert parameters(Network.load(path)) == parameters(net)
    facts = json.loads(out)
    assert len(facts.pop("seconds")) == 3
    assert facts == {
        "layer_sizes": [2, 5, 4, 3],
        "activations": activations,
        "task": "classify",
        "loss": history.loss,
        "val_loss": history.val_loss,
        "val_accuracy": history.val_accuracy,
        "accuracy": net.accuracy(X, y),
        "output": str(path),
    }


SIGMOIDS, LINEAR = ("sigmoid", "sigmoid"), ("sigmoid", "linear")
TASKS = {
    "labels": ([0, 1, 2, 1], [], 3, SIGMOIDS),
    "labels as floats": ([0.0, 1.0, 5.0, 1.0], [], 6, SIGMOIDS),
    "truth values": ([False, True, True, False], [], 2, SIGMOIDS),
    "a column": ([[0], [1], [2], [1]], [], 3, SIGMOIDS),
    "cross-entropy": ([0, 1, 2, 1], ["--loss", "cross_entropy"], 3, ("sigmoid", "softmax")),
    "one class": ([1, 1, 1, 1], [], 1, LINEAR),
    "one class by demand": ([0, 0, 0, 0], ["--task", "classify"], 2, SIGMOIDS),
    "large integers": ([0, 1, 2, 1000], [], 1, LINEAR),
    "large classes by demand": ([0, 1, 2, 1000], ["--task", "classify"], 1001, SIGMOIDS),
    "negative": ([-1, 1, 1, -1], [], 1, LINEAR),
    "fractions": ([0, 1, 2, 0.5], [], 1, LINEAR),
    "numbers by demand": ([0, 1, 2, 1], ["--task", "regress"], 1, LINEAR),
    "several targets": ([[0, 1], [1, 0], [1, 1], [0, 0]], [], 2, LINEAR),
}


@pytest.mark.parametrize("name", TASKS)
def test_the_task_is_chosen_by_the_targets(tmp_path, run, name):
    y, options, n_outputs, activations = TASKS[name]
    np.savez(tmp_path / "data.npz", X=np.eye(4), y=np.array(y))
    arguments = ("train", tmp_path / "data.npz", "-o", tmp_path / "net", "--learning-rate", "0.001")
    status, out, err = run(*arguments, *options)
    assert (status, err) == (0, "")
    net = Network.load(tmp_path / "net")
    assert (net.layer_sizes, net.activations) == ([4, 30, n_outputs], activations)
    assert ("accuracy" in out) == ("to classify" in out) == (activations != LINEAR)


def test_regression(tmp_path, run):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = X @ [1, -2] + 0.5
    np.save(tmp_path / "data.npy", np.column_stack([y, X]))
    arguments = ("train", tmp_path / "data.npy", "--target", "0", "-o", tmp_path / "net", "--json")
    status, out, _ = run(*arguments, "--init", "glorot_uniform", "--epochs", "50")
    assert status == 0
    assert json.loads(out)["accuracy"] is None
    assert Network.load(tmp_path / "net").loss(X, y, "mse") < 0.02 * y.var()


def test_predict(tmp_path, classes, trained, run):
    net = Network.load(trained)
    X, y = columns(classes)
    expected = net.predict(X)
    status, out, err = run("predict", trained, classes, "--target", "kind")
    assert (status, err) == (0, "")
    np.testing.assert_array_equal(np.float32([line.split(",") for line in out.split()]), expected)
    status, out, err = run("predict", trained, classes, "--target", "kind", "--classify")
    assert status == 0
    assert [int(line) for line in out.splitlines()] == net.classify(X).tolist()
    right = int((net.classify(X) == y).sum())
    assert err == f"accuracy {right / 90:.4f}: {right} of 90\n"

    path = tmp_path / "out.csv"
    status, out, err = run("predict", trained, classes, "--target", "kind", "-o", path)
    assert (status, out, err) == (0, f"wrote 90 rows to {path}\n", "")
    np.testing.assert_array_equal(np.loadtxt(path, delimiter=",", dtype=np.float32), expected)
    path = tmp_path / "out.npy"
    assert run("predict", trained, classes, "--target", "kind", "-o", path)[0] == 0
    np.testing.assert_array_equal(np.load(path), expected)
    assert np.load(path).dtype == np.float32
    assert run("predict", trained, classes, "--target", "1", "--classify", "-o", path)[0] == 0
    np.testing.assert_array_equal(np.load(path), net.classify(X))


def test_predict_without_targets(tmp_path, classes, trained, run):
    X, _ = columns(classes)
    expected = run("predict", trained, classes, "--target", "kind")[1]
    rows = "\n".join(f"{a},{b}" for a, b in X)
    (tmp_path / "plain.csv").write_text(rows)
    (tmp_path / "header.csv").write_text(f"a,b\n{rows}\n")
    np.save(tmp_path / "matrix.npy", X)
    np.savez(tmp_path / "arrays.npz", X=X)
    for name in ("plain.csv", "header.csv", "matrix.npy", "arrays.npz"):
        assert run("predict", trained, tmp_path / name) == (0, expected, ""), name
        status, _, err = run("predict", trained, tmp_path / name, "--classify")
        assert (status, err) == (0, "")
    np.savez(tmp_path / "more.npz", X=X, y=np.zeros((90, 3)))  # targets, but no classes
    assert run("predict", trained, tmp_path / "more.npz", "--classify")[2] == ""


def test_predict_with_an_exact_network(tmp_path, network, data, run):
    assert run("predict", network, data, "--target", "label") == (0, "1\n-2\n1/3\n4\n", "")
    path = tmp_path / "points.csv"
    path.write_text("0,1/2\n1,0.25\n")
    assert run("predict", network, path) == (0, "1\n-2\n", "")
    out = tmp_path / "out.csv"
    assert run("predict", network, path, "-o", out)[0] == 0
    assert out.read_text() == "1\n-2\n"
    net = ExactNetwork.from_arrays([[[1, 0], [0, 1]]], [[0, Fraction(1, 3)]])
    net.save(tmp_path / "two.json")
    assert run("predict", tmp_path / "two.json", path)[1] == "0,5/6\n1,7/12\n"
    np.savez(tmp_path / "points.npz", X=[[0, 0], [2, 1], [5, 5]], y=[1, 0, 0])
    arguments = ("predict", tmp_path / "two.json", tmp_path / "points.npz", "--classify")
    assert run(*arguments) == (0, "1\n0\n1\n", "accuracy 0.6667: 2 of 3\n")


@pytest.fixture
def images(tmp_path):
    """Six small images with their labels, like MNIST's files."""
    path = tmp_path / "train-images-idx3-ubyte.gz"
    pixels = np.random.default_rng(0).integers(0, 256, (6, 3, 2)).astype(np.uint8)
    datasets.write_idx(path, pixels)
    datasets.write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.arange(6, dtype=np.uint8) % 3)
    return path


def test_images_are_memorized_as_they_are(tmp_path, images, run):
    net = tmp_path / "net.json"
    assert run("memorize", images, "-o", net)[0] == 0
    X = datasets.read_idx(images).reshape(6, 6)
    assert verify(ExactNetwork.load(net), X, [0, 1, 2, 0, 1, 2])
    assert run("verify", net, images)[0] == 0
    assert run("predict", net, images) == (0, "0\n1\n2\n0\n1\n2\n", "")


def test_images_are_trained_on_in_the_unit_interval(tmp_path, images, run):
    net = tmp_path / "net"
    assert run("train", images, "--test", images, "-o", net, "--epochs", "2")[0] == 0
    X = datasets.read_idx(images).reshape(6, 6).astype(np.float32) / np.float32(255)
    same = Network([6, 30, 3], seed=0)
    same.fit(X, [0, 1, 2, 0, 1, 2], epochs=2, batch_size=10, learning_rate=3)
    loaded = Network.load(net)
    assert parameters(loaded) == parameters(same)
    status, out, err = run("predict", net, images, "--classify")
    assert status == 0
    assert [int(line) for line in out.split()] == same.classify(X).tolist()
    assert err.startswith("accuracy ")
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    assert run("predict", net, images, "--classify") == (0, out, "")
    numbers = (datasets.read_idx(images) / 255).astype(np.float32)  # other types stay as they are
    datasets.write_idx(images, numbers)
    assert run("predict", net, images, "--classify")[1] == out


@pytest.mark.parametrize(
    ("images_name", "labels_name"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"),
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
        ("letters-images-idx3.GZ", "letters-labels-idx1.GZ"),
    ],
)
def test_names_of_images(tmp_path, run, images_name, labels_name):
    folder = tmp_path / "images-idx3"
    folder.mkdir()
    datasets.write_idx(folder / images_name, np.arange(12, dtype=np.int16).reshape(3, 2, 2))
    datasets.write_idx(folder / labels_name, np.array([7, 5, 6], np.int8))
    assert run("memorize", folder / images_name, "-o", tmp_path / "net.json")[0] == 0
    net = ExactNetwork.load(tmp_path / "net.json")
    assert verify(net, np.arange(12).reshape(3, 4), [7, 5, 6])
    (folder / "data.csv").write_text("1,2\n3,4\n")  # not by the name of its folder
    assert run("memorize", folder / "data.csv", "--target", "0", "-o", tmp_path / "n.json")[0] == 0


@pytest.mark.parametrize("command", ["memorize", "verify", "train", "predict"])
def test_bad_images(tmp_path, images, network, trained, run, command):
    net = {"verify": network, "predict": trained}.get(command)
    options = (net,) if net else ("-o", tmp_path / "new")
    labels = tmp_path / "train-labels-idx1-ubyte.gz"

    def refused(reason, *arguments):
        status, out, err = run(command, *options, images, *arguments)
        assert (status, out) == (2, "")
        assert err.startswith("exactnet: error: ")
        assert err.count("\n") == 1
        assert reason in err

    refused(f"{images}: --target is not for IDX files", "--target", "0")
    good = labels.read_bytes()
    datasets.write_idx(labels, np.zeros(5, np.uint8))
    refused(f"{labels}: it holds an array of shape (5,), not 6 labels")
    datasets.write_idx(labels, np.zeros((6, 1), np.uint8))
    refused("it holds an array of shape (6, 1), not 6 labels")
    labels.write_bytes(good[:-3])
    refused(f"{labels}: damaged gzip file")
    labels.unlink()
    if command != "predict":
        refused(f"{images}: there is no file of its labels, neither {tmp_path}/train-labels-idx1-")
    labels.write_bytes(good)
    datasets.write_idx(images, np.zeros(6, np.uint8))
    refused(f"{images}: it holds an array of shape (6,), not images")
    datasets.write_idx(images, np.zeros((0, 2, 2), np.uint8))
    refused("it holds an array of shape (0, 2, 2), not images")
    images.write_bytes(b"no images")
    refused(f"{images}: not an IDX file")
    images.unlink()
    refused(f"{images}: No such file")


@pytest.mark.parametrize(
    "cell",
    ["1", "-0", "0.1", "1/3", "-2/7", "1e22", "9007199254740993", "1e-310", "12345678901234567.5"],
)
def test_cells_become_the_nearest_floats(cell):
    assert datafiles._float(cell, 1, "a") == float(Fraction(cell))


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("nan", "line 2, column 'a': 'nan' is not a number"),
        ("inf", "is not a number"),
        ("1_0", "is not a number"),
        ("", "is not a number"),
        ("1/0", "divides by 0"),
        ("1e400", "is too large for a float"),
        ("1e99999999999", "is too large for a float"),
        ("1" * 400 + "/3", "is too large for a float"),
        ("1e39", "X[0, 0] is inf"),  # for float32
    ],
)
def test_bad_cells_of_floats(tmp_path, trained, run, cell, reason):
    path = tmp_path / "data.csv"
    path.write_text(f"a,b\n{cell},1\n2,0\n")
    for command in (
        ("predict", trained, path),
        ("train", path, "--target", "b", "-o", tmp_path / "n"),
    ):
        status, out, err = run(*command)
        assert (status, out) == (2, "")
        assert err.count("\n") == 1
        assert reason in err
    assert not (tmp_path / "n").exists()


def test_refusals_of_train_and_predict(tmp_path, classes, data, network, trained, run):
    new = tmp_path / "new"
    np.savez(tmp_path / "vector.npz", X=np.zeros(3), y=np.zeros(3))
    np.savez(tmp_path / "empty.npz", X=np.zeros((0, 2)), y=np.zeros(0))
    np.savez(tmp_path / "short.npz", X=np.eye(3), y=np.arange(2))
    np.savez(tmp_path / "words.npz", X=np.eye(2), y=np.array(["a", "b"]))
    np.savez(tmp_path / "nan.npz", X=np.eye(2), y=np.array([0, np.nan]))
    np.savez(tmp_path / "nothing.npz", y=np.zeros(3))
    np.savez(tmp_path / "more.npz", X=np.eye(2), y=np.array([0, 7]))
    np.savez(tmp_path / "many.npz", X=np.eye(2), y=np.array([0, 65536]))
    np.savez(tmp_path / "scalar.npz", X=np.eye(2), y=np.array(7))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(trained.read_bytes()[:-1])
    npz = {p.stem: p for p in tmp_path.glob("*.npz")}

    def train(path, *options):
        return ("train", path, "-o", new, *options)

    cases = [
        (train(classes), "name the target column with --target"),
        (train(classes, "--target", "color"), "there is no column 'color'"),
        (train(tmp_path / "none.csv", "--target", "a"), "none.csv: No such file"),
        (train(npz["vector"]), "vector.npz: X must be (samples, features), not of shape (3,)"),
        (train(npz["empty"]), "empty.npz: X must be (samples, features), not of shape (0, 2)"),
        (train(npz["short"]), "has shape (2,) but X has 3 samples"),
        (train(npz["words"]), "words.npz: its header is not that of an array of numbers: "),
        (train(npz["nan"]), "only finite numbers"),
        (train(npz["scalar"]), "y has"),
        (train(npz["nothing"]), "nothing.npz: it holds no array X"),
        (train(data, "--target", "2", "--task", "classify"), "targets must be integers from 0"),
        (train(npz["many"], "--task", "classify"), "integers from 0 to 65535; --task regress"),
        (train(classes, "--target", "1", "--test", npz["nan"]), "nan.npz: to classify"),
        (train(classes, "--target", "1", "--test", npz["more"]), "from 0 to 2, not from 0 to 7"),
        (train(classes, "--target", "1", "--test", npz["short"]), "3 features but the network"),
        (train(classes, "--target", "1", "--hidden", "30x0"), "layer_sizes[2] must be a positive"),
        (train(classes, "--target", "1", "--epochs", "0"), "epochs must be a positive"),
        (train(classes, "--target", "1", "--batch-size", "-1"), "batch_size must be a positive"),
        (train(classes, "--target", "1", "--learning-rate", "nan"), "learning_rate must be"),
        (train(classes, "--target", "1", "--momentum", "1"), "momentum must be in [0, 1)"),
        (train(classes, "--target", "1", "--seed", "-1"), "seed must be an integer from 0"),
        (train(classes, "--target", "y", "--loss", "cross_entropy"), "cross_entropy needs softmax"),
        (train(classes, "--target", "y", "--learning-rate", "1e30"), "or a weight is not finite"),
        (("train", classes, "--target", "1", "-o", classes), "would replace what it is made from"),
        (
            ("train", npz["more"], "--test", classes, "--target", "1", "-o", classes),
            "would replace what it is made from",
        ),
        (("train", classes, "--target", "1", "-o", tmp_path / "no/n"), "no/n: No such file"),
        (("predict", tmp_path / "none", classes), "none: No such file"),
        (("predict", tmp_path, classes), "Is a directory"),
        (("predict", classes, classes), "classes.csv: not a network file, or damaged"),
        (("predict", damaged, classes), "damaged.safetensors: not a network file, or damaged"),
        (("predict", network, data, "--max-bytes", "9"), "more than the limit of 9"),
        (("predict", trained, classes), "3 columns but the network takes 2; name the target"),
        (("predict", network, npz["nothing"]), "it holds no array X"),
        (("predict", trained, npz["short"]), "3 features but the network takes 2"),
        (("predict", trained, classes, "--target", "color"), "there is no column 'color'"),
        (("predict", network, data, "--target", "2", "--classify"), "--classify needs several"),
        (("predict", trained, classes, "-o", tmp_path / "x.txt"), "must end in .csv or .npy"),
        (("predict", network, data, "-o", tmp_path / "x.npy"), ".npy has no place for exact"),
        (
            ("predict", trained, classes, "--target", "1", "-o", classes),
            "would replace what it is made from",
        ),
    ]
    before = classes.read_bytes()
    for arguments, reason in cases:
        status, out, err = run(*arguments)
        assert (status, out) == (2, ""), arguments
        assert err.startswith("exactnet: error: ")
        assert err.count("\n") == 1
        assert reason in err, (arguments, err)
        assert not new.exists()
    assert classes.read_bytes() == before


def test_draw(tmp_path, network, trained, run):
    for net in (network, trained):
        for ending, head in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
            path = tmp_path / f"{net.stem}{ending}"
            assert run("draw", net, "-o", path) == (0, f"wrote {path}\n", "")
            assert path.read_bytes().startswith(head)
            assert path.stat().st_size > 5000
    small = tmp_path / "small.png"
    assert run("draw", trained, "-o", small, "--dpi", "50")[0] == 0
    size = small.read_bytes()[16:24]  # width and height as PNG has them
    assert [int.from_bytes(size[:4], "big"), int.from_bytes(size[4:], "big")] == [400, 250]


def test_draw_inputs_as_images(tmp_path, run):
    net, path = tmp_path / "net", tmp_path / "net.svg"
    Network([64, 5, 2], seed=0).save(net)
    for arguments, count in (((), 5), (("--image", "none"), 0), (("--image", "4x16"), 5)):
        assert run("draw", net, "-o", path, *arguments)[0] == 0
        assert path.read_text().count("<image") == count
    Network([24, 3], seed=0).save(net)
    assert run("draw", net, "-o", path, "--image", "4x6")[0] == 0
    assert path.read_text().count("<image") == 3


def test_refusals_of_draw(tmp_path, data, network, trained, run):
    new = tmp_path / "new.png"
    svg = tmp_path / "net.svg"  # a network, whatever its name says
    svg.write_bytes(network.read_bytes())
    cases = [
        ((trained, "-o", tmp_path / "n.jpg"), "n.jpg: its name must end in .png or .svg"),
        ((trained, "-o", tmp_path / "n"), "n: its name must end in .png or .svg"),
        ((trained, "-o", tmp_path / "no/n.png"), "no/n.png: No such file"),
        ((svg, "-o", svg), "would replace what it is made from"),
        ((trained, "-o", new, "--dpi", "0"), "dpi must be a positive integer, not 0"),
        ((trained, "-o", new, "--dpi", "9999"), "dpi must be at most 1200, not 9999"),
        ((trained, "-o", new, "--image", "9x9"), "image_shape 9 x 9 does not fit"),
        ((tmp_path / "none", "-o", new), "none: No such file"),
        ((data, "-o", new), "data.csv: not a network file"),
        ((network, "-o", new, "--max-bytes", "9"), "more than the limit of 9"),
    ]
    for arguments, reason in cases:
        status, out, err = run("draw", *arguments)
        assert (status, out) == (2, ""), arguments
        assert err.startswith("exactnet: error: ")
        assert err.count("\n") == 1
        assert reason in err, (arguments, err)
        assert not new.exists()
    assert svg.read_bytes() == network.read_bytes()


def test_a_wide_table_is_not_asked_for_its_target(tmp_path, trained, run):
    (tmp_path / "wide.csv").write_text("1,2,3,4\n")
    status, _, err = run("predict", trained, tmp_path / "wide.csv")
    assert status == 2
    assert err.endswith("it has 4 columns but the network takes 2\n")


HEARING = [
    sys.executable,
    "-c",
    HEAR_CTRL_C + "from exactnet.__main__ import main; print('started', flush=True); exit(main())",
]


@pytest.mark.parametrize("ignored", [False, True])
def test_interrupted_training_saves_nothing(tmp_path, classes, ignored):
    """Unless Ctrl-C is ignored, as `nohup exactnet train ... &` asks for."""
    path, epochs = tmp_path / "net", 20_000 if ignored else 10**8
    arguments = ["train", str(classes), "--target", "kind", "--epochs", str(epochs), "-o", path]
    ignoring = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *PROGRAM]
    process = subprocess.Popen(
        [*(ignoring if ignored else HEARING), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    reader = None
    try:
        assert ignored or process.stdout.readline() == "started\n"
        assert process.stdout.readline().startswith(f"epoch 1/{epochs}  loss ")
        process.send_signal(signal.SIGINT)
        reader = threading.Thread(target=process.stdout.read)  # a full pipe would stop it
        reader.start()
        assert process.wait(timeout=60) == (0 if ignored else 130)
    finally:
        process.kill()
        if reader is not None:
            reader.join()
        errors = process.stderr.read()
        process.communicate()
    assert errors == ("" if ignored else "exactnet: interrupted\n")
    assert path.exists() == ignored


def test_interrupts_of_commands(tmp_path, data, rng):
    """At any time after its first line: status 130 or 0, and a file that is whole or none."""
    path = tmp_path / "net.json"
    command = [*HEARING, "memorize", data, "--target", "label", "-o", path]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    usual, whole = time.perf_counter() - start, path.read_bytes()
    statuses = []
    for _ in range(slow(100, 4)):
        path.unlink(missing_ok=True)
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "started\n"
        time.sleep(rng.uniform(0.001, usual))
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        statuses.append(process.returncode)
        if process.returncode:
            assert (process.returncode, errors) == (130, "exactnet: interrupted\n")
        else:
            assert (output.splitlines()[-1], errors) == (done.stdout.splitlines()[-1], "")
        assert not path.exists() or path.read_bytes() == whole
        assert {"net.json", "data.csv"} >= set(os.listdir(tmp_path))
    assert 130 in statuses


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MemoryError(), "out of memory"),
        (MemoryError("column 1 would take 7 GiB"), "column 1 would take 7 GiB"),
        (OSError(28, "No space left on device", "a/b"), "a/b: No space left on device"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (ValueError("of two\n  lines"), "of two lines"),
    ],
)
def test_errors_take_one_line(data, run, monkeypatch, error, text):
    def fail(*arguments):
        raise error

    monkeypatch.setattr("exactnet.cli.memorizing.read_data", fail)
    command = ["memorize", data, "--target", "label", "-o", data.with_name("net.json")]
    assert run(*command) == (2, "", f"exactnet: error: {text}\n")


def test_an_interrupt_after_the_file_is_written(data, run, monkeypatch):
    """The file is there, and nothing is said against it."""
    replace = os.replace

    def interrupted(*arguments):
        replace(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    path = data.with_name("net.json")
    command = ["memorize", data, "--target", "label", "-o", path]
    assert run(*command) == (130, "", "exactnet: interrupted\n")
    assert ExactNetwork.load(path).layer_sizes == [2, 2, 2, 1]
    assert sorted(os.listdir(data.parent)) == ["data.csv", "net.json"]


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev/stdout")
@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_the_network_to_standard_output(tmp_path, data, network, classes, json_too):
    """Into a pipe, with nothing else in it."""
    for arguments, load in [
        (["memorize", data, "--target", "label"], ExactNetwork.load),
        (["train", classes, "--target", "kind"], Network.load),
    ]:
        result = subprocess.run(
            [*PROGRAM, *arguments, *json_too, "-o", "/dev/stdout"], capture_output=True, check=True
        )
        (tmp_path / "out").write_bytes(result.stdout)
        assert load(tmp_path / "out").layer_sizes[-1] == (1 if load == ExactNetwork.load else 3)
        assert b"/dev/stdout" in result.stderr.splitlines()[-1]


def test_outputs_that_are_not_for_writing(tmp_path, data):
    for number in (0, 97):
        command = [*PROGRAM, "memorize", data, "--target", "label", "-o", f"/dev/fd/{number}"]
        with open(data) as file:
            result = subprocess.run(command, capture_output=True, text=True, stdin=file)
        assert result.returncode == 2
        assert result.stderr == f"exactnet: error: /dev/fd/{number}: Bad file descriptor\n"


def test_a_target_twice_is_refused(tmp_path, capsys):
    (tmp_path / "data.csv").write_text("a,u,v\n1,2,3\n4,5,6\n")
    for command in ("memorize", "train"):
        words = [command, str(tmp_path / "data.csv"), "--target", "u", "--target", "v", "-o", "n"]
        with pytest.raises(SystemExit) as error:
            main(words)
        assert error.value.code == 2
        assert "--target may be given once only" in capsys.readouterr().err.splitlines()[-1]
