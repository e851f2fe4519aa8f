"""Exact networks in JSON files (docs/file-format.md)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet.base.files import as_name, atomic_write, head_of, read_json
from exactnet.base.progress import Progress
from exactnet.exact.digest import check_claim
from exactnet.exact.parameters import Parameters
from exactnet.exact.rationals import object_array, to_mpq

FORMAT = "exactnet"
VERSION = 1

_RATIONAL = re.compile(r"-?[0-9]+(/[0-9]+)?", re.ASCII)
_RATIONALS = re.compile(r"-?[0-9]+(/[0-9]+)?(,-?[0-9]+(/[0-9]+)?)*", re.ASCII)


def save(
    path: str | os.PathLike[str],
    parameters: Parameters,
    claim: dict[str, Any] | None,
    progress: Progress | None = None,
) -> None:
    """Write the network with a claim that its caller has established, or with none."""
    parameters.check()
    document = {
        "format": FORMAT,
        "version": VERSION,
        "layer_sizes": parameters.layer_sizes,
        "activations": parameters.activations,
        **({} if parameters.classes is None else {"classes": parameters.classes}),
        **({} if claim is None else {"claim": claim}),
    }
    head = json.dumps(document, separators=(",", ":"))[:-1]
    tell = _share_of(sum(map(np.size, parameters.weights)), progress)
    weights = [
        [_row_text(row, f"weights[{k}]", tell) for row in w]
        for k, w in enumerate(parameters.weights)
    ]
    biases = [_row_text(b, f"biases[{k}]") for k, b in enumerate(parameters.biases)]
    with atomic_write(path) as file:
        file.write(f'{head},"weights":[')
        for k, rows in enumerate(weights):
            for r, row in enumerate(rows):  # in parts, between which Ctrl-C is answered
                file.write(("," if r else ",[" if k else "[") + row)
            file.write("]")
        file.write(f'],"biases":[{",".join(biases)}]}}\n')


def load(
    path: str | os.PathLike[str], max_bytes: int, progress: Progress | None = None
) -> Parameters:
    """Read a file and check all of it, the form of a claim too."""
    name = as_name(path)
    size = os.stat(name).st_size
    if size > max_bytes:
        raise ValueError(
            f"{name}: {size} bytes are more than the limit of {max_bytes}; "
            "pass a larger max_bytes to read it"
        )
    try:
        with open(name, encoding="utf-8") as file:
            document = read_json(file, _unique_keys)
        return _from_document(document, progress)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        if b'"exactnet.Network"' in head_of(name):
            raise ValueError(f"{name}: it holds a trained network: Network.load reads it") from None
        raise ValueError(f"{name}: not a network file, or damaged: {error}") from None
    except (_FormatError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None


def _share_of(total: int, progress: Progress | None) -> Callable[[int], None]:
    """Return what counts finished parameters, and tells their share of all."""
    done = 0

    def tell(n: int) -> None:
        nonlocal done
        done += n
        if progress is not None:
            progress(done / total)

    return tell


def _from_document(document: Any, progress: Progress | None) -> Parameters:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _FormatError('not a network file: "format" is not "exactnet"')
    if type(document.get("version")) is not int or document["version"] != VERSION:
        raise _FormatError(
            f"version {document.get('version')!r} of the format is unknown; "
            f"this package reads version {VERSION}"
        )
    expected = {"format", "version", "layer_sizes", "activations", "weights", "biases"}
    if set(document) - {"claim", "classes"} != expected:
        odd = ", ".join(sorted(set(document) - {"claim", "classes"} ^ expected))
        raise _FormatError(f"missing or unknown entries: {odd}")
    sizes = _sized_list(document["layer_sizes"], None, "layer_sizes")
    if len(sizes) < 2 or not all(type(n) is int and n > 0 for n in sizes):
        raise _FormatError("layer_sizes must be at least two positive integers")
    n_layers = len(sizes) - 1
    activations = _sized_list(document["activations"], n_layers, "activations")
    weight_lists = _sized_list(document["weights"], n_layers, "weights")
    bias_lists = _sized_list(document["biases"], n_layers, "biases")
    tell = _share_of(sum(a * b for a, b in pairwise(sizes)), progress)
    weights, biases = [], []
    for k in range(n_layers):
        inputs, outputs = sizes[k], sizes[k + 1]
        rows = _sized_list(weight_lists[k], outputs, f"weights[{k}]")
        for r, row in enumerate(rows):
            _sized_list(row, inputs, f"weights[{k}][{r}]")
        matrix = np.empty((outputs, inputs), dtype=object)
        for r in range(outputs):
            matrix[r] = _parse_row(rows[r], f"weights[{k}][{r}]")
            rows[r] = None  # to free all text at once would take long
            tell(inputs)
        weights.append(matrix)
        cells = _sized_list(bias_lists[k], outputs, f"biases[{k}]")
        biases.append(object_array(_parse_row(cells, f"biases[{k}]")))
    if "claim" in document:
        check_claim(document["claim"], sizes[0], sizes[-1])
    classes = document.get("classes")
    if "classes" in document and not isinstance(classes, list):
        raise _FormatError("classes must be a list of names")
    parameters = Parameters(weights, biases, activations, classes and tuple(classes))
    parameters.check()
    return parameters


class _FormatError(Exception):
    """What is wrong with a network file, without its name."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise _FormatError("an entry appears twice")
    return document


def _sized_list(value: Any, length: int | None, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _FormatError(f"{what} must be a list")
    if length is not None and len(value) != length:
        raise _FormatError(f"{what} has {len(value)} entries, not {length}")
    return value


def _row_text(row: npt.NDArray[Any], where: str, tell: Callable[[int], None] | None = None) -> str:
    """Return a row of parameters as JSON."""
    text = '["' + '","'.join([str(to_mpq(v, where)) for v in row.tolist()]) + '"]'
    if tell is not None:
        tell(len(row))
    return text


def _parse_row(cells: list[Any], where: str) -> list[Any]:
    try:
        if _RATIONALS.fullmatch(",".join(cells)):
            return list(map(gmpy2.mpq, cells))
    except (TypeError, ValueError, ZeroDivisionError):
        pass
    return [_parse(cell, f"{where}[{c}]") for c, cell in enumerate(cells)]


def _parse(cell: Any, where: str) -> Any:
    if not isinstance(cell, str) or not _RATIONAL.fullmatch(cell):
        raise _FormatError(f'{where} must be a rational as a string, "p/q", not {cell!r:.40}')
    try:
        return gmpy2.mpq(cell)
    except ZeroDivisionError:
        raise _FormatError(f"{where} has the denominator 0") from None
