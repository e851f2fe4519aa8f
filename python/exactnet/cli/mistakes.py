"""What is taken for CSV and is none, or none as it is read here: what would do is said instead."""

from __future__ import annotations

import re
from typing import Any

import numpy.typing as npt

from exactnet.cli.cells import is_missing

_FORMATS = {
    b"\x1f\x8b": "is packed by gzip: unpack it",
    b"PK\3\4": "is a ZIP archive, as .xlsx is, not CSV: unpack it, or save the table as CSV",
    b"\xd0\xcf\x11\xe0": "is an .xls file, not CSV: save the table as CSV",
    b"PAR1": "is a Parquet file, not CSV: save the table as CSV",
    b"\xff\xfe": "is text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "is text in UTF-16: save it as UTF-8",
}
_JSON = re.compile(rb"\s*(\{\s*[\"}]|\[\s*[\[{\"0-9\]-])")
_SEPARATORS = "cells must be separated by commas, semicolons or tabs"
# Numbers with a mark that is not the one of decimals.
_MARKED = {
    ".": re.compile(r"[+-]?[0-9.]*(,[0-9.]+)+", re.ASCII),
    ",": re.compile(r"[+-]?[0-9,]*(\.[0-9,]+)+", re.ASCII),
}


def refuse_other_formats(head: bytes) -> None:
    """Raise what the first bytes of a file say against it."""
    for mark, what in _FORMATS.items():
        if head.startswith(mark):
            raise ValueError(f"it {what}")
    if _JSON.match(head):
        raise ValueError("it is JSON, not CSV: save the table as CSV")


def refuse_other_separators(rows: list[list[str]], text: bytes) -> None:
    """Raise what the first rows and the text they stand in say against how cells are separated."""
    if re.match(rb"sep=.?\s*[\r\n]", text):
        raise ValueError("line 1, 'sep=', is for Excel alone: delete it")
    if all(len(row) == 1 for row in rows):
        for mark in "| :":
            if all(mark in row[0] for row in rows):
                raise ValueError(f"{_SEPARATORS}, not by {mark!r}")


def refuse_marked_numbers(
    labels: list[str], lines: npt.NDArray[Any], name: str, decimal: str, separator: str
) -> None:
    """Raise an error if most names of classes are numbers that are written in another way."""
    marked = _MARKED[decimal].fullmatch
    names = {label for label in labels if not is_missing(label)}
    if 2 * sum(marked(label) is not None for label in names) <= len(names):
        return
    k = next(k for k, label in enumerate(labels) if marked(label))
    remedy = "--decimal , takes decimal commas; commas between thousands are to be left out"
    if decimal == ",":
        remedy = "with --decimal , numbers have a decimal comma and no points"
    elif separator == ",":  # so --decimal , would take the file for another
        remedy = "write numbers with a decimal point and no commas"
    where = f"line {lines[k]}, column {name!r:.40}"
    raise ValueError(f"{where}: {labels[k]!r:.40} is neither a number nor a name; {remedy}")
