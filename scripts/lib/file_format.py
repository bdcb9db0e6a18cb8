"""Print the reference of the dump file: the specification that stands beside the code."""

from __future__ import annotations

import sys

from snapshotter.store import format as file_format


def main() -> int:
    """Print the page."""
    sys.stdout.write(
        "# The dump file\n\n"
        "<!-- Made from snapshotter/store/format.py by scripts/generate-docs. -->\n\n"
        f"{(file_format.__doc__ or '').strip()}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
