"""Whether a script could be opened where the main thread runs now.

CPython opens a debugger script with the ``__import__`` of the frame that it interrupts. Some code
has no builtins: the constructor of a ``namedtuple``, ``exec`` with ``{"__builtins__": {}}``. There
it cannot, and complains on the target's own stderr. So nothing is asked of a main thread that is
seen in such code; the outside view does not need it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from snapshotter.errors import TornReadError

if TYPE_CHECKING:
    from snapshotter.outside.probe_point import ProbePoint
    from snapshotter.outside.runtime import Runtime

__all__ = ["Footing"]

# struct _PyInterpreterFrame of CPython 3.14 and 3.15: executable, previous, funcobj, globals,
# builtins, locals, frame_obj, instr_ptr. The members in the offsets table must lie as there.
_BUILTINS_AT = 32
_KNOWN_LAYOUT = {"executable": 0, "previous": 8, "instr_ptr": 56}
_OWNED_BY_INTERPRETER = 3
_TAG = 3
_TYPE_AT = 8
_LOOKS = 16  # of some 3 microseconds each
_LOOKS_ONCE_SEEN = 200


class Footing:
    """Looks at the innermost frame of the main thread, more often once it was seen astray."""

    def __init__(self, runtime: Runtime, point: ProbePoint) -> None:
        offsets = runtime.offsets
        self._memory = runtime.memory
        self._frame_in_thread = offsets.thread_state_current_frame
        self._current_frame_at = point.thread + self._frame_in_thread
        self._owner_at = offsets.interpreter_frame_owner
        table = offsets.table
        self._is_known = all(
            table[f"interpreter_frame.{name}"] == at for name, at in _KNOWN_LAYOUT.items()
        )
        interpreter = runtime.main_interpreter().address
        self._builtins = self._memory.u64(interpreter + table["interpreter_state.builtins"])
        self._dict_type = self._type_of(self._builtins)
        self._code_type = 0
        self._was_astray = False

    def is_sure(self, *, still: bool) -> bool:
        """Return whether no look finds code without the builtins.

        ``still`` tells that the main thread sleeps: one look is exact then.
        """
        for _ in range(1 if still else _LOOKS_ONCE_SEEN if self._was_astray else _LOOKS):
            if self._is_astray():
                self._was_astray = True
                return False
        return True

    def is_sure_of(self, thread: int) -> bool:
        """Return whether the thread state at ``thread``, whose thread is held, has the builtins."""
        found = self._frame(thread + self._frame_in_thread) if self._is_known else None
        return found is None or found[1] == self._builtins

    def _frame(self, current_frame_at: int) -> tuple[int, int] | None:
        """Return executable and builtins of the innermost frame; None if it is no Python code's."""
        try:
            frame = self._memory.u64(current_frame_at)
            content = self._memory.read(frame, max(self._owner_at, _BUILTINS_AT + 7) + 1)
        except TornReadError:
            return None
        if content[self._owner_at] >= _OWNED_BY_INTERPRETER:
            return None  # an entry from C: the frame below it counts, and is not the next to run
        executable, builtins = struct.unpack_from("<Q24xQ", content)
        return executable, builtins

    def _is_astray(self) -> bool:
        found = self._frame(self._current_frame_at) if self._is_known else None
        if found is None:
            return False
        executable, builtins = found
        code_type = self._type_of(executable & ~_TAG)
        if builtins == self._builtins:
            self._code_type = self._code_type or code_type
            return False
        # The frame may have gone between the two reads: then it is seldom one of code any more.
        return (
            code_type != 0
            and code_type == self._code_type
            and self._type_of(builtins) == self._dict_type
        )

    def _type_of(self, address: int) -> int:
        try:
            return self._memory.u64(address + _TYPE_AT)
        except TornReadError:
            return 0
