"""What newcomers give the commands: one line says what is wrong with it, and what would do."""

import gzip
import json

import numpy as np
import pytest

from exactnet import ExactNetwork

LONG = "long " * 100
TABLE = "".join(f"{k},{k * k},{k % 3}\n" for k in range(30))
MISTAKES = {
    # name: (content, options, end of the message)
    "decimal commas in the target": (
        'a;b;y\n1;2;"3,5"\n2;3;"4,5"\n3;4;"1,25"\n4;1;"2,5"\n',
        "",
        "line 2, column 'y': '3,5' is neither a number nor a name; --decimal , takes decimal "
        "commas; commas between thousands are to be left out",
    ),
    "thousands in the target": (
        'a\ty\n1\t"426,123"\n2\t1,426,123.5\n3\t17\n',
        "",
        "line 2, column 'y': '426,123' is neither a number nor a name; --decimal , takes decimal "
        "commas; commas between thousands are to be left out",
    ),
    "thousands among commas": (
        'a,y\n1,17\n2,"426,123"\n3,"1,426,123.5"\n',
        "",
        "line 3, column 'y': '426,123' is neither a number nor a name; write numbers with a "
        "decimal point and no commas",
    ),
    "points in the target": (
        "a;y\n1,5;1.5\n2;2.5\n",
        "--decimal ,",
        "line 2, column 'y': '1.5' is neither a number nor a name; with --decimal , numbers have a "
        "decimal comma and no points",
    ),
    "an open quote in the first line": ('"a,y\n1,2\n2,3\n', "", "line 1: a quote is not closed"),
    "an open quote in a long file": (
        "a,y\n1,2\n" + '2,"3\n' + "1,2\n" * 99,
        "",
        "line 3: a quote is not closed",
    ),
    "an open quote in a longer file": (
        "a,y\n1,2\n" + '2,"3\n' + "1,2\n" * 99_999,
        "",
        "line 3: a cell exceeds 131072 characters; is a quote not closed?",
    ),
    "JSON": (
        json.dumps([{"a": k, "y": k} for k in range(300)]),
        "",
        "it is JSON, not CSV: save the table as CSV",
    ),
    "a JSON object": (
        '\n {"a": [1, 2], "y": [1, 2]}',
        "",
        "it is JSON, not CSV: save the table as CSV",
    ),
    "gzip": (gzip.compress(b"a,y\n1,2\n"), "", "it is packed by gzip: unpack it"),
    "xlsx": (
        b"PK\3\4\x14\0\6\0",
        "",
        "it is a ZIP archive, as .xlsx is, not CSV: unpack it, or save the table as CSV",
    ),
    "UTF-16": ("a,y\n1,2\n".encode("utf-16"), "", "it is text in UTF-16: save it as UTF-8"),
    "latin-1": (
        "größe,y\n1,2\n".encode("latin-1"),
        "",
        "not a text file in UTF-8: save it as UTF-8",
    ),
    "bars": (
        "a|y\n1|2\n",
        "",
        "cells must be separated by commas, semicolons or tabs, not by '|'",
    ),
    "blanks": (
        "a y\n1 2\n",
        "",
        "cells must be separated by commas, semicolons or tabs, not by ' '",
    ),
    "Excel's first line": (
        "sep=;\na;y\n1;2\n",
        "",
        "line 1, 'sep=', is for Excel alone: delete it",
    ),
    "a comma behind each line": (
        "a,y,\n1,2,\n3,4,\n",
        "",
        "line 2, column '': '' is not a number; the column starts empty: --ignore 2 leaves it out",
    ),
    "an empty column and --missing": (
        "a,b,y\n1,,2\n3,,4\n",
        "--missing drop",
        "there are no rows without a missing cell; --ignore b leaves out an empty column",
    ),
    "a short line": ("a,y\n1\n", "", "line 2 has 1 cell, the first line has 2"),
    "a long name": (
        f"a,{LONG},y\n1,x,2\n2,z,3\n",
        "",
        f"line 2, column '{LONG[:39]}: 'x' is not a number; --ignore 1 leaves out a column",
    ),
    "no target and long names": (
        f"a,{LONG}\n1,2\n",
        None,
        "name the target column with --target, such as --target 1; the columns are "
        f"a, {LONG[:40]}...",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("command", ["memorize", "train"])
def test_mistakes(tmp_path, run, name, command):
    content, options, message = MISTAKES[name]
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    words = [] if options is None else ["--target", "y", *options.split()]
    status, out, err = run(command, path, *words, "-o", tmp_path / "net")
    assert (status, out) == (2, "")
    assert err == f"exactnet: error: {path}: {' '.join(message.split())}\n"


def test_what_the_messages_propose(tmp_path, run):
    path = tmp_path / "data.csv"
    for text, options in (
        ('a;b;y\n1;2;"3,5"\n2;3;"4,5"\n', ["--decimal", ","]),
        ("a,y,\n1,2,\n3,4,\n", ["--ignore", "2"]),
        ("a,y,\n1,2,\n3,4,\n", ["--ignore", ""]),
        ("a,b,y\n1,,2\n3,,4\n", ["--missing", "drop", "--ignore", "b"]),
        ("[m],{s},y\n1,2,3\n3,4,5\n", []),  # which begins as JSON does
        ('a,y\n1,"red, 5"\n2,"1,5"\n3,blue\n', []),  # names, all in all
    ):
        path.write_text(text)
        status, _, err = run("memorize", path, "--target", "y", *options, "-o", tmp_path / "net")
        assert (status, err) == (0, ""), text


def test_an_index_without_a_name_is_noted(tmp_path, run):
    path, net = tmp_path / "data.csv", tmp_path / "net"
    note = f"{path}: the first column has no name and counts the rows: --ignore 0 leaves it out\n"
    options = ("--target", "y", "-o", net)
    for command in ("memorize", "train"):
        path.write_text(f",x,y\n{TABLE}")
        assert run(command, path, *options)[::2] == (0, note)
        for ignored in ("0", ""):
            assert run(command, path, *options, "--ignore", ignored)[::2] == (0, "")
        path.write_text(f"id,x,y\n{TABLE}")  # it has a name
        assert run(command, path, *options)[::2] == (0, "")
        path.write_text(f",x,y\n{TABLE.replace('12,', '12.5,')}")  # it does not count
        assert run(command, path, *options)[::2] == (0, "")
    path.write_text(f",0,y\n{TABLE}")  # where 0 is the name of another
    assert "--ignore '' leaves it out\n" in run("memorize", path, *options)[2]
    assert run("memorize", path, *options, "--ignore", "")[2] == ""
    assert ExactNetwork.load(net).layer_sizes[0] == 1


def test_names_that_are_no_classes(tmp_path, run):
    path, net = tmp_path / "data.csv", tmp_path / "net"
    for n, different, refused in ((20, 11, True), (20, 10, False), (19, 19, False)):
        path.write_text("a,y\n" + "".join(f"{k},p{k % different}\n" for k in range(n)))
        arguments = ("train", path, "--target", "y", "-o", net)
        status, out, err = run(*arguments)
        assert (status == 2) == refused
        if refused:
            assert out == ""
            assert err == (
                f"exactnet: error: {path}: the targets are 11 different names in 20 rows, such as "
                "'p0': --target another column and --ignore this one, or take them as classes "
                "with --task classify\n"
            )
            assert run(*arguments, "--task", "classify")[0] == 0


def test_memorize_says_what_it_took_for_classes(tmp_path, run):
    path, net = tmp_path / "data.csv", tmp_path / "net"
    for names, said in (
        (["red", "blue", "red"], "2 classes by name (blue, red)"),
        (["red"] * 2, "1 class by name (red)"),
        (
            [f"p{k:02}" for k in range(12)],
            "12 classes by name (p00, p01, p02, p03, p04, p05, p06, p07, p08, p09, ...)",
        ),
    ):
        path.write_text("a,y\n" + "".join(f"{k},{name}\n" for k, name in enumerate(names)))
        out = run("memorize", path, "--target", "y", "-o", net)[1]
        assert out.splitlines()[0] == f"targets: {said}"
    np.savez(tmp_path / "data.npz", X=[[1], [2]], y=[0, 1])
    assert "targets:" not in run("memorize", tmp_path / "data.npz", "-o", net)[1]


def test_one_of_anything(tmp_path, run):
    path, net = tmp_path / "data.csv", tmp_path / "net"
    path.write_text("a,y\n1,1\n2,\n")
    status, out, err = run("memorize", path, "--target", "y", "--missing", "drop", "-o", net)
    assert (status, err) == (0, f"{path}: dropped 1 row with missing cells, 1 is left\n")
    assert "largest parameter 1 bit\n" in out
    assert "the output equals its target\n" in out
    path.write_text("a,y\n1,2\n")
    status, out, _ = run("verify", net, path, "--target", "y")
    assert (status, "NOT exact: 1 of 1 point is wrong, the first is row 0 " in out) == (1, True)
