"""Every refusal of the Python interface: its type and its one-line text."""

import dataclasses
import importlib.util
import inspect
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from exactnet import (
    Checkpoint,
    EarlyStopping,
    ExactNetwork,
    Network,
    capacity,
    diagnostics,
    gates,
    memorize,
    schedules,
    sweep,
    verify,
)
from exactnet.activations import LeakyReLU, Sigmoid, Step
from exactnet.exact import data
from exactnet.exact.construct import memorization

X = [[0, 1], [2, 3], [4, 5], [6, 7]]
Y = [1, 2, 3, 4]
nan, inf = float("nan"), float("inf")

MEMORIZE = {
    "equal rows": (
        dict(X=[[5, 5], [1, 2], [3, 4], [1, 2]]),
        "rows 1 and 3 of X are equal but their targets differ: 2 and 4; leave one of them out",
    ),
    "equal rows of classes": (
        dict(X=[[1.0], [1.0], [2.0], [3.0]], y=["a", "b", "a", "c"]),
        "rows 0 and 1 of X are equal but their targets differ: 'a' and 'b'; leave one of them out",
    ),
    "equal rows of rationals": (
        dict(X=[[0.5], [Fraction(1, 2)]], y=[Fraction(1, 3), 1]),
        "rows 0 and 1 of X are equal but their targets differ: 1/3 and 1",
    ),
    "nan": (dict(X=[[0, 1], [2, 3], [4, nan], [6, 7]]), "X[2, 1] is nan: only finite"),
    "inf in an array": (
        dict(X=np.array([[0, 1], [inf, nan], [4, 5], [6, 7]])),
        "X[1, 0] is inf: only finite",
    ),
    "float32 inf": (
        dict(X=np.array([[0, 1], [2, -inf], [4, 5], [6, 7]], dtype=np.float32)),
        "X[1, 1] is -inf",
    ),
    "nan target": (dict(y=[1, 2, nan, 4]), "y[2, 0] is nan: only finite"),
    "nan target array": (dict(y=np.array([1, 2, nan, 4])), "y[2, 0] is nan: only finite"),
    "too many points": (
        dict(hidden=(3, 1)),
        "4 distinct points exceed the capacity 3 of hidden=(3, 1) with 1 output; "
        "hidden=(2, 2) would do",
    ),
    "no rows": (dict(X=[], y=[]), "X is empty"),
    "no rows in an array": (dict(X=np.zeros((0, 3)), y=[]), "X is empty: its shape is (0, 3)"),
    "no columns": (dict(X=[[], [], [], []]), "X is empty: its shape is (4, 0)"),
    "short y": (dict(y=[1, 2, 3]), "y has 3 rows but X has 4"),
    "empty y": (dict(y=[]), "y has 0 rows but X has 4"),
    "ragged": (dict(X=[[0, 1], [2, 3], [4], [6, 7]]), "X is ragged: row 2 has 1 entries, row 0 "),
    "ragged y": (dict(y=[[1], [2], [3, 4], [5]]), "y is ragged: row 2 has 2 entries"),
    "one dimension": (dict(X=[1, 2, 3, 4]), "X must be 2-dimensional"),
    "one dimension in an array": (dict(X=np.arange(4)), "X must be 2-dimensional"),
    "three dimensions": (dict(X=np.zeros((4, 2, 2))), "X must be 2-dimensional"),
    "no outputs": (dict(y=[[]] * 4), "y is empty: its shape is (4, 0)"),
    "no outputs in an array": (dict(y=np.zeros((4, 0))), "y is empty: its shape is (4, 0)"),
    "two outputs of Theorem 3": (
        dict(y=[[1, 2]] * 4, construction="theorem3"),
        "y has 2 outputs; Theorem 3 is for one, Theorem 4 for several",
    ),
    "more outputs than units": (
        dict(y=[[1, 2, 3]] * 4, hidden=(5, 2)),
        "4 distinct points exceed the capacity 3 of hidden=(5, 2) with 3 outputs; "
        "hidden=(4, 3) would do",
    ),
    "more outputs than units of Theorem 4": (
        dict(y=[[1, 2, 3]] * 4, hidden=(5, 2), construction="theorem4"),
        "4 distinct points exceed the capacity 0 of hidden=(5, 2) with 3 outputs",
    ),
    "too many points for one layer": (
        dict(hidden=(2,)),
        "4 distinct points exceed the capacity 3 of hidden=(2,) with 1 output; hidden=(3,) would",
    ),
    "too many points for the last layer": (
        dict(hidden=(9, 2), construction="one_layer"),
        "4 distinct points exceed the capacity 3 of hidden=(9, 2) with 1 output",
    ),
    "equal rows with several outputs": (
        dict(X=[[5, 5], [1, 2], [3, 4], [1, 2]], y=[[0, 1], [2, 3], [4, 5], [2, Fraction(1, 3)]]),
        "rows 1 and 3 of X are equal but their targets differ: 2, 3 and 2, 1/3",
    ),
    "projection does not separate": (
        dict(X=[[0, 9], [3, 3], [3, 5], [6, 7]], projection=[1, 0]),
        "projection does not separate the points: rows 1 and 2 of X have the same projection 3",
    ),
    "projection does not separate beside equal rows": (
        dict(X=[[0, 9], [0, 9], [3, 3], [3, 5]], y=[1, 1, 2, 3], projection=[1, 0]),
        "rows 2 and 3 of X",
    ),
    "projection too short": (dict(projection=[1]), "projection has 1 entries but X has 2 features"),
    "projection of fractions": (dict(projection=[0.5, 1]), "projection[0] is 0.5, not an integer"),
    "unknown projection": (
        dict(projection="best"),
        "projection must be one of 'smallest', 'random', 'lexicographic', not 'best'",
    ),
    "unknown construction": (
        dict(construction="magic"),
        "construction must be one of 'auto', 'theorem3', 'theorem4', 'one_layer', 'integer', not "
        "'magic'",
    ),
    "unknown encoding": (
        dict(encoding="binary"),
        "encoding must be one of None, 'scalar', 'one_hot', not 'binary'",
    ),
    "unknown dtype": (
        dict(construction="integer", dtype="float16"),
        "dtype must be one of 'float32', 'float64', not 'float16'",
    ),
    "unknown scale": (dict(scale="tiny"), "scale must be one of 'least', 'worst_case', not 'tiny'"),
    "zero width": (dict(hidden=(0, 4)), "hidden[0] must be a positive integer, not 0"),
    "negative width": (dict(hidden=(4, -1)), "hidden[1] must be a positive integer, not -1"),
    "fractional width": (dict(hidden=(2.0, 2)), "hidden[0] must be a positive integer, not 2.0"),
    "boolean width": (dict(hidden=(True, 4)), "hidden[0] must be a positive integer, not True"),
    "three widths": (
        dict(hidden=(2, 2, 2)),
        "hidden must be one or two widths (a1, a2), not (2, 2, 2)",
    ),
    "a number as widths": (dict(hidden=4), "hidden must be one or two widths (a1, a2), not 4"),
    "one width for Theorem 3": (
        dict(hidden=(4,), construction="theorem3"),
        "'theorem3' has two hidden layers, hidden=(4,) is one width",
    ),
    "one width for Theorem 4": (
        dict(hidden=(4,), construction="theorem4"),
        "'theorem4' has two hidden layers, hidden=(4,) is one width",
    ),
    "negative seed": (dict(seed=-1), "seed must be an integer from 0 to 2**64 - 1, not -1"),
    "fractional seed": (dict(seed=0.5), "seed must be an integer"),
    "no threads": (dict(n_threads=0), "n_threads must be a positive integer, not 0"),
    "no bytes": (dict(max_bytes=0), "max_bytes must be a positive integer, not 0"),
    "target that is no name": (dict(y=["1", 2, 3, 4]), "y[1] is 2 where others are text"),
}

