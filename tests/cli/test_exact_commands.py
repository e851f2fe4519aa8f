import json
import re
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pytest

from exactnet import ExactNetwork, memorize, verify
from exactnet.cli import demo
from exactnet.cli.demo import NINE_INPUTS, NINE_TARGETS
from reference import ARTICLE


def article_text():
    """The article's printed parameters, from `1st layer` to `b3`, as reference.py has them."""

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
    # nobody has to read far, nor long numbers
    lines = out.splitlines()
    assert len(lines) < 60
    assert all(len(line) <= 100 for line in lines)
    assert not re.search(r"\d{8}", out)
    places = [out.index(text) for text in ("Three networks:", "1. Nine", "2. All", "3. Learning")]
    assert places == sorted(places)
    assert places[0] == 0
    for x, target in zip(NINE_INPUTS, NINE_TARGETS, strict=True):
        cells = [*map(str, x), str(target), str(target)]
        assert cells in [line.split() for line in lines]
    assert "In exact arithmetic 0 of 9 outputs are wrong." in out
    assert "[64, 43, 42, 1]" in out
    assert "0 of 1797" in out
    assert "[64, 30, 10], sigmoid" in out
    assert re.search(
        r"trained in +0\.\d+ s, 30 epochs\nright on .* 9\d\.\d%\nright on 360 .* 9", out
    )


def test_formulas_of_the_demo_are_the_network(run):
    out = run("demo")[1]
    formulas = re.findall(r"^  (\w+) = (.*)$", out, re.M)
    assert [name for name, _ in formulas] == ["h1", "h2", "h3", "g1", "g2", "g3", "y"]
    for x, target in zip(NINE_INPUTS.tolist(), NINE_TARGETS.tolist(), strict=True):
        values = {f"x{k}": Fraction(v) for k, v in enumerate(x, 1)}
        for name, text in formulas:
            text = re.sub(r"(\d+)/(\d+)", r"Fraction(\1, \2)", text)
            text = re.sub(r"([\d)]) ([a-z])", r"\1 * \2", text)
            scope = {"relu": lambda z: max(z, Fraction(0)), "Fraction": Fraction, **values}
            values[name] = eval(text, scope)
        assert values["y"] == target


def test_demo_with_the_constants_of_the_article(run):
    status, out, _ = run("demo", "--article")
    assert status == 0
    for text in article_text():
        assert text in out


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
        return verify(network, data.X, [v + 1 for v in data.y.rationals(0)], **options)

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
        "NOT exact: 1 of 4 points is wrong, the first is row 1 (counted from 0, line 3 of the "
        "file), the largest error is 1\n"
    )
    status, out, _ = run("verify", network, data, "--target", "label", "--json")
    assert status == 1
    facts = json.loads(out)
    assert (facts["first_wrong"], facts["first_wrong_line"]) == (1, 3)


def test_decimals_that_were_floats_when_memorized(tmp_path, run):
    """Not exact, and the sentence says why; on the floats themselves it is."""
    X, y = np.array([[0.1], [0.7], [1.3]]), ["b", "a", "b"]
    memorize(X, y).save(tmp_path / "net.json")
    path = tmp_path / "data.csv"
    command = ("verify", tmp_path / "net.json", path, "--target", "t")
    path.write_text("u,t\n0.1,b\n0.7,a\n1.3,b\n")
    status, out, err = run(*command)
    assert (status, err, out.count("\n")) == (1, "", 1)
    assert "NOT exact: 3 of 3 points are wrong" in out
    assert "with the floats nearest to its decimals this row is right" in out
    np.savez(tmp_path / "data.npz", X=X, y=np.array([1, 0, 1]))
    assert run("verify", tmp_path / "net.json", tmp_path / "data.npz")[0] == 0
    for wrong in ("0.1,a", "0.2,b", "1e400,b"):  # of other faults nothing of this is said
        path.write_text(f"u,t\n{wrong}\n0.7,a\n1.3,b\n")
        status, out, _ = run(*command)
        assert (status, "floats" in out) == (1, False)


def test_errors_of_any_size_are_reported(tmp_path, run):
    path = tmp_path / "data.csv"
    path.write_text("x,y\n+1/2,1e400\n2,0\n")
    assert run("memorize", path, "--target", "y", "-o", tmp_path / "n.json")[0] == 0
    path.write_text("x,y\n+1/2,1\n2,0\n")
    status, out, err = run("verify", tmp_path / "n.json", path, "--target", "y")
    assert (status, err) == (1, "")
    assert "the largest error is about 1e+400" in out


def test_large_network_files_need_leave(network, data, run):
    arguments = ("verify", network, data, "--target", "label", "--max-bytes")
    assert run(*arguments, "100")[0] == 2
    assert run(*arguments, "100000")[0] == 0


def test_other_refusals(tmp_path, data, network, run):
    cases = [
        (("memorize", tmp_path / "none.csv", "--target", "x", "-o", "n"), "No such file"),
        (("memorize", data, "-o", "n"), "name the target column with --target"),
        (("memorize", data, "--target", "label", "--hidden", "1x2", "-o", "n"), "--hidden 2x2 wo"),
        (("memorize", data, "--target", "label", "--hidden", "0x3", "-o", "n"), "positive integer"),
        (("memorize", data, "--target", "label", "-o", tmp_path / "no/net.json"), "No such file"),
        (
            ("memorize", data, "--target", "label", "-o", "n", "--max-bytes", "9"),
            "pass --max-bytes",
        ),
        (("verify", data, data, "--target", "label"), "not a network file"),
        (("verify", network, data, "--target", "label", "--threads", "0"), "--threads must be"),
        (
            ("verify", network, data, "--target", "label", "--max-bytes", "9"),
            "pass a larger --max-bytes",
        ),
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


def test_plan_of_data(run, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b,target\n1,0.5,3\n2,0.25,1\n1,0.5,3\n2,0.5,0\n")
    status, out, err = run("plan", path, "--target", "target")
    assert (status, err) == (0, "")
    assert out.startswith("3 points, 2 features, 1 output\n")
    assert "DATA has its own" in run("plan", path, "--target", "target", "--features", "3")[2]


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
        (("--points", "0"), "--points must be a positive integer, not 0"),
        (("--points", "5", "--features", "-1"), "--features must be a positive integer, not -1"),
        (("--points", "5", "--outputs", "0"), "--outputs must be a positive integer, not 0"),
    ],
)
def test_plan_refuses(run, arguments, text):
    assert run("plan", *arguments) == (2, "", f"exactnet: error: {text}\n")
