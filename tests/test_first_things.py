"""What users type first: it works, or one line says what to type instead.

Each is typed as someone would who knows scikit-learn or Keras and has read nothing here.
"""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

import exactnet
from exactnet import (
    Dataset,
    EarlyStopping,
    ExactNetwork,
    Network,
    check,
    memorize,
    plan,
    verify,
)
from exactnet.datasets import load_digits

IRIS = load_iris()
X, Y = IRIS.data, IRIS.target
NAMES = IRIS.target_names[Y]  # an array of strings
SCALED = (X - X.mean(0)) / X.std(0)
DIABETES = load_diabetes(return_X_y=True)

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
sparse = pytest.importorskip("scipy.sparse")


def remedy(error, *words):
    """Look whether an error is one line that says what would do."""
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text


# Training


def test_names_of_classes_as_targets():
    net = Network([4, 16, 3], activations=["relu", "softmax"], seed=0)
    net.fit(SCALED, NAMES, epochs=50)
    assert net.classes == ("setosa", "versicolor", "virginica")
    assert net.accuracy(SCALED, NAMES) > 0.9
    assert set(np.array(net.classes)[net.classify(SCALED)]) == set(NAMES)


def test_the_natural_classifier_with_defaults():
    X_train, y_train, X_test, y_test = load_digits()
    net = Network([64, 100, 50, 10], activations=["relu", "relu", "softmax"], seed=0)
    net.fit(X_train, y_train, epochs=30)
    assert net.accuracy(X_test, y_test) > 0.9


def test_a_regression_with_defaults():
    features, y = DIABETES
    y = (y - y.mean()) / y.std()
    net = Network([10, 20, 1], activations=["relu", "linear"], seed=0)
    history = net.fit(features * 20, y, epochs=50, learning_rate=0.01)
    assert history.loss[-1] < 0.6


def test_one_name_of_an_activation_and_large_targets():
    """One name means all layers, the last one too: sigmoids never reach 340."""
    net = Network([10, 20, 1], seed=0)
    with pytest.warns(UserWarning, match="linear") as caught:
        net.fit(*DIABETES)
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)


def test_one_hot_targets_and_their_validation():
    one_hot = np.eye(3)[Y]
    net = Network([4, 16, 3], activations=["relu", "softmax"], seed=0)
    history = net.fit(SCALED, one_hot, epochs=30, validation_data=(SCALED, one_hot))
    assert history.val_accuracy[-1] > 0.9


def test_binary_labels_with_one_sigmoid():
    y = (Y == 0).astype(int)
    net = Network([4, 8, 1], activations=["relu", "sigmoid"], seed=0)
    history = net.fit(SCALED, y, epochs=30, loss="cross_entropy", validation_split=0.2)
    assert net.accuracy(SCALED, y) == 1
    assert len(history.val_accuracy) == 30
    assert set(net.classify(SCALED)) == {0, 1}


def test_labels_in_a_column_and_as_floats():
    for y in (Y[:, None], Y.astype(float), Y[:, None].astype(np.float32), list(Y)):
        net = Network([4, 8, 3], activations=["relu", "softmax"], seed=0)
        net.fit(SCALED, y, epochs=2)
        same = Network([4, 8, 3], activations=["relu", "softmax"], seed=0)
        same.fit(SCALED, Y, epochs=2)
        assert all((a == b).all() for a, b in zip(net.weights, same.weights, strict=True))


def test_labels_from_1_to_3():
    net = Network([4, 8, 3], activations=["relu", "softmax"])
    with pytest.raises(ValueError, match="0 to 2") as error:
        net.fit(SCALED, Y + 1)
    remedy(error, "from 1 to 3")


def test_too_few_outputs_for_the_classes():
    net = Network([4, 8, 1], activations=["relu", "sigmoid"])
    with pytest.raises(ValueError, match="3 classes") as error:
        net.fit(SCALED, NAMES)
    remedy(error, "output")


def test_frames():
    frame = load_iris(as_frame=True).frame
    features, target = frame.drop(columns="target"), frame["target"]
    expected = Network([4, 8, 3], activations=["relu", "softmax"], seed=0)
    expected.fit(X, Y)
    for a, b in (
        (features, target),
        (features, frame[["target"]]),
        (pl.from_pandas(features), pl.Series(Y)),
        (pl.from_pandas(features), pl.from_pandas(frame[["target"]])),
    ):
        net = Network([4, 8, 3], activations=["relu", "softmax"], seed=0)
        net.fit(a, b)
        assert (net.predict(a) == expected.predict(X)).all()


