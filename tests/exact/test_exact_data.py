import json
import pickle
import warnings
from decimal import Decimal
from fractions import Fraction

import gmpy2
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exactnet import (
    Dataset,
    Network,
    _core,
    certificate,
    memorize,
    rounding_error,
    verify,
)
from exactnet.exact import data as exact_data
from exactnet.exact.data import Data, as_points, as_targets
from reference import fractions


def values(table):
    return [
        [Fraction(n, d) for n, d in zip(row, table.denominators, strict=True)]
        for row in table.numerators.tolist()
    ]


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False),
            st.floats(-1, 1, allow_nan=False, width=32),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_float_arrays_are_taken_exactly(rows):
    array = np.array(rows)
    assert values(as_points(array)) == fractions(array)
    assert values(as_points(rows)) == fractions(array)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u1", "i8", "u8", "?", "O"])
def test_every_real_dtype(dtype):
    array = np.array([[0, 1], [1, 1], [0, 0]], dtype=dtype)
    assert values(as_points(array)) == [[0, 1], [1, 1], [0, 0]]


def test_long_double():
    x = np.longdouble(1) / 3
    n, d = x.as_integer_ratio()
    assert values(as_points(np.array([[x]]))) == [[Fraction(n, d)]]


@pytest.mark.parametrize("value", [2**62, 2**63 - 1, -(2**63), 2**64 - 1, 2**64, -(2**200)])
def test_integers_of_any_size(value):
    rows = [[value, 0], [value - 1, 1]]
    assert values(as_points(rows)) == rows
    if -(2**63) < value < 2**64:
        assert values(as_points(np.array([[value]]))) == [[value]]


def test_big_integers_beside_floats_are_not_rounded():
    assert values(as_points([[2**64 + 1, 0.5]])) == [[2**64 + 1, Fraction(1, 2)]]


@pytest.mark.parametrize("value", [5e-324, 1.7e308, -(2.0**-1074), 2.0**61, 2.0**62, 2.0**63, 1e17])
def test_extreme_floats(value):
    array = np.array([[value, 1.0], [1.0, value], [0.0, -0.0]])
    assert values(as_points(array)) == fractions(array)


def test_mixed_kinds_in_one_column():
    column = [1, 0.5, Fraction(1, 3), gmpy2.mpq(-1, 7), gmpy2.mpz(4), Decimal("0.1"), np.int8(3)]
    expected = [1, Fraction(1, 2), Fraction(1, 3), Fraction(-1, 7), 4, Fraction(1, 10), 3]
    table = as_points([[v] for v in column])
    assert values(table) == [[v] for v in expected]
    assert table.numerators.dtype == np.int64


def test_array_like_objects():
    class Frame:
        def __array__(self, dtype=None, copy=None):
            return np.array([[1, 2]])

    assert values(as_points(Frame())) == [[1, 2]]


@pytest.mark.parametrize("library", [pd, pl])
def test_data_frames_are_not_rounded(library):
    columns = {"a": [2**53, 2**53 + 1], "b": [0.5, 0.5], "c": [Decimal("0.1"), Decimal("0.3")]}
    frame = library.DataFrame(columns)
    expected = [[a, Fraction(b), Fraction(c)] for a, b, c in zip(*columns.values(), strict=True)]
    assert values(as_points(frame)) == expected
    data = Dataset(frame)
    if library is pd:
        frame.iloc[0, 0] = 7
    assert values(as_points(data)) == expected
    for name, cells in columns.items():
        assert values(as_points(frame[[name]]))[1] == [Fraction(cells[1])]
    assert values(as_targets(frame["c"], 2)) == [[Fraction(1, 10)], [Fraction(3, 10)]]


def test_matrices():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        assert values(as_points(np.matrix([[1, 2], [3, 4]]))) == [[1, 2], [3, 4]]


def test_masked_arrays():
    array = np.ma.array([[0, 1], [2, 3]])
    assert values(as_points(array)) == [[0, 1], [2, 3]]
    array[1, 0] = np.ma.masked
    with pytest.raises(ValueError, match="X has masked entries"):
        as_points(array)


def test_wide_tables_of_all_exponents(rng):
    array = np.array([[rng.gauss(0, 1) * 2.0 ** rng.randrange(-80, 80) for _ in range(60)] + [0.0]])
    array = np.vstack([array, -array, np.zeros_like(array)])
    assert values(as_points(array)) == fractions(array)


