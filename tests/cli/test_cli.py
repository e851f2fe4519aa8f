import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from conftest import HEAR_CTRL_C, slow, terminal_output
from exactnet import ExactNetwork, Network
from exactnet.cli import main
from exactnet.cli.arguments import in_options

PROGRAM = [sys.executable, "-m", "exactnet"]


def test_the_output_must_not_be_the_data(data, run):
    before = data.read_text()
    status, _, err = run("memorize", data, "--target", "label", "-o", data)
    assert status == 2
    assert "the output would replace what it is made from" in err
    assert data.read_text() == before


def test_an_output_that_cannot_be_written_is_refused_first(tmp_path, data, run, monkeypatch):
    def no_work(*arguments, **options):
        raise AssertionError("work has started")

    monkeypatch.setattr("exactnet.cli.memorizing.memorize", no_work)
    status, _, err = run("memorize", data, "--target", "label", "-o", tmp_path / "no/n.json")
    assert status == 2
    assert f"{tmp_path}/no/n.json: No such file or directory" in err


@pytest.mark.parametrize(
    "arguments",
    [[], ["demo"], ["memorize"], ["verify"], ["plan"], ["train"], ["predict"], ["draw"]],
)
def test_help(capsys, arguments):
    with pytest.raises(SystemExit) as error:
        main([*arguments, "--help"])
    assert error.value.code == 0
    assert "usage: exactnet" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["memorize", "x.csv", "--hidden", "3"],
        ["plan"],
        ["plan", "--points", "many"],
        ["plan", "data.csv", "--points", "3"],
        ["train", "x.csv"],
        ["train", "x.csv", "-o", "n", "--hidden", "3x"],
        ["train", "x.csv", "-o", "n", "--activation", "softmax"],
        ["train", "x.csv", "-o", "n", "--loss", "hinge"],
        ["train", "x.csv", "-o", "n", "--epochs", "1.5"],
        ["predict", "n"],
        ["draw", "n"],
        ["draw", "n", "-o", "n.png", "--image", "28"],
        ["draw", "n", "-o", "n.png", "--dpi", "many"],
    ],
)
def test_wrong_usage(capsys, arguments):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("exactnet")
    assert ": error: " in err
    assert err.endswith(" --help)\n")
    assert err.count("\n") == 1


def test_unknown_options_are_those_of_their_command(capsys):
    with pytest.raises(SystemExit) as error:
        main(["train", "x.csv", "-o", "n", "--lr", "0.01"])
    assert error.value.code == 2
    expected = "unrecognized arguments: --lr 0.01 (see exactnet train --help)\n"
    assert capsys.readouterr().err == f"exactnet train: error: {expected}"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("layer_sizes[1] must be 1", "--hidden must be 1"),
        (
            "9 points exceed the capacity 3 of hidden=(3, 1) with 1 output; hidden=(2, 2) would do",
            "9 points exceed the capacity 3 of --hidden 3x1 with 1 output; --hidden 2x2 would do",
        ),
        (
            "exceed the capacity of hidden=(3,); do less",
            "exceed the capacity of --hidden 3; do less",
        ),
        ("scale X, which reaches 9: (X - X.mean(0)) / X.std(0), or take", None),
        ("start from smaller weights of relu layers: init=None", None),
        (
            "val_loss is not recorded: pass validation_data or validation_split, with",
            "val_loss is not recorded: pass --test or --validation-split, with",
        ),
        # what is no argument
        ("the loss or a weight is not finite", "the loss or a weight is not finite"),
        ("column 'learning_rate': no", "column 'learning_rate': no"),
        ("a/batch_size/n_threads.csv: no", "a/batch_size/n_threads.csv: no"),
    ],
)
def test_errors_speak_of_options(message, expected):
    found = in_options(message)
    if expected is None:
        assert ": --" in found
        assert "=" not in found
        assert "X.mean" not in found
    else:
        assert found == expected