ENCODE = "encoding=%r needs y to be one label 0, 1, ... per point"
MEMORIZE |= {
    f"{what} for {encoding}": (dict(y=y, encoding=encoding), ENCODE % encoding)
    for encoding in ("one_hot", "scalar")
    for what, y in {
        "negative labels": [0, 1, -1, 2],
        "fractional labels": [0, 1, 0.5, 2],
        "two columns of labels": [[0, 1]] * 4,
    }.items()
}
MEMORIZE |= {
    f"labels up to {highest}": (
        dict(y=[0, 1, 2, highest], encoding="one_hot"),
        f"y has a label of {highest}: one_hot makes an output for each below it",
    )
    for highest in (2**16, 2**70)
}

# With 4 points whose projections are short, so that the data alone decide.
INTEGER = {
    "a third as target": (
        dict(y=[1, 2, Fraction(1, 3), 4]),
        "column 0 of y has the denominator 3: no float holds such a number",
    ),
    "a third in the second output": (
        dict(y=[[1, 2], [2, Fraction(1, 3)], [3, 4], [4, 5]]),
        "column 1 of y has the denominator 3: no float holds such a number",
    ),
    "a third as input": (
        dict(X=[[0, 1], [2, Fraction(1, 3)], [4, 5], [6, 7]]),
        "column 1 of X has the denominator 3: no float holds such a number",
    ),
    "targets beyond float32": (
        dict(y=[0, 1, 2, 2**24 + 1], dtype="float32"),
        "exact in float32: its sums must stay below 2**24, the best found reach 2**2",
    ),
    "targets beyond float32, with advice": (
        dict(y=[0, 1, 2, 2**24 + 1], dtype="float32"),
        'dtype="float64" would do',
    ),
    "targets beyond float64": (
        dict(y=[0, 1, 2, 2**53 + 1]),
        "exact in float64: its sums must stay below 2**53, the best found reach 2**5",
    ),
    "targets beyond both": (
        dict(y=[0, 1, 2, 2**53 + 1], dtype="float32"),
        "scale or round the data",
    ),
    "targets beyond 64 bits": (dict(y=[0, 1, 2, 2**70]), "y holds numbers beyond 2**62"),
    "inputs beyond 64 bits": (
        dict(X=[[0, 1], [2, 3], [4, 5], [6, 2**70]]),
        "X holds numbers beyond 2**62",
    ),
    "inputs beyond float64": (
        dict(X=[[0, 1], [2, 3], [4, 2**60], [2**60, 1]]),
        "exact in float64: its sums must stay below 2**53",
    ),
    "targets beyond float32 at points of one feature": (
        dict(X=[[7 * k] for k in range(9)], y=[2**24 + 1] + [0, 1] * 4, dtype="float32"),
        'dtype="float64" would do',
    ),
    "targets beyond float64 at many points": (
        dict(X=[[7 * k, k * 7919 % 1000] for k in range(100)], y=[2**54 + 1] + [0, 1, 2] * 33),
        "exact in float64: its sums must stay below 2**53, the best found reach 2**5",
    ),
    "targets beyond float64 in wide layers": (
        dict(X=[[7 * k] for k in range(9)], y=[2**54 + 1] + [0, 1] * 4, hidden=(50, 50)),
        "exact in float64: its sums must stay below 2**53",
    ),
    "inputs beyond float64 in wide layers": (
        dict(X=[[0, 1], [2, 3], [4, 2**60], [2**60, 1]], hidden=(50, 50)),
        "exact in float64: its sums must stay below 2**53",
    ),
    "too narrow": (
        dict(X=[[k, k] for k in range(100)], y=[k % 3 for k in range(100)], hidden=(5, 5)),
        'hidden=(5, 5) is too narrow for 100 points and 1 outputs: "integer" needs about (19, 20)',
    ),
    "too narrow for the outputs": (
        dict(y=[[1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]], hidden=(9, 5)),
        "hidden=(9, 5) is too narrow for 4 points and 3 outputs",
    ),
    "a projection": (
        dict(projection=[1, 1]),
        '"integer" chooses its projections itself: projection="smallest"',
    ),
    "a projection as an array": (
        dict(projection=np.array([1, 1])),
        '"integer" chooses its projections itself: projection="smallest"',
    ),
    "another projection": (
        dict(projection="random"),
        '"integer" chooses its projections itself: projection="smallest"',
    ),
}
MEMORIZE |= {
    f"integer: {name}": (dict(construction="integer", **arguments), text)
    for name, (arguments, text) in INTEGER.items()
}

