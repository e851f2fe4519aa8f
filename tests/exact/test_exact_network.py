import json
import os
import threading
from fractions import Fraction

import gmpy2
import numpy as np
import pytest

from conftest import CALL_UNTIL_CTRL_C, interrupt, random_points, slow
from exactnet import ExactNetwork, Network, memorize, verify
from reference import forward, fractions


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.json"
    net = memorize([[1, 2], [3, 4], [5, 0], [7, 7]], [Fraction(1, 3), -2, 0, 10**30])
    net.save(path)
    return path


def equal(a, b):
    return (
        a.activations == b.activations
        and all((v == w).all() for v, w in zip(a.weights, b.weights, strict=True))
        and all((v == w).all() for v, w in zip(a.biases, b.biases, strict=True))
    )


def test_save_and_load(tmp_path, rng):
    X, y = random_points(rng, 120, 4)
    net = memorize([[Fraction(v, 7) for v in x] for x in X], y)
    net.save(tmp_path / "net.json")
    loaded = ExactNetwork.load(tmp_path / "net.json")
    assert equal(net, loaded)
    assert type(loaded.weights[1][0, 0]) is type(gmpy2.mpq(1))
    assert os.listdir(tmp_path) == ["net.json"]


def test_numbers_beyond_pythons_digit_limit(tmp_path):
    value = 3**20_000  # 9,543 digits
    net = ExactNetwork.from_arrays([[[Fraction(value, value + 2)]]], [[-value]])
    net.save(tmp_path / "net.json")
    assert equal(net, ExactNetwork.load(tmp_path / "net.json"))


def test_the_file_can_be_read_without_the_package(saved):
    document = json.loads(saved.read_text())
    assert document["format"] == "exactnet"
    assert document["version"] == 1
    assert document["layer_sizes"] == [2, 2, 2, 1]
    assert document["activations"] == ["relu", "relu", "linear"]
    h = [Fraction(7), Fraction(7)]
    for w, b, activation in zip(
        document["weights"], document["biases"], document["activations"], strict=True
    ):
        h = [
            sum((Fraction(v) * x for v, x in zip(row, h, strict=True)), Fraction(bias))
            for row, bias in zip(w, b, strict=True)
        ]
        h = [max(v, Fraction(0)) for v in h] if activation == "relu" else h
    assert h == [10**30]


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()
    net = ExactNetwork.load(saved)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        net.save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["net.json"]


def test_saved_files_have_the_usual_permissions(saved):
    plain = saved.parent / "plain"
    plain.touch()
    assert saved.stat().st_mode == plain.stat().st_mode


