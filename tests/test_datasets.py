import gzip
import hashlib
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from conftest import interrupt
from exactnet import datasets, memorize, verify
from exactnet.base import download
from exactnet.base.progress import ProgressBar


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


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where load_mnist keeps its files; not there yet."""
    monkeypatch.delenv("EXACTNET_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return datasets._cache()


def test_cache(tmp_path, cache, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setattr(sys, "platform", "linux")
    assert datasets._cache() == tmp_path / "cache/exactnet/mnist"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert datasets._cache() == home / ".cache/exactnet/mnist"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert datasets._cache() == home / ".cache/exactnet/mnist"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert datasets._cache() == home / "Library/Caches/exactnet/mnist"


def test_mnist_is_not_downloaded_unasked(cache, mnist, monkeypatch):
    monkeypatch.setattr("exactnet.base.download.fetch", None)
    with pytest.raises(FileNotFoundError, match="pass download=True") as error:
        datasets.load_mnist()
    assert str(cache) in str(error.value)
    monkeypatch.setenv("EXACTNET_DATA", "")  # as if it were not there
    with pytest.raises(FileNotFoundError, match="pass download=True"):
        datasets.load_mnist()
    shutil.copytree(mnist, cache)
    assert len(datasets.load_mnist()[0]) == len(datasets.load_mnist(download=True)[0]) == 6
    (mnist / "t10k-labels-idx1-ubyte").unlink()  # a given folder stands, even if the cache is full
    for arguments in ({}, {"download": True}):
        with pytest.raises(FileNotFoundError, match="holds neither t10k-labels-idx1-ubyte nor"):
            datasets.load_mnist(mnist, **arguments)
    monkeypatch.setenv("EXACTNET_DATA", str(mnist))
    with pytest.raises(FileNotFoundError, match="a given folder is not downloaded into"):
        datasets.load_mnist(download=True)


class Handler(BaseHTTPRequestHandler):
    """Serves /KIND/NAME.gz in good and in bad ways."""

    def do_GET(self):
        _, kind, name = self.path.split("/")
        self.server.requests.append((kind, name))
        self.server.before()
        getattr(self, f"serve_{kind}")(gzip.compress(self.server.files[name[:-3]]))

    def reply(self, body, length=None, status=200, **headers):
        self.send_response(status)
        if length is not None:
            headers["Content-Length"] = str(length)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self):
        while not self.server.over.wait(0.01):
            self.wfile.write(b"x")

    def serve_good(self, data):
        self.reply(data, len(data))

    def serve_without_length(self, data):
        self.reply(data)

    def serve_plain(self, data):
        self.reply(gzip.decompress(data))

    def serve_redirected(self, data):
        self.reply(b"", 0, 302, Location=self.path.replace("redirected", "good"))

    def serve_circular(self, data):
        self.reply(b"", 0, 302, Location=self.path)

    def serve_local(self, data):
        self.reply(b"", 0, 302, Location="file:///etc/passwd")

    def serve_missing(self, data):
        self.reply(b"<html>Not here</html>", status=404)

    def serve_broken(self, data):
        self.reply(b"<html>Oh no</html>", status=500)

    def serve_portal(self, data):
        self.reply(b"<html>Please log in</html>")

    def serve_empty(self, data):
        self.reply(b"", 0)

    def serve_truncated(self, data):
        self.reply(data[: len(data) // 2], len(data))

    def serve_cut(self, data):
        self.reply(data[:-1])

    def serve_corrupt(self, data):
        self.reply(data[:-6] + bytes([data[-6] ^ 1]) + data[-5:])

    def serve_other(self, data):
        self.reply(gzip.compress(gzip.decompress(data)[:-1] + b"?"))

    def serve_short(self, data):
        self.reply(gzip.compress(gzip.decompress(data)[:-1]))

    def serve_bomb(self, data):
        self.reply(gzip.compress(bytes(5_000_000)))

    def serve_endless(self, data):
        self.reply(b"", length=100)
        while not self.server.over.is_set():
            self.wfile.write(bytes(2**16))

    def serve_endless_without_length(self, data):
        self.reply(b"")
        while not self.server.over.is_set():
            self.wfile.write(bytes(2**16))

    def serve_nonsense(self, data):
        self.wfile.write(b"220 Welcome to another service\r\n")

    def serve_lying(self, data):
        self.reply(data, "many")

    def serve_silent(self, data):
        self.server.over.wait()

    def serve_stalled(self, data):
        self.reply(data[:20], len(data))
        self.server.over.wait()

    def serve_dripping(self, data):
        self.reply(b"", 10_000)
        self.drip()

    def serve_dripping_header(self, data):
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Drip: ")
        self.drip()

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # clients that go away


@pytest.fixture
def server(mnist, cache, monkeypatch):
    """A mirror of small files, whose sizes and digests take the place of the real ones."""
    server = Server(("127.0.0.1", 0), Handler)
    server.requests = []
    server.over = threading.Event()
    server.before = lambda: None
    server.url = f"http://127.0.0.1:{server.server_port}"
    server.files = {}
    for name in datasets._MNIST:
        data = datasets._path(mnist, name).read_bytes()
        server.files[name] = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    table = {n: (len(data), hashlib.md5(data).hexdigest()) for n, data in server.files.items()}
    monkeypatch.setattr(datasets, "_MNIST", table)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


def use(monkeypatch, server, *kinds):
    monkeypatch.setattr(datasets, "MIRRORS", [f"{server.url}/{kind}/" for kind in kinds])


def assert_complete(cache, server):
    assert sorted(os.listdir(cache)) == sorted(server.files)
    for name, data in server.files.items():
        assert (cache / name).read_bytes() == data


@pytest.mark.parametrize("kind", ["good", "without_length", "plain", "redirected"])
def test_download(server, cache, mnist, monkeypatch, kind):
    use(monkeypatch, server, kind)
    result = datasets.load_mnist(download=True)
    for array, expected in zip(result, datasets.load_mnist(mnist), strict=True):
        np.testing.assert_array_equal(array, expected)
    assert_complete(cache, server)
    n = len(server.requests)
    datasets.load_mnist()
    datasets.load_mnist(download=True)
    assert len(server.requests) == n


def test_only_what_is_missing_is_downloaded(server, cache, monkeypatch):
    use(monkeypatch, server, "good")
    datasets.load_mnist(download=True)
    server.requests.clear()
    name = "t10k-images-idx3-ubyte"
    (cache / name).unlink()
    datasets.load_mnist(download=True)
    assert server.requests == [("good", f"{name}.gz")]


BAD_SERVERS = {
    "circular": "infinite loop",
    "local": "not allowed",
    "missing": "HTTP Error 404: Not Found",
    "broken": "HTTP Error 500",
    "portal": "26 bytes of MD5 ",
    "empty": "0 bytes of MD5 ",
    "truncated": "truncated after ",
    "cut": "truncated after ",
    "corrupt": "incorrect data check",
    "other": " of MD5 ",
    "short": " of MD5 ",
    "bomb": "more than 4720 bytes when unpacked",
    "endless": "100 bytes of MD5 ",
    "endless_without_length": "more than 70256 bytes",
    "nonsense": "220 Welcome",
    "lying": "invalid literal for int()",
}
SLOW_SERVERS = {
    "silent": "timed out",
    "stalled": "timed out",
    "dripping": "not finished after 0.2 s",
    "dripping_header": "not finished after 0.2 s",
}


@pytest.mark.parametrize("kind", BAD_SERVERS)
def test_the_next_mirror_is_asked(server, cache, monkeypatch, kind):
    use(monkeypatch, server, kind, "good")
    datasets.load_mnist(download=True)
    assert_complete(cache, server)
    kinds = [asked for asked, _ in server.requests]
    assert kinds[0] == kind
    assert kinds[-4:] == ["good"] * 4  # the one that failed is not asked again


@pytest.mark.parametrize("kind", [*BAD_SERVERS, *SLOW_SERVERS])
def test_failing_downloads(server, cache, monkeypatch, kind):
    slow = kind in SLOW_SERVERS
    monkeypatch.setattr(download, "STALL_SECONDS", 0.2 if slow and "drip" not in kind else 60)
    monkeypatch.setattr(download, "TOTAL_SECONDS", 0.2 if slow and "drip" in kind else 60)
    # A good mirror might seem slow, too, on a busy machine: the slow ones are asked alone.
    use(monkeypatch, server, kind, *([] if slow else ["missing"]))
    with pytest.raises(ConnectionError) as error:
        datasets.load_mnist(download=True)
    text = str(error.value)
    assert text.startswith("no mirror has a good train-images-idx3-ubyte.gz; ")
    assert f"{server.url}/{kind}/: " in text
    assert {**BAD_SERVERS, **SLOW_SERVERS}[kind] in text.split("; ")[1]
    if not slow:
        assert text.split("; ")[2].startswith(f"{server.url}/missing/: HTTP Error 404")
    assert "\n" not in text
    assert not cache.exists()


def test_no_server(server, cache, monkeypatch):
    with socket.socket() as unused:  # bound, but not listening
        unused.bind(("127.0.0.1", 0))
        mirror = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        monkeypatch.setattr(datasets, "MIRRORS", [mirror])
        with pytest.raises(ConnectionError, match=f"{mirror}: .*refused"):
            datasets.load_mnist(download=True)
        monkeypatch.setattr(datasets, "MIRRORS", [mirror, f"{server.url}/good/"])
        datasets.load_mnist(download=True)
    assert_complete(cache, server)


def test_a_bomb_takes_little_memory():
    bomb = gzip.compress(bytes(20_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="more than 1000 bytes when unpacked"):
            download._unpacked(bomb, 1000)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_failed_write_is_no_fault_of_the_mirrors(server, cache, monkeypatch):
    use(monkeypatch, server, "good", "broken")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            datasets.load_mnist(download=True)
    assert os.listdir(cache) == []
    assert len(server.requests) == 1
    datasets.load_mnist(download=True)
    assert_complete(cache, server)


def test_download_shows_its_progress(server, cache, monkeypatch):
    bars = []

    class Bar(ProgressBar):
        def __init__(self, label):
            super().__init__(label)
            self.shares = []
            bars.append(self)

        def __call__(self, share):
            self.shares.append(share)

    monkeypatch.setattr(download, "ProgressBar", Bar)
    use(monkeypatch, server, "good")
    datasets.load_mnist(download=True)
    assert [bar.label for bar in bars] == [f"downloading {name}.gz" for name in server.files]
    for bar in bars:
        assert bar.shares == sorted(bar.shares)
        assert bar.shares[-1] == 1


PROCESS = """
import sys, time
from exactnet import datasets
datasets.MIRRORS = [{url!r}]
datasets._MNIST = {table!r}
try:
    {ready}
    print(len(datasets.load_mnist(download=True)[0]))
