"""Functions of one variable: what networks make of them, and activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet.activations import OBJECTS, Activation, describe
from exactnet.base.checks import shown
from exactnet.dense.network import Network
from exactnet.plot.axes import COLORS, NEGATIVE, POSITIVE, given_or_new, legend_above
from exactnet.plot.weights import parameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from exactnet.exact.network import ExactNetwork

Array: TypeAlias = npt.NDArray[Any]

_STYLES = ("-", "--", "-.")
_N_POINTS = 601


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
    weights, _ = parameters(net)
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
    ax = given_or_new(ax)
    if points is not None:
        inside = (points[0] >= low) & (points[0] <= high)
        drawn.append(points[1][inside])
        size = 18 if len(points[0]) <= 100 else 6
        ax.scatter(*points, s=size, color="black", linewidths=0, label="points", zorder=3)
    elif callable(target):
        y = np.array([float(target(v)) for v in x.tolist()])
        drawn.append(y[np.isfinite(y)])
        ax.plot(x, y, color="black", linewidth=3.5, alpha=0.45, label="function", zorder=3)
    ax.plot(x, fit, color=NEGATIVE, linewidth=1.8, label="network", zorder=4)
    if contributions:
        parts = _contributions(net, weights[1][output], x)
        n = parts.shape[1]
        label = f"contributions of the {n:,} units" if n > 1 else "contribution of the unit"
        width, alpha = (1.0, 0.8) if n <= 20 else (0.6, 0.5)
        style: dict[str, Any] = dict(color=POSITIVE, linewidth=width, alpha=alpha)
        for k in range(n):
            ax.plot(x, parts[:, k], label=label if k == 0 else None, zorder=2, **style)
        drawn.append(parts)
    _limit(ax, drawn)
    ax.set_xlim(low, high)
    ax.set_xlabel("x")
    ax.set_ylabel("y")
    legend_above(ax)
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
    single = isinstance(names, (str, *OBJECTS))
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
    ax = given_or_new(ax)
    for k, (activation, y) in enumerate(zip(activations, curves, strict=True)):
        # Many agree at 0 or 1. There all can be seen, for later ones are narrower and broken.
        ax.plot(
            x,
            y,
            color=COLORS[k % len(COLORS)],
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
    legend_above(ax)
    return ax


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
