"""The installed command, and `python -m exactnet`."""

import signal
import sys
from typing import Any


def main() -> int:
    """Run the command line; Ctrl-C ends it without a traceback, also while modules are loaded."""
    heard = False

    def interrupt(*_: Any) -> None:
        nonlocal heard
        heard = True
        raise KeyboardInterrupt

    try:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, interrupt)
        from exactnet.cli import main as run

        status = run()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process is about to end with the status
        return status
    except BaseException as error:
        # Extension modules that are being loaded make other errors of it.
        if not heard and not isinstance(error, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("exactnet: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
