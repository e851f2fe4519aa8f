"""Names of classes as targets, in whatever holds them, in both halves."""

import copy
import enum
import json
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exactnet import Dataset, ExactNetwork, Network, memorize, sweep, verify
from exactnet.base.labels import class_names, encode, texts

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
CODES = np.arange(60) * 7 % 3
NAMES = [("setosa", "versicolor", "virginica")[code] for code in CODES]
CLASSES = ("setosa", "versicolor", "virginica")

CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "rows": lambda names: [[name] for name in names],
    "U": np.array,
    "S": lambda names: np.char.encode(np.array(names), "utf-8"),
    "bytes": lambda names: [name.encode() for name in names],
    "enumeration": lambda names: [
        enum.Enum("E", {n or "_": n for n in names}, type=str)(n) for n in names
    ],
    "object": lambda names: np.array(names, dtype=object),
    "np.str_": lambda names: list(np.array(names)),
    "column": lambda names: np.array(names)[:, None],
    "pandas": pd.Series,
    "pandas object": lambda names: pd.Series(names, dtype=object),
    "pandas string": lambda names: pd.Series(names, dtype="string"),
    "pandas category": lambda names: pd.Series(names, index=range(5, 5 + len(names))).astype(
        "category"
    ),
    "pandas frame": lambda names: pd.DataFrame({"class": names}),
    "pandas Categorical": lambda names: pd.Categorical(names),
    "polars": pl.Series,
    "polars category": lambda names: pl.Series(names, dtype=pl.Categorical),
    "polars enum": lambda names: pl.Series(names, dtype=pl.Enum(sorted(set(names)))),
    "polars frame": lambda names: pl.DataFrame({"class": names}),
}
if hasattr(np.dtypes, "StringDType"):
    CONTAINERS["StringDType"] = lambda names: np.array(names, dtype=np.dtypes.StringDType())


@pytest.mark.parametrize("container", CONTAINERS)
def test_texts_of_all_that_holds_them(container):
    y = CONTAINERS[container](NAMES)
    assert texts(y) == NAMES
    assert set(map(type, texts(y))) == {str}
    assert class_names(y) == CLASSES
    codes = encode(y, CLASSES)
    assert codes.dtype == np.int64
    np.testing.assert_array_equal(codes, CODES)


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 2],
        [[1, 2], [3, 4]],
        [[1], [2]],
        [True, False],
        np.array([True, False]),
        np.array([1.5, None], dtype=object),
        np.zeros((3, 2)),
        np.array(3),
        [],
        pd.Series([1, 2]),
        pd.Series([1, None], dtype="Int64"),
        pd.Series([1, 2]).astype("category"),
        pl.Series([1, None]),
        3,
        "abc",
    ],
    ids=repr,
)
def test_what_is_no_text(y):
    assert texts(y) is None


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", 1], r"y\[1\] is 1 where others are text: each needs the name"),
        ([None, "a"], r"y\[0\] is None where"),
        (["a", float("nan")], r"y\[1\] is nan where"),
        (np.array(["a", None], dtype=object), r"y\[1\] is None where"),
        (pd.Series(["a", "b", None], dtype="string"), r"y\[2\] is <NA> where"),
        (pd.Series(["a", None], dtype="category"), r"y\[1\] is nan where"),
        (pl.Series(["a", None]), r"y\[1\] is None where"),
        ([["a"], [None]], r"y\[1\] is None where"),
        ([["a", "b"], ["c", "d"]], r"y has text in several columns"),
        (np.array([["a", "b"]]), r"y has text in several columns"),
        (np.array([b"a", b"\xff"]), r"y has bytes that are no text in UTF-8: decode it"),
    ],
)
def test_targets_that_are_text_in_part(y, message):
    X_few = np.zeros((len(y), 2))
    for call in (
        lambda: texts(y),
        lambda: Network([2, 2]).fit(X_few, y),
        lambda: memorize(X_few, y),
        lambda: sweep([dict(layer_sizes=[2, 2])], X_few, y),
        lambda: Dataset(X_few, y).classes,
    ):
        with pytest.raises(ValueError, match=message) as error:
            call()
        assert "\n" not in str(error.value)


def trained(y, **options):
    net = Network([4, 6, 3], activations=["tanh", "softmax"], init="glorot_normal", seed=3)
    net.fit(X, y, epochs=3, loss="cross_entropy", **options)
    return net