def test_the_installed_command():
    program = Path(sys.executable).with_name("exactnet")
    command = [program] if program.exists() else PROGRAM
    result = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("exactnet ")


@pytest.mark.parametrize("output", ["net.safetensors", "predictions.csv"])
def test_commands_of_floats_do_without_gmpy2(tmp_path, classes, trained, output):
    arguments = ["train", classes] if output.startswith("net") else ["predict", trained, classes]
    program = (
        "import sys; from exactnet.__main__ import main\n"
        "assert main() == 0 and 'gmpy2' not in sys.modules"
    )
    command = [*arguments, "--target", "kind", "-o", tmp_path / output]
    subprocess.run([sys.executable, "-c", program, *command], check=True, capture_output=True)


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_what_all_have_in_common_needs_no_command(option):
    program = (
        "import atexit, sys; from exactnet.__main__ import main\n"
        "atexit.register(lambda: print(*{m.split('.')[0] for m in sys.modules}))\n"
        "main()"
    )
    command = [sys.executable, "-c", program, option]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = result.stdout.splitlines()[-1].split()
    assert "exactnet" in loaded
    assert not {"gmpy2", "numpy", "matplotlib"} & set(loaded)


def test_a_closed_pipe_is_no_traceback():
    command = f"'{sys.executable}' -m exactnet demo | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1


