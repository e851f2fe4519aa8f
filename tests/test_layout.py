"""The rooms of the package and what may know what, read from its sources."""

import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import exactnet

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "python/exactnet"

# From below; each may import what is in lines above it, and modules of its own room.
ROOMS = (
    {"check"},
    {"_core"},
    {"base"},
    {"activations", "datasets", "schedules"},
    {"dense", "exact"},  # which do not know each other
    {"bridge"},
    {"diagnostics", "gates"},
    {"plot", "sklearn"},
    {""},  # the public names
    {"cli"},
    {"__main__"},
)
LEVELS = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}

# The doors between the halves, each of which only its method opens, and its annotation names.
DOORS = {
    ("dense.network", "bridge.conversion"): {"Network.to_exact", "TYPE_CHECKING"},
    ("exact.network", "bridge.conversion"): {"ExactNetwork.to_network", "TYPE_CHECKING"},
}


def module_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))} | {"_core": None}


def imported(node):
    """Return the modules of the package that an import statement names, by their longest name."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
        if any(alias.name.startswith("exactnet.") and not alias.asname for alias in node.names):
            names.append("exactnet")  # which it binds
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute here"
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        return
    for name in names:
        first, *parts = name.split(".")
        if first == "exactnet":
            while parts and ".".join(parts) not in MODULES:
                parts.pop()
            yield ".".join(parts)


def arrows_of(source):
    """Return (module, place) of all imports in a source: a function, TYPE_CHECKING, or ""."""
    found = set()

    def walk(node, place):
        found.update((target, place) for target in imported(node))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            place = f"{place}.{node.name}".lstrip(".")
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            place = "TYPE_CHECKING"
        for child in ast.iter_child_nodes(node):
            walk(child, place)

    walk(ast.parse(source), "")
    return found


ARROWS = {
    (module, target, place)
    for module, path in MODULES.items()
    if path is not None
    for target, place in arrows_of(path.read_text())
    if target != module
}


def room(module):
    return module.split(".")[0]


def allowed(module, target):
    below, above = LEVELS[room(target)], LEVELS[room(module)]
    return room(module) == room(target) or below < above


def test_imports_are_found_wherever_they_stand():
    source = """
from exactnet import _core, Network
from exactnet.dense.network import Network
if TYPE_CHECKING:
    from exactnet.exact import network
class C:
    def f(self):
        import exactnet.plot
"""
    assert arrows_of(source) == {
        ("_core", ""),
        ("", ""),
        ("dense.network", ""),
        ("exact.network", "TYPE_CHECKING"),
        ("plot", "C.f"),
        ("", "C.f"),
    }


def test_every_module_has_a_room():
    assert {room(module) for module in MODULES} == set(LEVELS)


def test_arrows_point_down():
    against = {(m, t) for m, t, _ in ARROWS if not allowed(m, t)}
    assert against == set(DOORS)


def test_doors_are_opened_by_their_methods_alone():
    for door, places in DOORS.items():
        assert {place for module, target, place in ARROWS if (module, target) == door} == places


def test_imports_by_name_are_those_of_the_public_names_and_of_commands():
    found = {
        module
        for module, path in MODULES.items()
        if path is not None and re.search(r"import_module|__import__", path.read_text())
    }
    assert found == {"", "cli"}


def test_no_circles():
    graph = {module: set() for module in MODULES}
    for module, target, _ in ARROWS:
        if (module, target) not in DOORS:
            graph[module].add(target)
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1][::-1]))


def test_no_module_hides_a_public_name():
    """Once imported, a module is an attribute of its package."""
    names = {module.split(".")[-1] for module in MODULES}
    public = (set(exactnet.__all__) | set(dir(exactnet))) - set(MODULES)
    assert not names & public


def test_public_names():
    assert set(exactnet.__all__) <= set(dir(exactnet))
    for name in dir(exactnet):
        assert getattr(exactnet, name) is not None
        assert not name.startswith("_") or name == "__version__"


def test_help_needs_no_package_that_is_optional():
    program = """
import inspect, pydoc, sys
sys.modules.update(sklearn=None, matplotlib=None)
import exactnet
assert not hasattr(exactnet, "sklearn")
assert "plot" in dict(inspect.getmembers(exactnet))
pydoc.render_doc(exactnet)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_check_stands_alone():
    assert not [t for m, t, _ in ARROWS if m == "check"]
    assert not [m for m, t, _ in ARROWS if t == "check"]


def test_rooms_of_the_core():
    may = {  # rooms and libraries that the files of a room include
        "base": {"base"},
        "exact": {"base", "exact", "gmp.h"},
        "dense": {"base", "dense"},
        "bindings": {"base", "exact", "dense", "bindings", "gmpy2.h", "pybind11"},
    }
    cpp = ROOT / "cpp"
    libraries = {"gmp.h", "gmpy2.h", "pybind11", "Python.h"}
    includes = {room: set() for room in may}
    for path in cpp.rglob("*.*"):
        room = path.relative_to(cpp).parts[0]
        for quote, name in re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)', path.read_text(), re.M):
            target = name.split("/")[0]
            if quote == '"' or (cpp / name).exists():
                header = path.parent / name if (path.parent / name).exists() else cpp / name
                assert header.exists(), f"{path} includes {name}"
                target = header.relative_to(cpp).parts[0]
            elif target not in libraries:
                continue
            assert target in may[room], f"{path.relative_to(cpp)} includes {name}"
            includes[room].add(target)
    assert includes["bindings"] == may["bindings"]  # so the search finds what there is


def test_long_files_stand_in_contributing_with_their_reason():
    """Past some length a file is often two: why it is one is to be said."""
    sources = [
        path
        for folder in ("python", "cpp", "tests", "benches", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".cpp", ".hpp", ".inl")
    ]
    long = {path for path in sources if len(path.read_text().splitlines()) > 450}
    text = (ROOT / "CONTRIBUTING.md").read_text()
    listed = dict(re.findall(r"^\| `([\w/.]+)` \| (.{20,}) \|$", text, re.M))
    assert {str(path.relative_to(ROOT)) for path in long} == set(listed)
