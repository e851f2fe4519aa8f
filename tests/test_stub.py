"""The committed stub of the extension against the module itself."""

import ast
import subprocess
import sys
from importlib.resources import files


def interface(source):
    """Names of classes and functions with their arguments and defaults."""
    result = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.FunctionDef):
                    result[f"{node.name}.{item.name}"] = signature(item)
        elif isinstance(node, ast.FunctionDef):
            result[node.name] = signature(node)
    return result


def signature(function):
    arguments = function.args
    assert not any((arguments.vararg, arguments.kwarg, arguments.kwonlyargs))
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    static = any(ast.unparse(d) == "staticmethod" for d in function.decorator_list)
    return names, [ast.unparse(d) for d in arguments.defaults], static


def test_stub_matches_the_module(tmp_path):
    command = [sys.executable, "-m", "pybind11_stubgen", "exactnet._core", "-o", str(tmp_path)]
    subprocess.run([*command, "--exit-code"], check=True, capture_output=True)
    generated = interface((tmp_path / "exactnet/_core.pyi").read_text())
    committed = interface((files("exactnet") / "_core.pyi").read_text())
    assert len(generated) > 10
    assert committed == generated


def test_the_package_is_marked_as_typed():
    assert (files("exactnet") / "py.typed").is_file()
