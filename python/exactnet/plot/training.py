"""Trainings, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from exactnet.dense.history import History
from exactnet.plot.axes import GREEN, NEGATIVE, POSITIVE, given_or_new, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Up to so many points of a curve each gets a dot.
_FEW = 30
# More layers have every other, every third ... in the legend.
_MOST_ENTRIES = 12


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
    ax = given_or_new(ax)
    lines = _curve(ax, history.loss, "training loss", color=POSITIVE)
    values = list(history.loss)
    if history.val_loss:
        lines += _curve(ax, history.val_loss, "validation loss", color=NEGATIVE, linestyle="--")
        values += history.val_loss
    if min(values) > 0 and max(values) > 10 * min(values):
        ax.set_yscale("log")
    ax.set_ylabel("loss")
    _epoch_axis(ax, len(history.loss))
    where = ax
    if history.val_accuracy:
        where = ax.twinx()  # type: ignore[assignment, unused-ignore]
        lines += _curve(
            where, history.val_accuracy, "validation accuracy", color=GREEN, linestyle="-."
        )
        where.set_ylabel("accuracy", color=GREEN)
    # All in one legend, above the curves: wherever it were among them, it would hide some.
    legend_above(where, lines)
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
    ax = given_or_new(ax)
    if n_epochs == 1:
        ax.plot(range(1, n_layers + 1), shown[0], "o-", color=POSITIVE)
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
