"""The command line: one module per command, one place that prints errors."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from snapshotter.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

__all__ = ["main", "program"]

_OBJECTS_BEFORE_A_COLLECTION = 50_000


def program() -> NoReturn:
    """Be the program ``snap``, for whom each hundredth of a second of start-up counts.

    A start makes many objects and hardly any garbage, so the collector runs seldom. In the end
    the process goes at once: to take three hundred modules apart first would take 25 ms.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    gc.set_threshold(_OBJECTS_BEFORE_A_COLLECTION)
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _leave(_signum: int, _: FrameType | None) -> NoReturn:
    """End at Ctrl-C, at once and without a word, where nothing has to be cleaned up.

    An exception would be lost if it came in a callback, of which the import of modules has many.
    """
    os._exit(ExitCode.INTERRUPTED)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``snap`` with ``argv`` (default: the arguments of this process); return the exit code."""
    from snapshotter.cli.errors import exit_code_of  # noqa: PLC0415 -- see below

    # Everything is imported inside: whatever goes wrong at start-up is told like other errors.
    def run() -> int:
        from snapshotter.cli.app import run_app  # noqa: PLC0415 -- see above

        return run_app(argv)

    return exit_code_of(run)
