"""Where results go: stdout, in colour or not, on a terminal or not; the home of rich in the CLI."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from enum import StrEnum
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["ColorMode", "can_draw", "console", "is_terminal", "print_line", "show"]

# A pipe has no width: wide enough not to break a stack line, narrow enough to be read later.
_PIPE_WIDTH = 160
# Narrower, a line has no room for what is indented on it.
_LEAST_WIDTH = 20


class ColorMode(StrEnum):
    """When to use colours."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def is_terminal(stream: IO[str] | None = None) -> bool:
    """Return whether a person reads stdout (or ``stream``) as it is written."""
    return (stream or sys.stdout).isatty()


def can_draw() -> bool:
    """Return whether stdout is a terminal on which what was shown can be replaced."""
    if not is_terminal():
        return False
    there = console()
    return there.is_terminal and not there.is_dumb_terminal


def console(stream: IO[str] | None = None, *, plain: bool = False) -> Console:
    """Return a rich console for stdout that takes nothing a target said for markup.

    ``plain`` makes a terminal look like a pipe.
    """
    from rich.console import Console  # noqa: PLC0415 -- start-up: 100 ms

    stream = stream or sys.stdout
    mode = ColorMode.NEVER if plain else _color_mode()
    return Console(
        file=stream,
        width=_width(stream),
        force_terminal=False if plain else (mode is ColorMode.ALWAYS or None),
        # NO_COLOR is rich's own business, unless the command line overrules it.
        no_color={ColorMode.ALWAYS: False, ColorMode.NEVER: True}.get(mode),
        highlight=False,
        markup=False,
        emoji=False,
    )


def _width(stream: IO[str]) -> int | None:
    """Return the width of lines, or None for that of the terminal, which may change."""
    columns = os.environ.get("COLUMNS")
    if columns is not None and columns.isdecimal() and int(columns) > 0:
        return max(int(columns), _LEAST_WIDTH)
    if not is_terminal(stream):
        return _PIPE_WIDTH
    with suppress(OSError):
        there = os.get_terminal_size(stream.fileno()).columns
        if there and (columns is not None or there < _LEAST_WIDTH):
            return max(there, _LEAST_WIDTH)
    return None


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