def same_parameters(one, other):
    for a, b in zip((*one.weights, *one.biases), (*other.weights, *other.biases), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("container", CONTAINERS)
def test_networks_are_those_of_the_codes(container):
    """To the bit, in both halves."""
    y = CONTAINERS[container](NAMES)
    net, expected = trained(y, validation_data=(X, y)), trained(CODES)
    assert net.classes == CLASSES
    assert expected.classes is None
    same_parameters(net, expected)
    for method in ("accuracy", "loss"):
        assert getattr(net, method)(X, y) == getattr(expected, method)(X, CODES)
        assert getattr(net, method)(Dataset(X, y)) == getattr(expected, method)(X, CODES)
    for a, b in zip(net.gradients(X, y)[0], expected.gradients(X, CODES)[0], strict=True):
        np.testing.assert_array_equal(a, b)
    [result] = sweep(
        [dict(layer_sizes=[4, 6, 3], activations=["tanh", "softmax"], seed=3)],
        X, y, init="glorot_normal", epochs=3, loss="cross_entropy", validation_data=(X, y),
    )  # fmt: skip
    assert result.error is None
    same_parameters(result.network, expected)
    assert result.network.classes == CLASSES

    exact, of_codes = memorize(X, y), memorize(X, CODES)
    same_parameters(exact, of_codes)
    assert exact.classes == CLASSES
    assert verify(exact, X, y).exact
    assert verify(exact, X, CODES).exact
    np.testing.assert_array_equal(exact.classify(X), CODES)


@given(
    names=st.lists(
        st.text(st.characters(exclude_characters="\0"), max_size=3),
        min_size=2,
        max_size=5,
        unique=True,
    ),
    rows=st.lists(st.integers(0, 4), min_size=5, max_size=12),
    container=st.sampled_from(["list", "object", "U", "pandas", "polars", "rows"]),
)
def test_any_names_are_as_their_codes(names, rows, container):
    if container == "U":  # which drops zeros at the end
        names = [f"{name}." for name in names]
    labels = [names[row % len(names)] for row in [*range(len(names)), *rows]]
    ordered = sorted(names)
    codes = [ordered.index(label) for label in labels]
    points = [[k * k % 17, k] for k in range(len(labels))]
    y = CONTAINERS[container](labels)
    nets = [
        Network([2, len(names)], activations="softmax", init="normal", seed=0) for _ in range(2)
    ]
    for net, targets in zip(nets, (y, codes), strict=True):
        net.fit(points, targets, loss="cross_entropy", learning_rate=0.01, batch_size=3)
    same_parameters(*nets)
    exact = memorize(points, y)
    assert nets[0].classes == exact.classes == tuple(ordered)
    same_parameters(exact, memorize(points, codes))
    assert np.array(exact.classes, dtype=object)[exact.classify(points)].tolist() == labels


def test_strings_of_digits_are_names_in_the_order_of_text():
    net = memorize([[0], [1], [2]], ["10", "9", "1"])
    assert net.classes == ("1", "10", "9")
    assert net.classify([[0], [1], [2]]).tolist() == [1, 2, 0]


def test_the_networks_classes_rule():
    net = trained(NAMES)
    part = [row for row, name in enumerate(NAMES) if name != "setosa"]
    some = [NAMES[row] for row in part]
    net.fit(X[part], some)  # without one of them
    assert net.classes == CLASSES
    assert net.accuracy(X[part], some) == net.accuracy(X[part], CODES[part])
    for call in (net.fit, net.accuracy, net.loss, net.gradients):
        with pytest.raises(ValueError, match=r"\[1\] is 'rose', which is none of the classes '"):
            call(X[:2], ["setosa", "rose"])
    exact = memorize(X, NAMES)
    for call in (
        lambda: verify(exact, X[:2], ["setosa", "rose"]),
        lambda: verify(exact, [(X[:2], ["setosa", "rose"])]),
        lambda: exact.extend(X[:2], ["setosa", "rose"]),
        lambda: exact.save("never.json", claim_for=(X[:2], ["setosa", "rose"])),
    ):
        with pytest.raises(ValueError, match=r"\[1\] is 'rose', which is none of the classes '"):
            call()
    unnamed = memorize(X, CODES)
    with pytest.raises(ValueError, match="y has names of classes but the network knows none"):
        verify(unnamed, X, NAMES)
    unnamed.classes = CLASSES
    assert verify(unnamed, X, NAMES).exact


def test_other_names_in_another_order():
    """What was set before the training holds, sorted or not."""
    net = Network([4, 3], activations="softmax", seed=3)
    net.classes = ["virginica", "setosa", "versicolor"]
    other = Network([4, 3], activations="softmax", seed=3)
    net.fit(X, NAMES)
    other.fit(X, (CODES + 1) % 3)
    same_parameters(net, other)
    assert net.classes == ("virginica", "setosa", "versicolor")


@pytest.mark.parametrize(
    ("sizes", "last", "names", "message"),
    [
        ([4, 5, 1], "sigmoid", "abc", r"y has 3 classes \('a', 'b', 'c'\) but the network has 1 "
         r"output of sigmoid: use layer_sizes=\[4, ..., 3\]"),
        ([4, 1], "sigmoid", "abc", r"use layer_sizes=\[4, 3\]"),
        ([4, 1], "linear", "ab", r"1 output of linear: use layer_sizes=\[4, 2\], or sigmoid for"),
        ([4, 2], "softmax", "abc", r"y has 3 classes .* has 2 outputs: use layer_sizes=\[4, 3\]"),
        ([4, 4], "softmax", "ab", r"has 4 outputs: set its attribute `classes` to the names of "
         r"all, or use layer_sizes=\[4, 2\]"),
        ([4, 2], "softmax", "a", r"y has 1 class \('a'\) but .* outputs: set its attribute `class"),
        ([4, 1], "sigmoid", "a", r"1 output of sigmoid: set its attribute `classes` to the names"),
    ],
)  # fmt: skip
def test_classes_that_do_not_fit_the_outputs(sizes, last, names, message):
    net = Network(sizes, activations=["tanh"] * (len(sizes) - 2) + [last])
    y = [names[k % len(names)] for k in range(len(X))]
    for call in (net.fit, net.loss, net.gradients):
        with pytest.raises(ValueError, match=message) as error:
            call(X, y)
        assert "\n" not in str(error.value)
    assert net.classes is None


def test_two_classes_with_one_output():
    y = ["yes" if code else "no" for code in CODES]
    net, expected = (Network([4, 5, 1], activations="sigmoid", seed=0) for _ in range(2))
    history = net.fit(X, y, validation_data=(X, y))
    expected.fit(X, CODES > 0)
    same_parameters(net, expected)
    assert net.classes == ("no", "yes")
    assert history.val_accuracy == [net.accuracy(X, y)] == [expected.accuracy(X, CODES > 0)]
    assert set(net.classify(X).tolist()) <= {0, 1}


def test_errors_before_the_training_leave_no_names():
    net = Network([4, 3], activations="softmax")
    for options in (dict(validation_data=(X, ["a"] * 60)), dict(sample_weight=[-1] * 60)):
        with pytest.raises(ValueError, match=r"none of the classes|sample_weight"):
            net.fit(X, NAMES, **options)
        assert net.classes is None
    with pytest.raises(ValueError, match="validation y has names of classes but y has numbers"):
        net.fit(X, CODES, validation_data=(X, NAMES))


def test_names_of_many_outputs():
    net = memorize(X, NAMES, encoding="one_hot")
    assert net.layer_sizes[-1] == 3
    assert net.classes == CLASSES
    np.testing.assert_array_equal(net.classify(X), CODES)
    assert verify(net, X, NAMES).exact
    assert verify(net, Dataset(X, NAMES)).exact
    assert verify(net, X, np.eye(3, dtype=int)[CODES]).exact
    with pytest.raises(ValueError, match="y has one class, 'a': one_hot is for two or more"):
        memorize([[1], [2]], ["a", "a"], encoding="one_hot")
    assert memorize([[1], [2]], ["a", "a"]).classes == ("a",)


def test_chunks_and_processes():
    net = memorize(X, NAMES)
    wrong = ["virginica" if name == "setosa" else name for name in NAMES]
    for y, n_wrong in ((NAMES, 0), (wrong, NAMES.count("setosa"))):
        chunks = [(X[:20], y[:20]), Dataset(X[20:], y[20:])]
        with ProcessPoolExecutor(1) as executor:
            assert verify(net, chunks).n_wrong == n_wrong
            assert verify(net, chunks, executor=executor).n_wrong == n_wrong
            assert verify(net, Dataset(X, y), executor=executor).n_wrong == n_wrong


def test_extend_by_names():
    net = memorize([[0], [1], [2], [3]], ["a", "b", "a", "b"])
    net.extend([[7]], ["a"])
    assert net.classes == ("a", "b")
    assert verify(net, [[0], [1], [2], [3], [7]], ["a", "b", "a", "b", "a"]).exact


@pytest.mark.parametrize("y", [["a", "b", "b", "c"], [["a"], ["b"], ["b"], ["c"]]])
def test_datasets_know_their_classes(y):
    data = Dataset([[0], [1], [2], [3]], y)
    assert data.classes == ("a", "b", "c")
    assert Dataset([[0]], [1]).classes is None
    assert Dataset([[0]]).classes is None
    assert verify(memorize(data), data).exact
    net = Network([1, 3], activations="softmax", seed=0)
    net.fit(data, validation_data=data)
    assert net.classes == data.classes
    other = Network([1, 3], activations="softmax", seed=0)
    other.classes = "c", "a", "b"
    expected = Network([1, 3], activations="softmax", seed=0)
    expected.fit(data.X, [1, 2, 2, 0])
    other.fit(data)  # the same data, otherwise encoded
    same_parameters(other, expected)


def both(tmp_path):
    float_net = trained(NAMES)
    yield float_net, tmp_path / "net.safetensors"
    yield memorize(X, NAMES), tmp_path / "net.json"
    yield memorize(X, NAMES, encoding="one_hot"), tmp_path / "one_hot.json"


def test_files_copies_and_pickles_keep_the_names(tmp_path):
    for net, path in both(tmp_path):
        net.classes = ["ä, b", 'say "c"', "\n"]
        net.save(path)
        copies = copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))
        for same in (type(net).load(path), *copies):
            assert same.classes == ("ä, b", 'say "c"', "\n")
        net.classes = None
        net.save(path)
        assert b"classes" not in path.read_bytes()
        assert type(net).load(path).classes is None


