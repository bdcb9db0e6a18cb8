"""The only place that prints errors and decides exit codes."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from snapshotter.errors import (
    NO_ROOM,
    ExitCode,
    SnapshotterError,
    TooManyFilesError,
    check_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

__all__ = ["discard_output", "exit_code_of", "print_error", "print_note"]

_MESSAGES = "docs/reference/messages.md"
_FULL = NO_ROOM | {errno.EIO}


def exit_code_of(run: Callable[[], int]) -> int:
    """Call ``run`` and return its exit code, or that of the error it ended with, printed."""
    try:
        _replace_closed_streams()
        _never_fail_on_a_character()
        code = int(run())
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()  # ``snap view … | head``: done, as far as anybody wants to know
        return ExitCode.DONE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except SnapshotterError as error:
        print_error(error)
        return error.exit_code
    except OSError as error:
        return _failed_by_the_system(error)
    except Exception as error:  # noqa: BLE001 -- the last line of defence: tell it, do not dump it
        return _other_exit_code(error)
    return code


def print_error(error: SnapshotterError) -> None:
    """Print the sentence, the next step and where to read more, each on one line."""
    _print(f"snap: {error.message}", f"  try: {error.hint}", f"  see: {_MESSAGES}#{error.slug}")


def print_note(sentence: str) -> None:
    """Print something worth knowing that is neither a result nor an error, on one line."""
    _print(f"snap: {sentence}")


def _other_exit_code(error: Exception) -> int:
    import click  # noqa: PLC0415 -- start-up: most runs never come here

    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.Abort):
        return ExitCode.INTERRUPTED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        _print(*error.format_message().split("\n"))
        return ExitCode.USAGE
    if isinstance(error, click.ClickException):
        print_error(_as_usage_error(error))
        return ExitCode.USAGE
    return _our_bug(error)


def _as_usage_error(error: click.ClickException) -> SnapshotterError:
    """Click's complaints about the command line, in our form."""
    from snapshotter.cli.params import usage_error  # noqa: PLC0415 -- as above

    return usage_error(error)


def _our_bug(error: Exception) -> int:
    if os.environ.get("SNAP_DEBUG") == "1":
        import traceback  # noqa: PLC0415 -- only here

        traceback.print_exception(error)
    _print(
        f"snap: this is a bug of snapshotter: {type(error).__name__}: {error}",
        "  try: run it again with SNAP_DEBUG=1 and report what it prints, with `snap --version`",
        f"  see: {_MESSAGES}#internal-error",
    )
    return ExitCode.INTERNAL


def _print(*lines: str) -> None:
    """Print on stderr, without what a target or a name could put in to talk to the terminal.

    A line break within a line is shown as an escape, so that a name cannot begin a line of its own.
    """
    # A closed stderr must not turn one error into another.
    with suppress(OSError, ValueError):
        sys.stderr.write("".join(f"{_harmless(line)}\n" for line in lines))


def _harmless(line: str) -> str:
    try:
        from snapshotter.render.sanitize import sanitize  # noqa: PLC0415 -- start-up
    except OSError:  # No module can be read any more: too many files are open.
        return "".join(char if char.isprintable() else "?" for char in line)
    return sanitize(line)


def _failed_by_the_system(error: OSError) -> int:
    if _is_of_stdout(error):
        return _output_failed(error)
    try:
        check_files(error)
    except TooManyFilesError as failure:
        print_error(failure)
        return failure.exit_code
    return _our_bug(error)


def _is_of_stdout(error: OSError) -> bool:
    """Tell whether a result could not be written; what goes to a file says so by itself."""
    return error.filename is None and error.errno in _FULL


def _output_failed(error: OSError) -> int:
    """``snap export … > FILE`` on a full disk."""
    from snapshotter.store.atomic import storage_error  # noqa: PLC0415 -- only here

    discard_output()
    failure = storage_error(Path("standard output"), error)
    print_error(failure)
    return failure.exit_code


def discard_output() -> None:
    """Let go of what stdout has not taken yet, and of all that is still written to it."""
    # Python flushes stdout once more at exit and would complain about it.
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _replace_closed_streams() -> None:
    """Who closed stdout wants no results; its number must not go to a file that we open."""
    # In this order, so that each takes the number that is free.
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _never_fail_on_a_character() -> None:
    """A terminal in another encoding shows escapes where it cannot show the character."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
