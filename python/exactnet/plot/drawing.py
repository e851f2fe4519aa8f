"""Pictures of networks, behind `exactnet.plot`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet.activations import describe
from exactnet.base.checks import positive_integer, shown
from exactnet.dense.network import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

Array: TypeAlias = npt.NDArray[Any]

# Of Okabe and Ito's palette, whose colours people of all kinds of colour vision tell apart.
POSITIVE, NEGATIVE = "#0072B2", "#D55E00"
INK, FAINT = "#333333", "#AAAAAA"

# Width of a usual letter, and distance of lines, as multiples of the font size.
_LETTER, _LINE = 0.62, 1.3

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


def parameters(net: Any) -> tuple[list[Array], list[str]]:
    """Return weights, of floats or mpq, and names of activations; raise if it is no network."""
    if isinstance(net, Network):
        for k, w in enumerate(net.weights):
            if not np.isfinite(w).all():
                raise ValueError(f"weights[{k}] holds numbers that are not finite")
        return [w.astype(np.float64) for w in net.weights], [
            describe(a)[0] for a in net.activations
        ]
    from exactnet.exact.network import ExactNetwork  # here, for it takes long to import

    if not isinstance(net, ExactNetwork):
        raise TypeError(f"a Network or an ExactNetwork is needed, not {type(net).__name__}")
    # Anyone may have written numbers of other types into it.
    net = ExactNetwork.from_arrays(net.weights, net.biases, net.activations)
    return net.weights, net.activations


def greatest(weights: Array) -> Any:
    """Return the greatest absolute value, as a float or an mpq."""
    return abs(weights).max()


def relative(weights: Array, largest: Any) -> npt.NDArray[np.float64]:
    """Return weights / largest as floats, which are in [-1, 1] however large the numbers are."""
    if not largest:
        return np.zeros(weights.shape)
    if weights.dtype != object:
        ratios: npt.NDArray[np.float64] = weights / largest
        return ratios
    from exactnet.exact.rationals import to_floats

    return to_floats(weights / largest)


def short(value: Any) -> str:
    """Return a number of any size in three digits."""
    try:
        number = float(value)
    except OverflowError:
        number = 0.0
    if number:
        return f"{number:.3g}"
    import gmpy2  # whose floats have exponents of any size

    return f"{gmpy2.mpfr(value):.3g}"


def check_image_shape(shape: Any, n_inputs: int) -> tuple[int, int]:
    """Return (height, width) of the inputs as an image, by default a square."""
    if shape is None:
        side = math.isqrt(n_inputs)
        if side * side != n_inputs:
            raise ValueError(
                f"{n_inputs} inputs are no square image; image_shape=(height, width) says "
                "how they lie"
            )
        return side, side
    if not isinstance(shape, Sequence) or isinstance(shape, str) or len(shape) != 2:
        raise ValueError(f"image_shape must be (height, width), not {shown(shape)}")
    height, width = (positive_integer(n, f"image_shape[{k}]") for k, n in enumerate(shape))
    if height * width != n_inputs:
        raise ValueError(f"image_shape {height} x {width} does not fit {n_inputs} inputs")
    return height, width


def sign_colors() -> Colormap:
    """Return the colours of weights from -1 to 1; the ends are those of the lines."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("exactnet", [NEGATIVE, "#FFFFFF", POSITIVE])


def font_size(labels: Sequence[str], width: float, largest: float = 9.0) -> float:
    """Return a size in points at which the longest line fits into so many inches."""
    return min(largest, width / max(text_length(labels, 1.0), 0.01))


def axes_size(ax: Axes) -> tuple[float, float]:
    """Return width and height in inches."""
    box = ax.get_window_extent()
    dpi = ax.figure.dpi
    return max(float(box.width) / dpi, 0.1), max(float(box.height) / dpi, 0.1)


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


def draw_network(
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
            text_length(texts, size) if self.upright else _LINE * line * _most_lines(texts)
            for texts in (heads, scales)
        ]
        widest = _LINE * line if self.upright else 1.05 * text_length([*heads, *scales], size)
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


def text_length(texts: Sequence[str], size: float) -> float:
    """Return about how many inches the longest line takes in letters of so many points."""
    lines = [line for text in texts for line in text.split("\n")]
    return _LETTER * size / 72 * max(map(len, lines), default=0)


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


def draw_first_layer(
    make_axes: Callable[[], Axes], net: Any, image_shape: tuple[int, int] | None, max_units: int
) -> Axes:
    """Do what `exactnet.plot.first_layer` describes, as `draw_network`."""
    weights = parameters(net)[0][0]
    height, width = check_image_shape(image_shape, weights.shape[1])
    max_units = positive_integer(max_units, "max_units")
    n = min(len(weights), max_units)
    largest = greatest(weights)
    shares = relative(weights[:n], largest).reshape(n, height, width)

    ax = make_axes()
    # as many columns as make the whole about as wide and high as the axes
    available = axes_size(ax)
    ratio = available[0] / available[1] * (height / width)
    columns = min(n, max(1, round(math.sqrt(n * ratio))))
    gap = 0.12 * max(height, width)
    rows = math.ceil(n / columns)
    picture = None
    for k, share in enumerate(shares):
        x, y = k % columns * (width + gap), k // columns * (height + gap)
        picture = ax.imshow(
            share,
            cmap=sign_colors(),
            vmin=-1,
            vmax=1,
            extent=(x, x + width, y + height, y),
            interpolation="nearest",
        )
        # A frame: weights about 0 are as white as the paper.
        frame = [x, x + width, x + width, x, x], [y, y, y + height, y + height, y]
        ax.plot(*frame, color=FAINT, linewidth=0.6)
    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.set_xlim(-gap / 2, columns * (width + gap) - gap / 2)
    ax.set_ylim(rows * (height + gap) - gap / 2, -gap / 2)
    if n < len(weights):
        ax.set_title(f"the first {n:,} of {len(weights):,} units", fontsize=10)
    assert picture is not None
    if largest:
        bar = ax.figure.colorbar(picture, ax=ax, ticks=[-1, 0, 1], shrink=0.7, label="weight")
        bar.ax.set_yticklabels(["-" + short(largest), "0", short(largest)])
    return ax