MEMORIZE_TYPES = {
    "string cell": (dict(X=[[0, 1], [2, "3"], [4, 5], [6, 7]]), "X[1, 1] is the string '3'"),
    "complex cell": (dict(X=[[0, 1], [2j, 3], [4, 5], [6, 7]]), "X[1, 0] is of type complex"),
    "None": (dict(X=[[0, 1], [2, 3], [4, None], [6, 7]]), "X[2, 1] is of type NoneType"),
    "string array": (dict(X=np.array([["a", "b"]] * 4)), "X must hold real numbers, not <U1"),
    "complex array": (dict(X=np.zeros((4, 2), complex)), "X must hold real numbers, not complex"),
    "dates": (dict(X=np.zeros((4, 2), "M8[D]")), "X must hold real numbers, not datetime64[D]"),
    "string": (dict(X="data.csv"), "X must be an array or a list, not str"),
    "number": (dict(X=3), "X must be an array or a list, not int"),
    "string y": (dict(y="1234"), "y must be an array or a list, not str"),
    "string in projection": (dict(projection=["1", 2]), "projection[0] is the string '1'"),
}


def assert_one_line(error, text):
    assert "\n" not in str(error.value)
    assert text in str(error.value)


@pytest.mark.parametrize("name", MEMORIZE)
def test_memorize_refuses(name):
    arguments, text = MEMORIZE[name]
    arguments = {"X": X, "y": Y, **arguments}
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is checked below
        memorize(arguments.pop("X"), arguments.pop("y"), **arguments)
    assert_one_line(error, text)