def test_pickles_of_before_the_names():
    net = Network([2, 2], seed=0)
    state = net.__getstate__()
    del state["classes"]
    same = Network.__new__(Network)
    same.__setstate__(state)
    assert same.classes is None
    exact = memorize([[1], [2]], [1, 2])
    del exact.__dict__["_classes"]
    assert copy.copy(exact).classes is None


BAD_CLASSES = ["abc", 3, [], [1, 2, 3], ["a", "b"], ["a", "b", "b"], [["a"], ["b"], ["c"]], [None]]


@pytest.mark.parametrize("classes", BAD_CLASSES, ids=repr)
def test_names_that_are_none(classes, tmp_path):
    for net, path in both(tmp_path):
        if isinstance(net, ExactNetwork) and net.layer_sizes[-1] == 1 and classes == ["a", "b"]:
            net.classes = classes  # a single output may have any number
            assert net.classes == ("a", "b")
            continue
        with pytest.raises(ValueError, match=r"^classes must be [^\n]*$"):
            net.classes = classes
        assert net.classes == CLASSES
        net.save(path)
        good = path.read_bytes()
        if path.suffix == ".json":
            document = json.loads(good)
            document["classes"] = classes
            path.write_text(json.dumps(document))
        else:
            n = int.from_bytes(good[:8], "little")
            header = json.loads(good[8 : 8 + n])
            header["__metadata__"]["classes"] = json.dumps(classes)
            text = json.dumps(header).encode()
            path.write_bytes(len(text).to_bytes(8, "little") + text + good[8 + n :])
        with pytest.raises(ValueError, match=rf"^.*{path.name}: classes must be [^\n]*$"):
            type(net).load(path)


