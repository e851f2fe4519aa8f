"""The rooms of the package, read from its sources."""

import re
from pathlib import Path

CPP = Path(__file__).parents[1] / "cpp"


def test_rooms_of_the_core():
    may = {  # rooms and libraries that the files of a room include
        "base": {"base"},
        "exact": {"base", "exact", "gmp.h"},
        "dense": {"base", "dense"},
        "bindings": {"base", "exact", "dense", "bindings", "gmpy2.h", "pybind11"},
    }
    libraries = {"gmp.h", "gmpy2.h", "pybind11", "Python.h"}
    includes = {room: set() for room in may}
    for path in CPP.rglob("*.*"):
        room = path.relative_to(CPP).parts[0]
        for quote, name in re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)', path.read_text(), re.M):
            target = name.split("/")[0]
            if quote == '"':
                header = path.parent / name if (path.parent / name).exists() else CPP / name
                assert header.exists(), f"{path} includes {name}"
                target = header.relative_to(CPP).parts[0]
            elif target not in libraries:
                continue
            assert target in may[room], f"{path.relative_to(CPP)} includes {name}"
            includes[room].add(target)
    assert includes["bindings"] == may["bindings"]  # so the search finds what there is
