"""Files are whole or not there: interrupts, kills, permissions, odd names and many writers."""

import contextlib
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import pytest

from conftest import slow
from exactnet import ExactNetwork, Network
from exactnet.base import files
from exactnet.base.files import atomic_write, check_writable

OLD, NEW = b"old" * 100, b"new" * 5000
TRACED = (files.__file__, contextlib.__file__)


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "folder" / "net"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def write(path, fail=False):
    with atomic_write(path, binary=True) as file:
        file.write(NEW)
        if fail:
            raise ValueError("the writer's own")


def interrupted(call, at):
    """Call it with Ctrl-C at these steps of the interpreter through `TRACED`."""
    steps, left = 0, sorted(at, reverse=True)

    def trace(frame, event, argument):
        nonlocal steps
        if frame.f_code.co_filename not in TRACED:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            steps += 1
            if left and steps == left[-1]:
                left.pop()
                signal.raise_signal(signal.SIGINT)
        return trace

    before = sys.gettrace(), signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before[0])
        signal.signal(signal.SIGINT, before[1])


@pytest.fixture
def quick_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


# Files that an interrupt leaves to the collector, which closes them.
LEFT = pytest.mark.filterwarnings("ignore::ResourceWarning")


@LEFT
@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("fail", [False, True])
def test_interrupt_at_every_step(target, quick_disk, exists, fail):
    """In every opcode of `atomic_write` and what it calls."""
    seen = set()
    for step in range(1, 100_000):
        shutil.rmtree(target.parent)
        target.parent.mkdir()
        if exists:
            target.write_bytes(OLD)
        try:
            interrupted(lambda: write(target, fail), [step])
            end = "done"
        except KeyboardInterrupt:
            end = "interrupted"
        except ValueError:
            end = "failed"
        found = {path.name: path.read_bytes() for path in target.parent.iterdir()}
        assert found in [{"net": OLD} if exists else {}, {} if fail else {"net": NEW}], step
        seen.add((end, found.get("net") == NEW))
        if end != "interrupted":
            break
    assert step > 500
    assert seen == {("interrupted", False)} | (
        {("failed", False)} if fail else {("interrupted", True), ("done", True)}
    )


@LEFT
def test_two_interrupts(target, quick_disk, rng):
    for _ in range(slow(5000, 200)):
        target.write_bytes(OLD)
        first = rng.randrange(1, 700)
        with pytest.raises(KeyboardInterrupt):
            interrupted(lambda: write(target), [first, first + rng.randrange(1, 100)])
        assert os.listdir(target.parent) == ["net"]
        assert target.read_bytes() in (OLD, NEW)


@LEFT
@pytest.mark.parametrize("kind", [Network, ExactNetwork])
def test_interrupts_at_random_times(target, rng, kind):
    """Ctrl-C by the clock, as it comes: also in the system's calls."""
    net = Network([30, 40, 5], activations=["relu", "linear"], seed=0)
    if kind is ExactNetwork:
        net = net.to_exact()
    start = time.perf_counter()
    net.save(target)
    usual = time.perf_counter() - start
    whole, before = target.read_bytes(), signal.getsignal(signal.SIGALRM)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    interrupted = 0
    try:
        for _ in range(slow(2000, 150)):
            target.write_bytes(OLD)
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-6, 1.2 * usual))
                net.save(target)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted += 1
            assert os.listdir(target.parent) == ["net"]
            assert target.read_bytes() in (OLD, whole)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 10


KILLED = """
import sys
from exactnet import Network
net = Network([500, 200, 10], seed=0)
print("started", flush=True)
while True:
    net.save(sys.argv[1])
"""


def test_kills(target, rng):
    """One save clears what killed processes left, and what they wrote is whole."""
    net = Network([500, 200, 10], seed=0)
    net.save(target)
    whole, found = target.read_bytes(), 0
    for _ in range(slow(50, 4)):
        command = [sys.executable, "-c", KILLED, target]
        writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
        for process in writers:
            assert process.stdout.readline() == b"started\n"
        for process in writers:
            time.sleep(rng.uniform(0, 0.01))
            process.kill()
        for process in writers:
            process.communicate()
        found += len(os.listdir(target.parent)) - 1
        assert target.read_bytes() == whole
        net.save(target)
        assert os.listdir(target.parent) == ["net"]
        assert target.read_bytes() == whole
    assert found > 0


def test_only_its_own_litter_is_cleared(target):
    litter, foreign, near = (
        target.with_name(f"{mark}0123456789abcdef{end}")
        for mark, end in [
            (files._mark(), ".tmp"),
            (".exactnet-00000000-", ".tmp"),
            (files._mark(), ""),
        ]
    )
    link = target.with_name(f"{files._mark()}link.tmp")
    link.symlink_to(near)
    for path in (litter, foreign, near):
        path.write_bytes(b"")
    with atomic_write(target, binary=True) as file:  # one that lives, while another writes
        file.write(b"first")
        write(target.with_name("other"))
        assert len(os.listdir(target.parent)) == 6
    assert {path for path in target.parent.iterdir() if path.name[0] == "."} == {
        foreign,
        near,
        link,
    }
    assert target.read_bytes() == b"first"


