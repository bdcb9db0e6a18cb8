"""Renders screens for tests, as plain text of a given width."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from rich.console import RenderableType


def rendered(
    renderable: RenderableType, width: int = 80, *, height: int = 40, color: bool = False
) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, height=height, markup=False, emoji=False, highlight=False,
        force_terminal=color, color_system="standard" if color else None, no_color=not color,
        legacy_windows=False,
    )  # fmt: skip
    console.print(renderable)
    return out.getvalue()