def test_names_without_an_order_or_with_zeros(tmp_path):
    for net, _ in both(tmp_path):
        with pytest.raises(
            ValueError, match=r"^classes must be in an order, such as sorted\([^\n]*$"
        ):
            net.classes = {"a", "b", "c"}
        with pytest.raises(
            ValueError, match=r"^classes has the name 'a\\x00', with a zero .*: remove"
        ):
            net.classes = ["a", "a\0", "b"]
    y = ["a", "a\0", "a"]
    for call in (
        lambda: memorize(X[:3], y),
        lambda: Network([4, 2], activations="softmax").fit(X[:3], y),
    ):
        with pytest.raises(
            ValueError, match=r"^y has the name 'a\\x00', with a zero .*: remove it$"
        ):
            call()


def test_names_go_from_half_to_half():
    exact = memorize(X, NAMES)
    net = exact.to_network()
    assert net.classes == CLASSES
    assert net.to_exact().classes == CLASSES
    # one linear output, whose value is the code
    np.testing.assert_array_equal(net.classify(X), CODES)
    assert net.accuracy(X, NAMES) == net.accuracy(X, CODES) == 1
    assert (net.classify(1e6 * X) >= 0).all()
    assert (net.classify(1e6 * X) <= 2).all()
    history = net.fit(X, NAMES, learning_rate=1e-9, validation_data=(X, NAMES))
    assert history.val_loss
    assert history.val_accuracy == []


