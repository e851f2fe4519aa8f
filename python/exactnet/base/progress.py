"""Progress of long work: what is called with it, and a bar for terminals and notebooks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, TypeAlias

from exactnet.base.checks import shown

# Called now and then with the finished share, from 0 to 1, by the thread that called for the work.
Progress: TypeAlias = Callable[[float], None]
# What functions take as `progress`: True stands for a bar.
ProgressOption: TypeAlias = Progress | bool | None

_FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


class ProgressBar:
    """A bar of tqdm, once a task has taken a while, if stderr is a terminal or in a notebook.

    A context manager whose value is called with the share, from 0 to 1. It ends at 100 %; after an
    exception it takes itself off the terminal.

    Attributes
    ----------
    label : str
        Stands before the bar. May change meanwhile, as may `postfix`.
    postfix : str
        Stands behind the bar.
    visible : bool
        Whether there is anyone to see it.
    """

    _DELAY = 1.0
    _INTERVAL = 0.1

    def __init__(self, label: str, delay: float | None = None) -> None:
        self.label, self.postfix = label, ""
        self.visible = _is_terminal() or _is_notebook()
        self._start = time.monotonic()
        self._next = self._start + (self._DELAY if delay is None else delay)
        self._bar: Any = None

    def __enter__(self) -> ProgressBar:
        return self

    def __call__(self, share: float) -> None:
        """Show the share of the work that is done, at most ten times a second."""
        if not self.visible or time.monotonic() < self._next:
            return
        if self._bar is None:
            from tqdm.auto import tqdm  # only here, for it takes longer than `import exactnet`

            # with a delay it does not draw before it knows when the work began
            self._bar = tqdm(total=1.0, bar_format=_FORMAT, dynamic_ncols=True, delay=1e-9)
            self._bar.start_t -= time.monotonic() - self._start
        self._update(share)
        # without the lock, which Ctrl-C in the middle would leave taken
        self._bar.refresh(nolock=True)
        self._next = time.monotonic() + self._INTERVAL

    def _update(self, share: float) -> None:
        self._bar.n = share
        self._bar.set_description_str(self.label, refresh=False)
        self._bar.set_postfix_str(self.postfix, refresh=False)

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is None:
            return
        if exception is None:
            self._update(1.0)
        else:
            self._bar.leave = False
        self._bar.close()


def reporting(progress: Any, label: str) -> AbstractContextManager[Progress | None]:
    """Return what an argument `progress` asks for, as what is called with the share, or None."""
    if progress is True:
        return ProgressBar(label)
    if progress is None or progress is False:
        return nullcontext()
    if not callable(progress):
        raise ValueError(f"progress must be callable, True or None, not {shown(progress)}")
    return nullcontext(progress)


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _is_notebook() -> bool:
    """Whether a notebook's kernel runs this; whoever does has imported IPython."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and "IPKernelApp" in shell.config
