"""The Python stack of a thread in another process, read while that thread runs on.

A copy of a moving stack may mix two moments. What is returned never does, for one of two reasons:

- Only the thread that has the GIL moves its Python stack. When another thread had it last, before
  and after the copy, and the GIL's switch number stands, the copied stack stood still: proof.
- Else the stack is looked at again and again at uneven intervals. It is taken when all looks are
  equal byte for byte below the innermost frame, which alone may go on to its next instruction.

A thread that calls and returns all the time stands still for microseconds only. So all looks are
taken before anything is decoded: a failed try costs little more than the copies. This needs to know
in advance which pieces of memory a stack lies in (the frames of generators and the entries from C
are apart): those of the last try are copied at once with the rest. Of a thread that never stands
still for long enough, the outer part is returned that did: see ``outer``.

Code objects that are not yet known are looked up between the first and the last look, so that the
frames keep them alive meanwhile; of known ones the head must be as it was. Each instruction must
lie in the code of its frame.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from snapshotter.errors import TornReadError
from snapshotter.model.snapshot import OutsideStack
from snapshotter.outside.codes import CodeCache
from snapshotter.outside.copies import Copies
from snapshotter.outside.layout import fields_struct
from snapshotter.outside.outer import Outer, Sources, spin
from snapshotter.outside.walk import MAX_CHUNK_BYTES, MAX_FRAMES, FrameLayout, StackHead, Walk

if TYPE_CHECKING:
    from snapshotter.model.snapshot import Frame
    from snapshotter.outside.codes import CodeInfo
    from snapshotter.outside.copies import Segment
    from snapshotter.outside.origin import Origins
    from snapshotter.outside.outer import OuterPart
    from snapshotter.outside.runtime import Runtime, ThreadRef
    from snapshotter.outside.walk import RawFrame

    type _Places = list[tuple[int, int]]

__all__ = ["StackReader"]

_LOOKS = 3
_LONGEST_PAUSE_BETWEEN_LOOKS_NS = 3_000
_TRIES_WITH_PLACES = 4
_TRIES_AT_ONCE = 12
"""Then a sleep: the thread may share its CPU with us."""
_LONGEST_SLEEP_NS = 300_000
_POINTER_BYTES = 8
_TLBC_ENTRIES = 8
"""Offset of ``entries`` in ``_PyCodeArray`` (free-threaded builds)."""


class StackReader:
    """Reads stacks of one runtime; keeps the code objects that it met."""

    __slots__ = (
        "_codes",
        "_layout",
        "_memory",
        "_offsets",
        "_runtime",
        "_thread_fields",
        "_thread_start",
    )

    def __init__(self, runtime: Runtime, origins: Origins) -> None:
        """Prepare for ``runtime``; ``origins`` says whose code each file is."""
        self._runtime = runtime
        self._memory = runtime.memory
        self._offsets = o = runtime.offsets
        self._codes = CodeCache(runtime, origins)
        self._layout = FrameLayout.of(runtime)
        self._thread_fields, self._thread_start = fields_struct(
            (
                (o.thread_state_interp, "Q"),
                (o.thread_state_current_frame, "Q"),
                (o.thread_state_thread_id, "Q"),
                (o.thread_state_native_thread_id, "Q"),
                (o.thread_state_datastack_chunk, "Q"),
                # datastack_top follows datastack_chunk in struct _ts of 3.14 and 3.15.
                (o.thread_state_datastack_chunk + _POINTER_BYTES, "Q"),
            )
        )

    @property
    def codes(self) -> CodeCache:
        """The code objects that it met."""
        return self._codes

    def read(self, thread: ThreadRef, deadline_ns: int) -> OutsideStack | OuterPart:
        """Return the stack of ``thread``, innermost frame first.

        Tries, with pauses of uneven length, until ``deadline_ns`` (monotonic) and at least once.
        When the stack changed during each try, its outer part is returned that did not. Raises
        ``TornReadError`` when there is none or the thread ended, and ``ProcessEndedError``.
        """
        tries = 0
        apart: _Places = []
        outer = self.outer(thread, deadline_ns)
        while True:
            tries += 1
            try:
                return self._try(thread, tries, apart)
            except TornReadError:
                left_ns = deadline_ns - time.monotonic_ns()
                if left_ns <= 0:
                    if tries > 1:
                        return _part_of(outer)
                    raise
            if tries % _TRIES_WITH_PLACES == 0:
                apart.clear()  # coroutines come and go: then they are no longer the right ones
            if tries % _TRIES_AT_ONCE == 0:
                outer.look_if_due()
                longest_ns = min(_LONGEST_SLEEP_NS, left_ns)
                time.sleep(random.uniform(0, longest_ns) / 1e9)  # noqa: S311 - jitter

    def outer(self, thread: ThreadRef, deadline_ns: int) -> Outer:
        """Return what finds the outer part of the stack of ``thread`` until ``deadline_ns``."""
        return Outer(
            Sources(self._memory, self._layout, self._codes, self._resolve),
            lambda: self._head(thread),
            deadline_ns,
        )

    def _try(self, thread: ThreadRef, tries: int, apart: _Places) -> OutsideStack:
        gil = self._runtime.gil_at(thread.gil)
        at_ns = time.monotonic_ns()
        head = self._head(thread)
        may_move = gil.holder in {0, thread.address}
        copies = Copies(self._memory, self._places(head, apart))
        if may_move:
            self._look_again(thread, head, copies.segments(head.frame))
        raw, segments = Walk(copies, self._layout, head).run()
        apart[:] = [(one.address, len(one.data)) for one in segments if one.address != head.chunk]
        met = self._codes.loaded
        frames = self._resolve(raw)
        if not may_move and self._runtime.gil_at(thread.gil) == gil:
            if self._head(thread).frame != head.frame:
                raise TornReadError("The stack moved although its thread did not have the GIL.")
        elif not may_move or copies.is_incomplete or self._codes.loaded != met:
            self._look_again(thread, head, segments)
        return OutsideStack(
            frames=frames, at_ns=at_ns, tries=tries, truncated=len(raw) >= MAX_FRAMES
        )

    def _places(self, head: StackHead, apart: _Places) -> _Places:
        used = head.top - head.chunk
        if not head.chunk:
            return []  # no frame was ever made
        if not 0 < used <= MAX_CHUNK_BYTES:
            raise TornReadError("A chunk of the data stack is used beyond its size.")
        return [(head.chunk, used), *apart]

    def _head(self, thread: ThreadRef) -> StackHead:
        data = self._memory.read(thread.address + self._thread_start, self._thread_fields.size)
        interpreter, frame, ident, native_id, chunk, top = self._thread_fields.unpack(data)
        if (interpreter, ident, native_id) != (thread.interpreter, thread.ident, thread.native_id):
            raise TornReadError(f"Thread {thread.native_id} ended.")
        return StackHead(frame, chunk, top)

    def _look_again(self, thread: ThreadRef, head: StackHead, segments: list[Segment]) -> None:
        for _ in range(_LOOKS - 1):
            spin(random.randrange(_LONGEST_PAUSE_BETWEEN_LOOKS_NS))  # noqa: S311 - jitter
            for segment in segments:
                now = self._memory.read(segment.address, len(segment.data))
                if now != segment.data and not self._layout.only_moved_on(segment, now):
                    raise TornReadError("The stack changed while it was read.")
            again = self._head(thread)
            if again.frame != head.frame or again.chunk != head.chunk:
                raise TornReadError("The stack changed while it was read.")

    def _resolve(self, raw: list[RawFrame]) -> tuple[Frame, ...]:
        self._codes.begin_stack()
        codes: dict[int, CodeInfo] = {}
        frames = []
        for item in raw:
            code = codes.get(item.executable)
            if code is None:
                code = codes[item.executable] = self._codes.get(item.executable)
            start = self._own_bytecode(item) if item.bytecode else code.start
            lasti = item.instruction - start
            if not 0 <= lasti < code.size_bytes or lasti & 1:
                raise TornReadError("An instruction does not belong to the code of its frame.")
            if not code.is_hidden:
                frames.append(self._codes.frame(code, lasti))
        return tuple(frames)

    def _own_bytecode(self, item: RawFrame) -> int:
        copies = self._memory.u64(item.executable + self._offsets.code_object_co_tlbc)
        return self._memory.u64(copies + _TLBC_ENTRIES + _POINTER_BYTES * item.bytecode)


def _part_of(outer: Outer) -> OuterPart:
    part = outer.result()
    if part is None:
        raise TornReadError("Its stack changed at each look.")
    return part
