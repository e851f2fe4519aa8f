"""How far float inference is from real arithmetic."""

from __future__ import annotations

from typing import Any, NamedTuple

import gmpy2
import numpy as np

from exactnet import _core
from exactnet.base.checks import thread_count
from exactnet.base.dataset import Dataset
from exactnet.base.progress import Progress
from exactnet.bridge.conversion import to_exact
from exactnet.dense.network import Network
from exactnet.exact.data import as_points

# Exact outputs may have thousands of bits each: so many rows of them are held at a time.
_ROWS = 4096


class RoundingError(NamedTuple):
    """The largest difference between float inference and real arithmetic.

    Attributes
    ----------
    error : mpq
        Its absolute value.
    row, output : int
        The sample and the output where it happens, the first ones of several.
    """

    error: Any
    row: int
    output: int


def rounding_error(
    network: Network, X: Any, *, n_threads: int = 1, progress: Progress | None = None
) -> RoundingError:
    """Compare what a trained network computes in floats with what its weights say.

    `Network.predict`, called once for all of X, is compared with `Network.to_exact` evaluated in
    rational arithmetic. Both take X as converted to the network's type, so that the difference is
    that of the arithmetic alone: of the order of additions, fused or not, that the kernels for this
    processor use. Another processor or batch may round differently.

    Parameters
    ----------
    network : Network
        With activations "relu" and "linear" only.
    X : array-like (samples, features), or Dataset
    n_threads : int
        Of the exact evaluation.
    progress : callable, optional
        Called now and then with the finished share, from 0 to 1.

    Returns
    -------
    RoundingError
        (error, row, output)

    Raises
    ------
    ValueError
        If an activation is neither "relu" nor "linear"; if X is empty, not finite or has another
        number of features than the network; or if float inference overflows, naming the row.
    TypeError
        If network is not a `Network`.
    KeyboardInterrupt
        On Ctrl-C, within a fraction of a second.

    Examples
    --------
    In float64, 0.1 + 0.2 is not the sum of these two floats:

    >>> from exactnet import Network, rounding_error
    >>> net = Network.from_arrays([[[1.0, 1.0]]], [[0.0]], "linear")
    >>> rounding_error(net, [[0.5, 0.25], [0.1, 0.2]])
    RoundingError(error=mpq(1,36028797018963968), row=1, output=0)
    """
    if not isinstance(network, Network):
        raise TypeError(f"network must be a Network, not {type(network).__name__}")
    n_threads = thread_count(n_threads)
    core = to_exact(network)._parameters().to_core()
    samples = network._samples(X)
    if not isinstance(X, Dataset):
        samples = samples.copy()  # read twice, while others may write to X
    outputs = network.predict(samples)
    finite = np.isfinite(outputs)
    if not finite.all():
        row, output = np.argwhere(~finite)[0]
        raise ValueError(
            f"float inference overflows in row {row} of X: output {output} is "
            f"{outputs[row, output]} in {network.dtype}"
        )
    worst = RoundingError(gmpy2.mpq(-1), 0, 0)
    for begin in range(0, len(samples), _ROWS):
        rows = samples[begin : begin + _ROWS]

        def tell(share: float, begin: int = begin, n: int = len(rows)) -> None:
            if progress is not None:
                progress((begin + share * n) / len(samples))

        exact = iter(_core.predict(core, as_points(rows).core, n_threads, tell))
        for row, computed in enumerate(outputs[begin : begin + _ROWS].tolist(), begin):
            for output, value in enumerate(computed):
                error = abs(gmpy2.mpq(value) - next(exact))
                if error > worst.error:
                    worst = RoundingError(error, row, output)
    return worst
