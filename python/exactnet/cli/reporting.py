"""How a verification is reported."""

from __future__ import annotations

from typing import Any

import gmpy2

from exactnet.exact.verification import VerificationReport


def facts(report: VerificationReport) -> dict[str, Any]:
    """Return what is printed for machines."""
    return {
        "exact": report.exact,
        "n_points": report.n_points,
        "n_wrong": report.n_wrong,
        "first_wrong": report.first_wrong,
        "max_error": str(report.max_error),
        "verification_seconds": report.seconds,
    }


def sentence(report: VerificationReport) -> str:
    """Return what is printed for people."""
    if report.exact:
        return (
            f"verified in exact arithmetic in {report.seconds:.3g} s: "
            f"all {report.n_points} outputs equal their targets"
        )
    error = str(report.max_error)
    if len(error) > 40:
        error = f"about {gmpy2.mpfr(report.max_error):.3g}"
    return (
        f"NOT exact: {report.n_wrong} of {report.n_points} points are wrong, the first is "
        f"row {report.first_wrong} (counted from 0), the largest error is {error}"
    )
