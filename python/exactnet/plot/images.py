"""The first layer as images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from exactnet.base.checks import positive_integer
from exactnet.plot.axes import FAINT, axes_size, given_or_new
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


def first_layer(
    net: Network | ExactNetwork,
    image_shape: tuple[int, int] | None = None,
    ax: Axes | None = None,
    *,
    max_units: int = 100,
) -> Axes:
    """Draw the weights of every unit of the first layer as an image, in rows.

    All images have the same scale, beside which a colour bar stands.

    Parameters
    ----------
    net : Network or ExactNetwork
    image_shape : (height, width), optional
        Of the inputs; by default a square.
    ax : matplotlib Axes, optional
    max_units : int
        Of layers with more units the first ones are drawn.

    Returns
    -------
    matplotlib Axes
        With one image per unit, row by row.

    Raises
    ------
    ImportError, TypeError
        As `network`.
    ValueError
        If a weight is not finite, or the shape does not fit the inputs.

    Examples
    --------
    >>> from exactnet import Network, plot
    >>> len(plot.first_layer(Network([64, 30, 10], seed=0)).images)
    30
    """
    weights = parameters(net)[0][0]
    height, width = check_image_shape(image_shape, weights.shape[1])
    max_units = positive_integer(max_units, "max_units")
    n = min(len(weights), max_units)
    largest = greatest(weights)
    shares = relative(weights[:n], largest).reshape(n, height, width)

    ax = given_or_new(ax, bare=True)
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
