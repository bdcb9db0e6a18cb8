"""What a frame's place in the code means, as far as its names alone tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snapshotter.model.snapshot import Frame

__all__ = ["MODULE_QUALNAME", "is_console_script"]

MODULE_QUALNAME = "<module>"
"""What CPython calls the code of a module itself."""

_SCRIPT_DIRECTORIES = frozenset({"bin", "Scripts"})


def is_console_script(frame: Frame) -> bool:
    """Tell whether it is a start script that an installer wrote: nobody's code."""
    *_, directory, _ = ("", *frame.filename.replace("\\", "/").split("/"))
    return frame.qualname == MODULE_QUALNAME and directory in _SCRIPT_DIRECTORIES
