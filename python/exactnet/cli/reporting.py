"""How a verification is reported."""

from __future__ import annotations

from typing import Any

import gmpy2
import numpy as np
import numpy.typing as npt

from exactnet.exact.verification import VerificationReport

# Of the file that data were read from, one for each row; None where it has no lines.
Lines = npt.NDArray[np.int64] | None


def facts(report: VerificationReport, lines: Lines) -> dict[str, Any]:
    """Return what is printed for machines."""
    return {
        "exact": report.exact,
        "n_points": report.n_points,
        "n_wrong": report.n_wrong,
        "first_wrong": report.first_wrong,
        "first_wrong_line": _line(report, lines),
        "max_error": str(report.max_error),
        "verification_seconds": report.seconds,
    }


def sentence(report: VerificationReport, lines: Lines) -> str:
    """Return what is printed for people."""
    if report.exact:
        return f"verified in exact arithmetic in {report.seconds:.3g} s: " + (
            "the output equals its target"
            if report.n_points == 1
            else f"all {report.n_points} outputs equal their targets"
        )
    error = str(report.max_error)
    if len(error) > 40:
        error = f"about {gmpy2.mpfr(report.max_error):.3g}"
    line = _line(report, lines)
    return (
        f"NOT exact: {report.n_wrong} of {report.n_points} "
        f"point{'s' * (report.n_points != 1)} {'is' if report.n_wrong == 1 else 'are'} wrong, "
        f"the first is "
        f"row {report.first_wrong} (counted from 0{f', line {line} of the file' if line else ''}), "
        f"the largest error is {error}"
    )


def _line(report: VerificationReport, lines: Lines) -> int | None:
    return None if lines is None or report.exact else int(lines[report.first_wrong])
