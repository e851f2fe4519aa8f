"""Progress of long work: what is called with it, and a bar for terminals."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias

# Called now and then with the finished share, from 0 to 1.
Progress: TypeAlias = Callable[[float], None]


class ProgressBar:
    """Draws the finished share on stderr once a task has taken a second, if that is a terminal.

    A context manager whose value is called with the share, from 0 to 1.
    """

    _WIDTH = 40
    _DELAY = 1.0
    _INTERVAL = 0.1

    def __init__(self, label: str) -> None:
        self._label = label
        self._start = time.monotonic()
        self._next = self._start + self._DELAY
        self._drawn = False
        self._terminal = sys.stderr is not None and sys.stderr.isatty()

    def __enter__(self) -> ProgressBar:
        return self

    def __call__(self, share: float) -> None:
        """Show the share of the work that is done, at most ten times a second."""
        now = time.monotonic()
        if not self._terminal or now < self._next:
            return
        self._next = now + self._INTERVAL
        self._drawn = True
        bar = "#" * int(self._WIDTH * share)
        seconds = now - self._start
        sys.stderr.write(
            f"\r{self._label} [{bar:<{self._WIDTH}}] {share:4.0%}  {seconds:.0f} s\x1b[K"
        )
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the bar off the terminal, for other text; it comes back with the next share."""
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.clear()