def test_saving_an_inconsistent_network_is_refused(saved, tmp_path):
    net = ExactNetwork.load(saved)
    net.biases[0] = net.biases[0][:1]
    with pytest.raises(ValueError, match="layer 0: weights"):
        net.save(tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()


def edited(change):
    def edit(text):
        document = json.loads(text)
        change(document)
        return json.dumps(document)

    return edit


def set_weight(value):
    return edited(lambda d: d["weights"][1][0].__setitem__(0, value))


DAMAGE = {
    "empty": (lambda text: "", "not a network file, or damaged"),
    "truncated": (lambda text: text[: len(text) // 2], "not a network file, or damaged"),
    "not JSON": (lambda text: "P5 28 28 255", "not a network file, or damaged"),
    "deep nesting": (lambda text: "[" * 100_000, "not a network file, or damaged"),
    "other JSON": (lambda text: '{"weights": [1]}', '"format" is not "exactnet"'),
    "a list": (lambda text: "[1, 2]", '"format" is not "exactnet"'),
    "newer version": (edited(lambda d: d.update(version=2)), "version 2 of the format is unknown"),
    "boolean version": (edited(lambda d: d.update(version=True)), "version True of the format"),
    "missing entry": (edited(lambda d: d.pop("biases")), "missing or unknown entries: biases"),
    "entry twice": (lambda text: '{"version":7,' + text[1:], "an entry appears twice"),
    "unknown entry": (edited(lambda d: d.update(extra=1)), "missing or unknown entries: extra"),
    "zero denominator": (set_weight("1/0"), "weights[1][0][0] has the denominator 0"),
    "number": (set_weight(1.5), "weights[1][0][0] must be a rational as a string"),
    "decimal": (set_weight("1.5"), "weights[1][0][0] must be a rational as a string"),
    "spaces": (set_weight(" 1"), "weights[1][0][0] must be a rational as a string"),
    "negative denominator": (set_weight("1/-2"), "weights[1][0][0] must be a rational"),
    "other digits": (set_weight("\u0661"), "weights[1][0][0] must be a rational as a string"),
    "null": (set_weight(None), "weights[1][0][0] must be a rational as a string"),
    "short row": (edited(lambda d: d["weights"][1][0].pop()), "weights[1][0] has 1 entries, not 2"),
    "missing row": (edited(lambda d: d["weights"][0].pop()), "weights[0] has 1 entries, not 2"),
    "missing bias": (edited(lambda d: d["biases"][2].pop()), "biases[2] has 0 entries, not 1"),
    "missing layer": (edited(lambda d: d["weights"].pop()), "weights has 2 entries, not 3"),
    "row is a string": (
        edited(lambda d: d["weights"][0].__setitem__(0, "11")),
        "weights[0][0] must be a list",
    ),
    "huge sizes": (
        edited(lambda d: d.update(layer_sizes=[2, 10**12, 2, 1])),
        "weights[0] has 2 entries, not 1000000000000",
    ),
    "zero sizes": (edited(lambda d: d.update(layer_sizes=[2, 0, 2, 1])), "positive integers"),
    "size is a string": (edited(lambda d: d.update(layer_sizes=["2", 2, 2, 1])), "positive integ"),
    "activation": (
        edited(lambda d: d.update(activations=["relu", "tanh", "linear"])),
        "unknown activation 'tanh'",
    ),
    "activation is a list": (
        edited(lambda d: d.update(activations=["relu", [], "linear"])),
        "unknown activation []",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_files_are_refused(saved, name):
    damage, text = DAMAGE[name]
    saved.write_text(damage(saved.read_text()))
    with pytest.raises(ValueError, match=r"net\.json: ") as error:
        ExactNetwork.load(saved)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_binary_files_are_refused(saved):
    saved.write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match="not a network file, or damaged"):
        ExactNetwork.load(saved)


def test_trained_networks_are_refused(tmp_path):
    path = tmp_path / "net.safetensors"
    net = Network([2, 3, 1], seed=0)
    net.save(path)
    text = r"net\.safetensors: it holds a trained network: Network\.load reads it"
    with pytest.raises(ValueError, match=text):
        ExactNetwork.load(path)
    text = r"must be an ExactNetwork, not Network: pass network\.to_exact\(\)"
    with pytest.raises(TypeError, match=text):
        verify(net, [[1, 2]], [0])


def test_large_files_are_refused_unread(saved):
    with pytest.raises(ValueError, match="more than the limit of 100; pass a larger max_bytes"):
        ExactNetwork.load(saved, max_bytes=100)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        ExactNetwork.load(tmp_path / "none.json")


def test_from_arrays_converts_exactly():
    net = ExactNetwork.from_arrays(
        [np.array([[0.5, 0.1]], dtype=np.float32), [[2**70]]], [[Fraction(1, 3)], np.array([[4]])]
    )
    assert net.activations == ["relu", "linear"]
    assert net.layer_sizes == [2, 1, 1]
    assert fractions(net.weights[0]) == [[Fraction(1, 2), Fraction(float(np.float32(0.1)))]]
    assert net.predict([[1, 0]])[0, 0] == 2**70 * Fraction(5, 6) + 4


def test_written_parameters_take_effect(saved):
    net = ExactNetwork.load(saved)
    net.biases[2][0] += 1
    assert fractions(net.predict([[1, 2]])) == [[Fraction(4, 3)]]
    net.weights[2][0, 0] = 0.5  # any number may be written
    assert fractions(net.predict([[3, 4]])) == forward(net, [[3, 4]])


def test_written_numbers_of_other_types_are_saved_as_rationals(saved):
    net = ExactNetwork.load(saved)
    net.weights[1][0, 0] = 0.5
    net.biases[0][0] = 3
    net.save(saved)
    assert str(ExactNetwork.load(saved).weights[1][0, 0]) == "1/2"
    assert net.bit_sizes().largest > 0
    before = saved.read_bytes()
    net.biases[0][0] = float("inf")
    with pytest.raises(ValueError, match=r"biases\[0\] is inf: only finite"):
        net.save(saved)
    assert saved.read_bytes() == before


def test_links_are_followed_and_pipes_written_to(saved, tmp_path):
    net = ExactNetwork.load(saved)
    link = tmp_path / "link.json"
    link.symlink_to(saved)
    saved.write_text("old")
    net.save(link)
    assert link.is_symlink()
    assert equal(ExactNetwork.load(saved), net)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()))
    received = []
    reader.start()
    net.save(pipe)
    reader.join()
    assert received[0] == saved.read_text()
    assert not pipe.is_file()


def test_errors_name_the_file_that_was_asked_for(saved, tmp_path):
    net = ExactNetwork.load(saved)
    for path, error in (
        (tmp_path, IsADirectoryError),
        (tmp_path / "none" / "net.json", FileNotFoundError),
    ):
        with pytest.raises(error) as raised:
            net.save(path)
        assert raised.value.filename == os.fspath(path)


def test_bit_sizes():
    net = ExactNetwork.from_arrays([[[0, Fraction(-7, 8)]]], [[1]])
    sizes = net.bit_sizes()
    assert (sizes.largest, sizes.total) == (4, (0 + 1) + (3 + 4) + (1 + 1))


def test_repr(saved):
    assert repr(ExactNetwork.load(saved)) == (
        "ExactNetwork([2, 2, 2, 1], activations=['relu', 'relu', 'linear'])"
    )


def test_verification_of_a_loaded_network(saved):
    net = ExactNetwork.load(saved)
    assert verify(net, [[1, 2], [3, 4], [5, 0], [7, 7]], [Fraction(1, 3), -2, 0, 10**30])


def test_the_data_stated_are_those_verified(tmp_path):
    """Data that are others at every look: the digest is of the numbers that were compared."""

    class Changing:
        def __init__(self, *arrays):
            self.arrays = iter(arrays)

        def __array__(self, dtype=None, copy=None):
            return next(self.arrays)

    X, y = np.array([[0], [1], [2]]), np.array([3, 1, 4])
    net = memorize(X, y)
    files = tmp_path / "a.json", tmp_path / "b.json"
    net.save(files[0], claim_for=(X, y))
    net.save(files[1], claim_for=(Changing(X, X + 7), Changing(y, y + 7)))
    assert files[0].read_bytes() == files[1].read_bytes()
    net.save(files[1], claim_for=(iter(X.tolist()), iter(y.tolist())))
    assert files[0].read_bytes() == files[1].read_bytes()


def test_floats_of_rationals_are_the_nearest(rng):
    """Against exact distances to both neighbours; ties to even, as of 1 + 2**-24 and its like."""
    cases = [
        Fraction(1, 3),
        1 + Fraction(1, 2**24),  # between two float32
        1 + Fraction(3, 2**24),
        1 + Fraction(1, 2**24) + Fraction(1, 10**30),  # which float64 takes to the middle
        1 + Fraction(1, 2**24) - Fraction(1, 10**30),
        Fraction(1, 2**149),
        Fraction(1, 2**150) + Fraction(1, 10**90),
        Fraction(1, 2**150),
        Fraction(3, 2**150),
        Fraction(2**128 - 2**104) + Fraction(2**103) - Fraction(1, 7),
    ]
    for _ in range(slow(5000, 500)):
        middle = Fraction(rng.getrandbits(24) * 2 + 1) * Fraction(2) ** rng.randrange(-160, 90)
        cases.append(middle + rng.choice([0, 1, -1]) * Fraction(rng.random()) / 10**60)
    for value in (*cases, *(-c for c in cases)):
        net = ExactNetwork.from_arrays([[[value]]], [[0]])
        for dtype in ("float32", "float64"):
            result = net.to_network(dtype).weights[0][0, 0]
            assert result.dtype == dtype
            error = abs(Fraction(float(result)) - value)
            with np.errstate(over="ignore"):
                neighbours = [
                    np.nextafter(result, np.dtype(dtype).type(s * np.inf)) for s in (1, -1)
                ]
            for neighbour in neighbours:
                if not np.isfinite(neighbour):
                    continue
                other = abs(Fraction(float(neighbour)) - value)
                even = not result.view(f"i{result.itemsize}") & 1
                assert error < other or (error == other and even), (value, dtype)
    too_large = ExactNetwork.from_arrays([[[2**128 - 2**103]]], [[0]])
    with pytest.raises(ValueError, match=r"weights\[0\] holds numbers that are not finite"):
        too_large.to_network("float32")
    for dtype in ("int32", "float16", None, np.float32):
        with pytest.raises(ValueError, match="dtype must be one of 'float64', 'float32', not"):
            net.to_network(dtype)


WIDE = """
import gmpy2, numpy as np
from exactnet import ExactNetwork, Network, certificate, memorize, rounding_error

sizes, rng = [784, 1000, 1000, 10], np.random.default_rng(0)
shapes = [(b, a) for a, b in zip(sizes, sizes[1:])]
X = rng.integers(-1, 2, (20_000, 784))
integers = [rng.integers(-1, 2, shape) for shape in shapes]
zeros = [np.zeros(n) for n in sizes[1:]]
activations = ["relu", "relu", "linear"]
floats = Network.from_arrays([w.astype("float64") for w in integers], zeros, activations)
exact = ExactNetwork(
    [np.where(w > 0, gmpy2.mpq(1), gmpy2.mpq(-1, 3)) for w in integers],
    [np.full(n, gmpy2.mpq(0)) for n in sizes[1:]],
    activations,
)
points = np.arange(5000)[:, None]
line = memorize(points, points[:, 0] % 10) if {call!r} == "extend" else None
call = {{
    "certificate": lambda: certificate(floats, X),
    "rounding_error": lambda: rounding_error(floats, X[:3000]),
    "from_arrays": lambda: ExactNetwork.from_arrays(integers, zeros),
    "to_network": lambda: exact.to_network(),
    "predict": lambda: exact.predict(X),
    "extend": lambda: line.extend([[k + 0.5] for k in range(100)], [1] * 100, points),
}}[{call!r}]
"""


@pytest.mark.parametrize("after", [0.1, pytest.param(0.8, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "call", ["certificate", "rounding_error", "from_arrays", "to_network", "predict", "extend"]
)
def test_ctrl_c_on_wide_networks(call, after):
    delay, _ = interrupt(WIDE.format(call=call) + CALL_UNTIL_CTRL_C, after)
    print(f"{call}: {delay:.3f} s")
    assert delay < 0.2


def test_arguments_are_named(tmp_path):
    net = memorize([[1], [2]], [3, 4])
    for path in (None, 5.5, True):
        for call in (net.save, net.to_network().save, ExactNetwork.load, Network.load):
            with pytest.raises(TypeError, match="path must be a path, not "):
                call(path)
    for data in (3, [[1]], ([[1]], [3], 4)):
        with pytest.raises(ValueError, match="claim_for must be "):
            net.save(tmp_path / "net.json", claim_for=data)
    with pytest.raises(ValueError, match="x_new has 2 features but the network takes 1"):
        net.extend([[1, 2]], [9])


def test_summary(np_rng):
    X, y = np_rng.integers(0, 50, (40, 3)), np_rng.integers(0, 9, 40)
    net = memorize(X, y)
    title, header, *rows, note = str(net.summary()).splitlines()
    assert (
        title == f"ExactNetwork: 3 layers, {sum(w.size + len(w) for w in net.weights)} parameters"
    )
    assert header.split()[:5] == ["layer", "activation", "inputs", "units", "parameters"]
    assert len(rows) == 3
    numbers = [[int(n.replace(",", "")) for n in row.split()[2:]] for row in rows]
    for (inputs, units, n, _, _), w in zip(numbers, net.weights, strict=True):
        assert (units, inputs, n) == (*w.shape, w.size + len(w))
    bits = net.bit_sizes()
    assert bits == (max(row[3] for row in numbers), sum(row[4] for row in numbers))
    assert f"longest parameter {bits.largest} bits, all together {bits.total:,} bits" in note
    assert net._repr_html_() == net.summary()._repr_html_()
    named = memorize([[0], [1], [2]], ["b", "a", "b"])
    assert str(named.summary()).splitlines()[-1] == "classes ['a', 'b']"


def test_bits_of_entries_that_are_one_object_count_each():
    third = gmpy2.mpq(1, 3)
    one = ExactNetwork([np.array([[third, third]])], [np.array([third])], ["linear"])
    other = ExactNetwork([np.array([[third, third + 0]])], [np.array([third + 0])], ["linear"])
    assert one.bit_sizes() == other.bit_sizes() == (2, 9)
