import json
import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
import safetensors.numpy

from exactnet import ExactNetwork, Network
from exactnet.activations import LAST, NAMES, LeakyReLU, Sigmoid, Step

OBJECTS = [Sigmoid(0.04, 0.1), Sigmoid(), LeakyReLU(0.3), Step(-1.5), Sigmoid(1 / 3, 2)]


def trained(dtype="float32"):
    """A small network with momentum in it."""
    rng = np.random.default_rng(0)
    net = Network([4, 3, 2], activations=["tanh", "sigmoid"], dtype=dtype, seed=7)
    net.fit(rng.normal(size=(8, 4)), rng.random((8, 2)), batch_size=4, momentum=0.9)
    net._state.first = [
        (rng.normal(size=w.shape).astype(dtype), rng.normal(size=b.shape).astype(dtype))
        for w, b in zip(net.weights, net.biases, strict=True)
    ]
    return net


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.safetensors"
    trained().save(path)
    return path


def state(net):
    """Everything that a file must keep, as bytes where numbers are rounded."""
    moments = None
    if net._state is not None:
        parts = (net._state.first, net._state.second or [])
        moments = [[a.tobytes() for layer in part for a in layer] for part in parts]
        moments.append(net._state.steps)
    return (
        net.dtype,
        net.layer_sizes,
        net.activations,
        [a.tobytes() for a in (*net.weights, *net.biases)],
        moments,
        net._generator.state,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip(tmp_path, dtype):
    net = trained(dtype)
    net.save(tmp_path / "net")
    assert os.listdir(tmp_path) == ["net"]
    loaded = Network.load(tmp_path / "net")
    assert state(loaded) == state(net)
    assert loaded._state.first[0][0].dtype == dtype
    X = [[1, -2, 3, -4]]
    assert loaded.predict(X).tobytes() == net.predict(X).tobytes()
    loaded.weights[0][0, 0] += 1
    assert loaded.predict(X).tobytes() != net.predict(X).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", [*NAMES, *OBJECTS], ids=repr)
def test_round_trip_of_activations(tmp_path, activation, dtype):
    hidden = "relu" if activation in LAST else activation
    net = Network([2, 3, 2], activations=[hidden, activation], dtype=dtype, seed=1)
    net.save(tmp_path / "net")
    loaded = Network.load(tmp_path / "net")
    assert state(loaded) == state(net)
    assert loaded.activations == (hidden, activation)
    assert loaded._state is None
    X = np.random.default_rng(2).normal(size=(5, 2))
    assert loaded.predict(X).tobytes() == net.predict(X).tobytes()


def test_the_generator_continues(tmp_path):
    net = Network([2, 1], seed=3)
    net.save(tmp_path / "net")
    loaded = Network.load(tmp_path / "net")
    assert (loaded._generator.normal(5, 1.0) == net._generator.normal(5, 1.0)).all()
    net = Network([2, 1], init="zeros", seed=2**64 - 1)  # a state with the highest bit set
    net.save(tmp_path / "net")
    assert Network.load(tmp_path / "net")._generator.state == net._generator.state == 2**64 - 1


@pytest.mark.parametrize(
    ("momentum", "nesterov", "shuffle"),
    [(*m, s) for m, s in product([(0.0, False), (0.9, False), (0.9, True)], [True, False])],
)
def test_training_continues_from_a_file(tmp_path, momentum, nesterov, shuffle):
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(50, 6)), rng.integers(0, 3, 50)
    options = dict(batch_size=8, momentum=momentum, nesterov=nesterov, shuffle=shuffle)
    whole, parts = (Network([6, 5, 3], seed=1) for _ in range(2))
    whole.fit(X, y, epochs=3, **options)
    parts.fit(X, y, epochs=1, **options)
    parts.save(tmp_path / "net")
    parts = Network.load(tmp_path / "net")
    parts.fit(X, y, epochs=2, **options)
    assert state(parts) == state(whole)