def test_targets():
    assert values(as_targets([1, 2], 2)) == [[1], [2]]
    assert values(as_targets([[1, 3], [2, 4]], 2)) == [[1, 3], [2, 4]]
    assert values(as_targets(np.array([0.5, 1]), 2)) == [[Fraction(1, 2)], [1]]
    assert values(as_targets((gmpy2.mpq(1, 2),), 1)) == [[Fraction(1, 2)]]


def test_non_contiguous_arrays():
    array = np.arange(24).reshape(4, 6)[::2, ::-2]
    assert values(as_points(array)) == array.tolist()
    assert as_points(array).core is not None


@pytest.mark.parametrize("dtype", ["i8", "u8", "f8", "i4", "f4", "u1", "?"])
@pytest.mark.parametrize("form", ["plain", "fortran", "unaligned", "swapped", "read-only", "field"])
def test_memory_of_any_form(rng, dtype, form):
    """The core gets aligned numbers in the order of bytes of this machine, in memory of its own."""
    array = np.array([[rng.randrange(50) for _ in range(3)] for _ in range(7)]).astype(dtype)
    given = array.copy(order="F" if form == "fortran" else "C")
    if form == "unaligned":
        given = np.frombuffer(b"x" + array.tobytes(), dtype=dtype, offset=1).reshape(array.shape)
        assert not given.flags.aligned or array.itemsize == 1
    elif form == "swapped":
        given = array.astype(array.dtype.newbyteorder())
    elif form == "read-only":
        given.flags.writeable = False
    elif form == "field":  # of packed records
        records = np.zeros(7, dtype=[("flag", "u1"), ("X", dtype, 3), ("y", dtype)])
        records["X"], records["y"] = array, array[:, 0]
        given = records["X"]
    expected = [[Fraction(v) for v in row] for row in array.tolist()]
    for table in (as_points(given), as_targets(given, 7)):
        assert values(table) == expected
        numerators = table.numerators
        assert numerators.dtype == np.int64
        assert numerators.dtype.isnative
        assert numerators.flags.aligned
        assert numerators.flags.c_contiguous
        assert not np.shares_memory(numerators, given)
        assert table.core is not None
    column = records["y"] if form == "field" else given[:, 0]
    assert values(as_targets(column, 7)) == [[row[0]] for row in expected]


def test_the_core_takes_no_unaligned_numbers():
    unaligned = np.frombuffer(bytes(8 * 6 + 1), dtype=np.int64, offset=1).reshape(2, 3)
    with pytest.raises(ValueError, match="numerators must be aligned"):
        _core.Table(unaligned, [gmpy2.mpz(1)] * 3)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", ">f8"])
def test_floats_of_any_size(rng, dtype):
    """From the least subnormal to the greatest, and every other column ordinary ones."""
    kind, info = np.dtype(dtype), np.finfo(dtype)
    bits = [rng.getrandbits(8 * kind.itemsize) for _ in range(300)]
    column = np.array(bits, dtype=f"{kind.byteorder}u{kind.itemsize}").view(kind)
    column = np.append(
        np.where(np.isfinite(column), column, 0),
        np.array([0, -0.0, info.smallest_subnormal, info.tiny, info.max, -info.max], dtype=kind),
    )
    array = np.stack([column, np.arange(len(column)).astype(kind)], axis=1)
    assert values(as_points(array)) == [[Fraction(v) for v in row] for row in array.tolist()]


X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]


@pytest.fixture
def conversions(monkeypatch):
    """Names of the arguments that are converted, one for every time."""
    names, convert = [], exact_data._as_cells

    def counted(values, name):
        names.append(name)
        return convert(values, name)

    monkeypatch.setattr(exact_data, "_as_cells", counted)
    return names


