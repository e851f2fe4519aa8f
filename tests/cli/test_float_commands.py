import json
import re
from fractions import Fraction

import numpy as np
import pytest

from exactnet import EarlyStopping, ExactNetwork, Network, ReduceOnPlateau
from exactnet.cli.datafiles import read_data
from exactnet.datasets import sample_csv
from exactnet.schedules import Exponential, StepDecay


def columns(path):
    """Return (X, y) of the file of the fixture `classes`."""
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return table[:, [0, 2]], table[:, 1].astype(int)


def parameters(net):
    return [a.tobytes() for a in (*net.weights, *net.biases)]


def test_train(tmp_path, classes, run):
    path = tmp_path / "net.safetensors"
    arguments = ("train", classes, "--target", "kind", "--test", classes, "-o", path)
    status, out, err = run(*arguments, "--epochs", 4)
    assert (status, err) == (0, "")
    task, *lines = out.splitlines()
    assert task == "task: classify, 3 classes (--task regress takes targets as numbers)"
    for k in range(4):
        pattern = rf"epoch {k + 1}/4  loss \S+  val_loss \S+  val_accuracy [01]\.\d+  \d.* s"
        assert re.fullmatch(pattern, lines[k])
    assert re.fullmatch(r"trained \[2, 30, 3\] to classify in \S+ s", lines[4])
    share = Network.load(path).accuracy(*columns(classes))
    assert share > 0.9
    assert lines[5:] == [f"accuracy {share:.4f} on {classes}"] * 2 + [f"wrote {path}"]


def test_train_is_fit_with_the_same_arguments(tmp_path, classes, run, monkeypatch):
    calls = []
    fit = Network.fit

    def recording(self, *arguments, **options):
        calls.append(options)
        return fit(self, *arguments, **options)

    monkeypatch.setattr(Network, "fit", recording)
    path = tmp_path / "net"
    status, out, _ = run(
        *("train", classes, "--target", "kind", "-o", path, "--json", "--hidden", "5x4"),
        *("--activation", "tanh", "--output-activation", "softmax", "--loss", "cross_entropy"),
        *("--epochs", 3, "--batch-size", 7, "--learning-rate", 0.2, "--momentum", 0.5),
        *("--nesterov", "--init", "glorot_uniform", "--seed", 9, "--threads", 2),
        *("--test", classes),
    )
    assert status == 0
    assert calls[0]["n_threads"] == 2
    X, y = columns(classes)
    activations = ["tanh", "tanh", "softmax"]
    net = Network([2, 5, 4, 3], activations=activations, init="glorot_uniform", seed=9)
    history = net.fit(
        *(X, y),
        epochs=3,
        batch_size=7,
        learning_rate=0.2,
        momentum=0.5,
        nesterov=True,
        loss="cross_entropy",
        validation_data=(X, y),
    )
    assert parameters(Network.load(path)) == parameters(net)
    facts = json.loads(out)
    assert len(facts.pop("seconds")) == 3
    assert facts == {
        "layer_sizes": [2, 5, 4, 3],
        "activations": activations,
        "task": "classify",
        "loss": history.loss,
        "val_loss": history.val_loss,
        "val_accuracy": history.val_accuracy,
        "accuracy": net.accuracy(X, y),
        "r2": None,
        "standardized": {"inputs": False, "targets": False},
        "output": str(path),
    }


CLASSES, LINEAR = ("relu", "softmax"), ("relu", "linear")


TASKS = {
    "labels": ([0, 1, 2, 1], [], 3, CLASSES),
    "labels as floats": ([0.0, 1.0, 5.0, 1.0], [], 6, CLASSES),
    "truth values": ([False, True, True, False], [], 2, CLASSES),
    "a column": ([[0], [1], [2], [1]], [], 3, CLASSES),
    "quadratic": ([0, 1, 2, 1], ["--loss", "quadratic"], 3, ("relu", "sigmoid")),
    "poisson": ([0, 1, 2, 1], ["--loss", "poisson", "--task", "regress"], 1, ("relu", "exp")),
    "quantiles": (
        [0.5, 1, 2, 1],
        ["--loss", "pinball", "--quantiles", "0.1", "0.9"],
        2,
        LINEAR,
    ),
    "one class": ([1, 1, 1, 1], [], 1, LINEAR),
    "one class by demand": ([0, 0, 0, 0], ["--task", "classify"], 2, CLASSES),
    "large integers": ([0, 1, 2, 1000], [], 1, LINEAR),
    "large classes by demand": ([0, 1, 2, 1000], ["--task", "classify"], 1001, CLASSES),
    "negative": ([-1, 1, 1, -1], [], 1, LINEAR),
    "fractions": ([0, 1, 2, 0.5], [], 1, LINEAR),
    "numbers by demand": ([0, 1, 2, 1], ["--task", "regress"], 1, LINEAR),
    "several targets": ([[0, 1], [1, 0], [1, 1], [0, 0]], [], 2, LINEAR),
}


