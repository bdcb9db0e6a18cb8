"""What a reply says that has nothing else to say; the controller knows these words."""

from __future__ import annotations

__all__ = ["BUSY", "INTERRUPTED", "NO_THREAD"]

BUSY = "an earlier carrier is still at work"
INTERRUPTED = "a signal came, and was handed on"
NO_THREAD = "no thread could be started"
