"""Where results go: stdout, in colour or not, on a terminal or not; the home of rich in the CLI."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["ColorMode", "console", "is_terminal", "print_line", "show"]

# A pipe has no width: wide enough not to break a stack line, narrow enough to be read later.
_PIPE_WIDTH = 160


class ColorMode(StrEnum):
    """When to use colours."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def is_terminal(stream: IO[str] | None = None) -> bool:
    """Return whether a person reads stdout (or ``stream``) as it is written."""
    return (stream or sys.stdout).isatty()


def console(stream: IO[str] | None = None, *, plain: bool = False) -> Console:
    """Return a rich console for stdout that takes nothing a target said for markup.

    ``plain`` makes a terminal look like a pipe.
    """
    from rich.console import Console  # noqa: PLC0415 -- start-up: 100 ms

    stream = stream or sys.stdout
    mode = ColorMode.NEVER if plain else _color_mode()
    return Console(
        file=stream,
        width=None if is_terminal(stream) or "COLUMNS" in os.environ else _PIPE_WIDTH,
        force_terminal=False if plain else (mode is ColorMode.ALWAYS or None),
        # NO_COLOR is rich's own business, unless the command line overrules it.
        no_color={ColorMode.ALWAYS: False, ColorMode.NEVER: True}.get(mode),
        highlight=False,
        markup=False,
        emoji=False,
    )


def show(renderable: RenderableType, *, plain: bool = False) -> None:
    """Print a result on stdout."""
    console(plain=plain).print(renderable)


def print_line(text: str) -> None:
    """Print one line of a result that others may follow, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _color_mode() -> ColorMode:
    context = click.get_current_context(silent=True)
    mode = None if context is None else context.meta.get("color")
    return mode if isinstance(mode, ColorMode) else ColorMode.AUTO