except KeyboardInterrupt:
    print(time.monotonic())
"""


def process(server, kind, ready="pass"):
    """Return a program that downloads from the server."""
    return PROCESS.format(url=f"{server.url}/{kind}/", table=datasets._MNIST, ready=ready)


def test_two_processes_download_at_once(server, cache):
    server.before = threading.Barrier(2, timeout=60).wait  # for each request, until both are there
    command = [sys.executable, "-c", process(server, "good")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    assert [p.communicate()[0] for p in both] == [b"6\n", b"6\n"]
    assert len(server.requests) == 8
    assert_complete(cache, server)


@pytest.mark.parametrize("kind", ["silent", "dripping"])
def test_interrupt(server, cache, kind):
    seconds, words = interrupt(process(server, kind, "print('started', flush=True)"), 0.3)
    assert seconds < 1
    assert words == []
    assert not cache.exists()


@pytest.mark.skipif("EXACTNET_DATA" not in os.environ, reason="needs MNIST")
def test_real_mnist():
    X_train, y_train, X_test, y_test = datasets.load_mnist()
    assert (X_train.shape, X_test.shape) == ((60_000, 784), (10_000, 784))
    assert np.bincount(y_train).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert np.bincount(y_test).sum() == 10_000
    assert 0.80 < (X_train == 0).mean() < 0.82
    for name, (size, md5) in datasets._MNIST.items():
        data = datasets._path(Path(os.environ["EXACTNET_DATA"]), name).read_bytes()
        data = download._unpacked(data, size)
        assert (len(data), hashlib.md5(data).hexdigest()) == (size, md5)


@pytest.mark.skipif("EXACTNET_DATA" not in os.environ, reason="needs MNIST")
def test_mnist_is_learned():
    from exactnet import Network

    X_train, y_train, X_test, y_test = datasets.load_mnist()
    net = Network([784, 30, 10], seed=0)
    net.fit(X_train[:50_000], y_train[:50_000], epochs=5, batch_size=10, learning_rate=3.0)
    assert net.accuracy(X_test, y_test) > 0.92
