"""What a capture is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from snapshotter.model import ValueLevel

__all__ = ["CaptureOptions", "CarrierChoice", "WakeChoice"]


class CarrierChoice(StrEnum):
    """The thread that runs the probe."""

    AUTO = "auto"
    THREAD = "thread"
    MAIN = "main"
    ANY_THREAD = "any-thread"
    """As AUTO; but where the main thread is blocked another one is asked, held by ptrace."""


class WakeChoice(StrEnum):
    """What may be woken to be asked."""

    LOOP = "loop"
    """The idle asyncio loop of the main thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureOptions:
    """Options of one capture; all times in nanoseconds.

    ``locals`` is ``app``, ``all``, ``none`` or comma-separated globs ``module:function:name``;
    ``variables`` are ``module:dotted.path``; ``wait_inside_ns`` keeps a request armed for longer
    than is safe for the target's signals, on request only; ``wake`` likewise arms one just before
    it wakes the main thread.
    """

    locals: str = "app"
    values: ValueLevel = ValueLevel.SCRUBBED
    variables: tuple[str, ...] = ()
    max_pause_ns: int = 1_000_000
    patience_ns: int = 1_000_000_000
    carrier: CarrierChoice = CarrierChoice.AUTO
    wait_inside_ns: int | None = None
    wake: WakeChoice | None = None
