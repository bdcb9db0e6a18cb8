"""The command line: one module per command, one place that prints errors."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "program"]

_OBJECTS_BEFORE_A_COLLECTION = 50_000


def program() -> NoReturn:
    """Be the program ``snap``, for whom each hundredth of a second of start-up counts.

    A start makes many objects and hardly any garbage, so the collector runs seldom. In the end
    the process goes at once: to take three hundred modules apart first would take 25 ms.
    """
    gc.set_threshold(_OBJECTS_BEFORE_A_COLLECTION)
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``snap`` with ``argv`` (default: the arguments of this process); return the exit code."""
    from snapshotter.cli.errors import exit_code_of  # noqa: PLC0415 -- see below

    # Everything is imported inside: whatever goes wrong at start-up is told like other errors.
    def run() -> int:
        from snapshotter.cli.app import run_app  # noqa: PLC0415 -- see above

        return run_app(argv)

    return exit_code_of(run)