def test_frames_with_gaps_and_text():
    frame = load_iris(as_frame=True).frame.rename(columns={"petal width (cm)": "width"})
    frame.loc[7, "width"] = np.nan
    net = Network([4, 8, 3], activations=["relu", "softmax"])
    with pytest.raises(ValueError, match="width") as error:
        net.fit(frame.drop(columns="target"), frame["target"])
    remedy(error, "nan")
    frame["width"] = "wide"
    with pytest.raises(TypeError, match="width") as error:
        net.fit(frame.drop(columns="target"), frame["target"])
    remedy(error, "wide", "leave the column out")


def test_sparse_matrices():
    dense = np.where(SCALED > 1, SCALED, 0).astype(np.float32)
    expected = Network([4, 8, 3], activations=["relu", "softmax"], seed=0)
    expected.fit(dense, Y, epochs=3)
    for kind in (sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix):
        net = Network([4, 8, 3], activations=["relu", "softmax"], seed=0)
        net.fit(kind(dense), Y, epochs=3)
        assert (net.predict(kind(dense)) == expected.predict(dense)).all()


def test_unscaled_inputs_that_diverge():
    net = Network([4, 50, 50, 1], activations=["relu", "relu", "linear"], seed=0)
    with pytest.raises(exactnet.DivergenceError, match="scale") as error:
        net.fit(X * 1e4, Y.astype(float), epochs=20)
    remedy(error, "X")
    assert isinstance(error.value.history, exactnet.History)


def test_a_callback_without_a_list():
    net = Network([4, 8, 3], activations=["relu", "softmax"], seed=0)
    history = net.fit(
        SCALED, Y, epochs=500, validation_split=0.2, callbacks=EarlyStopping(patience=3)
    )
    assert 3 < len(history.loss) < 500


def test_stopping_from_a_callback():
    def stop(network, epoch, history):
        raise exactnet.StopTraining

    assert len(Network([4, 3]).fit(SCALED, Y, epochs=9, callbacks=stop).loss) == 1


def test_seeing_a_network_and_a_history():
    net = Network([4, 8, 3], activations=["relu", "softmax"], seed=0)
    assert "67" in str(net.summary())  # parameters
    assert "<table" in net._repr_html_()
    history = net.fit(SCALED, Y, epochs=100)
    assert len(repr(history)) < 120


def test_names_that_keras_users_type():
    """Each is refused in one line with the name that it has here."""
    with pytest.raises(ValueError, match="relu") as error:
        Network([4, 3], activations="ReLU")
    remedy(error, "softmax")
    with pytest.raises(ValueError, match="cross_entropy") as error:
        Network([4, 3], activations="softmax").fit(X, Y, loss="categorical_crossentropy")
    remedy(error)
    with pytest.raises(ValueError, match="adam") as error:
        Network([4, 3]).fit(X, Y, optimizer="rmsprop")
    remedy(error)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators():
    from exactnet.sklearn import Memorizer, MLPClassifier, MLPRegressor

    assert MLPClassifier(random_state=0).fit(SCALED, NAMES).score(SCALED, NAMES) > 0.9
    assert Memorizer().fit(X[:100], NAMES[:100]).score(X[:100], NAMES[:100]) == 1
    features, y = DIABETES
    model = MLPRegressor(random_state=0, max_iter=2000, solver="lbfgs").fit(features, y)
    assert model.score(features, y) > 0.4


# Exact networks


def test_memorizing_names():
    rows = np.unique(X, axis=0, return_index=True)[1]
    net = memorize(X[rows], NAMES[rows])
    assert verify(net, X[rows], NAMES[rows]).exact
    assert (np.array(net.classes)[net.classify(X[rows])] == NAMES[rows]).all()


def test_memorizing_a_frame():
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 0.25, 0.125], "y": [3, 1, 2]})
    net = memorize(frame[["a", "b"]], frame["y"])
    assert verify(net, frame[["a", "b"]], frame["y"]).exact
    assert [Fraction(v) for v in net.predict(frame[["a", "b"]])[:, 0]] == [3, 1, 2]


def test_equal_rows_with_different_targets():
    with pytest.raises(ValueError, match="0 and 2") as error:
        memorize([[1, 2], [3, 4], [1, 2]], [0, 1, 1])
    remedy(error)


def test_integer_networks_of_ordinary_floats():
    """The error says to how many binary digits to round, and that call works."""
    rng = np.random.default_rng(0)
    data, y = rng.normal(size=(50, 3)), rng.integers(0, 5, 50)
    with pytest.raises(ValueError, match="round") as error:
        memorize(data, y, construction="integer")
    remedy(error, "digits")


