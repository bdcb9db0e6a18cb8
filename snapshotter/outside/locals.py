"""Locals of the frames of a thread, read from where they lie in its frames."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING, Final

from snapshotter.errors import TornReadError
from snapshotter.model.values import Kind
from snapshotter.outside.selection import any_match
from snapshotter.outside.values import Node
from snapshotter.outside.walk import MAX_FRAMES

if TYPE_CHECKING:
    from snapshotter.model.snapshot import Frame
    from snapshotter.outside.codes import CodeCache, CodeInfo
    from snapshotter.outside.pages import PagedMemory
    from snapshotter.outside.runtime import Runtime, ThreadRef
    from snapshotter.outside.selection import Selection
    from snapshotter.outside.values import ValueTable

__all__ = ["LocalsReader", "SeenFrame", "SeenLocal", "SeenThread"]

_FRAME: Final = Struct("<QQQQQQQQQ")  # _PyInterpreterFrame from f_executable to stackpointer
_OWNED_BY_INTERPRETER: Final = 3
_OPTIMIZED: Final = 1
_HIDDEN, _CELL, _FREE = 0x10, 0x40, 0x80
_FLAGS: Final = 48
_CELL_VALUE: Final = 16
_OWN_FRAME, _EXTRA_LOCALS = 24, 48
"""``f_frame`` and ``f_extra_locals`` of a ``PyFrameObject``."""
_MOST_LOCALS: Final = 64
_MOST_SLOTS: Final = 2000
_MAX_NAME: Final = 200
_MOST_CODES: Final = 20_000
_OURS: Final = "<snapshotter probe>"
"""The probe's own frames, should it be at work: what it hides is in its locals."""
_LIMIT: Final = "it has more locals than are captured"
_NO_DICT: Final = "its namespace is not a plain dict"

type _Found = tuple[str, int, list[tuple[int, int]]]
"""Name, address of the value, and the bytes that say so."""


@dataclass(slots=True)
class SeenLocal:
    """A local; ``places`` are the bytes that say which object it is."""

    name: str
    node: int
    places: list[tuple[int, int]]


@dataclass(slots=True)
class SeenFrame:
    """A frame, and its locals when they are selected."""

    frame: Frame
    locals: list[SeenLocal] = field(default_factory=list)
    note: str | None = None


@dataclass(slots=True)
class SeenThread:
    """A thread; while the bytes at ``places`` stay, it is in these calls."""

    ref: ThreadRef
    at_ns: int
    frames: list[SeenFrame]
    places: list[tuple[int, int]]


@dataclass(slots=True)
class _Call:
    """A frame where it lies in memory."""

    address: int
    code: CodeInfo
    globals: int
    namespace: int
    frame_object: int
    lasti: int


@dataclass(frozen=True, slots=True)
class _Variables:
    """Names and kinds of the places at the start of each frame of a code object."""

    code: CodeInfo
    flags: int
    names: tuple[str, ...]
    kinds: bytes


