"""Writing results to a file or to stdout: never over an old file, never bytes to a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from snapshotter.cli.console import is_terminal
from snapshotter.errors import UsageError, shell_word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.model import Recording, Snapshot

__all__ = [
    "STDOUT",
    "check_destination",
    "check_directory",
    "open_result",
    "print_json",
    "print_snapshots",
]

STDOUT = Path("-")
"""As a file name: standard output."""


def check_directory(path: Path) -> None:
    """Refuse a file in a directory that is not there, before anything is done."""
    file = next((each for each in path.parents if each.exists() and not each.is_dir()), None)
    if file is not None:
        raise UsageError(
            f"{path} cannot be written: {file} is not a directory.",
            hint="name another file with -o",
            slug="not-a-directory",
        )
    if not path.parent.is_dir():
        raise UsageError(
            f"{path} cannot be written: its directory does not exist.",
            hint=f"mkdir -p {shell_word(path.parent)}",
            slug="no-such-directory",
        )


def check_destination(path: Path, *, force: bool) -> None:
    """Refuse before anything is done what would be refused afterwards."""
    if path == STDOUT or not path.exists():
        return
    if not path.is_file():
        raise UsageError(
            f"{path} is not a plain file.", hint="name another file with -o", slug="not-a-file"
        )
    if not force:
        raise UsageError(
            f"{path} exists already.",
            hint="overwrite it with --force, or name another file with -o",
            slug="file-exists",
        )


@contextmanager
def open_result(path: Path, *, force: bool = False, binary: bool = False) -> Iterator[BinaryIO]:
    """Open ``path`` for a result that appears whole or not at all; ``-`` is stdout."""
    if path != STDOUT:
        from snapshotter.store.atomic import atomic_file  # noqa: PLC0415 -- start-up

        with atomic_file(path, overwrite=force) as stream:
            yield stream
        return
    if binary and is_terminal():
        raise UsageError(
            "Binary data is not written to a terminal.",
            hint="name a file with -o, or send it into a pipe",
            slug="binary-to-terminal",
        )
    sys.stdout.flush()
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


def print_json(value: object) -> None:
    """Print plain containers and scalars as one JSON document on one line."""
    from snapshotter.export.encoding import dumps  # noqa: PLC0415 -- start-up

    with open_result(STDOUT) as stream:
        stream.write(dumps(value) + b"\n")


def print_snapshots(subject: Snapshot | Recording) -> None:
    """Print a snapshot, or a recording with all of them, as one JSON document on one line."""
    from snapshotter.export import FORMATS  # noqa: PLC0415 -- start-up

    with open_result(STDOUT) as stream:
        FORMATS["json"].write(subject, stream)
