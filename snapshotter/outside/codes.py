"""Code objects of another process, read once and recognised cheaply ever after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from snapshotter.errors import TornReadError
from snapshotter.model.snapshot import Frame, Origin
from snapshotter.outside.linetable import line_at
from snapshotter.outside.objects import ObjectReader

if TYPE_CHECKING:
    from snapshotter.outside.origin import Origins
    from snapshotter.outside.runtime import Runtime

__all__ = ["CodeCache", "CodeInfo"]

_MAX_TABLE_BYTES = 4 << 20
_MAX_WORK_BYTES = 8 << 20
"""Line tables read and searched for one stack, so that a hostile target cannot keep us busy."""
_MAX_CACHED_CODES = 20_000
_MAX_CACHED_BYTES = 64 << 20
_MAX_FRAMES_PER_CODE = 2000
_UNIT_BYTES = 2
_MAX_HIDDEN_UNITS = 8
"""``_PyCode8`` of internal/pycore_code.h, the type of ``_Py_InitCleanup``."""
_FIRST_TRACEABLE = -16
"""``_co_firsttraceable``, from what follows ``co_extra`` (``_PyCode_DEF`` of cpython/code.h)."""
_FRAME_SIZE = 8
"""From ``co_firstlineno`` to ``co_framesize``: ``_PyCode_DEF`` of cpython/code.h."""
_POINTER_BYTES = 8


@dataclass(slots=True)
class CodeInfo:
    """What is kept of a code object; ``header`` are the bytes that make it this one."""

    header: bytes
    filename: str
    qualname: str
    first_line: int
    table: bytes
    start: int
    """Address of its first instruction."""
    size_bytes: int
    frame_bytes: int
    """How much of the data stack a call takes."""
    origin: Origin
    is_hidden: bool = False
    """Whether it is the interpreter's own: no traceback has its frames."""
    frames: dict[int, Frame] = field(default_factory=dict)

    def make_frame(self, lasti: int) -> Frame:
        """Return, and keep, the frame that stands at byte offset ``lasti``."""
        if len(self.frames) >= _MAX_FRAMES_PER_CODE:
            self.frames.clear()
        frame = self.frames[lasti] = Frame(
            filename=self.filename,
            qualname=self.qualname,
            lineno=line_at(self.table, self.first_line, lasti),
            first_lineno=self.first_line,
            origin=self.origin,
            lasti=lasti,
        )
        return frame


class CodeCache:
    """Code objects by address.

    An address may be reused for another code object, so each look compares the fields that never
    change in one: type, size, constants, names, version number, file, name, line table.
    """

    __slots__ = (
        "_by_address",
        "_cached_bytes",
        "_code_type",
        "_first_traceable",
        "_header_bytes",
        "_header_start",
        "_memory",
        "_objects",
        "_offsets",
        "_origins",
        "_work_bytes",
        "loaded",
    )

    def __init__(self, runtime: Runtime, origins: Origins) -> None:
        """Read code objects of ``runtime``; ``origins`` says whose code they are."""
        self._memory = runtime.memory
        self._offsets = runtime.offsets
        self._origins = origins
        self._objects = ObjectReader(runtime)
        self._by_address: dict[int, CodeInfo] = {}
        self._cached_bytes = 0
        self._work_bytes = 0
        self._code_type = 0
        self.loaded = 0
        """How many code objects were read so far, and not found among the known ones."""
        o = self._offsets
        code = o.code_object_co_tlbc if runtime.free_threaded else o.code_object_co_code_adaptive
        self._first_traceable = code + _FIRST_TRACEABLE
        self._header_start = self._offsets.pyobject_ob_type
        end = self._offsets.code_object_linetable + _POINTER_BYTES
        self._header_bytes = end - self._header_start

    def begin_stack(self) -> None:
        """Forget how much work was done: another stack begins."""
        self._work_bytes = 0

    def frame(self, code: CodeInfo, lasti: int) -> Frame:
        """Return the frame of ``code`` that stands at byte offset ``lasti``."""
        known = code.frames.get(lasti)
        if known is None:
            self._work(len(code.table))
            known = code.make_frame(lasti)
        return known

    def get(self, address: int) -> CodeInfo:
        """Return the code object that is at ``address`` now. Raises ``TornReadError``."""
        header = self._memory.read(address + self._header_start, self._header_bytes)
        known = self._by_address.get(address)
        if known is not None and known.header == header:
            return known
        return self._load(address, header)

    def _load(self, address: int, header: bytes) -> CodeInfo:
        o = self._offsets
        self.loaded += 1
        self._check_type(self._pointer(header, o.pyobject_ob_type))
        table = self._objects.octets(
            self._pointer(header, o.code_object_linetable), _MAX_TABLE_BYTES
        )
        self._work(len(table))
        filename = self._objects.text(self._pointer(header, o.code_object_filename))
        first_line = o.code_object_firstlineno - self._header_start
        units = self._pointer(header, o.pyobject_size)  # follows the head of such objects
        size = first_line + _FRAME_SIZE
        info = CodeInfo(
            header=header,
            filename=filename,
            qualname=self._objects.text(self._pointer(header, o.code_object_qualname)),
            first_line=int.from_bytes(header[first_line : first_line + 4], "little", signed=True),
            table=table,
            start=address + o.code_object_co_code_adaptive,
            size_bytes=_UNIT_BYTES * units,
            frame_bytes=_POINTER_BYTES * int.from_bytes(header[size : size + 4], "little"),
            origin=self._origins.of(filename),
            is_hidden=self._is_hidden(address, units),
        )
        again = self._memory.read(address + self._header_start, self._header_bytes)
        if again != header:
            raise TornReadError(f"The code object at {address:#x} went away.")
        self._keep(address, info)
        return info

    def _is_hidden(self, address: int, units: int) -> bool:
        """Whether none of its instructions can be traced, as in the step that checks __init__."""
        if units > _MAX_HIDDEN_UNITS:
            return False
        return self._memory.i32(address + self._first_traceable) >= units

    def _pointer(self, header: bytes, offset: int) -> int:
        at = offset - self._header_start
        return int.from_bytes(header[at : at + _POINTER_BYTES], "little")

    def _check_type(self, address: int) -> None:
        if address == self._code_type:
            return
        if self._objects.type_name(address) != "code":
            raise TornReadError("A frame runs something that is not a code object.")
        self._code_type = address

    def _work(self, size: int) -> None:
        self._work_bytes += size
        if self._work_bytes > _MAX_WORK_BYTES:
            raise TornReadError("The code of this stack is implausibly large.")

    def _keep(self, address: int, info: CodeInfo) -> None:
        if len(self._by_address) >= _MAX_CACHED_CODES or self._cached_bytes > _MAX_CACHED_BYTES:
            self._by_address.clear()
            self._cached_bytes = 0
        self._by_address[address] = info
        self._cached_bytes += len(info.table) + len(info.filename) + len(info.qualname)
