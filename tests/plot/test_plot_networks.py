"""What is drawn, judged by the artists in the Axes; how it looks was judged by eye."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from exactnet import ExactNetwork, Network, memorize, plot
from plot.artists import check_texts, circles

BLUE, VERMILLION = to_rgb("#0072B2"), to_rgb("#D55E00")


def lines_of(ax):
    """(colour, width) of every line of weights by its ends, in the order of the layers."""
    layers = []
    for collection in ax.collections:
        if isinstance(collection, LineCollection) and collection.get_zorder() == 1:
            drawn = zip(
                collection.get_segments(),
                collection.get_colors(),
                collection.get_linewidths(),
                strict=True,
            )
            layers.append({tuple(map(tuple, s)): (tuple(c[:3]), w) for s, c, w in drawn})
    return layers


def test_every_unit_and_weight_of_a_small_network(np_rng):
    weights = [np_rng.normal(size=(3, 2)), np_rng.normal(size=(1, 3))]
    ax = plot.network(Network.from_arrays(weights, [np.zeros(3), np.zeros(1)], "tanh"))
    assert len(circles(ax)) == 6
    assert not ax.images
    layers = lines_of(ax)
    assert [len(layer) for layer in layers] == [6, 3]
    units = sorted((c.center for c in circles(ax)), key=lambda p: (p[0], -p[1]))
    starts, ends = [units[:2], units[2:5]], [units[2:5], units[5:]]
    for w, layer, left, right in zip(weights, layers, starts, ends, strict=True):
        by_size = []
        for (i, j), value in np.ndenumerate(w):
            color, width = layer[left[j], right[i]]
            assert color == (BLUE if value > 0 else VERMILLION)
            by_size.append((abs(value), width))
        widths = [width for _, width in sorted(by_size)]
        assert widths == sorted(widths)
        assert len(set(widths)) == len(widths)
    words = [t.get_text() for t in ax.texts]
    assert words[:3] == ["2\ninputs", "3\ntanh", "1\ntanh"]
    assert words[3:] == [f"|w| ≤ {abs(w).max():.3g}" for w in weights]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "positive weight",
        "negative weight",
    ]


def test_weights_of_zero_have_no_line():
    net = ExactNetwork.from_arrays([[[1, 0], [0, 2]], [[0, 3]]], [[0, 0], [0]])
    ax = plot.network(net)
    assert [len(layer) for layer in lines_of(ax)] == [2, 1]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["positive weight"]
    ax = plot.network(Network([3, 4, 2], init="zeros"))
    assert len(circles(ax)) == 9
    assert not any(lines_of(ax))
    assert ax.get_legend() is None
    assert [t.get_text() for t in ax.texts[3:]] == ["all w = 0"] * 2
    check_texts(ax)


def test_wide_layers_are_folded(np_rng):
    ax = plot.network(Network([20, 13, 12, 1000], seed=0), max_units=12)
    assert len(circles(ax)) == 12 * 4
    assert [len(layer) for layer in lines_of(ax)] == [144] * 3
    more = [t.get_text() for t in ax.texts if "more" in t.get_text()]
    assert more == ["8 more", "1 more", "988 more"]
    assert "1,000\nsigmoid" in [t.get_text() for t in ax.texts]
    check_texts(ax)
    # which units those are: only the first and the last weigh something
    w = np.zeros((1, 9))
    w[0, [0, 8]] = 1, -2
    w[0, 4] = 5
    ax = plot.network(Network.from_arrays([w], [[0]], "linear"), max_units=2)
    (layer,) = lines_of(ax)
    assert [color for color, _ in layer.values()] == [BLUE, VERMILLION]
    # a width is relative to the largest of all weights, drawn or not
    assert "|w| ≤ 5" in [t.get_text() for t in ax.texts]
    ax = plot.network(Network([9, 1], seed=0), max_units=3)
    assert len(circles(ax)) == 3


def test_inputs_that_are_images():
    net = Network([64, 30, 10], seed=0)
    ax = plot.network(net)
    assert len(ax.images) == 8
    assert len(circles(ax)) == 10
    shown = [*range(4), *range(26, 30)]
    largest = abs(net.weights[0]).max()
    for image, unit in zip(ax.images, shown, strict=True):
        expected = net.weights[0][unit].reshape(8, 8) / largest
        np.testing.assert_allclose(image.get_array(), expected, rtol=1e-6)
        assert image.get_clim() == (-1, 1)
        assert image.cmap(1.0)[:3] == BLUE
        assert image.cmap(0.0)[:3] == VERMILLION
    assert [len(layer) for layer in lines_of(ax)] == [80]
    assert ax.texts[-5].get_text() == "64\n8 x 8"
    check_texts(ax)
    assert not plot.network(net, image_shape=None).images
    assert plot.network(net, image_shape=(4, 16)).images[0].get_array().shape == (4, 16)
    assert not plot.network(Network([16, 4], seed=0)).images  # few inputs are seldom an image
    assert len(plot.network(Network([16, 4], seed=0), image_shape=[4, 4]).images) == 4
    assert not plot.network(Network([26, 4], seed=0)).images
    assert len(plot.network(Network([784, 10], seed=0)).images) == 10
    assert len(plot.network(Network([784, 10], seed=0), max_units=4).images) == 4


@pytest.mark.parametrize(
    "sizes",
    [
        [1, 1],
        [2, 3, 1],
        [64, 30, 10],
        [784, 128, 64, 10],
        [3, 8, 8, 8, 8, 8, 2],
        [100_000, 2, 10_000],
        [2, *[20] * 10, 1],
        [2, *[5] * 40, 1],
        pytest.param([2, *[3] * 150, 1], marks=pytest.mark.slow),
    ],
    ids=lambda sizes: f"{len(sizes)} of {sizes[0]}",
)
def test_labels_do_not_overlap(sizes):
    net = Network(sizes, activations="leaky_relu", seed=0)
    check_texts(plot.network(net))
    check_texts(plot.network(net, image_shape=None))


def test_labels_do_not_overlap_in_small_axes():
    figure = Figure(figsize=(8, 5), layout="constrained")
    all_axes = figure.subplots(2, 3).ravel()
    figure.draw_without_rendering()
    sizes = [[2, 3, 1], [64, 30, 10], [784, 128, 64, 10], [3, 8, 8, 8, 8, 8, 2], [9, 9], [50, 50]]
    for ax, layers in zip(all_axes, sizes, strict=True):
        assert plot.network(Network(layers, seed=0), ax) is ax
        heads = [t.get_text().split("\n")[0] for t in ax.texts if "more" not in t.get_text()]
        assert heads[: len(layers)] == [str(n) for n in layers]
        ax.set_title("title")
    check_texts(*all_axes)


def test_parameters_beyond_floats():
    huge = 2**5000
    net = ExactNetwork.from_arrays([[[huge, -3 * huge], [1, 0]], [[-1, 1]]], [[0, 1], [2]])
    ax = plot.network(net)
    first, _ = lines_of(ax)
    by_width = sorted((width, color) for color, width in first.values())
    assert [color for _, color in by_width] == [BLUE, BLUE, VERMILLION]
    # a third of the largest, and one whose share of it is below the least float, but not 0
    thinnest, middle, thickest = (width for width, _ in by_width)
    assert 0 < thinnest < middle < thickest
    assert (middle - thinnest) / (thickest - thinnest) == pytest.approx(1 / 3)
    assert ax.texts[3].get_text().startswith("|w| ≤ 4.2")
    assert ax.texts[3].get_text().endswith("e+1505")
    check_texts(ax)
    small = ExactNetwork.from_arrays([[[Fraction(1, 2**5000), Fraction(-1, 2**5001)]]], [[0]])
    (layer,) = lines_of(plot.network(small))
    assert [color for color, _ in layer.values()] == [VERMILLION, BLUE]
    images = plot.first_layer(net, (1, 2)).images
    np.testing.assert_allclose(images[0].get_array(), [[1 / 3, -1]])
    np.testing.assert_array_equal(images[1].get_array(), [[0, 0]])


def test_numbers_of_other_types_in_exact_networks():
    net = memorize([[93, 4], [59, 91], [58, 47], [20, 69]], [1, 81, 17, 65], hidden=(2, 2))
    net.weights[1][0, 0] += 1e-9
    net.weights[0][0, 0] = -7
    (first, *_) = lines_of(plot.network(net))
    assert [color for color, _ in first.values()].count(VERMILLION) == 1


def test_floats_at_the_ends_of_their_range():
    for value in (5e-324, 1.7e308):
        net = Network.from_arrays([[[value, -value]]], [[0.0]], "linear")
        (layer,) = lines_of(plot.network(net))
        assert len({width for _, width in layer.values()}) == 1


def test_first_layer(axes):
    net = Network([64, 30, 10], seed=0)
    ax = plot.first_layer(net)
    assert len(ax.images) == 30
    assert len(ax.figure.axes) == 2  # with the colour bar
    bar = ax.figure.axes[1]
    largest = abs(net.weights[0]).max()
    assert [t.get_text() for t in bar.get_yticklabels()] == [
        f"-{largest:.3g}",
        "0",
        f"{largest:.3g}",
    ]
    np.testing.assert_allclose(
        ax.images[29].get_array() * largest, net.weights[0][29].reshape(8, 8), rtol=1e-6
    )
    boxes = [image.get_window_extent() for image in ax.images]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert plot.first_layer(net, (2, 32), axes) is axes
    assert axes.images[0].get_array().shape == (2, 32)
    ax = plot.first_layer(Network([4, 200, 1], seed=0), max_units=100)
    assert len(ax.images) == 100
    assert ax.get_title() == "the first 100 of 200 units"
    ax = plot.first_layer(Network([25, 3], init="zeros"))
    assert len(ax.images) == 3
    assert len(ax.figure.axes) == 1  # of weights of 0 a bar would say nothing


def test_weights_that_are_not_finite():
    net = Network([2, 3, 1], seed=0)
    net.weights[1][0, 1] = np.nan
    for draw in (plot.network, lambda n: plot.first_layer(n, (1, 2))):
        with pytest.raises(ValueError, match=r"weights\[1\] holds numbers that are not finite"):
            draw(net)


def test_save_network(tmp_path):
    net = Network([64, 30, 10], seed=0)
    for name in ("net.png", "net.svg", "NET.PNG"):
        plot.save_network(net, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 10_000
    first = (tmp_path / "net.svg").read_bytes()
    assert first.lstrip().startswith(b"<?xml")
    plot.save_network(net, tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_bytes() == first
    plot.save_network(net, tmp_path / "small.png", dpi=50, image_shape=None, max_units=4)
    assert pyplot.imread(tmp_path / "small.png").shape == (250, 400, 4)
    assert not pyplot.get_fignums()
    for arguments, text in [
        ((net, tmp_path / "net.bmp"), r"net.bmp: its name must end in .png or .svg"),
        ((net, tmp_path / "net"), r"net: its name must end in"),
        ((net, tmp_path / "new.png", 0), "dpi must be a positive integer, not 0"),
        ((net, tmp_path / "new.png", 10_000), "dpi must be at most 1200, not 10000"),
    ]:
        with pytest.raises(ValueError, match=text):
            plot.save_network(*arguments[:2], **({"dpi": arguments[2]} if arguments[2:] else {}))
    with pytest.raises(TypeError, match="not str"):
        plot.save_network("net.json", tmp_path / "new.png")
    assert not (tmp_path / "new.png").exists()
