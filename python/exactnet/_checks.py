"""Checks of arguments that are plain numbers."""

from __future__ import annotations

import numbers
import os
from typing import Any


def thread_count(value: Any) -> int:
    """Check a number of threads; more than there are processors only cost time."""
    return min(positive_integer(value, "n_threads"), os.cpu_count() or 1)


def positive_integer(value: Any, name: str) -> int:
    """Check a count such as a width."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer, not {value!r}")
    return int(value)
