"""Data frames of pandas and polars, and sparse matrices of SciPy, as X and y in both halves."""

import datetime
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from exactnet import (
    Dataset,
    Network,
    certificate,
    diagnostics,
    memorize,
    rounding_error,
    sweep,
    verify,
)
from exactnet.exact.data import as_points

RNG = np.random.default_rng(0)
COLUMNS = {
    "sepal length (cm)": RNG.normal(size=40),
    "50% width": RNG.integers(-5, 5, 40),
    "is_red": RNG.random(40) < 0.5,
}
PLAIN = np.column_stack(list(COLUMNS.values()))
TARGETS = RNG.integers(0, 2, 40)

FRAMES = {
    "pandas": pd.DataFrame(COLUMNS),
    "pandas nullable": pd.DataFrame(COLUMNS).convert_dtypes(),
    "pandas objects": pd.DataFrame(COLUMNS).astype(object),
    "pandas category": pd.DataFrame(COLUMNS).astype({"50% width": "category"}),
    "pandas rows": pd.DataFrame(COLUMNS, index=[f"row {k}" for k in range(40)]),
    "pandas columns alike": pd.DataFrame(PLAIN, columns=["a", "a", "b"]),
    "polars": pl.DataFrame(COLUMNS),
}


def tried(X, y, **given):
    """All that the float half makes of data."""
    net = Network([np.shape(PLAIN)[1], 4, 1], activations="sigmoid", init="normal", seed=0)
    history = net.fit(X, y, epochs=2, validation_data=given.get("validation", (X, y)))
    points = X.X if isinstance(X, Dataset) else X
    return [
        *history.loss, *history.val_loss, *history.val_accuracy, *net.weights, net.predict(points),
        net.classify(points), net.loss(X, y), net.accuracy(X, y), net.gradients(X, y)[0][0],
        repr(diagnostics.dead_units(net, points)),
    ]  # fmt: skip


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_are_their_numbers(kind):
    frame = FRAMES[kind]
    expected = tried(PLAIN, TARGETS)
    series = type(frame["b" if "alike" in kind else "is_red"])
    for y in (TARGETS, series(TARGETS), type(frame)({"target": TARGETS})):
        assert_same(tried(frame, y), expected)
        assert_same(tried(Dataset(frame, y), None, validation=Dataset(frame, y)), expected)
        [result] = sweep(
            [dict(layer_sizes=[3, 4, 1])], frame, y, activations="sigmoid", init="normal", seed=0,
            epochs=2, validation_data=(frame, y),
        )  # fmt: skip
        assert_same(result.network.weights, expected[6:8])
        net = memorize(frame, y)
        assert_same(net.weights, memorize(PLAIN, TARGETS).weights)
        assert verify(net, Dataset(frame, y)).exact
        assert verify(net, [(frame, y)]).exact
    assert (net.predict(frame) == net.predict(PLAIN)).all()
    linear = Network([3, 1], activations="linear", init="normal", seed=0)
    assert certificate(linear, frame) == certificate(linear, PLAIN)
    assert rounding_error(linear, frame) == rounding_error(linear, PLAIN)


def test_columns_are_exact():
    """Integers beside floats, and decimals as they stand."""
    frame = pd.DataFrame({"n": [2**60 + 1, 1], "x": [0.1, 0.5]})
    table = as_points(frame)
    assert table.rationals(0) == [2**60 + 1, 1]
    assert table.rationals(1) == [Fraction(0.1), Fraction(1, 2)]


def missing(library, position, value=None, dtype=None):
    cells = [1, 2, 3, 4]
    cells[position] = value
    column = (
        library.Series("width", cells, dtype) if library is pl else pd.Series(cells, dtype=dtype)
    )
    return library.DataFrame({"length": [1.0, 2.0, 3.0, 4.0], "width": column})


