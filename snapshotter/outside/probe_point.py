"""What the request protocol looks at many thousand times a second, with all addresses ready."""

from __future__ import annotations

import os
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snapshotter.outside.memory import Memory

__all__ = ["GilState", "ProbePoint", "lies_in_gil"]

_GIL_BYTES = 208 if os.uname().machine == "x86_64" else 224
"""Four words, two condition variables and two mutexes of glibc (``pycore_gil.h``)."""


def lies_in_gil(address: int, gil_address: int) -> bool:
    """True when ``address``, such as that of a futex, is part of the GIL at ``gil_address``."""
    return gil_address != 0 and gil_address <= address < gil_address + _GIL_BYTES


@dataclass(frozen=True, slots=True)
class GilState:
    """The GIL at one instant."""

    locked: bool
    holder: int
    """Address of the thread state that holds it, or held it last when it is not locked."""
    switch_number: int
    """Grows by one each time another thread state than the last takes it."""

    @property
    def owner(self) -> int:
        """Address of the thread state that holds it now, 0 when nobody does."""
        return self.holder if self.locked else 0


class ProbePoint:
    """Addresses in the main thread state of interpreter 0, and a cheap look at its GIL."""

    __slots__ = (
        "_gil_at",
        "_gil_size",
        "_locked_first",
        "_memory",
        "_unpack",
        "enabled_address",
        "eval_breaker_address",
        "gil_address",
        "pending_address",
        "script_path_address",
        "script_path_size",
        "thread",
    )

    def __init__(  # noqa: PLR0913 - built in one place, all keyword-only
        self,
        *,
        memory: Memory,
        thread: int,
        pending_address: int,
        script_path_address: int,
        script_path_size: int,
        eval_breaker_address: int,
        enabled_address: int,
        gil_address: int,
        gil_holder_offset: int,
        gil_locked_offset: int,
    ) -> None:
        """Keep the addresses and prepare the look at the GIL."""
        self._memory = memory
        self.thread = thread
        self.pending_address = pending_address
        self.script_path_address = script_path_address
        self.script_path_size = script_path_size
        self.eval_breaker_address = eval_breaker_address
        self.enabled_address = enabled_address
        self.gil_address = gil_address
        self._locked_first = gil_locked_offset < gil_holder_offset
        self._gil_at = gil_address + min(gil_holder_offset, gil_locked_offset)
        gap = abs(gil_holder_offset - gil_locked_offset)
        form = f"<i{gap - 4}xQ" if self._locked_first else f"<Q{gap - 8}xi"
        layout = Struct(form)
        self._unpack = layout.unpack
        self._gil_size = layout.size

    def holder(self) -> int:
        """Return the address of the thread state that holds the GIL now, 0 when nobody does.

        One system call. Raises ``ProcessEndedError``; always 0 in a free-threaded build.
        """
        if not self.gil_address:
            return 0
        try:
            first, second = self._unpack(os.pread(self._memory.fd, self._gil_size, self._gil_at))
        except Exception:  # noqa: BLE001 - the slow way raises the proper error
            first, second = self._unpack(self._memory.read(self._gil_at, self._gil_size))
        if self._locked_first:
            first, second = second, first
        return int(first) if second == 1 else 0

    def is_holding_gil(self) -> bool:
        """True while the main thread holds the GIL. One system call."""
        return self.holder() == self.thread

    def is_pending(self) -> bool:
        """True while a request lies in the main thread that has not started. One system call."""
        return self._memory.i32(self.pending_address) != 0

    def is_enabled(self) -> bool:
        """True when the target accepts requests (remote debugging is on)."""
        return self._memory.i32(self.enabled_address) == 1

    def script_path(self) -> bytes:
        """Return the path of the last request, up to its end mark."""
        data = self._memory.read(self.script_path_address, self.script_path_size)
        return data.partition(b"\0")[0]