class LocalsReader:
    """Reads threads of one runtime; keeps the names of variables of the code that it met."""

    __slots__ = ("_codes", "_runtime", "_variables")

    def __init__(self, runtime: Runtime, codes: CodeCache) -> None:
        """Read threads of ``runtime``, whose code objects are in ``codes``."""
        self._runtime = runtime
        self._codes = codes
        self._variables: dict[int, _Variables] = {}

    def read(self, table: ValueTable, thread: ThreadRef, selection: Selection) -> SeenThread:
        """Return the calls of ``thread`` with the selected locals, queued in ``table``.

        Raises ``TornReadError`` when the thread moved meanwhile.
        """
        at_ns = time.monotonic_ns()
        places: list[tuple[int, int]] = []
        calls = self._walk(table.heap.pages, thread, places)
        frames = [SeenFrame(self._codes.frame(call.code, call.lasti)) for call in calls]
        origins = [seen.frame.origin for seen in frames]
        for place in selection.frames(origins, table.limits.app_frames):
            if frames[place].frame.filename == _OURS:
                continue
            self._fill(table, frames[place], calls[place], selection)
            table.drain()
        return SeenThread(thread, at_ns, frames, places)

    def _walk(
        self, pages: PagedMemory, thread: ThreadRef, places: list[tuple[int, int]]
    ) -> list[_Call]:
        o = self._runtime.offsets
        self._check_alive(pages, thread)
        current = thread.address + o.thread_state_current_frame
        places.append((current, 8))
        address = pages.u64(current)
        self._codes.begin_stack()
        known: dict[int, CodeInfo] = {}
        calls: list[_Call] = []
        for _ in range(3 * MAX_FRAMES):
            if not address or len(calls) >= MAX_FRAMES:
                return calls
            data = pages.read(address, _FRAME.size)
            owner_at = address + o.interpreter_frame_owner
            owner = pages.read(owner_at, 1)[0]
            executable, previous, _, names, _, namespace, shown, instruction, _ = _FRAME.unpack(
                data
            )
            places += [(address, 16), (owner_at, 1)]
            if owner < _OWNED_BY_INTERPRETER:
                code = known.get(executable)
                if code is None:
                    code = known[executable] = self._codes.get(executable & ~3)
                lasti = instruction - code.start
                if not 0 <= lasti < code.size_bytes or lasti & 1:
                    raise TornReadError("An instruction does not belong to its frame.")
                if not code.is_hidden:
                    calls.append(_Call(address, code, names, namespace, shown, lasti))
            address = previous
        raise TornReadError("The chain of frames does not end.")

    def _check_alive(self, pages: PagedMemory, thread: ThreadRef) -> None:
        o = self._runtime.offsets
        found = (
            pages.u64(thread.address + o.thread_state_interp),
            pages.u64(thread.address + o.thread_state_thread_id),
            pages.u64(thread.address + o.thread_state_native_thread_id),
        )
        if found != (thread.interpreter, thread.ident, thread.native_id):
            raise TornReadError(f"Thread {thread.native_id} ended.")

    def _fill(self, table: ValueTable, seen: SeenFrame, call: _Call, selection: Selection) -> None:
        patterns = None
        if selection.needs_module:
            module = self._module(table, call.globals)
            patterns = selection.names(module, seen.frame.qualname)
            if not patterns:
                return
        try:
            found = self._named_values(table, call)
        except TornReadError:
            seen.note = "its locals could not be read"
            return
        if found is None:
            seen.note = _NO_DICT
            return
        for name, value, places in found[:_MOST_LOCALS]:
            if any_match(patterns, name):
                seen.locals.append(SeenLocal(name, _root(table, name, value), places))
        if len(found) > _MOST_LOCALS:
            seen.note = _LIMIT

    def _module(self, table: ValueTable, names: int) -> str:
        try:
            for key, value in table.heap.dict_items(names, 16):
                if table.classes.text_if_exact(key, _MAX_NAME) == "__name__":
                    return table.classes.text_if_exact(value, _MAX_NAME) or ""
        except TornReadError:
            pass
        return ""

    def _named_values(self, table: ValueTable, call: _Call) -> list[_Found] | None:
        variables = self._variables_of(table, call.code)
        start = call.address + table.heap.layout.frame_locals
        slots = table.heap.pages.words(start, len(variables.names))
        if not variables.flags & _OPTIMIZED and not _has_hidden(variables, slots):
            return _namespace(table, call.namespace)
        found = []
        for at, (name, kind, slot) in enumerate(
            zip(variables.names, variables.kinds, slots, strict=True)
        ):
            value, places = slot, [(start + 8 * at, 8)]
            if kind & (_CELL | _FREE) and slot > 3 and _is_cell(table, slot & ~3):  # noqa: PLR2004 - tags
                place = (slot & ~3) + _CELL_VALUE
                value = table.heap.pages.u64(place)
                places.append((place, 8))
            if value & ~3:
                found.append((name, value, places))
        return found + _extra(table, call)

    def _variables_of(self, table: ValueTable, code: CodeInfo) -> _Variables:
        known = self._variables.get(code.start)
        if known is not None and known.code is code:
            return known
        o = self._runtime.offsets
        first = o.pyobject_ob_type

        def word(offset: int, size: int = 8) -> int:
            return int.from_bytes(code.header[offset - first : offset - first + size], "little")

        names, count = table.heap.tuple_items(
            word(o.table["code_object.localsplusnames"]), _MOST_SLOTS
        )
        kinds, size = table.heap.octets(word(o.table["code_object.localspluskinds"]), _MOST_SLOTS)
        if count != size or count > _MOST_SLOTS:
            raise TornReadError("A code object has no plausible variables.")
        texts = tuple([table.heap.text(name, _MAX_NAME)[0] for name in names])
        shown = tuple([text.encode("utf-8", "backslashreplace").decode() for text in texts])
        if len(self._variables) >= _MOST_CODES:
            self._variables.clear()
        made = self._variables[code.start] = _Variables(code, word(_FLAGS, 4), shown, kinds)
        return made


def _namespace(table: ValueTable, address: int) -> list[_Found] | None:
    """The dict that the code of a module or class works in."""
    if not address:
        return []
    if table.classes.plan(table.heap.type_of(address)).short != "dict":
        return None
    first = len(table.heap.pages.spans)
    entries = table.heap.dict_items(address, _MOST_LOCALS + 1)
    places = table.heap.pages.spans[first:]
    found = []
    for key, value in entries:
        name = table.classes.text_if_exact(key, _MAX_NAME)
        found.append(("?" if name is None else name, value, places))
    return found


def _extra(table: ValueTable, call: _Call) -> list[_Found]:
    """What was written into ``f_locals`` under names that the code does not have."""
    if not call.frame_object:
        return []
    if table.heap.pages.u64(call.frame_object + _OWN_FRAME) != call.address:
        raise TornReadError("A frame object belongs to another frame.")
    return _namespace(table, table.heap.pages.u64(call.frame_object + _EXTRA_LOCALS)) or []


def _root(table: ValueTable, name: str, value: int) -> int:
    if value & 3 == 3 and not table.scrubber.is_secret(name):  # noqa: PLR2004 - a tagged int
        return table.add_made(Node(Kind.INT, "int", value=value >> 2))
    return table.root(name, value & ~3)


def _is_cell(table: ValueTable, address: int) -> bool:
    return table.classes.plan(table.heap.type_of(address)).short == "cell"


def _has_hidden(variables: _Variables, slots: tuple[int, ...]) -> bool:
    """Whether a comprehension is under way that was merged into the code of a module or class."""
    return any(
        kind & _HIDDEN and slot & ~3 for kind, slot in zip(variables.kinds, slots, strict=True)
    )