BAD = [
    (missing(pd, 2), r"X column 'width' row 2 is nan: only finite"),
    (missing(pd, 2, dtype="Int64"), r"X column 'width' row 2 is (missing: fill|nan: only)"),
    (missing(pd, 2, dtype="Float64"), r"X column 'width' row 2 is (missing: fill|nan: only)"),
    (missing(pd, 1, dtype=object), r"X column 'width' row 1 is missing: fill it"),
    (missing(pd, 1, float("inf")), r"X column 'width' row 1 is inf: only finite"),
    (missing(pl, 3), r"X column 'width' row 3 is nan: only finite"),
    (missing(pd, 3, "wide", object), r"X column 'width' has text, 'wide' in row 3: numbers are"),
    (
        pd.DataFrame({"length": [1.0, 2.0], "species": ["setosa", "virginica"]}),
        r"X column 'species' has text, 'setosa' in row 0: numbers are needed; encode it or leave",
    ),
    (
        pl.DataFrame({"length": [1.0, 2.0], "species": ["setosa", "virginica"]}),
        r"X column 'species' has text, 'setosa' in row 0: numbers are needed; encode it or leave",
    ),
    (
        pd.DataFrame({"length": [1.0, 2.0], "when": pd.to_datetime(["2020-01-01", "2020-01-02"])}),
        r"X column 'when' is of type datetime64\[\w+\]: numbers are needed",
    ),
    (
        pl.DataFrame({"length": [1.0], "when": [datetime.date(2020, 1, 1)]}),
        r"X column 'when' is of type Date: numbers are needed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("frame", "message"), BAD, ids=[f"{m[:45]} {k}" for k, (_, m) in enumerate(BAD)]
)
def test_errors_name_the_column(frame, message):
    y = [row % 2 for row in range(len(frame))]
    net = Network([2, 1], seed=0)
    for call in (
        lambda: net.fit(frame, y),
        lambda: net.predict(frame),
        lambda: net.fit(Dataset(frame, y)),
        lambda: sweep([dict(layer_sizes=[2, 1])], frame, y),
        lambda: memorize(frame, y),
        lambda: verify(memorize([[1, 2]], [3]), frame, y),
    ):
        with pytest.raises((ValueError, TypeError), match=message) as error:
            call()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("library", [pd, pl])
def test_errors_of_targets_and_widths(library):
    frame = library.DataFrame({"length": [1, 2, 3], "width": [3, 4, 5]})
    price = library.DataFrame({"price": [1.0, 2.0, float("nan")]})
    nets = Network([2, 1], seed=0), memorize([[1, 2]], [3])
    for y in (price, price["price"]):
        for call in (nets[0].fit, memorize, lambda X, y: verify(nets[1], X, y)):
            with pytest.raises(ValueError, match=r"y column 'price' row 2 is (nan|missing)"):
                call(frame, y)
    wider = Network([5, 1], seed=0), memorize([[1, 2, 3, 4, 5]], [3])
    for net in wider:
        with pytest.raises(
            ValueError, match=r"X has 2 features \('length', 'width'\) but the network takes 5"
        ):
            net.predict(frame)


KINDS = ["csr", "csc", "coo", "lil", "dok", "bsr"]


def sparse_data(n=300, width=200, density=0.05, dtype=np.float64):
    rng = np.random.default_rng(1)
    X = np.where(rng.random((n, width)) < density, rng.normal(size=(n, width)), 0).astype(dtype)
    return X, rng.integers(0, 3, n)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("width", "density"), [(200, 0.05), (300, 0.3), (200, 0.6), (40, 0.05), (64, 0), (700, 0.01)]
)
def test_sparse_data_are_their_arrays(dtype, width, density):
    """To the bit, whether they are packed or not."""
    X, y = sparse_data(width=width, density=density)

    def results(X):
        data = Dataset(X, y)
        for given in ((X, y), (data, None)):
            net = Network(
                [width, 8, 3], activations=["tanh", "softmax"], init="normal", dtype=dtype, seed=0
            )
            history = net.fit(
                *given, epochs=2, validation_data=(X, y), loss="cross_entropy", dropout=0.2
            )
            yield from (*history.loss, *history.val_loss, *history.val_accuracy, *net.weights)
            yield from (net.loss(*given), net.accuracy(*given), net.predict(given[0]))
            yield from (net.classify(given[0]), *(a for g in net.gradients(*given) for a in g))
            yield repr(diagnostics.dead_units(net, given[0]))
        yield net.predict(X[:5])
        [result] = sweep([dict(layer_sizes=[width, 3])], X, y, dtype=dtype, seed=0)
        yield from result.network.weights

    expected = list(results(X))
    for kind in ("csr_array", "csc_matrix"):
        assert_same(results(getattr(sparse, kind)(X)), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["array", "matrix"])
