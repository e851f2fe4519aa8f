"""The installed command, and `python -m exactnet`."""

import signal
import sys


def main() -> int:
    """Run the command line; Ctrl-C ends it without a traceback, also while modules are loaded."""
    try:
        from exactnet.cli import main as run

        status = run()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process is about to end with the status
        return status
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("exactnet: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
