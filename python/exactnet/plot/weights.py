"""Weights of networks of either kind, as sizes and colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from exactnet.activations import describe
from exactnet.base.checks import positive_integer, shown
from exactnet.dense.network import Network
from exactnet.plot.axes import NEGATIVE, POSITIVE

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

Array: TypeAlias = npt.NDArray[Any]


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
