"""Directories that others can write into: a recording holds values, and is not kept there."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from snapshotter.errors import UsageError, shell_word

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_own", "check_parent"]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def check_parent(directory: Path) -> None:
    """Check the directory in which a recording is about to be made. Raises UsageError, OSError.

    In one that everybody can write, and that has no sticky bit, anybody could put something else
    in the recording's place.
    """
    mode = directory.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise UsageError(
            f"Everybody can replace what is in {directory}, and a recording holds values.",
            hint="Record into a directory of your own, such as one in your home: -o ~/recording",
            slug="unsafe-directory",
        )


def check_own(descriptor: int, directory: Path) -> None:
    """Check the directory of a recording itself, by its open descriptor. Raises UsageError."""
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid():
        raise UsageError(
            f"{directory} belongs to user {status.st_uid}, and a recording holds values.",
            hint="Record into a directory of your own.",
            slug="unsafe-directory",
        )
    if status.st_mode & _OTHERS_WRITE:
        raise UsageError(
            f"Others can write into {directory}, and a recording holds values.",
            hint=f"Take that from them: chmod go-w {shell_word(directory)}",
            slug="unsafe-directory",
        )