def test_a_dataset_is_converted_once(tmp_path, conversions, monkeypatch):
    handles, core = [], _core.Table

    class Counted(core):
        def __init__(self, numerators, denominators):
            handles.append(numerators.shape)
            super().__init__(numerators, denominators)

    monkeypatch.setattr(_core, "Table", Counted)
    data = Dataset(X, Y)
    net = memorize(data, construction="integer")
    assert verify(net, data).exact
    assert certificate(net, data).exact
    assert net.predict(data)[:, 0].tolist() == Y
    net.save(tmp_path / "net.json", claim_for=data)
    assert conversions == ["X", "y"]
    assert handles == [(4, 2), (4, 1)]
    net.save(tmp_path / "same.json", claim_for=(X, Y))
    assert conversions == ["X", "y"] * 2
    assert (tmp_path / "same.json").read_bytes() == (tmp_path / "net.json").read_bytes()
    assert json.loads((tmp_path / "net.json").read_text())["claim"]["points"] == 4


@pytest.mark.parametrize(
    ("name", "expected"),
    [("data.npy", ["X", "y"]), ("data.csv", [])],  # rows of CSV are read as tables
)
def test_the_command_line_converts_once(name, expected, tmp_path, conversions, capsys):
    from exactnet.cli import main

    path = tmp_path / name
    if path.suffix == ".npy":
        np.save(path, np.array([[1, 2, 0.5], [3, 4, 7]]))
    else:
        path.write_text("1,2,0.5\n3,4,7\n")
    arguments = [str(path), "--target", "2", "-o", str(tmp_path / "net.json"), "--claim"]
    assert main(["memorize", *arguments]) == 0
    assert conversions == expected


def test_datasets_are_taken_like_arrays():
    data, more = Dataset(X, Y), Dataset([[2, 5], [3, 7]], [4, 5])
    net = memorize(data)
    assert net.layer_sizes == memorize(X, Y).layer_sizes
    net.extend(more)
    assert verify(net, [data, (more.X, more.y)]).n_points == 6
    again = memorize(data)
    again._places = None
    again.extend(more, X=data)
    assert verify(again, iter([more, data])).exact
    floats = Network.from_arrays([[[0.1, 0.2]]], [[0.3]], "linear")
    assert rounding_error(floats, Dataset(X)) == rounding_error(floats, X)
    assert verify(net, Dataset(X, [1, 1, 1, 0])).first_wrong == 0


def test_a_dataset_has_its_targets():
    net = memorize(X, Y)
    data, points = Dataset(X, Y), Dataset(X)
    for call in (memorize, lambda *pair: verify(net, *pair)):
        with pytest.raises(ValueError, match="y must be left out: X is a Dataset, with its own"):
            call(data, Y)
        with pytest.raises(ValueError, match="X is a Dataset without y"):
            call(points)
    with pytest.raises(
        ValueError, match="y_new must be left out: x_new is a Dataset, with its own"
    ):
        net.extend(data, Y)
    with pytest.raises(ValueError, match="x_new is a Dataset without y"):
        net.extend(points)
    with pytest.raises(ValueError, match="X is a Dataset without y"):
        net.save("no file", claim_for=points)
    with pytest.raises(ValueError, match="chunk 1: X is a Dataset without y"):
        verify(net, [data, points])
    with pytest.raises(TypeError, match="y must be an array or a list, not NoneType"):
        memorize(X)
    with pytest.raises(TypeError, match="y_new must be an array or a list, not NoneType"):
        net.extend(X)
    assert net.predict(points)[:, 0].tolist() == Y


def test_what_is_wrong_with_a_dataset_is_said_at_every_use():
    data = Dataset([[1.0], [np.inf]], [1, 2])
    for _ in range(2):
        with pytest.raises(ValueError, match=r"X\[1, 0\] is inf"):
            memorize(data)


def test_a_limit_of_memory_counts_the_conversion_of_a_dataset():
    data = Dataset([[2.0**k] for k in range(-1000, 1000)], list(range(2000)))
    with pytest.raises(MemoryError, match="column 0 of X would take about"):
        memorize(data, max_bytes=1000)
    with pytest.raises(MemoryError, match="by prediction"):
        memorize(data, max_bytes=2**20)


def test_tables_go_to_other_processes_without_their_core():
    data = Data([[1, 2], [3, 2**70]], [1, 2])
    assert data.points.core is data.points.core
    same = pickle.loads(pickle.dumps(data))
    assert values(same.points) == values(data.points)
    assert values(same.targets) == [[1], [2]]
    assert "core" not in vars(same.points)
    assert values(data.rows(np.array([1])).points) == [[3, 2**70]]
