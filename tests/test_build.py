"""The core builds with and without a system GMP.

A system's header and library are hidden by poisoned ones that the compiler and the linker find
before them, but only after any folder they were told to look in.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(
    shutil.which("c++") is None and "CXX" not in os.environ, reason="needs a C++ compiler"
)


@pytest.fixture
def hidden_gmp(tmp_path):
    folder = tmp_path / "poison"
    folder.mkdir()
    (folder / "gmp.h").write_text("#error the system's gmp.h was reached\n")
    for name in ("libgmp.so", "libgmp.a"):
        (folder / name).write_text("the system's libgmp was reached\n")
    return {"CPLUS_INCLUDE_PATH": str(folder), "LIBRARY_PATH": str(folder)}


def build(folder, environment, *options):
    tools = Path(sys.executable).parent
    environment = {**os.environ, **environment}
    environment["PATH"] = f"{tools}{os.pathsep}{environment['PATH']}"
    configure = ["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug"]
    configure += ["-DEXACTNET_PYTHON=OFF", "-DEXACTNET_TESTS=ON"]
    configure += [f"-DPython_EXECUTABLE={sys.executable}", *options]
    steps = [configure, ["cmake", "--build", folder, "--target", "test_integer"]]
    output = ""
    for step in steps:
        result = subprocess.run(step, env=environment, capture_output=True, text=True, check=False)
        output += result.stdout + result.stderr
        if result.returncode != 0:
            return False, output
    subprocess.run([folder / "tests/cpp/test_integer"], check=True, capture_output=True)
    return True, output


def system_gmp(tmp_path):
    source = tmp_path / "probe.cpp"
    source.write_text("#include <gmp.h>\nint main() { return mp_bits_per_limb == 0; }\n")
    command = [os.environ.get("CXX", "c++"), source, "-lgmp", "-o", tmp_path / "probe"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_no_system_gmp_is_needed(tmp_path, hidden_gmp):
    built, output = build(tmp_path / "build", hidden_gmp)
    assert built, output
    assert "GMP: gmpy2's" in output


@pytest.mark.slow
def test_system_gmp_on_request(tmp_path, hidden_gmp):
    if not system_gmp(tmp_path):
        pytest.skip("this machine has no GMP for development")
    built, output = build(tmp_path / "build", {}, "-DEXACTNET_SYSTEM_GMP=ON")
    assert built, output
    assert "GMP: the system's" in output
    # the same build with the system's hidden fails: hiding works
    built, output = build(tmp_path / "hidden", hidden_gmp, "-DEXACTNET_SYSTEM_GMP=ON")
    assert not built
    assert "was reached" in output


def test_the_installed_module_brings_its_own_gmp():
    from exactnet import _core

    folder = Path(_core.__file__).parent
    bundled = list(folder.glob("libgmp*"))
    if not bundled:
        pytest.skip("built with a system GMP")
    if sys.platform == "linux":
        dynamic = subprocess.run(
            ["readelf", "-d", _core.__file__], capture_output=True, text=True, check=True
        ).stdout
        assert f"[{bundled[0].name}]" in dynamic
        assert "[$ORIGIN]" in dynamic