def test_classes_of_exact_networks():
    net = ExactNetwork.from_arrays([[[1]]], [[0]])
    points = [["1/2"], [0.499], [-0.5], [-0.51], [7]]
    points[0] = [0.5]
    assert net.classify(points).tolist() == [1, 0, 0, -1, 7]
    assert net.classify(points).dtype == np.int64
    net.classes = "a", "b", "c"
    assert net.classify(points).tolist() == [1, 0, 0, 0, 2]
    net.classes = None
    with pytest.raises(ValueError, match="X has a point whose output is beyond 64 bits"):
        net.classify([[2**63]])
    several = ExactNetwork.from_arrays([[[1], [0], [-1]]], [[0, 0, 0]])
    assert several.classify([[0], [2], [-3]]).tolist() == [0, 0, 2]  # the first of equal ones


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whole_labels_of_any_type_and_shape(dtype):
    kinds = [
        CODES, CODES[:, None], CODES.astype(float), CODES.astype(np.float32)[:, None],
        CODES.astype(np.uint8), CODES.tolist(), [[c] for c in CODES.tolist()], pd.Series(CODES),
        pd.DataFrame({"c": CODES}), pd.Series(CODES, dtype="Int8"), pl.DataFrame({"c": CODES}),
    ]  # fmt: skip
    nets = []
    for y in kinds:
        net = Network([4, 3], activations="softmax", dtype=dtype, seed=0)
        history = net.fit(X, y, validation_data=(X, y))
        assert history.val_accuracy == [net.accuracy(X, y)]
        nets.append(net)
    for net in nets[1:]:
        same_parameters(nets[0], net)
    for value, shown in ((0.5, "0.5"), (np.nan, "nan"), (np.inf, "inf")):
        y = CODES.astype(float)
        y[7] = value
        for given_y in (y, y[:, None]):
            with pytest.raises(ValueError, match=rf"^y\[7\] is {shown}: labels of classes are who"):
                nets[0].fit(X, given_y)


def test_labels_beyond_integers():
    net = Network([4, 3], activations="softmax", seed=0)
    for largest, shown in ((1e300, "10000000000"), (2.0**63, "9223372036854775808")):
        y = CODES.astype(float)
        y[3] = largest
        with pytest.raises(ValueError, match=f"^y must lie from 0 to 2, not from 0 to {shown}"):
            net.fit(X, y)


def test_a_dataset_of_two_classes_for_outputs_of_each_kind():
    data = Dataset(X, (CODES > 0).astype(float))
    sigmoid = Network([4, 1], activations="sigmoid", seed=0)
    linear = Network([4, 1], activations="linear", seed=0)
    codes = Dataset(X, CODES)
    linear.classes = "a", "b", "c"
    for _ in range(2):
        for net in (sigmoid, linear):
            expected = (net.classify(X) == (CODES > 0)).mean()
            assert net.accuracy(data) == expected
        assert linear.accuracy(codes) == (linear.classify(X) == CODES).mean()


def test_one_hot_validation_targets_have_accuracy():
    one_hot = np.eye(3)[CODES]
    net = Network([4, 3], activations="softmax", seed=0)
    history = net.fit(X, CODES, validation_data=(X, one_hot))
    assert history.val_accuracy == [net.accuracy(X, CODES)] == [net.accuracy(X, one_hot)]
    sigmoid = Network([4, 1], activations="sigmoid", seed=0)
    for y in (CODES > 0, (CODES > 0)[:, None], (CODES > 0).astype(float)):
        history = sigmoid.fit(X, y, validation_data=(X, y))
        assert history.val_accuracy == [sigmoid.accuracy(X, y)]
