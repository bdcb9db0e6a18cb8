"""A live view of rich on a terminal that may be closed at any moment."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.live import Live

from snapshotter.cli.errors import discard_output

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ClosingLive"]


class ClosingLive(Live):
    """Draws on nothing once the terminal was closed, instead of failing."""

    def refresh(self) -> None:
        """Draw the picture anew."""
        with _while_open():
            super().refresh()

    def stop(self) -> None:
        """Leave the last picture on the terminal."""
        with _while_open():
            super().stop()


@contextmanager
def _while_open() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        discard_output()