def test_planning_from_data():
    text = str(plan(X, Y))
    assert text.startswith("149 points, 4 features")  # two flowers are the same
    assert "theorem3" in text


def test_a_dataset_of_names():
    data = Dataset(SCALED, NAMES)
    assert data.classes == ("setosa", "versicolor", "virginica")
    net = Network([4, 8, 3], activations=["relu", "softmax"], seed=0)
    net.fit(data, epochs=30)
    assert net.accuracy(data) > 0.8


def test_progress():
    assert verify(memorize([[1], [2]], [3, 4], progress=True), [[1], [2]], [3, 4], progress=True)


def test_saved_names(tmp_path):
    net = Network([4, 8, 3], activations=["relu", "softmax"], seed=0)
    net.fit(SCALED, NAMES)
    net.save(tmp_path / "net.safetensors")
    assert Network.load(tmp_path / "net.safetensors").classes == net.classes
    exact = memorize(X[:50], NAMES[::3])
    exact.save(tmp_path / "net.json", claim_for=(X[:50], NAMES[::3]))
    assert ExactNetwork.load(tmp_path / "net.json").classes == exact.classes


# The command line


def typed(command, folder):
    """Run a command line in a folder, in the shell's way."""
    return subprocess.run(
        [sys.executable, "-m", "exactnet", *command.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.fixture
def folder(tmp_path):
    frame = pd.DataFrame(X, columns=["sl", "sw", "pl", "pw"])
    frame["species"] = NAMES
    frame.drop_duplicates(["sl", "sw", "pl", "pw"]).to_csv(tmp_path / "iris.csv", index=False)
    frame.loc[3, "sw"] = np.nan
    frame.to_csv(tmp_path / "gaps.csv", index=False)
    frame.to_csv(tmp_path / "german.csv", index=False, sep=";", decimal=",")
    diabetes = load_diabetes(as_frame=True).frame
    diabetes.to_csv(tmp_path / "diabetes.csv", index=False)
    return tmp_path


WORK = {
    "memorize iris.csv --target species -o net.json --claim": "150|149",
    "memorize gaps.csv --target species --missing drop -o net.json": "149|148",
    "memorize german.csv --target species --decimal , --missing drop -o net.json": "149|148",
    "memorize iris.csv --target species --ignore sw -o net.json": "",
    "plan iris.csv --target species": "theorem3",
    "train iris.csv --target species -o net.safetensors": "classify",
    "train diabetes.csv --target target -o net.safetensors": "regress",
    "train iris.csv --target species --optimizer adam --dropout 0.1 --early-stopping 5 "
    "--validation-split 0.2 -o net.safetensors": "val_accuracy",
    "demo": "",
}
FAIL = {
    "": "COMMAND",
    "memorize iris.csv -o n": "--target species",
    "memorize iris.csv --target species": "-o",
    "memorize iris.csv --target flower -o n": "species",
    "memorize missing.csv -o n": "missing.csv",
    "memorize gaps.csv --target species -o n": "--missing drop",
    "memorize german.csv --target species --missing drop -o n": "--decimal ,",
    "memorize iris.csv --target sl -o n": "--ignore species",
    "train iris.csv --target species": "-o",
    "train iris.csv --target sl -o n": "--ignore species",
    "train iris.csv --target species --optimizer rmsprop -o n": "adam",
}


@pytest.mark.parametrize("command", WORK)
def test_commands_that_work(folder, command):
    done = typed(command, folder)
    assert (done.returncode, done.stderr.count("Error")) == (0, 0), done.stderr
    assert any(word in done.stdout + done.stderr for word in WORK[command].split("|")), done.stdout


@pytest.mark.parametrize("command", FAIL)
def test_commands_that_fail_with_a_remedy(folder, command):
    done = typed(command, folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert FAIL[command] in done.stderr


def test_commands_after_each_other(folder):
    """Memorize, verify, check, predict; and train, predict: with names throughout."""
    for command, word in (
        ("memorize iris.csv --target species -o net.json --claim", "net.json"),
        ("verify net.json iris.csv --target species", "exact"),
        ("predict net.json iris.csv --target species --classify", "setosa"),
        ("train iris.csv --target species -o net.safetensors", "net.safetensors"),
        ("predict net.safetensors iris.csv --target species --classify", "virginica"),
    ):
        done = typed(command, folder)
        assert done.returncode == 0, (command, done.stderr)
        assert word in done.stdout, (command, done.stdout)
    checker = [sys.executable, check.__file__, "net.json", "iris.csv"]
    done = subprocess.run([*checker, "--target", "species"], cwd=folder, capture_output=True)
    assert done.stdout.startswith(b"ok"), done.stdout