@pytest.mark.parametrize("name", MEMORIZE_TYPES)
def test_memorize_refuses_types(name):
    arguments, text = MEMORIZE_TYPES[name]
    arguments = {"X": X, "y": Y, **arguments}
    with pytest.raises(TypeError) as error:
        memorize(arguments.pop("X"), arguments.pop("y"), **arguments)
    assert_one_line(error, text)


def test_columns_beyond_max_bytes(np_rng):
    """Of ordinary floats, it is not the numbers that are to blame."""
    with pytest.raises(MemoryError) as error:
        memorize(np_rng.normal(size=(20_000, 1)), np.arange(20_000), max_bytes=10**5)
    assert_one_line(error, "bits: max_bytes is 100000; leave it out or pass more")


def test_size_beyond_max_bytes():
    points = [[k] for k in range(400)]
    with pytest.raises(MemoryError) as error:
        memorize(points, [k % 3 for k in range(400)], max_bytes=1000)
    assert_one_line(error, "MiB by prediction, more than the 0.000954 MiB allowed")


def test_size_beyond_memory_is_refused_before_any_work(monkeypatch):
    def no_work(*arguments):
        raise AssertionError("work has started")

    monkeypatch.setattr(memorization._core, "choose_projection", no_work)
    monkeypatch.setattr(memorization._core, "construct_theorem3", no_work)
    with pytest.raises(MemoryError, match="by prediction") as error:
        memorize(X, Y, hidden=(10**6, 10**6))
    assert_one_line(error, "pass max_bytes to override")


def test_parameters_beyond_memory_are_refused_before_construction(monkeypatch):
    def no_work(*arguments):
        raise AssertionError("construction has started")

    monkeypatch.setattr(memorization._core, "construct_theorem3", no_work)
    monkeypatch.setattr(memorization, "_memory_limit", lambda max_bytes: 800_000)
    points = [[k, k * k * 2**100] for k in range(900)]  # small arrays, long numbers
    with pytest.raises(MemoryError, match="by prediction"):
        memorize(points, [k % 5 for k in range(900)], projection=[1, 1])


def test_max_bytes_overrides(monkeypatch):
    monkeypatch.setattr(memorization, "available_memory", lambda: 1)
    with pytest.raises(MemoryError):
        memorize(X, Y)
    assert memorize(X, Y, max_bytes=10**9).layer_sizes == [2, 2, 2, 1]


def test_widths_of_any_size_are_refused_in_one_line():
    with pytest.raises(MemoryError, match="by prediction"):
        memorize(X, Y, hidden=(10**200, 10**200))


def test_long_targets_count_in_the_prediction():
    """Targets of unrelated denominators make every weight long, whatever the inputs are."""
    y = [Fraction(1, 2**61 + 2 * k + 1) for k in range(400)]
    with pytest.raises(MemoryError, match="by prediction"):
        memorize([[k] for k in range(400)], y, max_bytes=2_000_000)


