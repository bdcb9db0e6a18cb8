"""The way in for a carrier thread that has loaded the probe itself; root of all that is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .entry import _is_free, _is_meant, carry, enter
from .pristine import missing_builtins
from .tools import gather_tools

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Request

__all__ = ["enter", "enter_alone"]


def enter_alone(request: Request, space: dict[str, Any], loaded_ns: int) -> None:
    """Called in the carrier thread, its signals blocked, with the namespace that holds all of us.

    ``loaded_ns`` is how long loading us has held the interpreter: it was our first slice. The
    caller empties that namespace and lets no exception out.
    """
    tools = None if missing_builtins() else gather_tools()
    if tools is not None and _is_meant(request, tools) and _is_free(request, tools):
        carry(request, tools, space, loaded_ns)
