"""Every example in a docstring and in README.md runs and prints what it says."""

import doctest
import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import textwrap
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import exactnet

MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages(exactnet.__path__, "exactnet.")
    if not m.name.endswith((".__main__", "._core"))
)
ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


def test_examples_exist():
    for name in exactnet.__all__:
        value = getattr(exactnet, name)
        documented = callable(value) and not name.endswith(
            ("Report", "Error", "History", "Certificate", "Plan", "PlanRow")
        )
        assert not documented or ">>>" in value.__doc__, name


def test_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    scope = {}
    for k, block in enumerate(blocks):
        assert ">>>" in block
        runner.run(parser.get_doctest(block, scope, f"README.md[{k}]", "README.md", 0))
    assert runner.summarize().failed == 0


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_commands_of_readme(tmp_path):
    """They run as printed, in an empty folder."""
    pytest.importorskip("matplotlib")
    text = (ROOT / "README.md").read_text()
    (block,) = re.findall(r"```sh\n(exactnet .*?)```", text, re.DOTALL)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    result = subprocess.run(
        ["sh", "-e", "-c", block],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"accuracy [01]\.\d+: \d+ of 150\n", result.stderr)
    assert "all 150 outputs equal their targets" in result.stdout
    assert result.stdout.count("\nsetosa") > 20
    made = ["iris.csv", "iris.json", "iris.safetensors", "iris.svg"]
    assert sorted(file.name for file in tmp_path.iterdir()) == made


def test_guarantees_name_tests_that_exist():
    text = (ROOT / "docs/guarantees.md").read_text()
    promises = [line for line in text.splitlines() if line.startswith("| ")]
    promises = [line for line in promises if not line.startswith("| promise")]
    assert len(promises) > 30
    for line in promises:
        named = re.findall(r"`(test_\w+\.(?:py|cpp))::(\w+)`", line.split("|")[-2])
        assert named, f"no test shows: {line}"
        for file, name in named:
            (path,) = (ROOT / "tests").rglob(file)
            definition = f"\nTEST({name})" if file.endswith(".cpp") else f"\ndef {name}("
            assert definition in path.read_text(), f"{file}::{name}"


def program_of_the_file_format(first, after):
    """Return one of the programs in docs/file-format.md."""
    text = (ROOT / "docs/file-format.md").read_text()
    return textwrap.dedent(text[text.index(first) : text.index(after)])


def test_program_for_exact_networks(tmp_path, monkeypatch):
    """On numbers longer than Python's default limit."""
    program = program_of_the_file_format("    import json, sys", "In files that")
    value = 3**10_000
    net = exactnet.ExactNetwork.from_arrays([[[value]], [[-1]]], [[1], [Fraction(1, value)]])
    net.save(tmp_path / "net.json")
    monkeypatch.chdir(tmp_path)
    scope = {}
    limit = sys.get_int_max_str_digits()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            exec(program, scope)
        assert scope["predict"]([2]) == [-(2 * value + 1) + Fraction(1, value)]
        assert scope["predict"]([-1]) == [Fraction(1, value)]
    finally:
        sys.set_int_max_str_digits(limit)


def test_program_for_trained_networks(tmp_path, monkeypatch):
    program = program_of_the_file_format("    import json\n", "Values are finite")
    net = exactnet.Network([3, 4, 2], activations=["relu", "linear"], dtype="float64", seed=1)
    net.save(tmp_path / "net.safetensors")
    monkeypatch.chdir(tmp_path)
    scope = {}
    exec(program, scope)
    for x in ([1, -2, 3], [-5, 0.5, 0]):
        np.testing.assert_allclose(scope["predict"](x), net.predict([x])[0], rtol=1e-12)


def test_version_is_said_once():
    from importlib.metadata import version

    assert exactnet.__version__ == version("exactnet")
    assert f"## {exactnet.__version__}" in (ROOT / "CHANGELOG.md").read_text()