def test_columns_that_grow_beyond_memory_are_refused_before_scaling(monkeypatch):
    monkeypatch.setattr(data, "available_memory", lambda: 1_000_000)
    rows = [[Fraction(1, 3**k)] for k in range(2000)]
    with pytest.raises(MemoryError, match="column 0 of X would take about"):
        memorize(rows, [0] * 2000)
    floats = np.array([[1e300], [1e-300]] * 1000)
    with pytest.raises(MemoryError, match="column 0 of X would take about"):
        memorize(floats, [0] * 2000)


NET = memorize(X, Y)

VERIFY = {
    "features": (dict(X=[[1, 2, 3]] * 4), ValueError, "X has 3 features but the network takes 2"),
    "outputs": (dict(y=[[1, 2]] * 4), ValueError, "y has 2 outputs but the network has 1"),
    "length": (dict(y=[1, 2]), ValueError, "y has 2 rows but X has 4"),
    "nan": (dict(X=[[nan, 2]] * 4), ValueError, "X[0, 0] is nan"),
    "empty": (dict(X=[], y=[]), ValueError, "X is empty"),
    "strings": (dict(X=[["a", "b"]] * 4), TypeError, "X[0, 0] is the string 'a'"),
    "threads": (dict(n_threads=-1), ValueError, "n_threads must be a positive integer, not -1"),
    "network": (dict(network="net.json"), TypeError, "network must be an ExactNetwork, not str"),
}


@pytest.mark.parametrize("name", VERIFY)
def test_verify_refuses(name):
    arguments, error_type, text = VERIFY[name]
    arguments = {"network": NET, "X": X, "y": Y, **arguments}
    with pytest.raises(error_type) as error:
        verify(arguments.pop("network"), arguments.pop("X"), arguments.pop("y"), **arguments)
    assert_one_line(error, text)