@pytest.mark.parametrize("name", TASKS)
def test_the_task_is_chosen_by_the_targets(tmp_path, run, name):
    y, options, n_outputs, activations = TASKS[name]
    np.savez(tmp_path / "data.npz", X=np.eye(4), y=np.array(y))
    arguments = ("train", tmp_path / "data.npz", "-o", tmp_path / "net", "--learning-rate", "0.001")
    status, out, err = run(*arguments, *options)
    assert (status, err) == (0, "")
    net = Network.load(tmp_path / "net")
    assert (net.layer_sizes, net.activations) == ([4, 30, n_outputs], activations)
    assert (
        ("accuracy" in out) == ("to classify" in out) == (activations[-1] not in ("linear", "exp"))
    )


def test_regression(tmp_path, run):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = X @ [1, -2] + 0.5
    np.save(tmp_path / "data.npy", np.column_stack([y, X]))
    arguments = ("train", tmp_path / "data.npy", "--target", "0", "-o", tmp_path / "net", "--json")
    status, out, _ = run(*arguments, "--init", "glorot_uniform", "--epochs", "50")
    assert status == 0
    assert json.loads(out)["accuracy"] is None
    assert Network.load(tmp_path / "net").loss(X, y, "mse") < 0.02 * y.var()


def iris(tmp_path):
    """Return (X, names) of the sample, as the command line reads it."""
    X, y, _ = read_data(sample_csv(), "species", exact=False)
    return X, y


def test_train_has_what_fit_has(tmp_path, run):
    path = tmp_path / "net"
    status, _, err = run(
        *("train", sample_csv(), "--target", "species", "-o", path, "--standardize", "never"),
        *("--optimizer", "adam", "--learning-rate", 0.01, "--schedule", "step", "--epochs", 30),
        *("--penalty", "l1", "--alpha", 1e-3, "--dropout", 0.2, "--clip-norm", 1),
        *("--validation-split", 0.2, "--early-stopping", 4, "--dtype", "float64"),
    )
    assert (status, err) == (0, "")
    net = Network([4, 30, 3], activations=["relu", "softmax"], dtype="float64", seed=0)
    net.fit(
        *iris(tmp_path),
        epochs=30,
        batch_size=10,
        optimizer="adam",
        learning_rate=StepDecay(0.01),
        penalty="l1",
        alpha=1e-3,
        dropout=0.2,
        clip_norm=1,
        validation_split=0.2,
        callbacks=EarlyStopping(patience=4),
    )
    assert parameters(Network.load(path)) == parameters(net)
    assert Network.load(path).classes == net.classes == ("setosa", "versicolor", "virginica")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--schedule", "exponential"], dict(learning_rate=Exponential(0.1))),
        (["--schedule", "plateau"], dict(callbacks=ReduceOnPlateau("loss", patience=5))),
        (["--optimizer", "adam"], dict(optimizer="adam", learning_rate=0.001)),
        (["--alpha", "0.01"], dict(penalty="l2", alpha=0.01)),
        (["--penalty", "l1"], dict(penalty="l1", alpha=1e-4)),
        (
            ["--early-stopping", "3"],
            dict(validation_split=0.1, callbacks=EarlyStopping(patience=3)),
        ),
    ],
)
def test_options_that_stand_for_several(tmp_path, run, options, expected):
    path = tmp_path / "net"
    arguments = ("train", sample_csv(), "--target", "species", "-o", path, "--epochs", 40)
    assert run(*arguments, "--standardize", "never", *options)[0] == 0
    net = Network([4, 30, 3], activations=["relu", "softmax"], seed=0)
    net.fit(*iris(tmp_path), epochs=40, batch_size=10, **expected)
    assert parameters(Network.load(path)) == parameters(net)


