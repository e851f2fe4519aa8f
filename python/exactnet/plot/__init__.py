"""Pictures of networks, of their training and of what they compute, with matplotlib.

Every function draws into the Axes it is given, or makes a figure with pyplot, and returns the Axes.
Colours are those of Okabe and Ito, viridis and cividis, which do not depend on colour vision: blue
is positive and vermillion negative. matplotlib comes with ``pip install "exactnet[plot]"`` and is
imported when something is drawn.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet.activations import Activation, LeakyReLU, Sigmoid, Step, describe
from exactnet.base.checks import positive_integer, shown
from exactnet.base.files import atomic_write
from exactnet.dense.network import Network
from exactnet.dense.training import History
from exactnet.plot import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from exactnet.exact.network import ExactNetwork

Array: TypeAlias = npt.NDArray[Any]

__all__ = [
    "activation_functions",
    "confusion_matrix",
    "first_layer",
    "fit_1d",
    "gradient_norms",
    "learning_curves",
    "network",
    "save_network",
]

FORMATS = ("png", "svg")

_SIZE = (8.0, 5.0)  # inches: 800 pixels wide at matplotlib's usual 100 dots per inch
_MOST_DPI = 1200  # a picture of 230 MB while it is drawn
_ORANGE, _SKY, _GREEN, _PURPLE = "#E69F00", "#56B4E9", "#009E73", "#CC79A7"
_COLORS = (drawing.POSITIVE, drawing.NEGATIVE, _GREEN, _PURPLE, _ORANGE, _SKY, "#000000")
_STYLES = ("-", "--", "-.")
_N_POINTS = 601
# Up to so many points of a curve each gets a dot.
_FEW = 30
# More layers have every other, every third ... in the legend.
_MOST_ENTRIES = 12
# Smaller numbers in a confusion matrix cannot be read.
_LEAST_FONT = 4.0
_MOST_CLASSES, _MOST_TICKS = 1000, 30


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
    return drawing.draw_network(lambda: _axes(ax, bare=True), net, max_units, image_shape)


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
    _check_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    drawing.draw_network(lambda: _bare(figure), net, max_units, image_shape)
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
    return drawing.draw_first_layer(lambda: _axes(ax, bare=True), net, image_shape, max_units)


def learning_curves(history: History, ax: Axes | None = None) -> Axes:
    """Draw the losses over the epochs, and the accuracy if there is one, on an axis at the right.

    The losses have a logarithmic axis if the largest is over ten times the smallest.

    Parameters
    ----------
    history : History
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        That of the losses.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If `history` is no `History`.
    ValueError
        If it has no epochs.

    Examples
    --------
    >>> from exactnet import Network, plot
    >>> net = Network([1, 1], activations="linear", seed=0)
    >>> history = net.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=20)
    >>> ax = plot.learning_curves(history)
    >>> ax.get_xlabel(), len(ax.lines)
    ('epoch', 1)
    """
    if not isinstance(history, History):
        raise TypeError(f"history must be a History, as fit returns, not {type(history).__name__}")
    if not history.loss:
        raise ValueError("history has no epochs")
    ax = _axes(ax)
    lines = _curve(ax, history.loss, "training loss", color=drawing.POSITIVE)
    values = list(history.loss)
    if history.val_loss:
        lines += _curve(
            ax, history.val_loss, "validation loss", color=drawing.NEGATIVE, linestyle="--"
        )
        values += history.val_loss
    if min(values) > 0 and max(values) > 10 * min(values):
        ax.set_yscale("log")
    ax.set_ylabel("loss")
    _epoch_axis(ax, len(history.loss))
    where = ax
    if history.val_accuracy:
        where = ax.twinx()  # type: ignore[assignment, unused-ignore]
        lines += _curve(
            where, history.val_accuracy, "validation accuracy", color=_GREEN, linestyle="-."
        )
        where.set_ylabel("accuracy", color=_GREEN)
    # All in one legend, above the curves: wherever it were among them, it would hide some.
    _legend_above(where, lines)
    return ax


def fit_1d(
    net: Network | ExactNetwork,
    target: Callable[[float], Any] | tuple[Any, Any],
    interval: tuple[float, float] | None = None,
    contributions: bool | None = None,
    ax: Axes | None = None,
    *,
    output: int = 0,
) -> Axes:
    """Draw what a network makes of a function of one variable, and what each unit adds to it.

    Parameters
    ----------
    net : Network or ExactNetwork
        With one input.
    target : callable or (x, y)
        What was to be fitted: a function of a float, or points.
    interval : (low, high), optional
        Where to draw; by default where the points are.
    contributions : bool, optional
        Draw ``v activation(w x + b)`` of every hidden unit, v being its weight in the output: the
        sum of these and the output's bias is the network, up to the output's activation. By
        default if there is one hidden layer.
    ax : matplotlib Axes, optional
    output : int
        The number of the output to draw.

    Returns
    -------
    matplotlib Axes
        Contributions that are far larger than the function are cut off, and what is beyond the
        range of floats is left out.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If `net` is not a network.
    ValueError
        If the network has several inputs, the points are no two equally long sequences of finite
        numbers, the interval is none or missing, or contributions are asked of a network without
        exactly one hidden layer.

    Examples
    --------
    >>> import math
    >>> from exactnet import Network, plot
    >>> net = Network([1, 5, 1], activations=["tanh", "linear"], seed=0)
    >>> ax = plot.fit_1d(net, math.sin, (-3, 3))
    >>> len(ax.lines)  # the function, the network and 5 units
    7
    """
    weights, _ = drawing.parameters(net)
    if weights[0].shape[1] != 1:
        raise ValueError(f"fit_1d is for networks of one input, not {weights[0].shape[1]}")
    n_outputs = len(weights[-1])
    if isinstance(output, bool) or not isinstance(output, int) or not 0 <= output < n_outputs:
        raise ValueError(
            f"output must be an integer from 0 to {n_outputs - 1}, not {shown(output)}"
        )
    if contributions is None:
        contributions = len(weights) == 2
    if contributions and len(weights) != 2:
        raise ValueError(
            f"contributions are those of one hidden layer; there are {len(weights) - 1}"
        )
    points = None if callable(target) else _points(target)
    if interval is None and points is not None:
        interval = float(points[0].min()), float(points[0].max())
    low, high = _interval(interval)
    x = np.linspace(low, high, _N_POINTS)
    fit = _outputs(net, x)[:, output]

    drawn = [fit]
    ax = _axes(ax)
    if points is not None:
        inside = (points[0] >= low) & (points[0] <= high)
        drawn.append(points[1][inside])
        size = 18 if len(points[0]) <= 100 else 6
        ax.scatter(*points, s=size, color="black", linewidths=0, label="points", zorder=3)
    elif callable(target):
        y = np.array([float(target(v)) for v in x.tolist()])
        drawn.append(y[np.isfinite(y)])
        ax.plot(x, y, color="black", linewidth=3.5, alpha=0.45, label="function", zorder=3)
    ax.plot(x, fit, color=drawing.NEGATIVE, linewidth=1.8, label="network", zorder=4)
    if contributions:
        parts = _contributions(net, weights[1][output], x)
        n = parts.shape[1]
        label = f"contributions of the {n:,} units" if n > 1 else "contribution of the unit"
        width, alpha = (1.0, 0.8) if n <= 20 else (0.6, 0.5)
        style: dict[str, Any] = dict(color=drawing.POSITIVE, linewidth=width, alpha=alpha)
        for k in range(n):
            ax.plot(x, parts[:, k], label=label if k == 0 else None, zorder=2, **style)
        drawn.append(parts)
    _limit(ax, drawn)
    ax.set_xlim(low, high)
    ax.set_xlabel("x")
    ax.set_ylabel("y")
    _legend_above(ax)
    return ax


def activation_functions(
    names: Activation | Iterable[Activation],
    ax: Axes | None = None,
    *,
    interval: tuple[float, float] = (-4.0, 4.0),
) -> Axes:
    """Draw activation functions.

    Parameters
    ----------
    names : name or object of `exactnet.activations`, or several
        All but softmax, which is no function of one number.
    ax : matplotlib Axes, optional
    interval : (low, high)

    Returns
    -------
    matplotlib Axes
        If some are bounded and others not, those others are cut off at 2.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If an activation is unknown or softmax, there is none, or the interval is no interval.

    Examples
    --------
    >>> from exactnet import plot
    >>> from exactnet.activations import Sigmoid
    >>> ax = plot.activation_functions(["relu", "tanh", Sigmoid(slope=4, threshold=1)])
    >>> ax.get_legend().get_texts()[2].get_text()
    'sigmoid, slope 4, threshold 1'
    """
    single = isinstance(names, str | Sigmoid | LeakyReLU | Step)
    activations: list[Any] = [names] if single else list(names)  # type: ignore[arg-type]
    if not activations:
        raise ValueError("names holds no activation")
    low, high = _interval(interval)
    x = np.linspace(low, high, _N_POINTS)
    curves = []
    for activation in activations:
        if describe(activation)[0] == "softmax":
            raise ValueError("softmax is no function of one number")
        one = Network.from_arrays([[[1.0]]], [[0.0]], [activation])
        curves.append(one.predict(x[:, None])[:, 0])
    ax = _axes(ax)
    for k, (activation, y) in enumerate(zip(activations, curves, strict=True)):
        # Many agree at 0 or 1. There all can be seen, for later ones are narrower and broken.
        ax.plot(
            x,
            y,
            color=_COLORS[k % len(_COLORS)],
            linestyle=_STYLES[k * len(_STYLES) // len(curves)],
            linewidth=3.6 - 2.0 * k / max(len(curves) - 1, 1),
            label=_activation_label(activation),
        )
    bounded = {describe(a)[0] in ("sigmoid", "tanh", "step") for a in activations}
    if len(bounded) == 2:
        bottom, top = ax.get_ylim()
        ax.set_ylim(max(bottom, -1.2), min(top, 2.0))
    ax.set_xlim(low, high)
    ax.set_xlabel("z")
    ax.set_ylabel("activation")
    ax.grid(alpha=0.3)
    _legend_above(ax)
    return ax


def gradient_norms(norms: History | Sequence[Sequence[float]], ax: Axes | None = None) -> Axes:
    """Draw the norm of every layer's gradient over the epochs, on a logarithmic axis.

    Layers go from dark to light: where gradients vanish, the dark lines lie far below the light
    ones. Of a single epoch the norms are drawn over the layers.

    Parameters
    ----------
    norms : History, or sequence (epochs, layers) of float
        A history of ``fit(..., record_gradient_norms=True)``, or its `gradient_norms`.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        Norms of 0 have no place on a logarithmic axis and are left out.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there are none, they are no matrix, or one is below 0 or not finite.

    Examples
    --------
    >>> from exactnet import Network, plot
    >>> net = Network([2, 3, 3, 1], seed=0)
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    >>> history = net.fit(X, y, epochs=50, batch_size=4, record_gradient_norms=True)
    >>> ax = plot.gradient_norms(history)
    >>> len(ax.lines), ax.get_yscale()
    (3, 'log')
    """
    if isinstance(norms, History):
        norms = norms.gradient_norms
        if not norms:
            raise ValueError("history has no gradient norms: fit(..., record_gradient_norms=True)")
    try:
        values = np.asarray(norms, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("norms must be numbers of shape (epochs, layers)") from None
    if values.ndim != 2 or not values.size:
        raise ValueError(f"norms must be of shape (epochs, layers), not {values.shape}")
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError("norms must be finite numbers, none below 0")
    n_epochs, n_layers = values.shape
    logarithmic = bool((values > 0).any())
    shown = np.where(values > 0, values, np.nan) if logarithmic else values
    ax = _axes(ax)
    if n_epochs == 1:
        ax.plot(range(1, n_layers + 1), shown[0], "o-", color=drawing.POSITIVE)
        _integer_axis(ax, "layer")
    else:
        from matplotlib import colormaps

        every = math.ceil(n_layers / _MOST_ENTRIES)
        for k in range(n_layers):
            # not up to the end of the map, whose yellow is hard to see on white
            color = colormaps["viridis"](0.88 * k / max(n_layers - 1, 1))
            named = k % every == 0 or k == n_layers - 1
            _curve(ax, shown[:, k], f"layer {k + 1}" if named else None, color=color)
        _epoch_axis(ax, n_epochs)
        handles, labels = ax.get_legend_handles_labels()
        order = slice(None, None, -1 if values[-1, -1] > values[-1, 0] else 1)  # as the lines lie
        ax.legend(
            handles[order],
            labels[order],
            loc="center left",
            bbox_to_anchor=(1.01, 0.5),
            frameon=False,
            fontsize=9,
        )
    if logarithmic:
        ax.set_yscale("log")
    ax.set_ylabel("norm of the gradient")
    return ax


def confusion_matrix(
    labels: Any, predicted: Any, ax: Axes | None = None, *, classes: Sequence[Any] | None = None
) -> Axes:
    """Draw how many samples of every class were taken for which.

    Parameters
    ----------
    labels, predicted : array-like (samples,) of int or str
        The true classes, and for example those of `Network.classify`.
    ax : matplotlib Axes, optional
    classes : sequence, optional
        The classes in their order; by default those that occur, sorted.

    Returns
    -------
    matplotlib Axes
        Rows are the true classes. Numbers are counts, if there is room for them; colours are
        shares of the row.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If labels are no integers or strings, differ in number, are none, or are not in `classes`.

    Examples
    --------
    >>> from exactnet import plot
    >>> ax = plot.confusion_matrix([0, 0, 1, 1, 1], [0, 1, 1, 1, 1])
    >>> [text.get_text() for text in ax.texts]
    ['1', '1', '0', '3']
    """
    counts, names = _confusion(labels, predicted, classes)
    n = len(names)
    ax = _axes(ax, (6.0, 5.2) if n <= 12 else (8.0, 7.0))
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    image = ax.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    width, height = drawing.axes_size(ax)
    cell = min(width, height) / n
    digits = [f"{count:,}" for count in counts.ravel()]
    size = min(drawing.font_size(digits, 0.85 * cell, 11), 72 * 0.6 * cell)
    for k, text in enumerate(digits if size >= _LEAST_FONT else []):
        i, j = divmod(k, n)
        color = "black" if shares[i, j] > 0.5 else "white"
        ax.text(j, i, text, ha="center", va="center", color=color, fontsize=size)
    every = math.ceil(n / _MOST_TICKS)
    ticks, shown = range(0, n, every), names[::every]
    size = min(drawing.font_size(shown, 1.2, 10), 72 * 0.7 * cell * every)
    narrow = drawing.font_size(shown, 0.9 * cell * every, size) < size
    ax.set_xticks(ticks, shown, fontsize=size, rotation=90 if narrow else 0)
    ax.set_yticks(ticks, shown, fontsize=size)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    ax.figure.colorbar(image, ax=ax, label="share of the true class", shrink=0.85)
    return ax


def _check_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError('exactnet.plot needs matplotlib: pip install "exactnet[plot]"') from None


def _axes(ax: Axes | None, size: tuple[float, float] = _SIZE, *, bare: bool = False) -> Axes:
    """Return the given Axes, or those of a new figure of pyplot."""
    _check_matplotlib()
    from matplotlib.axes import Axes

    if ax is not None:
        if not isinstance(ax, Axes):
            raise TypeError(f"ax must be an Axes of matplotlib, not {type(ax).__name__}")
        return ax
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=size, layout="constrained")
    return _bare(figure) if bare else figure.add_subplot()


def _bare(figure: Figure) -> Axes:
    """Return Axes without axis lines that are as large as the figure will let them be."""
    ax = figure.add_subplot()
    ax.set_axis_off()
    figure.draw_without_rendering()
    return ax


def _curve(ax: Axes, values: Any, label: str | None, **style: Any) -> list[Any]:
    marker = "." if len(values) <= _FEW else None
    style = {"linewidth": 1.8, "marker": marker, **style}
    return ax.plot(range(1, len(values) + 1), values, label=label, **style)


def _epoch_axis(ax: Axes, n_epochs: int) -> None:
    ax.grid(alpha=0.3)
    _integer_axis(ax, "epoch")
    if n_epochs == 1:  # around which there would be no other whole number
        ax.set_xlim(0, 2)


def _integer_axis(ax: Axes, label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.set_xlabel(label)


def _legend_above(ax: Axes, lines: list[Any] | None = None) -> None:
    """Put the legend over the axes, in as many columns as the width has room for."""
    handles, labels = ax.get_legend_handles_labels()
    if lines is not None:
        handles, labels = lines, [line.get_label() for line in lines]
    # a sample of the line and the distances take about eight letters
    room = drawing.axes_size(ax)[0] / drawing.text_length(["x"], 9)
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


def _interval(interval: Any) -> tuple[float, float]:
    try:
        low, high = map(float, interval)
    except (TypeError, ValueError):
        raise ValueError(f"interval must be two numbers, not {shown(interval)}") from None
    if not (low < high and math.isfinite(high - low)):
        raise ValueError(f"interval must be (low, high) with low < high, not {shown(interval)}")
    return low, high


def _points(target: Any) -> tuple[Array, Array]:
    """Return x and y as vectors of floats."""
    if not isinstance(target, Sequence) or isinstance(target, str) or len(target) != 2:
        raise ValueError("target must be a function or points as a pair (x, y)")
    vectors = []
    for name, values in zip(("x", "y"), target, strict=True):
        try:
            vector = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{name} of the target must hold real numbers") from None
        if vector.ndim == 2 and vector.shape[1] == 1:
            vector = vector[:, 0]
        if vector.ndim != 1 or not vector.size:
            raise ValueError(f"{name} of the target must be (points,), not {vector.shape}")
        if not np.isfinite(vector).all():
            raise ValueError(f"{name} of the target holds numbers that are not finite")
        vectors.append(vector)
    x, y = vectors
    if len(x) != len(y):
        raise ValueError(f"the target has {len(x)} x but {len(y)} y")
    return x, y


def _outputs(net: Network | ExactNetwork, x: Array) -> Array:
    """Return the outputs as floats, (points, outputs); of exact networks without rounding."""
    if isinstance(net, Network):
        return net.predict(x[:, None]).astype(np.float64)
    from exactnet.exact.rationals import to_floats

    return to_floats(net.predict(x[:, None]))


def _contributions(net: Network | ExactNetwork, weights: Array, x: Array) -> Array:
    """Return what every hidden unit adds to an output by its weight, (points, units)."""
    if isinstance(net, Network):
        hidden = Network.from_arrays(net.weights[:1], net.biases[:1], net.activations[:1])
        parts: Array = _outputs(hidden, x) * weights
        return parts
    from exactnet.exact.network import ExactNetwork
    from exactnet.exact.rationals import to_floats

    exact = ExactNetwork.from_arrays(net.weights[:1], net.biases[:1], net.activations[:1])
    # The product comes before the rounding: either factor may lie beyond floats.
    return to_floats(exact.predict(x[:, None]) * weights)


def _limit(ax: Axes, shown: list[Array]) -> None:
    """Show the function whole, and of contributions as much as leaves it room."""
    finite = [values[np.isfinite(values)] for values in shown]
    main = np.concatenate([v.ravel() for v in finite[:2]])
    rest = np.concatenate([v.ravel() for v in finite])
    low, high = float(main.min(initial=np.inf)), float(main.max(initial=-np.inf))
    if low > high:
        return  # there is nothing but what floats cannot hold
    span = (high - low) or abs(high) or 1.0
    bottom = max(float(rest.min()), low - 0.75 * span)
    top = min(float(rest.max()), high + 0.75 * span)
    margin = 0.05 * ((top - bottom) or span)
    ax.set_ylim(bottom - margin, top + margin)


def _activation_label(activation: Activation) -> str:
    name = describe(activation)[0]
    words = [name]
    if not isinstance(activation, str):
        words += [
            f"{key} {getattr(activation, key):g}"
            for key in ("slope", "threshold")
            if hasattr(activation, key)
        ]
    return ", ".join(words)


def _confusion(labels: Any, predicted: Any, classes: Any) -> tuple[Array, list[str]]:
    """Return the counts, (true classes, predicted classes), and the names of the classes."""
    vectors = []
    for name, values in (("labels", labels), ("predicted", predicted)):
        vector = np.asarray(values)
        if vector.ndim != 1:
            raise ValueError(f"{name} must be (samples,), not of shape {vector.shape}")
        if not vector.size:
            raise ValueError(f"{name} is empty")
        if vector.dtype.kind not in "iubU":
            raise ValueError(f"{name} must hold integers or strings, not {vector.dtype}")
        vectors.append(vector.tolist())
    true, taken = vectors
    if len(true) != len(taken):
        raise ValueError(f"there are {len(true)} labels but {len(taken)} predicted ones")
    if isinstance(true[0], str) != isinstance(taken[0], str):
        raise ValueError("labels and predicted must both be integers or both be strings")
    known = sorted({*true, *taken}) if classes is None else list(classes)
    if len(known) > _MOST_CLASSES:
        raise ValueError(f"there are {len(known)} classes; at most {_MOST_CLASSES} can be drawn")
    place = {value: k for k, value in enumerate(known)}
    if len(place) < len(known):
        raise ValueError("classes holds a class twice")
    counts = np.zeros((len(known), len(known)), dtype=np.int64)
    for t, p in zip(true, taken, strict=True):
        for value in (t, p):
            if value not in place:
                raise ValueError(f"the label {value!r} is not in classes")
        counts[place[t], place[p]] += 1
    return counts, [str(value) for value in known]
