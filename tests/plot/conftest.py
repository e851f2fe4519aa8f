import matplotlib as mpl
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure


@pytest.fixture(autouse=True)
def _headless():
    """No window is opened, every figure is closed, and settings are as they were."""
    backend = mpl.get_backend(auto_select=False) if mpl.__version_info__ >= (3, 10) else None
    pyplot.switch_backend("agg")
    before = dict(mpl.rcParams)
    yield
    after = dict(mpl.rcParams)
    pyplot.close("all")
    if backend:
        pyplot.switch_backend(backend)
    assert after == before


@pytest.fixture
def axes():
    return Figure(figsize=(8, 5), layout="constrained").add_subplot()
