import io
import pickle
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from conftest import random_points, slow
from exactnet import ExactNetwork, Network, datasets, verify
from exactnet.cli import datafiles


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffa,b,label\n1,2,3\n4,5,6\n",  # byte-order mark
        '"a","b","label"\n"1","2","3"\n"4", "5","6"\n',
        "a,b,label\r\n1,2,3\r\n\r\n4,5,6\r\n",
        "a,b,label\n 1 , 2 , 3 \n4,+5,6.0",
    ],
    ids=["bom", "quoted", "crlf", "spaces"],
)
def test_accepted_csv(tmp_path, run, text):
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode())
    status, _, err = run("memorize", path, "--target", "label", "-o", tmp_path / "net.json")
    assert (status, err) == (0, "")
    assert verify(ExactNetwork.load(tmp_path / "net.json"), [[1, 2], [4, 5]], [3, 6])


def test_csv_without_header_and_quoted_names(tmp_path, run):
    path = tmp_path / "data.csv"
    path.write_text("1,2,3\n4,5,6\n")
    assert run("memorize", path, "--target", "0", "-o", tmp_path / "net.json")[0] == 0
    assert verify(ExactNetwork.load(tmp_path / "net.json"), [[2, 3], [5, 6]], [1, 4])
    path.write_text('"x, in ""m""","the\ntarget"\n1,2\n3,4\n')
    assert run("memorize", path, "--target", "the\ntarget", "-o", tmp_path / "net.json")[0] == 0


def test_numpy_files(tmp_path, run, rng):
    X, y = random_points(rng, 20, 3)
    np.savez(tmp_path / "data.npz", X=np.array(X), y=np.array(y))
    np.save(tmp_path / "data.npy", np.column_stack([X, y]))
    assert run("memorize", tmp_path / "data.npz", "-o", tmp_path / "net.json")[0] == 0
    arguments = ("verify", tmp_path / "net.json", tmp_path / "data.npy", "--target", "3")
    assert run(*arguments)[0] == 0


def test_long_numbers_in_csv(tmp_path, run):
    path = tmp_path / "data.csv"
    path.write_text("x,y\n1" + "0" * 5000 + ",1\n1" + "0" * 5000 + ".5,2\n")
    assert run("memorize", path, "--target", "y", "-o", tmp_path / "net.json")[0] == 0


BAD_CSV = {
    "missing column": ("a,b\n1,2\n", "there is no column 'label'; the columns are a, b"),
    "no header": ("1,2\n3,4\n", "there is no column 'label'; the columns are 0 to 1"),
    "text cell": ("a,label\n1,2\nx,4\n", "line 3, column 'a': 'x' is not a number"),
    "empty cell": ("a,label\n1,2\n,4\n", "line 3, column 'a': '' is not a number"),
    "nan": ("a,label\n1,nan\n", "line 2, column 'label': 'nan' is not a number"),
    "lone sign": ("a,label\n-,1\n", "line 2, column 'a': '-' is not a number"),
    "lone point": ("a,label\n.,1\n", "line 2, column 'a': '.' is not a number"),
    "lone exponent": ("a,label\ne5,1\n", "line 2, column 'a': 'e5' is not a number"),
    "underscore": ("a,label\n1_0,1\n", "line 2, column 'a': '1_0' is not a number"),
    "typing error in the first row": ("0,5O\n1,2\n", "there is no column 'label'"),
    "no rows": ("a,label\n", "there are no rows below the header"),
    "empty": ("", "the file is empty"),
    "ragged": ("a,label\n1,2\n1,2,3\n", "line 3 has 3 cells, the first line has 2"),
    "only the target": ("label\n1\n", "there are no columns besides the target"),
    "two targets": ("a,label,label\n1,2,3\n", "there are 2 columns 'label'"),
    "open quote": ('a,label\n"1,2\n', "line 2: a quote is not closed"),
    "division by zero": ("a,label\n1/0,2\n", "line 2, column 'a': '1/0' divides by 0"),
    "exponent": (
        "a,label\n1e999999999,2\n",
        "line 2, column 'a': '1e999999999' has too large an exponent",
    ),
    "line after a multi-line cell": ('a,label\n"1\n",2\nx,1\n', "line 4, column 'a': 'x'"),
    "conflict": ("a,label\n1,2\n1,3\n", "rows 0 and 1 of X are equal but their targets differ"),
}


@pytest.mark.parametrize("name", BAD_CSV)
def test_bad_csv(tmp_path, run, name):
    text, reason = BAD_CSV[name]
    path = tmp_path / "data.csv"
    path.write_text(text)
    status, out, err = run("memorize", path, "--target", "label", "-o", tmp_path / "net.json")
    assert (status, out) == (2, "")
    assert err.startswith("exactnet: error: ")
    assert err.count("\n") == 1
    assert reason in err
    assert not (tmp_path / "net.json").exists()