def test_progress_bar_of_a_long_construction(tmp_path, rng):
    path = tmp_path / "data.csv"
    lines = [f"{rng.getrandbits(120)},{rng.randrange(100)}" for _ in range(3_000)]
    path.write_text("x,y\n" + "\n".join(lines) + "\n")
    # As if it took a second: how long it takes depends on the machine.
    program = (
        "import sys; from exactnet import cli; from exactnet.base.progress import ProgressBar\n"
        "ProgressBar._DELAY = 0\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    arguments = ["memorize", str(path), "--target", "y", "-o", str(tmp_path / "net.json")]
    output = terminal_output([sys.executable, "-c", program, *arguments])
    assert "constructing: 100%|" in output
    assert "verifying: 100%|" in output


HEARING = [
    sys.executable,
    "-c",
    HEAR_CTRL_C + "from exactnet.__main__ import main; print('started', flush=True); exit(main())",
]


@pytest.mark.parametrize("ignored", [False, True])
def test_interrupted_training_saves_nothing(tmp_path, classes, ignored):
    """Unless Ctrl-C is ignored, as `nohup exactnet train ... &` asks for."""
    path, epochs = tmp_path / "net", 20_000 if ignored else 10**8
    arguments = ["train", str(classes), "--target", "kind", "--epochs", str(epochs), "-o", path]
    ignoring = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *PROGRAM]
    process = subprocess.Popen(
        [*(ignoring if ignored else HEARING), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    reader = None
    try:
        assert ignored or process.stdout.readline() == "started\n"
        assert process.stdout.readline().startswith("task: classify, 3 classes")
        assert process.stdout.readline().startswith(f"epoch 1/{epochs}  loss ")
        process.send_signal(signal.SIGINT)
        reader = threading.Thread(target=process.stdout.read)  # a full pipe would stop it
        reader.start()
        assert process.wait(timeout=60) == (0 if ignored else 130)
    finally:
        process.kill()
        if reader is not None:
            reader.join()
        errors = process.stderr.read()
        process.communicate()
    assert errors == ("" if ignored else "exactnet: interrupted\n")
    assert path.exists() == ignored


def test_interrupts_that_modules_make_another_error_of(data):
    """As NumPy's extension does, where it finds no datetime because Ctrl-C came meanwhile."""
    program = (
        HEAR_CTRL_C
        + """
import os, signal, sys, time
class Finder:
    def find_spec(self, name, *_):
        if name == "exactnet.cli.verifying":
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(10)
            except KeyboardInterrupt:
                raise ImportError("initialization failed") from None
sys.meta_path.insert(0, Finder())
from exactnet.__main__ import main
exit(main())
"""
    )
    result = subprocess.run(
        [sys.executable, "-c", program, "verify", "net.json", data], capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (130, "exactnet: interrupted\n")


def test_interrupts_of_commands(tmp_path, data, rng):
    """At any time after its first line: status 130 or 0, and a file that is whole or none."""
    path = tmp_path / "net.json"
    command = [*HEARING, "memorize", data, "--target", "label", "-o", path]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    usual, whole = time.perf_counter() - start, path.read_bytes()
    statuses = []
    for _ in range(slow(50, 4)):
        path.unlink(missing_ok=True)
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "started\n"
        time.sleep(rng.uniform(0.001, usual))
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        statuses.append(process.returncode)
        if process.returncode:
            assert (process.returncode, errors) == (130, "exactnet: interrupted\n")
        else:
            assert (output.splitlines()[-1], errors) == (done.stdout.splitlines()[-1], "")
        assert not path.exists() or path.read_bytes() == whole
        assert {"net.json", "data.csv"} >= set(os.listdir(tmp_path))
    assert 130 in statuses


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MemoryError(), "out of memory"),
        (MemoryError("column 1 would take 7 GiB"), "column 1 would take 7 GiB"),
        (OSError(28, "No space left on device", "a/b"), "a/b: No space left on device"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (ValueError("of two\n  lines"), "of two lines"),
    ],
)
def test_errors_take_one_line(data, run, monkeypatch, error, text):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("exactnet.cli.memorizing.read_named", fail)
    command = ["memorize", data, "--target", "label", "-o", data.with_name("net.json")]
    assert run(*command) == (2, "", f"exactnet: error: {text}\n")


def test_an_interrupt_after_the_file_is_written(data, run, monkeypatch):
    """The file is there, and nothing is said against it."""
    replace = os.replace

    def interrupted(*arguments):
        replace(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    path = data.with_name("net.json")
    command = ["memorize", data, "--target", "label", "-o", path]
    assert run(*command) == (130, "", "exactnet: interrupted\n")
    assert ExactNetwork.load(path).layer_sizes == [2, 2, 2, 1]
    assert sorted(os.listdir(data.parent)) == ["data.csv", "net.json"]


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev/stdout")
@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_the_network_to_standard_output(tmp_path, data, network, classes, json_too):
    """Into a pipe, with nothing else in it."""
    for arguments, load in [
        (["memorize", data, "--target", "label"], ExactNetwork.load),
        (["train", classes, "--target", "kind"], Network.load),
    ]:
        result = subprocess.run(
            [*PROGRAM, *arguments, *json_too, "-o", "/dev/stdout"], capture_output=True, check=True
        )
        (tmp_path / "out").write_bytes(result.stdout)
        assert load(tmp_path / "out").layer_sizes[-1] == (1 if load == ExactNetwork.load else 3)
        assert b"/dev/stdout" in result.stderr.splitlines()[-1]


def test_outputs_that_are_not_for_writing(tmp_path, data):
    for number in (0, 97):
        command = [*PROGRAM, "memorize", data, "--target", "label", "-o", f"/dev/fd/{number}"]
        with open(data) as file:
            result = subprocess.run(command, capture_output=True, text=True, stdin=file)
        assert result.returncode == 2
        assert result.stderr == f"exactnet: error: /dev/fd/{number}: Bad file descriptor\n"


def test_a_target_twice_is_refused(tmp_path, capsys):
    (tmp_path / "data.csv").write_text("a,u,v\n1,2,3\n4,5,6\n")
    for command in ("memorize", "train"):
        words = [command, str(tmp_path / "data.csv"), "--target", "u", "--target", "v", "-o", "n"]
        with pytest.raises(SystemExit) as error:
            main(words)
        assert error.value.code == 2
        assert "--target may be given once only" in capsys.readouterr().err.splitlines()[-1]