def test_many_writers_of_one_name(target):
    code = """
import sys, threading
from exactnet.base.files import atomic_write
def work(k):
    for _ in range(30):
        with atomic_write(sys.argv[1]) as file:
            file.write(str(k) * 100_000)
threads = [threading.Thread(target=work, args=(int(sys.argv[2]) + k,)) for k in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    command = [sys.executable, "-W", "error", "-c", code, target]
    processes = [
        subprocess.Popen([*command, str(k)], stderr=subprocess.PIPE, text=True) for k in (1, 5)
    ]
    while None in [process.poll() for process in processes]:
        text = target.read_bytes()
        assert text == OLD or (len(text) == 100_000 and len(set(text)) == 1)
    assert [process.communicate()[1] for process in processes] == ["", ""]
    assert os.listdir(target.parent) == ["net"]


@pytest.mark.parametrize("name", ["n" * 255, "\u00e9" * 127, "a b\n'", ".exactnet-", "-"])
def test_odd_names(tmp_path, name):
    write(tmp_path / name)
    assert os.listdir(tmp_path) == [name]
    write(os.fsencode(tmp_path / name))
    assert (tmp_path / name).read_bytes() == NEW


def test_too_long_a_name(tmp_path):
    with pytest.raises(OSError, match="too long") as error:
        write(tmp_path / ("n" * 256))
    assert error.value.filename == os.fspath(tmp_path / ("n" * 256))


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_permissions_are_kept(target, mode):
    target.chmod(mode)
    write(target)
    assert target.stat().st_mode & 0o7777 == mode
    assert target.read_bytes() == NEW


def test_a_private_file_stays_private_meanwhile(target):
    target.chmod(0o600)
    with atomic_write(target):
        (temporary,) = (path for path in target.parent.iterdir() if path != target)
        assert temporary.stat().st_mode & 0o777 == 0o600


def test_permissions_of_new_files(tmp_path):
    code = """
import os, sys
from exactnet.base.files import atomic_write
os.umask(0o027)
del os.umask  # setting it would show in all threads
with atomic_write(sys.argv[1]):
    pass
"""
    subprocess.run([sys.executable, "-c", code, tmp_path / "net"], check=True)
    assert (tmp_path / "net").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_is_kept(target):
    os.chown(target, 12345, 54321)
    write(target)
    assert (target.stat().st_uid, target.stat().st_gid) == (12345, 54321)


def test_group_that_cannot_be_kept(target, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    status = os.stat(target)
    other = os.stat_result([0o100664, *status[1:5], status.st_gid + 1, *status[6:]])
    monkeypatch.setattr(os, "fchown", refuse)
    with open(target, "rb") as file:
        files._keep_permissions(file.fileno(), other)
    assert target.stat().st_mode & 0o777 == 0o604


@pytest.mark.parametrize("sticky", [False, True])
def test_a_folder_without_leave(sticky):
    """A file that may be written, in a folder where it may not be replaced: refused before work."""
    code = """
import os
from exactnet.base import files
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for call in (files.check_writable, lambda path: files.atomic_write(path).__enter__()):
    try:
        call("net")
    except PermissionError as error:
        print(error)
