import json
import os
import pty
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from conftest import random_points
from exactnet import ExactNetwork, _demo, verify
from exactnet.cli import main

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


def test_demo_fails_when_anything_is_wrong(run, monkeypatch):
    from exactnet.verification import verify as real

    def wrong(network, X, y, **arguments):
        return real(network, X, np.asarray(y) + (len(y) > 1000), **arguments)

    monkeypatch.setattr(_demo, "verify", wrong)
    assert run("demo")[0] == 1


def test_float64_contrast_is_that_of_a_float_network():
    net = ExactNetwork.from_arrays([[[2**2000]], [[1]]], [[0], [0]])
    assert _demo.float64_error(net, np.array([[1.0]]), np.array([0])) == float("inf")
    net = ExactNetwork.from_arrays([[[0.5]], [[2]]], [[1], [0]])
    assert _demo.float64_error(net, np.array([[1.0], [4.0]]), np.array([3, 5])) == 1


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
    assert "the network would replace its own data" in err
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


def test_an_output_that_cannot_be_written_is_refused_first(tmp_path, data, run, monkeypatch):
    def no_work(*arguments, **options):
        raise AssertionError("work has started")

    monkeypatch.setattr("exactnet.cli.memorize", no_work)
    status, _, err = run("memorize", data, "--target", "label", "-o", tmp_path / "no/n.json")
    assert status == 2
    assert f"{tmp_path}/no/n.json: No such file or directory" in err


def test_other_refusals(tmp_path, data, network, run):
    cases = [
        (("memorize", tmp_path / "none.csv", "--target", "x", "-o", "n"), "No such file"),
        (("memorize", data, "-o", "n"), "name the target column with --target"),
        (("memorize", data, "--target", "label", "--hidden", "1x3", "-o", "n"), "hidden=(2, 2)"),
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
        ("pickled.npy", "allow_pickle=False"),
    ]:
        cases.append((("verify", network, tmp_path / name, "--target", "0"), reason))
    for arguments, reason in cases:
        status, out, err = run(*arguments)
        assert (status, out) == (2, ""), arguments
        assert err.startswith("exactnet: error: ")
        assert err.count("\n") == 1
        assert reason in err, (arguments, err)


@pytest.mark.parametrize("arguments", [[], ["demo"], ["memorize"], ["verify"]])
def test_help(capsys, arguments):
    with pytest.raises(SystemExit) as error:
        main([*arguments, "--help"])
    assert error.value.code == 0
    assert "usage: exactnet" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["fly"], ["memorize", "x.csv", "--hidden", "3"]])
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
        "import time; from exactnet._progress import ProgressBar\n"
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
    lines = [f"{rng.getrandbits(120)},{rng.randrange(100)}" for _ in range(9_000)]
    path.write_text("x,y\n" + "\n".join(lines) + "\n")
    arguments = ["memorize", str(path), "--target", "y", "-o", str(tmp_path / "net.json")]
    assert "constructing [" in terminal_output([*PROGRAM, *arguments])
