"""Axes, and what is written in and around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURE_SIZE = (8.0, 5.0)  # inches: 800 pixels wide at matplotlib's usual 100 dots per inch
# Of Okabe and Ito's palette, whose colours people of all kinds of colour vision tell apart.
POSITIVE, NEGATIVE = "#0072B2", "#D55E00"
GREEN, _PURPLE, _ORANGE, _SKY = "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
COLORS = (POSITIVE, NEGATIVE, GREEN, _PURPLE, _ORANGE, _SKY, "#000000")
INK, FAINT = "#333333", "#AAAAAA"
# Width of a usual letter, and distance of lines, as multiples of the font size.
_LETTER, LINE = 0.62, 1.3


def check_matplotlib() -> None:
    """Say how to get matplotlib where it is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError('exactnet.plot needs matplotlib: pip install "exactnet[plot]"') from None


def given_or_new(
    ax: Axes | None, size: tuple[float, float] = FIGURE_SIZE, *, bare: bool = False
) -> Axes:
    """Return the given Axes, or those of a new figure of pyplot."""
    check_matplotlib()
    from matplotlib.axes import Axes

    if ax is not None:
        if not isinstance(ax, Axes):
            raise TypeError(f"ax must be an Axes of matplotlib, not {type(ax).__name__}")
        return ax
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=size, layout="constrained")
    return bare_axes(figure) if bare else figure.add_subplot()


def bare_axes(figure: Figure) -> Axes:
    """Return Axes without axis lines that are as large as the figure will let them be."""
    ax = figure.add_subplot()
    ax.set_axis_off()
    figure.draw_without_rendering()
    return ax


def axes_size(ax: Axes) -> tuple[float, float]:
    """Return width and height in inches."""
    box = ax.get_window_extent()
    dpi = ax.figure.dpi
    return max(float(box.width) / dpi, 0.1), max(float(box.height) / dpi, 0.1)


def font_size(labels: Sequence[str], width: float, largest: float = 9.0) -> float:
    """Return a size in points at which the longest line fits into so many inches."""
    return min(largest, width / max(text_length(labels, 1.0), 0.01))


def text_length(texts: Sequence[str], size: float) -> float:
    """Return about how many inches the longest line takes in letters of so many points."""
    lines = [line for text in texts for line in text.split("\n")]
    return _LETTER * size / 72 * max(map(len, lines), default=0)


def legend_above(ax: Axes, lines: list[Any] | None = None) -> None:
    """Put the legend over the axes, in as many columns as the width has room for."""
    handles, labels = ax.get_legend_handles_labels()
    if lines is not None:
        handles, labels = lines, [line.get_label() for line in lines]
    # a sample of the line and the distances take about eight letters
    room = axes_size(ax)[0] / text_length(["x"], 9)
    lengths = [len(label) + 8 for label in labels]
    columns = len(labels)
    while columns > 1:
        rows = math.ceil(len(labels) / columns)
        if sum(max(lengths[k : k + rows]) for k in range(0, len(labels), rows)) <= room:
            break
        columns -= 1
    ax.legend(
        handles,
        labels,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=columns,
        frameon=False,
        fontsize=9,
    )
