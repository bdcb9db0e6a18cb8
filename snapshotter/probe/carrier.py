"""The way in for a carrier thread that has loaded the probe itself; root of all that is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .entry import _another_carrier, _is_meant, _reply, carry, enter
from .failures import BUSY
from .pristine import missing_builtins
from .survey import failure
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
    if tools is None or not _is_meant(request, tools):
        return
    other = _another_carrier(tools)
    if other is None:
        carry(request, tools, space, loaded_ns)
    elif other != request["nonce"]:  # else: asked in the instant in which it started
        _reply(request, tools, failure(request, BUSY))
