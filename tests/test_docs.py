"""Every example in a docstring and in README.md runs and prints what it says."""

import doctest
import importlib
import pkgutil
import re
import sys
import textwrap
import warnings
from fractions import Fraction
from pathlib import Path

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
        documented = callable(value) and not name.endswith(("Report", "Error", "History"))
        assert not documented or ">>>" in value.__doc__, name


def test_readme():
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    scope = {}
    for k, block in enumerate(blocks):
        assert ">>>" in block
        runner.run(parser.get_doctest(block, scope, f"README.md[{k}]", "README.md", 0))
    assert runner.summarize().failed == 0


def test_program_of_the_file_format(tmp_path, monkeypatch):
    """The program in docs/file-format.md, on numbers longer than Python's default limit."""
    text = (ROOT / "docs/file-format.md").read_text()
    program = text[text.index("    import json, sys") : text.index("Files are written")]
    value = 3**10_000
    net = exactnet.ExactNetwork.from_arrays([[[value]], [[-1]]], [[1], [Fraction(1, value)]])
    net.save(tmp_path / "net.json")
    monkeypatch.chdir(tmp_path)
    scope = {}
    limit = sys.get_int_max_str_digits()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            exec(textwrap.dedent(program), scope)
        assert scope["predict"]([2]) == [-(2 * value + 1) + Fraction(1, value)]
        assert scope["predict"]([-1]) == [Fraction(1, value)]
    finally:
        sys.set_int_max_str_digits(limit)


def test_version_is_said_once():
    from importlib.metadata import version

    assert exactnet.__version__ == version("exactnet")
    assert f"## {exactnet.__version__}" in (ROOT / "CHANGELOG.md").read_text()
