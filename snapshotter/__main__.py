"""``python -m snapshotter`` is ``snap``."""

import sys

from snapshotter.cli import main

if __name__ == "__main__":
    sys.exit(main())
