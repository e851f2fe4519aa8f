import pytest

from exactnet.cli import main


@pytest.fixture
def run(capsys):
    def call(*arguments):
        status = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b,label\n0,0.5,1\n1,0.25,-2\n2,1e-3,1/3\n3,7,4\n")
    return path


@pytest.fixture
def network(tmp_path, data, run):
    path = tmp_path / "net.json"
    assert run("memorize", data, "--target", "label", "-o", path)[0] == 0
    return path


@pytest.fixture
def classes(tmp_path, rng):
    """Three classes of points in a plane, as a CSV file with the column "kind"."""
    path = tmp_path / "classes.csv"
    lines = ["x,kind,y"]
    for k in range(90):
        x, y = [(0, 0), (3, 0), (0, 3)][k % 3]
        lines.append(f"{x + rng.gauss(0, 0.5):.3f},{k % 3},{y + rng.gauss(0, 0.5):.3f}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def trained(tmp_path, classes, run):
    path = tmp_path / "net.safetensors"
    assert run("train", classes, "--target", "kind", "-o", path)[0] == 0
    return path
