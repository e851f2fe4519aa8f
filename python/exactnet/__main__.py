"""Makes `python -m exactnet` the command line."""

import sys

from exactnet.cli import main

if __name__ == "__main__":
    sys.exit(main())
