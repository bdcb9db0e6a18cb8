"""The command line: one module per command, one place that prints errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``snap`` with ``argv`` (default: the arguments of this process); return the exit code."""
    from snapshotter.cli.errors import exit_code_of  # noqa: PLC0415 -- see below

    # Everything is imported inside: whatever goes wrong at start-up is told like other errors.
    def run() -> int:
        from snapshotter.cli.app import run_app  # noqa: PLC0415 -- see above

        return run_app(argv)

    return exit_code_of(run)
