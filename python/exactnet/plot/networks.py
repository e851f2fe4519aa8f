"""Networks as circles and lines."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet.base.checks import positive_integer, shown
from exactnet.base.files import atomic_write
from exactnet.plot.axes import (
    FAINT,
    FIGURE_SIZE,
    INK,
    LINE,
    NEGATIVE,
    POSITIVE,
    axes_size,
    bare_axes,
    check_matplotlib,
    font_size,
    given_or_new,
    text_length,
)
from exactnet.plot.weights import (
    check_image_shape,
    greatest,
    parameters,
    relative,
    short,
    sign_colors,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from exactnet.dense.network import Network
    from exactnet.exact.network import ExactNetwork

Array: TypeAlias = npt.NDArray[Any]

FORMATS = ("png", "svg")
_MOST_DPI = 1200  # a picture of 230 MB while it is drawn
# Fewer inputs than this are hardly an image, if nobody says that they are.
_LEAST_IMAGE = 25
# A unit drawn as an image needs more room than a circle.
_MOST_IMAGES = 8
# Rows that the dots and the count take in a folded column.
_FOLD = 2
# Lengths are in inches and widths of lines in points, since letters do not scale with the axes.
_SIDE = 0.1
_GREATEST_RADIUS, _GREATEST_PITCH, _GREATEST_IMAGE = 0.18, 0.9, 0.8
_THINNEST, _THICKEST = 0.35, 4.0
_PIXEL = 0.03
_LEAST_FONT = 5.0
# In lower axes there is no room for text on end.
_LEAST_HEIGHT = 3.0


def network(
    net: Network | ExactNetwork,
    ax: Axes | None = None,
    *,
    max_units: int = 12,
    image_shape: tuple[int, int] | str | None = "auto",
) -> Axes:
    r"""Draw a network: units as circles in columns, weights as lines.

    Blue lines are positive weights, vermillion ones negative; the width is \|w\| relative to the
    largest of the layer, which is written below. Weights of 0 have no line. The columns are headed
    by their number of units and activation.

    Parameters
    ----------
    net : Network or ExactNetwork
        Exact parameters may be of any size.
    ax : matplotlib Axes, optional
    max_units : int
        Layers with more units are folded: the first half of so many, how many are left out, and
        the last half.
    image_shape : (height, width), "auto" or None
        If the inputs are an image, the units of the first layer are drawn as the images of their
        weights, more than 10 folded to 8. "auto" takes a square number of inputs, from 25, for an
        image.

    Returns
    -------
    matplotlib Axes
        Without axis lines; the same one if given.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If `net` is not a network, or `ax` not an Axes.
    ValueError
        If a weight is not finite, the shape does not fit the inputs, or `max_units` is below 2.

    Examples
    --------
    >>> from exactnet import Network, plot
    >>> ax = plot.network(Network([2, 3, 1], seed=0))
    >>> [text.get_text() for text in ax.texts[:3]]
    ['2\ninputs', '3\nsigmoid', '1\nsigmoid']
    """
    return _draw_network(lambda: given_or_new(ax, bare=True), net, max_units, image_shape)


def save_network(
    net: Network | ExactNetwork,
    path: str | os.PathLike[str],
    *,
    dpi: int = 150,
    max_units: int = 12,
    image_shape: tuple[int, int] | str | None = "auto",
) -> None:
    """Write the picture of `network` to a file, atomically and without pyplot.

    Parameters
    ----------
    net : Network or ExactNetwork
    path : path-like
        Ending in .png or .svg.
    dpi : int
        Pixels per inch of PNG, whose picture is 8 inches wide, up to 1200.
    max_units, image_shape
        As of `network`.

    Raises
    ------
    ImportError, TypeError, ValueError
        As `network`; and if the ending or `dpi` is not as described.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> from exactnet import Network, plot
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.svg")
    ...     plot.save_network(Network([2, 3, 1], seed=0), path)
    ...     os.path.getsize(path) > 1000
    True
    """
    kind = check_picture(path)
    dpi = positive_integer(dpi, "dpi")
    if dpi > _MOST_DPI:
        raise ValueError(f"dpi must be at most {_MOST_DPI}, not {dpi}")
    check_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=FIGURE_SIZE, layout="constrained")
    _draw_network(lambda: bare_axes(figure), net, max_units, image_shape)
    metadata = {"Date": None} if kind == "svg" else None
    # The same network is the same file: names in SVG come from a salt, which else is random. And
    # the images stay apart there, which else become one large one.
    settings: dict[Any, Any] = {"svg.hashsalt": "exactnet", "image.composite_image": False}
    with rc_context(settings), atomic_write(path, binary=True) as file:
        figure.savefig(file, format=kind, dpi=dpi, metadata=metadata)


def check_picture(path: str | os.PathLike[str]) -> str:
    """Return the format that the name of a picture asks for; ValueError if it is none of ours."""
    kind = os.path.splitext(os.fspath(path))[1].lower().lstrip(".")
    if kind not in FORMATS:
        known = " or ".join(f".{name}" for name in FORMATS)
        raise ValueError(f"{os.fspath(path)}: its name must end in {known}")
    return kind


class _Column:
    """Where the units of a layer are: some of them, if it is wide."""

    def __init__(
        self, n_units: int, x: float, low: float, high: float, most: int, pitch: float
    ) -> None:
        self.x = x
        self.n_units = n_units
        k = most // 2
        self.folded = n_units > most
        self.units = [*range(k), *range(n_units - k, n_units)] if self.folded else [*range(n_units)]
        rows = [*range(k), *range(k + _FOLD, 2 * k + _FOLD)] if self.folded else self.units
        count = rows[-1] + 1
        self.pitch = min((high - low) / count, pitch)
        top = (low + high) / 2 + self.pitch * (count - 1) / 2
        self.y = [top - row * self.pitch for row in rows]
        self.fold_y = top - (k + (_FOLD - 1) / 2) * self.pitch  # used if folded


def _draw_network(
    make_axes: Callable[[], Axes],
    net: Any,
    max_units: int,
    image_shape: tuple[int, int] | str | None,
) -> Axes:
    """Do what `exactnet.plot.network` describes, in Axes that are made once all is checked."""
    weights, activations = parameters(net)
    sizes = [weights[0].shape[1], *(w.shape[0] for w in weights)]
    max_units = positive_integer(max_units, "max_units")
    if max_units < 2:
        raise ValueError("max_units must be at least 2, for the first and the last unit")
    image = _image_shape(image_shape, sizes[0])

    largest = [greatest(w) for w in weights]
    counts = [f"{n:,}" for n in sizes]
    kinds = ["input" if sizes[0] == 1 else "inputs", *activations]
    if image is not None:
        kinds[0] = f"{image[0]} x {image[1]}"
    scales = [f"|w| ≤ {short(v)}" if v else "all w = 0" for v in largest]

    ax = make_axes()
    ax.set_axis_off()
    width, height = axes_size(ax)
    side = min(_SIDE, width / 10)
    step = (width - 2 * side) / len(sizes)
    labels = _Labels(counts, kinds, scales, step, height)
    columns = []
    for k, n in enumerate(sizes):
        most, pitch = max_units, _GREATEST_PITCH
        if image is not None and k == 1:
            pitch = _GREATEST_IMAGE
            if n > _MOST_IMAGES + _FOLD:  # else the fold would take the room of what it hides
                most = min(max_units, _MOST_IMAGES)
        x = side + (k + 0.5) * step
        columns.append(_Column(n, x, labels.bottom, height - labels.top, most, pitch))
    circles = columns if image is None else [c for k, c in enumerate(columns) if k != 1]
    radius = min(_GREATEST_RADIUS, 0.2 * step, *(0.36 * c.pitch for c in circles))

    first = 0
    if image is not None:
        first = 1
        _draw_images(ax, weights[0], largest[0], columns[0], columns[1], image, step)
    for k, (left, right) in enumerate(pairwise(columns)):
        if k >= first:
            _draw_weights(ax, weights[k], largest[k], left, right, radius)
    for k, column in enumerate(columns):
        if k >= 2 * first:
            _draw_circles(ax, column, radius)
        if k >= first and column.folded:
            _draw_fold(ax, column, step)
    labels.draw(ax, [c.x for c in columns], height - labels.top)
    signs = [any((w > 0).any() for w in weights), any((w < 0).any() for w in weights)]
    _draw_legend(ax, signs, min(9.0, 1.05 * labels.size), width)
    ax.set_aspect("equal")
    ax.set_xlim(0, width)
    ax.set_ylim(0, height)
    return ax


def _image_shape(shape: Any, n_inputs: int) -> tuple[int, int] | None:
    if shape is None:
        return None
    if isinstance(shape, str):
        if shape != "auto":
            raise ValueError(
                f"image_shape must be (height, width), 'auto' or None, not {shown(shape)}"
            )
        square = math.isqrt(n_inputs) ** 2 == n_inputs
        return check_image_shape(None, n_inputs) if square and n_inputs >= _LEAST_IMAGE else None
    return check_image_shape(shape, n_inputs)


def _draw_weights(
    ax: Axes, weights: Array, largest: Any, left: _Column, right: _Column, radius: float
) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    part = weights[np.ix_(right.units, left.units)]
    sizes = abs(relative(part, largest))
    thickest = min(_THICKEST, 72 * 0.55 * radius)
    # The signs are those of the weights: what is tiny beside the largest may be a float of 0.
    positive, negative = part > 0, part < 0
    order = np.argsort(sizes, axis=None, kind="stable")  # strong lines over weak ones
    segments, colors, widths = [], [], []
    for i, j in zip(*np.unravel_index(order, sizes.shape), strict=True):
        if positive[i, j] or negative[i, j]:
            segments.append([(left.x, left.y[j]), (right.x, right.y[i])])
            color = POSITIVE if positive[i, j] else NEGATIVE
            colors.append(to_rgba(color, 0.3 + 0.7 * sizes[i, j]))
            widths.append(_THINNEST + (thickest - _THINNEST) * sizes[i, j])
    lines = LineCollection(segments, colors=colors, linewidths=widths, zorder=1)
    lines.set_capstyle("butt")
    ax.add_collection(lines, autolim=False)


def _draw_circles(ax: Axes, column: _Column, radius: float) -> None:
    from matplotlib.patches import Circle

    for y in column.y:
        circle = Circle((column.x, y), radius, facecolor="white", edgecolor=INK, linewidth=1)
        circle.set_zorder(2)
        ax.add_patch(circle)


def _draw_fold(ax: Axes, column: _Column, step: float) -> None:
    text = f"{column.n_units - len(column.units):,} more"
    size = min(font_size([text], 0.9 * step, 8), 72 * 0.6 * column.pitch)
    ax.text(
        column.x,
        column.fold_y,
        text,
        ha="center",
        va="center",
        fontsize=size,
        color=INK,
        zorder=4,
        bbox=dict(facecolor="white", edgecolor="none", alpha=0.85, pad=1.0),
    )
    # half-way from the text to the units above and below
    for sign in (-1, 1):
        offsets = [sign * (size / 72 * 0.8 + 0.055 * k) for k in range(3)]
        ys = [column.fold_y + d for d in offsets if abs(d) < 0.95 * column.pitch]
        ax.plot([column.x] * len(ys), ys, ".", color=INK, markersize=2.5, zorder=4)


def _draw_images(
    ax: Axes,
    weights: Array,
    largest: Any,
    inputs: _Column,
    units: _Column,
    shape: tuple[int, int],
    step: float,
) -> None:
    from matplotlib.patches import Rectangle

    height, width = shape
    middle = (units.y[0] + units.y[-1]) / 2
    scale = min(0.9 * units.pitch / height, 0.6 * step / width)
    h, w = scale * height, scale * width
    # The inputs are one picture of empty pixels, of so many as can be seen.
    frame = min(1.0 / height, 0.7 * step / width)
    H, W = frame * height, frame * width
    left, low = inputs.x - W / 2, middle - H / 2
    for y in units.y:
        ax.plot([left + W, units.x - w / 2], [middle, y], color=FAINT, linewidth=0.7, zorder=1)
    box: dict[str, Any] = dict(edgecolor=INK, linewidth=1, zorder=3)
    ax.add_patch(Rectangle((left, low), W, H, facecolor="white", **box))
    rows, columns = (min(n, max(1, int(s / _PIXEL))) for n, s in ((height, H), (width, W)))
    style: dict[str, Any] = dict(colors=FAINT, linewidth=0.3, zorder=3)
    ax.hlines([low + H * k / rows for k in range(1, rows)], left, left + W, **style)
    ax.vlines([left + W * k / columns for k in range(1, columns)], low, low + H, **style)
    shares = relative(weights[units.units], largest).reshape(-1, height, width)
    colors = sign_colors()
    for y, share in zip(units.y, shares, strict=True):
        extent = (units.x - w / 2, units.x + w / 2, y - h / 2, y + h / 2)
        ax.imshow(
            share, cmap=colors, vmin=-1, vmax=1, extent=extent, interpolation="nearest", zorder=2
        )
        ax.add_patch(Rectangle((extent[0], extent[2]), w, h, facecolor="none", **box))


class _Labels:
    """What is written above the columns and below the weights between them.

    On end where the columns are close together, and then not at each if they are closer still. In
    small axes only the numbers of units.
    """

    def __init__(
        self, counts: list[str], kinds: list[str], scales: list[str], step: float, height: float
    ) -> None:
        heads = [f"{count}\n{kind}" for count, kind in zip(counts, kinds, strict=True)]
        size = font_size([*heads, *scales], 0.92 * step)
        self.upright = size < _LEAST_FONT and height >= _LEAST_HEIGHT
        if self.upright:
            heads = [head.replace("\n", " ") for head in heads]
            size = 7.0
        elif size < _LEAST_FONT:
            heads, scales = counts, []
            size = font_size(heads, 0.92 * step, 7)
        size = max(size, _LEAST_FONT)
        line = size / 72
        self.heads, self.scales, self.size = heads, scales, size
        self.lengths = [
            text_length(texts, size) if self.upright else LINE * line * _most_lines(texts)
            for texts in (heads, scales)
        ]
        widest = LINE * line if self.upright else 1.05 * text_length([*heads, *scales], size)
        self.every = max(1, math.ceil(widest / step))
        # between the text and the units, which reach out of their columns
        self.gap = 2.2 * line
        self.legend = 2.4 * line
        self.top = self.lengths[0] + self.gap + 0.5 * line
        self.bottom = self.legend + self.lengths[1] + self.gap

    def draw(self, ax: Axes, xs: list[float], top: float) -> None:
        rotation = 90 if self.upright else 0
        style: dict[str, Any] = dict(ha="center", color=INK, fontsize=self.size, rotation=rotation)
        for x, head in list(zip(xs, self.heads, strict=True))[:: self.every]:
            ax.text(x, top + self.gap, head, va="bottom", **style)
        middles = [(a + b) / 2 for a, b in pairwise(xs)]
        for x, scale in list(zip(middles, self.scales, strict=False))[:: self.every]:
            ax.text(x, self.bottom - self.gap, scale, va="top", **style)


def _most_lines(texts: list[str]) -> int:
    return max((text.count("\n") + 1 for text in texts), default=0)


def _draw_legend(ax: Axes, signs: list[bool], size: float, width: float) -> None:
    from matplotlib.lines import Line2D

    words = ["positive weight", "negative weight"]
    if font_size(["lines " * 2 + " ".join(words)], width) < size:
        words = ["w > 0", "w < 0"]
    kinds = [(POSITIVE, words[0]), (NEGATIVE, words[1])]
    shown = [kind for kind, present in zip(kinds, signs, strict=True) if present]
    if shown:
        ax.legend(
            [Line2D([], [], color=color, linewidth=2.5) for color, _ in shown],
            [label for _, label in shown],
            loc="lower center",
            ncols=2,
            frameon=False,
            fontsize=size,
            borderaxespad=0.2,
        )