def test_standardized_trainings_give_networks_of_the_data_as_they_are(tmp_path, run):
    """Of columns far from each other, one of them constant; and of targets far from 0."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4)) * [1e-6, 1, 1e4, 0] + [0, 5, -3e4, 7]
    y = 1e3 * (X[:, 1] - 5) + 0.1 * X[:, 2] + 1e4
    np.save(tmp_path / "data.npy", np.column_stack([X, y]))
    arguments = ("train", tmp_path / "data.npy", "--target", "4", "-o", tmp_path / "net")
    status, out, err = run(*arguments, "--epochs", 20)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[1].startswith("standardized: inputs and targets, so losses are shares of their ")
    net = Network.load(tmp_path / "net")
    residual = y - net.predict(X)[:, 0]
    r2 = 1 - np.square(residual).sum() / np.square(y - y.mean()).sum()
    assert r2 > 0.98
    assert float(re.fullmatch(r"R2 (\S+) on .*", lines[-2])[1]) == pytest.approx(r2, abs=1e-4)
    # the loss of the last epoch is that share, but for the steps since each batch
    loss = float(re.search(r"epoch 20/20  loss (\S+)", out)[1])
    assert loss == pytest.approx(1 - r2, rel=0.9)
    status, out, _ = run(*arguments, "--epochs", 20, "--standardize", "always", "--json")
    assert json.loads(out)["standardized"] == {"inputs": True, "targets": True}
    assert parameters(Network.load(tmp_path / "net")) == parameters(net)
    status, out, err = run(*arguments, "--standardize", "never", "--json")
    assert err.count("\n") == err.count("exactnet: warning: ") == 1
    assert "which reaches" in err
    assert "--standardize always, " in err
    assert not json.loads(out)["r2"] > 0.5  # too large for a training, as they are


@pytest.mark.parametrize(
    ("loss", "unit"),
    [
        ("mse", "shares of their variance"),
        ("quadratic", "half the shares of their variance"),
        ("pinball", "in their standard deviations"),
    ],
)
def test_losses_of_standardized_targets_are_said_as_they_are(tmp_path, run, loss, unit):
    """Targets of two values: the median's error is a deviation, the mean's the variance."""
    np.savez(tmp_path / "data.npz", X=[[0.0]] * 4, y=[1000.5, 3000.5] * 2)
    arguments = ("train", tmp_path / "data.npz", "-o", tmp_path / "net", "--activation", "tanh")
    status, out, _ = run(*arguments, "--loss", loss, "--epochs", 1, "--learning-rate", 1e-9)
    assert status == 0
    assert f"standardized: targets, so losses are {unit} (" in out.replace("inputs and ", "")
    expected = {"mse": 1.0, "quadratic": 0.5, "pinball": 0.5}[loss]
    assert float(re.search(r"epoch 1/1  loss (\S+)", out)[1]) == pytest.approx(expected, abs=1e-6)


def test_early_stopping_is_told(tmp_path, run):
    arguments = ("train", sample_csv(), "--target", "species", "-o", tmp_path / "net")
    for epochs, ended in ((9, "stopped"), (3, "ended")):  # of a rate that changes nothing
        options = ("--early-stopping", 2, "--epochs", epochs, "--learning-rate", 1e-30)
        status, out, _ = run(*arguments, *options)
        assert status == 0
        assert f"\n{ended} after epoch 3; weights of epoch 1\ntrained [" in out
    assert "weights of" not in run(*arguments)[1]


def test_short_epochs_take_some_time(tmp_path, classes, run):
    out = run("train", classes, "--target", "kind", "-o", tmp_path / "net")[1]
    times = re.findall(r"^epoch .*  (\S+) s$", out, re.M)
    assert len(times) == 10
    assert all(float(time) > 0 for time in times)


def test_standardized_data_are_taken_as_they_are(tmp_path, run):
    X = np.random.default_rng(0).normal(size=(100, 2))
    np.savez(tmp_path / "data.npz", X=(X - X.mean(0)) / X.std(0), y=(X[:, 0] > 0).astype(int))
    nets = []
    for choice in ("auto", "never"):
        arguments = ("train", tmp_path / "data.npz", "-o", tmp_path / "net")
        status, out, _ = run(*arguments, "--standardize", choice)
        assert (status, "standardized:" in out) == (0, False)
        nets.append(parameters(Network.load(tmp_path / "net")))
    assert nets[0] == nets[1]


def test_predict(tmp_path, classes, trained, run):
    net = Network.load(trained)
    X, y = columns(classes)
    expected = net.predict(X)
    status, out, err = run("predict", trained, classes, "--target", "kind")
    assert (status, err) == (0, "")
    np.testing.assert_array_equal(np.float32([line.split(",") for line in out.split()]), expected)
    status, out, err = run("predict", trained, classes, "--target", "kind", "--classify")
    assert status == 0
    assert [int(line) for line in out.splitlines()] == net.classify(X).tolist()
    right = int((net.classify(X) == y).sum())
    assert err == f"accuracy {right / 90:.4f}: {right} of 90\n"

    path = tmp_path / "out.csv"
    status, out, err = run("predict", trained, classes, "--target", "kind", "-o", path)
    assert (status, out, err) == (0, f"wrote 90 rows to {path}\n", "")
    np.testing.assert_array_equal(np.loadtxt(path, delimiter=",", dtype=np.float32), expected)
    path = tmp_path / "out.npy"
    assert run("predict", trained, classes, "--target", "kind", "-o", path)[0] == 0
    np.testing.assert_array_equal(np.load(path), expected)
    assert np.load(path).dtype == np.float32
    assert run("predict", trained, classes, "--target", "1", "--classify", "-o", path)[0] == 0
    np.testing.assert_array_equal(np.load(path), net.classify(X))


def test_predict_without_targets(tmp_path, classes, trained, run):
    X, _ = columns(classes)
    expected = run("predict", trained, classes, "--target", "kind")[1]
    rows = "\n".join(f"{a},{b}" for a, b in X)
    (tmp_path / "plain.csv").write_text(rows)
    (tmp_path / "header.csv").write_text(f"a,b\n{rows}\n")
    np.save(tmp_path / "matrix.npy", X)
    np.savez(tmp_path / "arrays.npz", X=X)
    for name in ("plain.csv", "header.csv", "matrix.npy", "arrays.npz"):
        assert run("predict", trained, tmp_path / name) == (0, expected, ""), name
        status, _, err = run("predict", trained, tmp_path / name, "--classify")
        assert (status, err) == (0, "")
    np.savez(tmp_path / "more.npz", X=X, y=np.zeros((90, 3)))  # targets, but no classes
    assert run("predict", trained, tmp_path / "more.npz", "--classify")[2] == ""


def test_predict_with_an_exact_network(tmp_path, network, data, run):
    assert run("predict", network, data, "--target", "label") == (0, "1\n-2\n1/3\n4\n", "")
    path = tmp_path / "points.csv"
    path.write_text("0,1/2\n1,0.25\n")
    assert run("predict", network, path) == (0, "1\n-2\n", "")
    out = tmp_path / "out.csv"
    assert run("predict", network, path, "-o", out)[0] == 0
    assert out.read_text() == "1\n-2\n"
    net = ExactNetwork.from_arrays([[[1, 0], [0, 1]]], [[0, Fraction(1, 3)]])
    net.save(tmp_path / "two.json")
    assert run("predict", tmp_path / "two.json", path)[1] == "0,5/6\n1,7/12\n"
    np.savez(tmp_path / "points.npz", X=[[0, 0], [2, 1], [5, 5]], y=[1, 0, 0])
    arguments = ("predict", tmp_path / "two.json", tmp_path / "points.npz", "--classify")
    assert run(*arguments) == (0, "1\n0\n1\n", "accuracy 0.6667: 2 of 3\n")


def test_refusals_of_train_and_predict(tmp_path, classes, data, network, trained, run):
    new = tmp_path / "new"
    np.savez(tmp_path / "vector.npz", X=np.zeros(3), y=np.zeros(3))
    np.savez(tmp_path / "empty.npz", X=np.zeros((0, 2)), y=np.zeros(0))
    np.savez(tmp_path / "short.npz", X=np.eye(3), y=np.arange(2))
    np.savez(tmp_path / "words.npz", X=np.eye(2), y=np.array(["a", "b"]))
    np.savez(tmp_path / "nan.npz", X=np.eye(2), y=np.array([0, np.nan]))
    np.savez(tmp_path / "nothing.npz", y=np.zeros(3))
    np.savez(tmp_path / "more.npz", X=np.eye(2), y=np.array([0, 7]))
    np.savez(tmp_path / "many.npz", X=np.eye(2), y=np.array([0, 65536]))
    np.savez(tmp_path / "scalar.npz", X=np.eye(2), y=np.array(7))
    regressor = tmp_path / "regressor.safetensors"
    Network([2, 1], activations="linear").save(regressor)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(trained.read_bytes()[:-1])
    npz = {p.stem: p for p in tmp_path.glob("*.npz")}

    def train(path, *options):
        return ("train", path, "-o", new, *options)

    cases = [
        (train(classes), "name the target column with --target"),
        (train(classes, "--target", "color"), "there is no column 'color'"),
        (train(tmp_path / "none.csv", "--target", "a"), "none.csv: No such file"),
        (train(npz["vector"]), "vector.npz: X must be (samples, features), not of shape (3,)"),
        (train(npz["empty"]), "empty.npz: X must be (samples, features), not of shape (0, 2)"),
        (train(npz["short"]), "has shape (2,) but X has 3 samples"),
        (train(npz["words"]), "words.npz: its header is not that of an array of numbers: "),
        (train(npz["nan"]), "only finite numbers"),
        (train(npz["scalar"]), "y has"),
        (train(npz["nothing"]), "nothing.npz: it holds no array X"),
        (train(data, "--target", "2", "--task", "classify"), "targets must be integers from 0"),
        (train(npz["many"], "--task", "classify"), "integers from 0 to 65535; --task regress"),
        (train(classes, "--target", "1", "--test", npz["nan"]), "nan.npz: to classify"),
        (train(classes, "--target", "1", "--test", npz["more"]), "from 0 to 2, not from 0 to 7"),
        (train(classes, "--target", "1", "--test", npz["short"]), "3 features but the network"),
        (train(classes, "--target", "1", "--hidden", "30x0"), "error: --hidden must be a positive"),
        (train(classes, "--target", "1", "--epochs", "0"), "error: --epochs must be a positive"),
        (
            train(classes, "--target", "1", "--batch-size", "-1"),
            "error: --batch-size must be a positive",
        ),
        (
            train(classes, "--target", "1", "--learning-rate", "nan"),
            "error: --learning-rate must be",
        ),
        (train(classes, "--target", "1", "--momentum", "1"), "error: --momentum must be in [0, 1)"),
        (
            train(classes, "--target", "1", "--seed", "-1"),
            "error: --seed must be an integer from 0",
        ),
        (
            train(classes, "--target", "y", "--quantiles", "0.5", "0.9"),
            "error: --quantiles 0.5 0.9 is for --loss pinball",
        ),
        (
            train(classes, "--target", "y", "--early-stopping", "0"),
            "error: --early-stopping must be a positive integer, not 0",
        ),
        (
            train(classes, "--target", "1", "--validation-split", "0.999"),
            "error: --validation-split 0.999 of 90 samples leaves none to train with",
        ),
        (train(classes, "--target", "1", "--threads", "0"), "error: --threads must be a positive"),
        (train(classes, "--target", "y", "--loss", "cross_entropy"), "cross_entropy needs softmax"),
        (
            train(classes, "--target", "y", "--learning-rate", "1e30"),
            "take a smaller --learning-rate, such as 0.1; --clip-norm 1 helps too",
        ),
        (("train", classes, "--target", "1", "-o", classes), "would replace what it is made from"),
        (
            ("train", npz["more"], "--test", classes, "--target", "1", "-o", classes),
            "would replace what it is made from",
        ),
        (("train", classes, "--target", "1", "-o", tmp_path / "no/n"), "no/n: No such file"),
        (("predict", tmp_path / "none", classes), "none: No such file"),
        (("predict", tmp_path, classes), "Is a directory"),
        (("predict", classes, classes), "classes.csv: not a network file, or damaged"),
        (("predict", damaged, classes), "damaged.safetensors: not a network file, or damaged"),
        (("predict", network, data, "--max-bytes", "9"), "more than the limit of 9"),
        (("predict", trained, classes), "3 columns but the network takes 2; name the target"),
        (("predict", network, npz["nothing"]), "it holds no array X"),
        (("predict", trained, npz["short"]), "3 features but the network takes 2"),
        (("predict", trained, classes, "--target", "color"), "there is no column 'color'"),
        (
            ("predict", regressor, classes, "--target", "1", "--classify"),
            "this network has one of linear",
        ),
        (("predict", trained, classes, "-o", tmp_path / "x.txt"), "must end in .csv or .npy"),
        (("predict", network, data, "-o", tmp_path / "x.npy"), ".npy has no place for exact"),
        (
            ("predict", trained, classes, "--target", "1", "-o", classes),
            "would replace what it is made from",
        ),
    ]
    before = classes.read_bytes()
    for arguments, reason in cases:
        status, out, err = run(*arguments)
        assert (status, out) == (2, ""), arguments
        assert err.startswith("exactnet: error: ")
        assert err.count("\n") == 1
        assert reason in err, (arguments, err)
        assert not new.exists()
    assert classes.read_bytes() == before