def test_every_kind_of_sparse_data(kind, form):
    X, y = sparse_data()
    net, expected = (Network([200, 3], activations="softmax", seed=0) for _ in range(2))
    given = getattr(sparse, f"{kind}_{form}")(X)
    net.fit(given, y)
    expected.fit(X, y)
    assert_same(net.weights, expected.weights)
    assert (net.predict(given) == expected.predict(X)).all()
    assert (Dataset(given).X != given).nnz == 0
    few = getattr(sparse, f"{kind}_{form}")(X[:12, :9])
    exact = memorize(few, range(12)) if len(np.unique(X[:12, :9], axis=0)) == 12 else None
    values = as_points(few)
    assert values.numerators.tolist() == as_points(X[:12, :9]).numerators.tolist()
    if exact is not None:
        assert verify(exact, few, range(12)).exact


def test_sparse_data_of_other_types_and_order():
    X, y = sparse_data()
    expected = Network([200, 3], activations="softmax", seed=0)
    expected.fit((10 * X).astype(int), y)
    integers = sparse.csr_array((10 * X).astype(int))
    coo = integers.tocoo()
    order = np.random.default_rng(0).permutation(coo.nnz)
    rows, columns = coo.row[order], coo.col[order]
    twice = sparse.coo_array(  # every number in two parts
        (
            np.concatenate([coo.data[order] - 3, np.full(coo.nnz, 3)]),
            (np.tile(rows, 2), np.tile(columns, 2)),
        ),
        shape=coo.shape,
    )
    unsorted = twice.tocsr()
    wide = integers.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for given in (integers, coo, twice, unsorted, wide, integers.astype(np.int8)):
        before = given.copy()
        net = Network([200, 3], activations="softmax", seed=0)
        net.fit(given, y)
        assert_same(net.weights, expected.weights)
        assert given.nnz == before.nnz  # as it was


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, sparse.csr_array])
def test_data_without_rows_or_targets(kind):
    net, exact = Network([2, 1], seed=0), memorize([[1, 2]], [3])
    empty = kind((0, 2)) if kind is sparse.csr_array else kind({"a": [], "b": []})
    for call, message in (
        (lambda: net.predict(empty), "X has no samples"),
        (lambda: memorize(empty, []), r"X is empty: its shape is \(0, 2\)"),
        (lambda: exact.predict(empty), r"X is empty: its shape is \(0, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    full = kind(np.array([[1, 2]]))
    with pytest.raises(TypeError, match=r"^y is missing: it may be left out only if X is an iter"):
        verify(exact, full)
    assert verify(exact, full, [3]).exact
    if kind is not sparse.csr_array:
        with pytest.raises(ValueError, match=r"X is empty: its shape is \(0, 0\)"):
            memorize(kind(), [])


def test_validation_splits_of_all_data():
    """The same rows of all of them, with their names of classes."""
    X, codes = sparse_data()
    y = np.array(["a", "b", "c"])[codes]
    results = []
    for given in (X, sparse.csr_matrix(X), sparse.coo_array(X), pd.DataFrame(X), pl.DataFrame(X)):
        for data in ((given, y), (Dataset(given, y), None)):
            net = Network([200, 3], activations="softmax", seed=0)
            history = net.fit(*data, validation_split=0.2, epochs=2, sample_weight=np.ones(300))
            assert net.classes == ("a", "b", "c")
            results.append([*history.loss, *history.val_loss, *history.val_accuracy, *net.weights])
    for other in results[1:]:
        assert_same(results[0], other)


def test_explicit_zeros_are_zeros():
    X, y = sparse_data()
    full = sparse.csr_array(np.where(X == 0, 7, X))
    full.data[full.data == 7] = 0
    assert full.nnz == X.size
    nets = [Network([200, 3], activations="softmax", seed=0) for _ in range(2)]
    nets[0].fit(full, y)
    nets[1].fit(X, y)
    assert_same(nets[0].weights, nets[1].weights)


def test_sparse_data_are_copied():
    X, y = sparse_data()
    given = sparse.csr_array(X)
    data = Dataset(given, y)
    net = Network([200, 3], activations="softmax", seed=0)
    expected = net.loss(X, y)
    given.data[:] = 7
    assert net.loss(data) == expected


def test_what_is_wrong_with_sparse_data():
    X, y = sparse_data()
    net = Network([200, 3], activations="softmax", seed=0)
    bad = X.copy()
    r, c = np.argwhere(bad)[77]
    bad[r, c] = np.nan
    given = sparse.csc_matrix(bad)
    for call in (net.fit, net.loss, net.gradients, net.accuracy, lambda X, y: net.predict(X)):
        with pytest.raises(ValueError, match=rf"^X\[{r}, {c}\] is nan: only finite"):
            call(given, y)
    with pytest.raises(ValueError, match=rf"^X\[{r}, {c}\] is nan: only finite"):
        sweep([dict(layer_sizes=[200, 3])], given, y)
    with pytest.raises(ValueError, match=r"^X has 7 features but the network takes 200$"):
        net.fit(sparse.csr_array((300, 7)), y)
    with pytest.raises(ValueError, match=r"^y has shape \(300,\) but X has 4 samples$"):
        net.fit(sparse.csr_array((4, 200)), y)
    with pytest.raises(ValueError, match=r"^y has 300 samples but X has 4$"):
        Dataset(sparse.csr_array((4, 200)), y)
    with pytest.raises(ValueError, match=r"^X has no samples$"):
        net.predict(sparse.csr_array((0, 200)))
    with pytest.raises(ValueError, match=r"^X must hold real numbers, not complex128$"):
        net.predict(sparse.csr_array(X * 1j))
    with pytest.raises(TypeError, match=r"^y cannot be sparse: pass y.toarray\(\)$"):
        net.fit(X, sparse.csr_array(np.eye(3)[y]))
    damaged = sparse.csr_array(X)
    damaged.indices[5] = 10**6
    with pytest.raises(ValueError, match="X"):
        net.fit(damaged, y)


MEMORY = """
import resource, sys
import numpy as np
from scipy import sparse
from exactnet import Dataset, Network

rng = np.random.default_rng(0)
n, width = 100_000, 10_000
X = sparse.random(n, width, 0.001, format="csr", dtype=np.float32, random_state=rng)
y = rng.integers(0, 3, n)
net = Network([width, 4, 3], activations=["tanh", "softmax"], init="glorot_normal", seed=0)
net.fit(X[:1000], y[:1000], validation_data=(X[:1000], y[:1000]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
net.fit(X, y, validation_data=(X, y), batch_size=1000)
net.predict(X), net.classify(X), net.accuracy(X, y), net.loss(X, y)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csr", "csc", "bsr", "coo"])
def test_damaged_sparse_data(form):
    """SciPy would read memory that is not theirs."""
    y = np.zeros(50, int)
    for part, value in (("indices", 10**8), ("indices", -1), ("indptr", 10**6)):
        X = getattr(sparse.random_array((50, 20), density=0.2, rng=0), f"to{form}")()
        if form != "coo":
            getattr(X, part)[-1 if part == "indptr" else 0] = value
        else:
            X.coords[0][0] = value
        for call in (
            lambda X=X: Network([20, 2]).fit(X, y),
            lambda X=X: Network([20, 2]).predict(X),
            lambda X=X: memorize(X, y),
        ):
            with pytest.raises(ValueError, match=r"^X is a damaged sparse matrix: [^\n]*$"):
                call()


def test_large_sparse_data_stay_sparse():
    """As an array they would take 3800 MiB."""
    result = subprocess.run(
        [sys.executable, "-c", MEMORY], check=True, capture_output=True, text=True
    )
    assert float(result.stdout) < 150


def test_the_package_imports_none_of_them():
    program = """
import sys
sys.modules.update(pandas=None, polars=None, scipy=None)
import numpy as np
from exactnet import Dataset, Network, memorize, verify
X, y = [[0.0], [1.0]], ["a", "b"]
Network([1, 2]).fit(X, y)
assert verify(memorize(X, y), Dataset(X, y))
"""
    subprocess.run([sys.executable, "-c", program], check=True)
