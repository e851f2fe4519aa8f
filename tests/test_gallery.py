"""Every program of the gallery runs, asserts what it claims and draws its picture."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

FOLDER = Path(__file__).parent.parent / "docs" / "gallery"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
LONG = {  # some three seconds and more
    "exact_scale",
    "functions_depth",
    "functions_grids",
    "functions_harder",
    "functions_sine",
    "functions_universal",
    "mnist_table",
    "online_random_bits",
    "regularisation_dropout",
    "regularisation_penalties",
    "vanishing_gradient",
}
LARGEST = 60_000  # bytes; the pictures are under version control


def size(picture):
    """Width and height, which are the first two numbers of a PNG."""
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def test_there_are_programs():
    assert len(PROGRAMS) >= 9


@pytest.mark.parametrize(
    "name",
    [pytest.param(p, marks=pytest.mark.slow) if p in LONG else p for p in PROGRAMS],
)
def test_program(name, tmp_path):
    run = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), "--output", str(tmp_path / "new")],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout
    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"{name}.png"]
    picture = tmp_path / "new" / f"{name}.png"
    assert 600 <= size(picture)[0] <= 1000
    assert picture.stat().st_size < LARGEST


@pytest.mark.parametrize("name", PROGRAMS)
def test_table_has_program(name):
    table = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if line.startswith(f"| [{name}]({name}.py)")]
    assert len(rows) == 1
    assert f"](pictures/{name}.png)" in rows[0]
    assert (FOLDER / "pictures" / f"{name}.png").stat().st_size < LARGEST


def test_nothing_else_is_in_the_gallery():
    pictures = {path.name for path in (FOLDER / "pictures").iterdir()}
    assert pictures == {f"{name}.png" for name in PROGRAMS}
