import gzip
import os
import struct
from importlib.resources import files

import numpy as np
import pytest

from exactnet import datasets, memorize, verify


def test_digits():
    X_train, y_train, X_test, y_test = datasets.load_digits()
    assert X_train.shape == (1437, 64)
    assert X_test.shape == (360, 64)
    assert y_train.shape == (1437,)
    assert y_test.shape == (360,)
    for X in (X_train, X_test):
        assert X.dtype == np.float32
        assert X.min() == 0
        assert X.max() == 1
        assert (X * 16 == np.round(X * 16)).all()
    labels = np.concatenate([y_train, y_test])
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_digits_are_small_and_say_where_they_come_from():
    folder = files("exactnet") / "data"
    assert os.path.getsize(folder / "digits.npz") < 100_000
    assert "CC BY 4.0" in (folder / "README.md").read_text()


def test_all_digits_are_memorized_exactly():
    X_train, y_train, X_test, y_test = datasets.load_digits()
    X, y = np.concatenate([X_train, X_test]), np.concatenate([y_train, y_test])
    net = memorize(X, y)
    assert net.layer_sizes == [64, 43, 42, 1]
    assert verify(net, X, y).exact


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
def test_idx_round_trip(tmp_path, dtype, ending):
    path = tmp_path / f"array{ending}"
    for shape in [(5,), (2, 3), (3, 2, 4), (0, 7), (1,) * 9]:
        array = (np.arange(np.prod(shape)).reshape(shape) - 3).astype(dtype)
        for given in (array, array.astype(array.dtype.newbyteorder(">"))):
            datasets.write_idx(path, given)
            result = datasets.read_idx(path)
            assert result.dtype == array.dtype
            assert result.dtype.isnative
            assert result.shape == shape
            np.testing.assert_array_equal(result, array)


def test_idx_is_the_published_format(tmp_path):
    datasets.write_idx(tmp_path / "a", np.array([[1, -2]], dtype=np.int16))
    expected = bytes([0, 0, 0x0B, 2]) + struct.pack(">IIhh", 1, 2, 1, -2)
    assert (tmp_path / "a").read_bytes() == expected


def test_bad_idx_files(tmp_path):
    good = bytes([0, 0, 8, 2]) + struct.pack(">II", 2, 3) + bytes(6)
    huge = bytes([0, 0, 14, 3]) + struct.pack(">III", 2**32 - 1, 2**32 - 1, 2**32 - 1)
    bomb = bytes([0, 0, 8, 1]) + struct.pack(">I", 10) + bytes(10_000_000)
    cases = {
        "wrong magic": (b"\x89PNG" + good, "not an IDX file: it begins with 89504e47"),
        "wrong type": (bytes([0, 0, 7, 2]) + good[4:], "not an IDX file"),
        "empty": (b"", "not an IDX file: it begins with nothing"),
        "half a header": (good[:9], "truncated in its header"),
        "truncated": (good[:-1], "truncated: a shape of (2, 3) needs 6 bytes"),
        "trailing": (good + b"x", "there are further bytes behind the 6 of its shape (2, 3)"),
        "beyond the file": (huge + good, "truncated: a shape of (4294967295, 4294967295"),
        "beyond the compressed file": (gzip.compress(huge), "truncated: a shape of"),
        "truncated gzip": (gzip.compress(good)[:-9], "damaged gzip file"),
        "damaged gzip": (gzip.compress(good)[:-8] + bytes(8), "damaged gzip file"),
        "trailing in gzip": (gzip.compress(good + b"x"), "there are further bytes"),
        "bomb": (gzip.compress(bomb), "there are further bytes behind the 10"),
    }
    path = tmp_path / "bad"
    for content, text in cases.values():
        path.write_bytes(content)
        with pytest.raises(ValueError, match="bad: ") as error:
            datasets.read_idx(path)
        assert text in str(error.value)
    for array in (np.zeros(3, np.int64), np.zeros(3, complex), np.array("x"), np.float32(1)):
        with pytest.raises(ValueError, match="IDX file"):
            datasets.write_idx(path, array)


@pytest.fixture
def mnist(tmp_path):
    """Four small files in the layout of MNIST, two of them compressed."""
    rng = np.random.default_rng(0)
    for prefix, n, ending in (("train", 6, ".gz"), ("t10k", 3, "")):
        images = rng.integers(0, 256, (n, 28, 28)).astype(np.uint8)
        labels = rng.integers(0, 10, n).astype(np.uint8)
        datasets.write_idx(tmp_path / f"{prefix}-images-idx3-ubyte{ending}", images)
        datasets.write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte{ending}", labels)
    return tmp_path


def test_mnist_files(mnist, monkeypatch):
    X_train, y_train, X_test, y_test = datasets.load_mnist(mnist)
    assert (X_train.shape, X_test.shape) == ((6, 784), (3, 784))
    assert X_train.dtype == np.float32
    assert X_train.max() <= 1
    assert (np.round(X_train * 255) / np.float32(255) == X_train).all()
    assert (y_train.dtype, len(y_train), len(y_test)) == (np.int64, 6, 3)
    monkeypatch.setenv("EXACTNET_DATA", str(mnist))
    np.testing.assert_array_equal(datasets.load_mnist()[0], X_train)


def test_bad_mnist_files(mnist, monkeypatch):
    labels = mnist / "t10k-labels-idx1-ubyte"
    datasets.write_idx(labels, np.zeros(4, np.uint8))
    with pytest.raises(ValueError, match="3 t10k images but 4 labels"):
        datasets.load_mnist(mnist)
    datasets.write_idx(labels, np.zeros(3, np.int16))
    with pytest.raises(ValueError, match="the t10k files are not images and labels"):
        datasets.load_mnist(mnist)
    labels.unlink()
    with pytest.raises(FileNotFoundError, match="holds neither t10k-labels-idx1-ubyte nor"):
        datasets.load_mnist(mnist)
    monkeypatch.delenv("EXACTNET_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="set EXACTNET_DATA"):
        datasets.load_mnist()


@pytest.mark.skipif("EXACTNET_DATA" not in os.environ, reason="needs MNIST")
def test_real_mnist():
    X_train, y_train, X_test, y_test = datasets.load_mnist()
    assert (X_train.shape, X_test.shape) == ((60_000, 784), (10_000, 784))
    assert np.bincount(y_train).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert np.bincount(y_test).sum() == 10_000
    assert 0.80 < (X_train == 0).mean() < 0.82


@pytest.mark.skipif("EXACTNET_DATA" not in os.environ, reason="needs MNIST")
def test_mnist_is_learned():
    from exactnet import Network

    X_train, y_train, X_test, y_test = datasets.load_mnist()
    net = Network([784, 30, 10], seed=0)
    net.fit(X_train[:50_000], y_train[:50_000], epochs=5, batch_size=10, learning_rate=3.0)
    assert net.accuracy(X_test, y_test) > 0.92