def test_a_faulty_first_row_is_not_taken_for_names(tmp_path, network, run):
    path = tmp_path / "data.csv"
    path.write_text("0,0.5,l\n1,2,3\n")
    status, out, err = run("verify", network, path, "--target", "2")
    assert (status, out) == (2, "")
    assert "line 1, column '2': 'l' is not a number" in err
    path.write_text(",0,1,label\n7,8,9,1\n")  # names that are numbers, beside one that is not
    assert run("memorize", path, "--target", "label", "-o", tmp_path / "n.json")[0] == 0
    assert ExactNetwork.load(tmp_path / "n.json").layer_sizes[0] == 3


def test_damaged_archives(tmp_path, network, run):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, X=np.arange(2000.0).reshape(1000, 2), y=np.arange(1000))
    data = bytearray(path.read_bytes())
    for k in range(100, 400):
        data[k] ^= 0x55
    path.write_bytes(data)
    status, _, err = run("verify", network, path)
    assert status == 2
    assert err.startswith("exactnet: error: ")
    assert err.count("\n") == 1


class Unpickled:
    def __reduce__(self):
        return (print, ("un", "pickled"))


@pytest.mark.parametrize("ending", [".npy", ".npz", "object.npy", "object.npz", "pickle.npy"])
def test_damaged_arrays_are_one_line(tmp_path, network, run, rng, ending):
    """Whatever is wrong with a file, it is said in a line; nothing is ever unpickled."""
    path, clean = tmp_path / f"data{ending}", io.BytesIO()
    X, y = np.arange(12.0).reshape(6, 2), np.arange(6)
    if "object" in ending:
        X = X.astype(object)
        X[0, 0] = Unpickled()
    if ending == "pickle.npy":
        clean.write(pickle.dumps(Unpickled()))
    elif ending.endswith("npy"):
        np.save(clean, X, allow_pickle=True)
    else:
        rng.choice([np.savez, np.savez_compressed])(clean, X=X, y=y)
    arguments = ["--target", "0"] if ending.endswith("npy") else []
    statuses = Counter()
    for _ in range(slow(1500, 60)):
        data = bytearray(clean.getvalue())
        for _ in range(rng.choice([0, 1, 1, 2, 5])):
            place = rng.randrange(len(data) + 1)
            stop = place + rng.choice([1, 1, 3, 20])
            kind = rng.randrange(5)
            if kind == 0:
                data[place:stop] = rng.randbytes(stop - place)
            elif kind == 1:
                del data[place:stop]
            elif kind == 2:
                data[place:place] = data[place:stop]
            elif kind == 3:
                data[place:stop] = rng.choice(
                    [b"'", b"(", b"[" * 99, b"\n", b"\0", b"1" * 30, b"L"]
                )
            elif rng.random() < 0.3:
                del data[place:]
        path.write_bytes(data)
        status, out, err = run("memorize", path, *arguments, "-o", tmp_path / "new.json")
        assert "un pickled" not in out + err
        assert status in (0, 2)
        assert status == 0 or (out, err.count("\n"), err[:17]) == ("", 1, "exactnet: error: ")
        statuses[status] += 1
    assert statuses[2] > 0.1 * statuses.total()
    assert (statuses[0] > 0) == (ending in (".npy", ".npz"))


@pytest.fixture
def images(tmp_path):
    """Six small images with their labels, like MNIST's files."""
    path = tmp_path / "train-images-idx3-ubyte.gz"
    pixels = np.random.default_rng(0).integers(0, 256, (6, 3, 2)).astype(np.uint8)
    datasets.write_idx(path, pixels)
    datasets.write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.arange(6, dtype=np.uint8) % 3)
    return path


def test_images_are_memorized_as_they_are(tmp_path, images, run):
    net = tmp_path / "net.json"
    assert run("memorize", images, "-o", net)[0] == 0
    X = datasets.read_idx(images).reshape(6, 6)
    assert verify(ExactNetwork.load(net), X, [0, 1, 2, 0, 1, 2])
    assert run("verify", net, images)[0] == 0
    assert run("predict", net, images) == (0, "0\n1\n2\n0\n1\n2\n", "")


def test_images_are_trained_on_in_the_unit_interval(tmp_path, images, run):
    net = tmp_path / "net"
    assert run("train", images, "--test", images, "-o", net, "--epochs", "2")[0] == 0
    X = datasets.read_idx(images).reshape(6, 6).astype(np.float32) / np.float32(255)
    same = Network([6, 30, 3], activations=["relu", "softmax"], seed=0)
    same.fit(X, [0, 1, 2, 0, 1, 2], epochs=2, batch_size=10)
    loaded = Network.load(net)
    for a, b in zip((*loaded.weights, *loaded.biases), (*same.weights, *same.biases), strict=True):
        assert a.tobytes() == b.tobytes()
    status, out, err = run("predict", net, images, "--classify")
    assert status == 0
    assert [int(line) for line in out.split()] == same.classify(X).tolist()
    assert err.startswith("accuracy ")
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    assert run("predict", net, images, "--classify") == (0, out, "")
    numbers = (datasets.read_idx(images) / 255).astype(np.float32)  # other types stay as they are
    datasets.write_idx(images, numbers)
    assert run("predict", net, images, "--classify")[1] == out


