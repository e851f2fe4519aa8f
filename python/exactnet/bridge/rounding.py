"""How far float inference is from real arithmetic."""

from __future__ import annotations

from typing import Any, NamedTuple

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.checks import real_array, thread_count
from exactnet.base.dataset import Dataset
from exactnet.base.progress import ProgressOption, reporting
from exactnet.bridge.conversion import to_exact
from exactnet.dense.network import Network
from exactnet.exact.data import Table, as_points
from exactnet.exact.network import ExactNetwork
from exactnet.exact.rationals import brief

# Exact outputs may have thousands of bits each: so many rows of them are held at a time.
_ROWS = 4096


class RoundingError(NamedTuple):
    """The largest difference between float inference and real arithmetic.

    Attributes
    ----------
    error : mpq
        Its absolute value; ``float(result.error)`` is the nearest float.
    row, output : int
        The sample and the output where it happens, the first ones of several.
    """

    error: Any
    row: int
    output: int

    def __repr__(self) -> str:
        return f"RoundingError({brief(self.error)} in row {self.row}, output {self.output})"


def rounding_error(
    network: Network | ExactNetwork,
    X: Any,
    *,
    predictions: Any = None,
    n_threads: int = 1,
    progress: ProgressOption = None,
) -> RoundingError:
    """Compare what a network computes in floats with what its weights say.

    `Network.predict`, called once for all of X, is compared with `Network.to_exact` evaluated in
    rational arithmetic; with `predictions`, what another runtime has computed takes its place. Both
    take X as converted to the network's type, so that the difference is that of the arithmetic
    alone: of the order of additions, fused or not, that the kernels for this processor use. Another
    processor or batch may round differently.

    Parameters
    ----------
    network : Network or ExactNetwork
        With activations "relu" and "linear" only. An exact network takes X as it is, and needs
        `predictions`.
    X : array-like (samples, features), or Dataset
    predictions : array-like (samples, outputs), or (samples,) of one output, optional
        What another runtime returned for X: floats of 16, 32 or 64 bits, or integers.
    n_threads : int
        Of the exact evaluation.
    progress : callable or True, optional
        Called now and then with the finished share, from 0 to 1; True shows a bar.

    Returns
    -------
    RoundingError
        (error, row, output)

    Raises
    ------
    ValueError
        If an activation is neither "relu" nor "linear"; if X is empty, not finite or has another
        number of features than the network; if predictions are not of the shape of its outputs;
        or if one of them is not finite or float inference overflows, naming the row.
    TypeError
        If network is neither kind, or an `ExactNetwork` without predictions.
    KeyboardInterrupt
        On Ctrl-C, within a fraction of a second.

    Examples
    --------
    In float64, 0.1 + 0.2 is not the sum of these two floats:

    >>> from exactnet import Network, rounding_error
    >>> net = Network.from_arrays([[[1.0, 1.0]]], [[0.0]], "linear")
    >>> X = [[0.5, 0.25], [0.1, 0.2]]
    >>> rounding_error(net, X)
    RoundingError(2.78e-17 = 1/36028797018963968 in row 1, output 0)

    What computes with float16 is further off:

    >>> import numpy as np
    >>> float(rounding_error(net, X, predictions=np.float16(X).sum(axis=1)).error)
    0.00019531250000001665
    """
    n_threads = thread_count(n_threads)
    points: Table | npt.NDArray[Any]
    if isinstance(network, Network):
        parameters = to_exact(network)._parameters()
        points = network._samples(X)
        if predictions is None:
            if not isinstance(X, Dataset):
                points = points.copy()  # read twice, while others may write to X
            outputs = network.predict(points)
            _check_finite(
                outputs,
                f"float inference overflows in row %d of X: output %d is %s in {network.dtype}",
            )
    elif isinstance(network, ExactNetwork):
        if predictions is None:
            raise TypeError(
                "an ExactNetwork computes without rounding: pass predictions=, or its to_network()"
            )
        parameters = network._parameters()
        parameters.check()
        points = as_points(X)
        parameters.check_features(points)
    else:
        raise TypeError(
            f"network must be a Network or an ExactNetwork, not {type(network).__name__}"
        )
    n = points.shape[0]
    if predictions is not None:
        outputs = _outputs(predictions, n, len(parameters.biases[-1]))
    core = parameters.to_core()
    worst = RoundingError(gmpy2.mpq(-1), 0, 0)
    with reporting(progress, "comparing") as report:
        for begin in range(0, n, _ROWS):
            index = np.arange(begin, min(begin + _ROWS, n))
            rows = points.rows(index) if isinstance(points, Table) else as_points(points[index])

            def tell(share: float, begin: int = begin, m: int = len(index)) -> None:
                if report is not None:
                    report((begin + share * m) / n)

            exact = iter(_core.predict(core, rows.core, n_threads, tell))
            for row, computed in enumerate(outputs[begin : begin + _ROWS].tolist(), begin):
                for output, value in enumerate(computed):
                    error = abs(gmpy2.mpq(value) - next(exact))
                    if error > worst.error:
                        worst = RoundingError(error, row, output)
            tell(1.0)  # a part may end before the core has anything to tell
    return worst


def _outputs(predictions: Any, n: int, n_outputs: int) -> npt.NDArray[Any]:
    """Check what another runtime computed, and return a copy (samples, outputs)."""
    outputs = real_array(predictions, "predictions")
    if outputs.dtype.itemsize > 8 or outputs.dtype.kind == "b":
        raise TypeError(
            f"predictions must be floats of at most 64 bits, or integers, not {outputs.dtype}"
        )
    if outputs.shape not in ((n, n_outputs), (n,)[: n_outputs == 1]):
        raise ValueError(
            f"predictions must be of shape {(n, n_outputs)}, as X and the network are, not "
            f"{outputs.shape}"
        )
    outputs = np.array(outputs).reshape(n, n_outputs)
    _check_finite(outputs, "predictions[%d, %d] is %s")
    return outputs


def _check_finite(outputs: npt.NDArray[Any], text: str) -> None:
    finite = np.isfinite(outputs)
    if not finite.all():
        row, output = np.argwhere(~finite)[0]
        raise ValueError(text % (row, output, outputs[row, output]))