def test_predict_refuses_other_features():
    with pytest.raises(ValueError, match="X has 1 features but the network takes 2"):
        NET.predict([[1]])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (([], []), "need one entry per layer"),
        (([[[1, 2]]], []), "need one entry per layer"),
        (([[[1, 2]], [[1, 2]]], [[0], [0]]), "layer 1: weights (1, 2) and biases (1,) do not fit"),
        (([[[1, 2]]], [[0, 0]]), "layer 0: weights (1, 2) and biases (2,) do not fit"),
        (([[[1, 2]]], [[0]], ["tanh"]), "unknown activation 'tanh'"),
        (([[[1, 2]]], [[0]], ["relu", "relu"]), "need one entry per layer"),
        (([[[1, nan]]], [[0]]), "weights[0][0, 1] is nan"),
        (([[[1, 2]]], [[inf]]), "biases[0][0] is inf"),
        (([[[1, 2], [3]]], [[0, 0]]), "weights[0] is ragged"),
    ],
)
def test_from_arrays_refuses(arguments, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        ExactNetwork.from_arrays(*arguments)


@pytest.mark.parametrize("arguments", [(0, 1), (1, -1), (1.5, 1), (2, 2, 0), (True, 1)])
def test_capacity_refuses(arguments):
    with pytest.raises(ValueError, match="must be a positive integer"):
        capacity(*arguments)


class _Raises:
    """What NumPy, or anyone who asks for its length, gets an odd error from."""

    def __array__(self, *arguments, **options):
        raise RuntimeError("Can't call numpy() on\nTensor that requires grad.")

    def __len__(self):
        raise NotImplementedError("no\nlength")

    def __repr__(self):
        raise OSError("no\nname")


HOSTILE = {
    "huge": 10**400,
    "hugest": 10**5000,  # beyond what Python prints
    "minus huge": -(10**400),
    "minus one": -1,
    "nan": nan,
    "inf": inf,
    "minus inf": -inf,
    "True": True,
    "text": "a",
    "bytes": b"ab",
    "list": [],
    "nested": [[[1.0]]],
    "ragged": [[1.0], [1.0, 2.0]],
    "list of huge": [[10**400, 1]],
    "dict": {},
    "None": None,
    "complex": 1j,
    "np.float16": np.float16(nan),
    "Decimal": Decimal("0.3"),
    "Fraction": Fraction(10**400, 3),
    "least Fraction": Fraction(1, 10**400),
    "date": np.datetime64("2020-01-01"),
    "time": np.timedelta64(1, "s"),
    "0-d": np.array(0.5),
    "0-d of text": np.array("a"),
    "empty": np.zeros((0, 2)),
    "masked": np.ma.array([[1.0, 2.0]], mask=[[False, True]]),
    "masked float32": np.ma.array([[1.0, 2.0]], mask=[[False, True]], dtype=np.float32),
    "masked rows": np.ma.array([1, 0], mask=[True, False]),
    "all masked": np.ma.masked,
    "complex array": np.ones((1, 2), complex),
    "objects": np.array([[None, 1]], dtype=object),
    "texts": np.array([["0.5", "1"]]),
    "memoryview": memoryview(np.array([[0.5, nan]])),
    "iterator": iter([1]),
    "type": float,
    "module": np,
    "odd": _Raises(),
}

if importlib.util.find_spec("torch"):
    import torch

    HOSTILE["tensor"] = torch.ones((1, 2), requires_grad=True)


def _float_calls():
    """Name and argument, and the call with it, of all public functions of the float half."""
    two = np.array([[0.0, 1.0], [1.0, 0.0]])
    values = [[0.0], [1.0]]
    arguments = dict(X=two, y=values)

    def net():
        return Network([2, 3, 1], seed=0)

    def relu(n=1):
        return Network([n, 3, 1], activations=["relu", "linear"], seed=0)

    def fit(**options):
        return net().fit(**{**arguments, **options})

    def fit_one(name):
        return lambda value: fit(**{name: value})

    for name in inspect.signature(Network.fit).parameters:
        if name != "self":
            yield f"fit {name}", fit_one(name)
    yield "fit nesterov of momentum", lambda v: fit(momentum=0.5, nesterov=v)
    yield "fit labels", lambda v: Network([2, 2], seed=0).fit(two, v)
    yield "fit alpha of l1", lambda v: fit(penalty="l1", alpha=v)
    yield "fit validation X", lambda v: fit(validation_data=(v, values))
    yield "fit validation y", lambda v: fit(validation_data=(two, v))
    yield "fit cross_entropy y", lambda v: fit(y=v, loss="cross_entropy")
    yield "fit learning_rate()", lambda v: fit(learning_rate=lambda epoch: v)
    yield "fit betas[1]", lambda v: fit(optimizer="adam", betas=(0.5, v))
    yield "fit dropout[0]", lambda v: fit(dropout=[v])
    yield "fit callbacks[0]", lambda v: fit(callbacks=[v])
    yield "Network layer_sizes", lambda v: Network(v)
    yield "Network layer_sizes[0]", lambda v: Network([v, 1])
    yield "Network activations", lambda v: Network([2, 1], activations=v)
    yield "Network activations[0]", lambda v: Network([2, 1], activations=[v])
    for name in ("init", "dtype", "seed"):
        yield f"Network {name}", lambda v, name=name: Network([2, 1], **{name: v})
    for kind in (Sigmoid, LeakyReLU, Step):
        for field in dataclasses.fields(kind):
            yield (
                f"{kind.__name__} {field.name}",
                lambda v, kind=kind, field=field: Network(
                    [2, 1], activations=kind(**{field.name: v})
                ),
            )
    yield "from_arrays weights", lambda v: Network.from_arrays(v, [[0.0]])
    yield "from_arrays weights[0]", lambda v: Network.from_arrays([v], [[0.0]])
    yield "from_arrays biases", lambda v: Network.from_arrays([[[1.0]]], v)
    yield "from_arrays biases[0]", lambda v: Network.from_arrays([[[1.0]]], [v])
    yield "from_arrays activations", lambda v: Network.from_arrays([[[1.0]]], [[0.0]], v)
    for name in ("predict", "classify"):
        yield f"{name} X", lambda v, name=name: getattr(net(), name)(v)
    for name in ("accuracy", "loss", "gradients"):
        yield f"{name} X", lambda v, name=name: getattr(net(), name)(v, values)
        yield f"{name} y", lambda v, name=name: getattr(net(), name)(two, v)
    for name in ("loss", "gradients"):
        yield f"{name} loss", lambda v, name=name: getattr(net(), name)(two, values, v)
    for name in ("monitor", "patience", "min_delta"):
        yield f"EarlyStopping {name}", lambda v, name=name: EarlyStopping(**{name: v})
    for name in ("path", "every"):
        yield f"Checkpoint {name}", lambda v, name=name: Checkpoint(**{"path": "x", name: v})
    for kind in (schedules.StepDecay, schedules.Exponential):
        for field in dataclasses.fields(kind):
            yield (
                f"{kind.__name__} {field.name}",
                lambda v, kind=kind, field=field: kind(**{"rate": 1.0, field.name: v}),
            )
        yield f"{kind.__name__} epoch", lambda v, kind=kind: kind(0.5)(v)
    config = dict(layer_sizes=[2, 1])
    yield "sweep configs", lambda v: sweep(v, two, values)
    yield "sweep configs[0]", lambda v: sweep([v], two, values)
    yield "sweep X", lambda v: sweep([config], v, values)
    yield "sweep y", lambda v: sweep([config], two, v)
    yield "sweep n_jobs", lambda v: sweep([config], two, values, n_jobs=v)
    yield "sweep validation_data", lambda v: sweep([config], two, values, validation_data=v)
    yield "sweep progress", lambda v: sweep([config], two, values, progress=v)
    yield "sweep callbacks", lambda v: sweep([config], two, values, callbacks=v)
    yield "gates.fixed name", gates.fixed
    yield "gates.learned name", gates.learned
    yield "gates.learned seed", lambda v: gates.learned("OR", seed=v, epochs=1)
    yield "gates.learned epochs", lambda v: gates.learned("OR", epochs=v)
    yield "gates.truth_table network", gates.truth_table
    for name in ("gradient_norms", "dead_units", "unit_contributions", "linear_regions"):
        function = getattr(diagnostics, name)
        more = (two, values) if name == "gradient_norms" else (two,)
        more = () if name == "linear_regions" else more
        yield f"{name} network", lambda v, f=function, more=more: f(v, *more)
    yield "gradient_norms X", lambda v: diagnostics.gradient_norms(net(), v, values)
    yield "gradient_norms y", lambda v: diagnostics.gradient_norms(net(), two, v)
    yield "gradient_norms loss", lambda v: diagnostics.gradient_norms(net(), two, values, v)
    yield "dead_units X", lambda v: diagnostics.dead_units(relu(2), v)
    yield "unit_contributions x", lambda v: diagnostics.unit_contributions(relu(), v)
    yield "linear_regions interval", lambda v: diagnostics.linear_regions(relu(), v)
    yield "linear_regions interval[0]", lambda v: diagnostics.linear_regions(relu(), (v, 1))
    exact = ExactNetwork.from_arrays([[[1]]], [[0]])
    yield "to_network dtype", exact.to_network


FLOAT_CALLS = dict(_float_calls())
# What an argument is called in errors, where that is not the last word of the case's name.
NAMED = {
    "fit labels": "y",
    "fit nesterov of momentum": "nesterov",
    "fit alpha of l1": "alpha",
    "fit learning_rate()": "learning_rate",
    "accuracy y": "labels",
}


@pytest.mark.parametrize("name", FLOAT_CALLS)
@pytest.mark.filterwarnings("ignore")  # of NumPy about nan and deprecated conversions
def test_hostile_values_in_the_float_half(name):
    """Whatever is passed, it works or ends in a ValueError or TypeError of one line."""
    argument = NAMED.get(name, name.split()[-1])
    for label, value in HOSTILE.items():
        if label in ("huge", "hugest") and name in (
            "fit epochs",
            "gates.learned epochs",
            "Network layer_sizes[0]",
        ):
            continue  # which takes its time, or more memory than there is
        if label == "type" and name in ("fit callbacks", "fit callbacks[0]"):
            continue  # which can be called
        if label in ("type", "time") and name == "linear_regions interval[0]":
            continue  # a TypeError that does not name the argument
        try:
            result = FLOAT_CALLS[name](iter([1]) if label == "iterator" else value)
        except (ValueError, TypeError) as error:
            text = str(error)
            assert "\n" not in text, (label, text)
            assert len(text) < 300, (label, text)
            words = (argument, re.split(r"[\[_]", argument)[0], name.split()[0])
            known = any(word in text for word in words) or "activation" in text or "gate" in text
            assert known, (label, text)
        else:
            results = result if name.startswith("sweep") else []
            for error in (r.error for r in results if r.error is not None):
                assert isinstance(error, ValueError | TypeError), (label, error)
                assert "\n" not in str(error), (label, error)
            # what is masked is never read
            assert "mask" not in label or (results and all(r.error for r in results)), label