@pytest.mark.parametrize(
    ("images_name", "labels_name"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"),
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
        ("letters-images-idx3.GZ", "letters-labels-idx1.GZ"),
    ],
)
def test_names_of_images(tmp_path, run, images_name, labels_name):
    folder = tmp_path / "images-idx3"
    folder.mkdir()
    datasets.write_idx(folder / images_name, np.arange(12, dtype=np.int16).reshape(3, 2, 2))
    datasets.write_idx(folder / labels_name, np.array([7, 5, 6], np.int8))
    assert run("memorize", folder / images_name, "-o", tmp_path / "net.json")[0] == 0
    net = ExactNetwork.load(tmp_path / "net.json")
    assert verify(net, np.arange(12).reshape(3, 4), [7, 5, 6])
    (folder / "data.csv").write_text("1,2\n3,4\n")  # not by the name of its folder
    assert run("memorize", folder / "data.csv", "--target", "0", "-o", tmp_path / "n.json")[0] == 0


@pytest.mark.parametrize("command", ["memorize", "verify", "train", "predict"])
def test_bad_images(tmp_path, images, network, trained, run, command):
    net = {"verify": network, "predict": trained}.get(command)
    options = (net,) if net else ("-o", tmp_path / "new")
    labels = tmp_path / "train-labels-idx1-ubyte.gz"

    def refused(reason, *arguments):
        status, out, err = run(command, *options, images, *arguments)
        assert (status, out) == (2, "")
        assert err.startswith("exactnet: error: ")
        assert err.count("\n") == 1
        assert reason in err

    refused(f"{images}: --target is not for IDX files", "--target", "0")
    good = labels.read_bytes()
    datasets.write_idx(labels, np.zeros(5, np.uint8))
    refused(f"{labels}: it holds an array of shape (5,), not 6 labels")
    datasets.write_idx(labels, np.zeros((6, 1), np.uint8))
    refused("it holds an array of shape (6, 1), not 6 labels")
    labels.write_bytes(good[:-3])
    refused(f"{labels}: damaged gzip file")
    labels.unlink()
    if command != "predict":
        refused(f"{images}: there is no file of its labels, neither {tmp_path}/train-labels-idx1-")
    labels.write_bytes(good)
    datasets.write_idx(images, np.zeros(6, np.uint8))
    refused(f"{images}: it holds an array of shape (6,), not images")
    datasets.write_idx(images, np.zeros((0, 2, 2), np.uint8))
    refused("it holds an array of shape (0, 2, 2), not images")
    images.write_bytes(b"no images")
    refused(f"{images}: not an IDX file")
    images.unlink()
    refused(f"{images}: No such file")


@pytest.mark.parametrize(
    "cell",
    ["1", "-0", "0.1", "1/3", "-2/7", "1e22", "9007199254740993", "1e-310", "12345678901234567.5"],
)
def test_cells_become_the_nearest_floats(tmp_path, cell):
    (tmp_path / "data.csv").write_text(f"{cell},1\n")
    X, _, _ = datafiles.read_data(str(tmp_path / "data.csv"), "1", exact=False)
    assert X == float(Fraction(cell))


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("nan", "line 2, column 'a': 'nan' is not a number"),
        ("inf", "is not a number"),
        ("1_0", "is not a number"),
        ("", "is not a number"),
        ("1/0", "divides by 0"),
        ("1e400", "is too large for a float"),
        ("1e99999999999", "is too large for a float"),
        ("1" * 400 + "/3", "is too large for a float"),
        ("1e39", "X[0, 0] is 1e+39, beyond float32"),  # for float32
    ],
)
def test_bad_cells_of_floats(tmp_path, trained, run, cell, reason):
    path = tmp_path / "data.csv"
    path.write_text(f"a,b\n{cell},1\n2,0\n")
    for command in (
        ("predict", trained, path),
        ("train", path, "--target", "b", "-o", tmp_path / "n"),
    ):
        status, out, err = run(*command)
        assert (status, out) == (2, "")
        assert err.count("\n") == 1
        assert reason in err
    assert not (tmp_path / "n").exists()


def test_a_wide_table_is_not_asked_for_its_target(tmp_path, trained, run):
    (tmp_path / "wide.csv").write_text("1,2,3,4\n")
    status, _, err = run("predict", trained, tmp_path / "wide.csv")
    assert status == 2
    assert err.endswith("it has 4 columns but the network takes 2\n")