"""
    if os.geteuid() != 0 and sticky:
        pytest.skip("needs two users")
    command = [sys.executable, "-c", code]
    with tempfile.TemporaryDirectory() as folder:  # others may not enter that of pytest
        with open(os.path.join(folder, "net"), "wb") as file:
            os.fchmod(file.fileno(), 0o666)
        os.chmod(folder, 0o1777 if sticky else 0o555)
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert os.listdir(folder) == ["net"]
        os.chmod(folder, 0o700)
    assert result.stderr == ""
    line = (
        "[Errno 13] no leave to write in its folder, where files are replaced as a whole: 'net'\n"
    )
    assert result.stdout == line * 2


def test_links_are_followed(target):
    first, second = target.with_name("first"), target.parent.parent / "second"
    first.symlink_to("net")
    second.symlink_to("folder/first")
    write(second)
    assert second.is_symlink()
    assert first.is_symlink()
    assert target.read_bytes() == NEW
    target.unlink()  # a link to nothing
    write(second)
    assert target.read_bytes() == NEW
    first.unlink()
    first.symlink_to("first")
    for path in (first, second):
        with pytest.raises(OSError, match="symbolic links") as error:
            write(path)
        assert error.value.filename == os.fspath(path)


def test_the_folder_may_change_meanwhile(target, monkeypatch):
    monkeypatch.chdir(target.parent)
    with atomic_write("net", binary=True) as file:
        os.chdir("/")
        file.write(NEW)
    assert target.read_bytes() == NEW
    assert os.listdir(target.parent) == ["net"]


def test_errors_name_the_file(target, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.raises(OSError, match="No space left") as error:
                write(target)
        assert error.value.filename == os.fspath(target)
        assert target.read_bytes() == OLD
        assert os.listdir(target.parent) == ["net"]
    if os.path.exists("/dev/full"):
        with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
            write("/dev/full")
        monkeypatch.setattr(sys.modules[__name__], "NEW", b"which only closing tries to write")
        with pytest.raises(ValueError, match="the writer's own"):
            write("/dev/full", fail=True)


def test_folders_and_missing_folders(tmp_path):
    for path, kind in [
        (tmp_path, IsADirectoryError),
        (tmp_path / "none" / "net", FileNotFoundError),
    ]:
        for call in (check_writable, write):
            with pytest.raises(kind) as error:
                call(path)
            assert error.value.filename == os.fspath(path)


STDOUT = """
import os, sys
from exactnet import ExactNetwork
sys.stdout.write("before\\n")
sys.stdout.flush()
ExactNetwork.from_arrays([[[1]]], [[2]]).save({path!r})
print("after")
"""


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev/stdout")
@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_standard_output(tmp_path, path):
    """A pipe, a file that is written, and one that is appended to."""
    if path == "/proc/self/fd/1" and not os.path.exists(path):
        pytest.skip("needs /proc")
    (tmp_path / "link").symlink_to("/dev/stdout")
    ExactNetwork.from_arrays([[[1]]], [[2]]).save(tmp_path / "net")
    text = b"before\n" + (tmp_path / "net").read_bytes() + b"after\n"
    command = [sys.executable, "-c", STDOUT.format(path=path)]
    assert subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE).stdout == text
    for mode, begin in [("wb", b""), ("ab", b"there already\n")]:
        (tmp_path / "out").write_bytes(begin)
        with open(tmp_path / "out", mode) as file:
            subprocess.run(command, cwd=tmp_path, stdout=file, check=True)
        assert (tmp_path / "out").read_bytes() == begin + text
    assert sorted(os.listdir(tmp_path)) == ["link", "net", "out"]


def test_named_pipes(tmp_path):
    path, read = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write(path)
    reader.join()
    assert read == [NEW]
    assert os.listdir(tmp_path) == ["pipe"]


def random_json(rng, depth=0):
    kind = rng.randrange(8 if depth < 6 else 4)
    if kind < 2:
        return "".join(rng.choice('ab0/-\\"\u00e9\n,[]') for _ in range(rng.randrange(4)))
    if kind < 4:
        return rng.choice([None, True, 3, -2.5, 10**30, 0, ""])
    if kind == 4:
        return {str(k): random_json(rng, depth + 1) for k in range(rng.randrange(4))}
    if kind == 5:
        return [str(rng.getrandbits(20)) for _ in range(rng.choice([1, 99, 100, 101, 250]))]
    return [random_json(rng, depth + 1) for _ in range(rng.randrange(5))]


def test_json_in_parts(rng, monkeypatch):
    """The same values, pairs and refusals as json.load, of documents whole and damaged."""
    monkeypatch.setattr(files, "PART", 5)
    wrong = 0
    for _ in range(slow(50_000, 2000)):
        document = random_json(rng)
        indent, separators = rng.choice([(None, None), (None, (",", ":")), (1, None)])
        text = json.dumps(document, indent=indent, separators=separators)
        if rng.random() < 0.6:
            k = rng.randrange(len(text))
            text = (
                text[:k]
                + rng.choice(["", *'[]{},:"\\ 1x\n\x00\u2003'])
                + text[k + rng.randrange(2) :]
            )
        results = []
        for read in (lambda file: json.load(file, object_pairs_hook=list), _json_lists):
            try:
                results.append(read(io.StringIO(text)))
            except ValueError:
                results.append(ValueError)
                wrong += 1
        assert repr(results[0]) == repr(results[1]), text
    assert wrong > 100


def _json_lists(file):
    return files.read_json(file, list)


@pytest.mark.parametrize("part", [1, 7])
def test_json_of_many_parts(monkeypatch, part):
    monkeypatch.setattr(files, "PART", part)
    assert _json_lists(io.StringIO('[{"a": ["1", "2"]}]')) == [[("a", ["1", "2"])]]
    with pytest.raises(RecursionError):
        _json_lists(io.StringIO("[" * 100_000))


def test_arrays_in_parts(monkeypatch):
    monkeypatch.setattr(files, "PART", 5)
    array = np.arange(12.0).reshape(3, 4)
    found = files.read_array(io.BytesIO(array.tobytes() + b"more"), (3, 4), array.dtype)
    np.testing.assert_array_equal(found, array)
    with pytest.raises(ValueError, match="needs 96 bytes, it has 95"):
        files.read_array(io.BytesIO(array.tobytes()[:-1]), (3, 4), array.dtype)
    assert files.read_array(io.BytesIO(), (0, 4), array.dtype).shape == (0, 4)
    assert files.read_all(io.BytesIO(b"of several parts")) == b"of several parts"
    assert list(files.parts(array, 5)) == [slice(0, 1), slice(1, 2), slice(2, 3)]
    assert list(files.parts(array, 64)) == [slice(0, 2), slice(2, 3)]
    assert list(files.parts(array[:0])) == []