def test_the_file_can_be_read_without_the_package(saved):
    net = Network.load(saved)
    tensors = safetensors.numpy.load_file(saved)
    assert len(tensors) == 8
    for k in range(2):
        for name, array in [
            ("weights", net.weights[k]),
            ("biases", net.biases[k]),
            ("weights_velocity", net._state.first[k][0]),
            ("biases_velocity", net._state.first[k][1]),
        ]:
            np.testing.assert_array_equal(tensors[f"layers.{k}.{name}"], array)
    with safetensors.safe_open(saved, framework="np") as file:
        metadata = file.metadata()
    assert json.loads(metadata.pop("activations")) == ["tanh", "sigmoid"]
    assert metadata == {
        "format": "exactnet.Network",
        "version": "1",
        "generator": str(net._generator.state),
        "steps": "0",
        "epochs": str(net.epochs_trained),
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_files_are_those_of_the_library(tmp_path, dtype):
    """Byte for byte but for the metadata's order, which the library draws anew every time."""
    net = Network([5, *[3] * 11, 2], dtype=dtype, seed=0)  # "layers.10" comes before "layers.2"
    net.fit(np.ones((4, 5)), np.ones((4, 2)), momentum=0.9)
    net.save(tmp_path / "net")
    net.save(tmp_path / "again")
    ours = (tmp_path / "net").read_bytes()
    assert ours == (tmp_path / "again").read_bytes()
    with safetensors.safe_open(tmp_path / "net", framework="np") as file:
        metadata = file.metadata()
    theirs = safetensors.numpy.save(safetensors.numpy.load(ours), metadata)
    end = 8 + int.from_bytes(ours[:8], "little")
    assert end % 8 == 0
    assert ours[:8] == theirs[:8]
    assert json.loads(ours[8:end]) == json.loads(theirs[8:end])
    assert ours[end:] == theirs[end:]


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()
    net = Network.load(saved)
    net.weights[0][0, 0] = 5

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        net.save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["net.safetensors"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_could_not_be_loaded_is_not_saved(saved, value):
    before = saved.read_bytes()
    for choose, name in [
        (lambda net: net.weights[0], "layers.0.weights"),
        (lambda net: net._state.first[1][1], "layers.1.biases_velocity"),
    ]:
        net = Network.load(saved)
        choose(net).flat[-1] = value
        with pytest.raises(ValueError, match=f"{name} holds numbers that are not finite"):
            net.save(saved)
    assert saved.read_bytes() == before


def test_arrays_of_other_layout_are_saved(tmp_path, saved):
    net = Network.load(saved)
    w, b = net._state.first[0]
    net._state.first[0] = (np.asfortranarray(w), b)
    net.save(tmp_path / "other")
    assert state(Network.load(tmp_path / "other")) == state(Network.load(saved))


def raw(change):
    """Damage the bytes of the file."""
    return lambda path: path.write_bytes(change(path.read_bytes()))


def header(change):
    """Damage the text of the header."""

    def damage(path):
        data = path.read_bytes()
        end = 8 + int.from_bytes(data[:8], "little")
        text = change(data[8:end])
        path.write_bytes(len(text).to_bytes(8, "little") + text + data[end:])

    return damage


def tensors(change):
    """Change a tensor, or all of them: `change` edits the dictionary."""

    def damage(path):
        with safetensors.safe_open(path, framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata()
        change(arrays)
        path.write_bytes(safetensors.numpy.save(arrays, metadata))

    return damage


def tensor(name, change):
    return tensors(lambda arrays: arrays.update({name: change(arrays[name])}))


def metadata(change):
    def damage(path):
        with safetensors.safe_open(path, framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            entries = file.metadata()
        change(entries)
        path.write_bytes(safetensors.numpy.save(arrays, entries or None))

    return damage


def entry(key, value):
    return metadata(lambda entries: entries.update({key: value}))


def with_activation(**values):
    return entry("activations", json.dumps(["tanh", values]))


def filled(value):
    def change(array):
        array = array.copy()
        array.flat[-1] = value
        return array

    return change


SIGMOID = dict(name="sigmoid", slope=1.0, threshold=0.0)
NO_FORMAT = 'not a network file: its metadata has no "format"'
DAMAGED = "not a network file, or damaged: "
W, B, V = "layers.1.weights", "layers.0.biases", "layers.0.weights_velocity"
DAMAGE = {
    "empty": (raw(lambda data: b""), DAMAGED),
    "a few bytes": (raw(lambda data: data[:6]), DAMAGED),
    "truncated in the header": (raw(lambda data: data[:100]), DAMAGED),
    "truncated in the data": (raw(lambda data: data[:-1]), DAMAGED),
    "trailing": (raw(lambda data: data + b"x"), DAMAGED),
    "other format": (raw(lambda data: b"\x93NUMPY\x01\0" + data), DAMAGED),
    "text": (raw(lambda data: b"x,y\n1,2\n3,4\n"), DAMAGED),
    "pickle": (raw(lambda data: b"\x80\x04\x95\x1a\0\0\0\0\0\0\0\x8c\x08builtins\x94"), DAMAGED),
    "header beyond the file": (raw(lambda data: (10**6).to_bytes(8, "little") + data[8:]), DAMAGED),
    "huge header": (raw(lambda data: b"\xff" * 8 + data[8:]), DAMAGED),
    "no JSON": (header(lambda text: b"{" + text), DAMAGED),
    "no UTF-8": (header(lambda text: text.replace(b"tanh", b"ta\xff\xfe")), DAMAGED),
    "deep nesting": (header(lambda text: b"[" * 10_000), DAMAGED),
    "other offsets": (header(lambda text: text.replace(b"data_offsets", b"data_offset5")), DAMAGED),
    "shape beyond the data": (header(lambda text: text.replace(b"[3,4]", b"[3,5]")), DAMAGED),
    "overflowing shape": (
        header(lambda text: text.replace(b"[3,4]", b"[4294967296,4294967296]")),
        DAMAGED,
    ),
    "F16": (tensor(W, np.float16), f"{W} must be of type F32 or F64, not F16"),
    "all of F16": (
        tensors(lambda t: t.update({k: v.astype(np.float16) for k, v in t.items()})),
        "layers.0.weights must be of type F32 or F64, not F16",
    ),
    "I64": (tensor(B, lambda a: a.astype("i8")), f"{B} must be of type F32 or F64, not I64"),
    "BF16": (
        header(lambda text: text.replace(b'"F32","shape":[3]', b'"BF16","shape":[6]')),
        "must be of type F32 or F64, not BF16",
    ),
    "mixed types": (tensor(W, np.float64), f"{W} must be of type F32 as the others, not F64"),
    "other type of velocity": (tensor(V, np.float64), f"{V} must be of type F32 as the others"),
    "vector of weights": (tensor(W, np.ravel), "layer 1: weights (6,) and biases (2,) do not fit"),
    "transposed": (tensor(W, lambda a: a.T.copy()), "layer 1: weights (3, 2) and biases (2,)"),
    "biases of another size": (tensor(B, lambda a: a[:2]), "weights (3, 4) and biases (2,)"),
    "layers that do not fit": (tensor(W, lambda a: a[:, :2].copy()), "or their 3 inputs"),
    "empty tensor": (tensor(W, lambda a: a[:0]), "layer 1: weights (0, 3)"),
    "scalar": (tensor(B, lambda a: a[0].reshape(())[...]), "biases () do not fit"),
    "nan": (tensor(W, filled(np.nan)), "weights[1] holds numbers that are not finite"),
    "infinity": (tensor(B, filled(-np.inf)), "biases[0] holds numbers that are not finite"),
    "shape of velocity": (
        tensor(V, lambda a: a[:, :1].copy()),
        f"{V} has shape (3, 1), not (3, 4)",
    ),
    "nan in velocity": (tensor(V, filled(np.nan)), f"{V} holds numbers that are not finite"),
    "missing tensor": (tensors(lambda t: t.pop(W)), f"missing or unknown tensors: '{W}'"),
    "missing velocity": (tensors(lambda t: t.pop(V)), f"missing or unknown tensors: '{V}'"),
    "extra tensor": (
        tensors(lambda t: t.update({"a\nb": np.zeros(1)})),
        "missing or unknown tensors: 'a\\nb'",
    ),
    "extra layer": (
        tensors(lambda t: t.update({"layers.2.weights": np.zeros((1, 2), np.float32)})),
        "missing or unknown tensors: 'layers.2.weights'",
    ),
    "all others": (
        tensors(lambda t: [t.pop(name) for name in [*t] if not name.endswith("velocity")]),
        "missing or unknown tensors: 'layers.0.biases', 'layers.0.weights', 'layers.1.biases', "
        "'layers.1.weights'",
    ),
    "other tensors": (
        tensors(lambda t: [t.update(a=t[W]), *(t.pop(name) for name in [*t] if name != "a")]),
        "missing or unknown tensors: 'a', 'layers.0.biases', 'layers.0.weights', "
        "'layers.1.biases' and 1 more",
    ),
    "no metadata": (metadata(lambda m: m.pop("format")), NO_FORMAT),
    "none at all": (metadata(lambda m: m.clear()), NO_FORMAT),
    "other program's": (entry("format", "pt"), NO_FORMAT),
    "newer version": (entry("version", "2"), "version '2' of the format is unknown"),
    "no version": (metadata(lambda m: m.pop("version")), "version None of the format"),
    "missing entry": (
        metadata(lambda m: m.pop("generator")),
        "missing or unknown metadata: 'generator'",
    ),
    "unknown entry": (entry("extra", "1"), "missing or unknown metadata: 'extra'"),
    "epochs": (entry("epochs", "-1"), "epochs must be an integer from 0"),
    "no epochs": (metadata(lambda m: m.pop("epochs")), "missing or unknown metadata: 'epochs'"),
    "generator too large": (entry("generator", str(2**64)), "generator must be an integer from 0"),
    "negative generator": (entry("generator", "-1"), "generator must be an integer from 0"),
    "no generator": (entry("generator", ""), "generator must be an integer from 0 to 2**64 - 1"),
    "long generator": (entry("generator", "9" * 10_000), "generator must be an integer from 0"),
    "other digits": (entry("generator", "\u0661"), "generator must be an integer from 0"),
    "activations no JSON": (entry("activations", "tanh"), "activations are no JSON: "),
    "nested activations": (entry("activations", "[" * 100_000), "activations are no JSON: "),
    "activations no list": (entry("activations", '"tanh"'), "activations must be a JSON list"),
    "no activations": (entry("activations", "[]"), "activations must be a JSON list"),
    "missing activation": (
        entry("activations", '["sigmoid"]'),
        "missing or unknown tensors: 'layers.1.biases'",
    ),
    "unknown activation": (entry("activations", '["tanh", "gelu"]'), "unknown activation 'gelu'"),
    "null activation": (entry("activations", '["tanh", null]'), "unknown activation 'None'"),
    "hidden softmax": (
        entry("activations", '["softmax", "tanh"]'),
        "softmax is for the last layer only",
    ),
    "unknown object": (with_activation(**{**SIGMOID, "name": "gelu"}), "unknown activation"),
    "object without slope": (with_activation(name="sigmoid", threshold=1.0), "unknown activation"),
    "object with more": (with_activation(**SIGMOID, extra=1), "unknown activation"),
    "slope is a string": (with_activation(**{**SIGMOID, "slope": "1"}), "unknown activation"),
    "slope is true": (with_activation(**{**SIGMOID, "slope": True}), "unknown activation"),
    "threshold of a leaky ReLU": (
        with_activation(name="leaky_relu", slope=0.1, threshold=1.0),
        "unknown activation",
    ),
    "negative slope": (
        with_activation(name="leaky_relu", slope=-0.5, threshold=0.0),
        "slope of LeakyReLU must be at least 0, not -0.5",
    ),
    "infinite slope": (with_activation(**{**SIGMOID, "slope": np.inf}), "must be finite"),
    "nan threshold": (with_activation(**{**SIGMOID, "threshold": np.nan}), "must be finite"),
    "slope beyond floats": (with_activation(**{**SIGMOID, "slope": 10**400}), "must be finite"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_files_are_refused(saved, name):
    damage, text = DAMAGE[name]
    before = saved.read_bytes()
    damage(saved)
    assert saved.read_bytes() != before
    with pytest.raises(ValueError, match=r"net\.safetensors: ") as error:
        Network.load(saved)
    assert text in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_exact_networks_are_refused(tmp_path):
    ExactNetwork.from_arrays([[[1]]], [[0]]).save(tmp_path / "net.json")
    for layout in (None, 2):  # as it was written, and by another program
        document = json.loads((tmp_path / "net.json").read_text())
        (tmp_path / "net.json").write_text(json.dumps(document, indent=layout))
        text = r"net\.json: it holds an exact network: ExactNetwork\.load reads it"
        with pytest.raises(ValueError, match=text):
            Network.load(tmp_path / "net.json")


def test_files_that_cannot_be_read(tmp_path):
    for path, kind in [
        (tmp_path / "none", FileNotFoundError),
        (tmp_path, IsADirectoryError),
    ]:
        with pytest.raises(kind) as error:
            Network.load(path)
        assert error.value.filename == os.fspath(path)


def test_files_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        trained().save(tmp_path / "none" / "net")
    assert error.value.filename == os.fspath(tmp_path / "none" / "net")


def test_the_library_is_not_imported_before_it_is_needed():
    code = "import sys, exactnet; sys.exit('safetensors' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
