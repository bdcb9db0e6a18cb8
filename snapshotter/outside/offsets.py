"""``_Py_DebugOffsets``: where the fields of CPython's structures are, checked before use.

The table stands at the start of ``_PyRuntime``: an 8-byte cookie and a run of unsigned 64-bit
numbers whose order depends on the minor version (``Include/internal/pycore_debug_offsets.h``).
A target may lie: a table is taken only when every field lies inside its structure.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING

from snapshotter.errors import UnsupportedPythonError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COOKIE", "HEAD_BYTES", "LAYOUTS", "Offsets", "parse_offsets", "table_bytes"]

COOKIE = b"xdebugpy"
HEAD_BYTES = 24
"""Cookie, version and free-threaded flag: the same in every version since 3.13."""

_MAX_STRUCT_BYTES = 16 << 20
_POINTER_BYTES = 8


def _group(prefix: str, names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}.{name}" for name in names.split())


_HEAD = ("version", "free_threaded", *_group("runtime_state", "size finalizing interpreters_head"))
_INTERPRETER = _group(
    "interpreter_state",
    "size id next threads_head threads_main gc imports_modules sysdict builtins ceval_gil "
    "gil_runtime_state gil_runtime_state_enabled gil_runtime_state_locked "
    "gil_runtime_state_holder code_object_generation tlbc_generation",
)
_FRAME_AND_CODE = (
    *_group(
        "interpreter_frame",
        "size previous executable instr_ptr localsplus owner stackpointer tlbc_index",
    ),
    *_group(
        "code_object",
        "size filename name qualname linetable firstlineno argcount localsplusnames "
        "localspluskinds co_code_adaptive co_tlbc",
    ),
    *_group("pyobject", "size ob_type"),
)
_CONTAINERS = (
    *_group("tuple_object", "size ob_item ob_size"),
    *_group("list_object", "size ob_item ob_size"),
    *_group("set_object", "size used table mask"),
    *_group("dict_object", "size ma_keys ma_values"),
    *_group("float_object", "size ob_fval"),
    *_group("long_object", "size lv_tag ob_digit"),
    *_group("bytes_object", "size ob_size ob_sval"),
)
_TAIL = (
    *_group("gen_object", "size gi_name gi_iframe gi_frame_state"),
    *_group("llist_node", "next prev"),
    *_group(
        "debugger_support",
        "eval_breaker remote_debugger_support remote_debugging_enabled debugger_pending_call "
        "debugger_script_path debugger_script_path_size",
    ),
)

LAYOUTS: Mapping[tuple[int, int], tuple[str, ...]] = MappingProxyType(
    {
        (3, 14): (
            *_HEAD,
            *_INTERPRETER,
            *_group(
                "thread_state",
                "size prev next interp current_frame thread_id native_thread_id datastack_chunk "
                "status",
            ),
            *_FRAME_AND_CODE,
            *_group("type_object", "size tp_name tp_repr tp_flags"),
            *_CONTAINERS,
            *_group("unicode_object", "size state length asciiobject_size"),
            *_group("gc", "size collecting"),
            *_TAIL,
        ),
        (3, 15): (
            *_HEAD,
            *_INTERPRETER,
            *_group(
                "thread_state",
                "size prev next interp current_frame base_frame last_profiled_frame "
                "last_profiled_frame_seq thread_id native_thread_id datastack_chunk status "
                "holds_gil gil_requested current_exception exc_state",
            ),
            "err_stackitem.exc_value",
            *_FRAME_AND_CODE,
            *_group("type_object", "size tp_name tp_repr tp_flags tp_basicsize tp_dictoffset"),
            "heap_type_object.size",
            "heap_type_object.ht_cached_keys",
            *_CONTAINERS,
            *_group(
                "unicode_object", "size state length asciiobject_size compactunicodeobject_size"
            ),
            *_group("gc", "size collecting frame generation_stats_size generation_stats"),
            *_TAIL,
        ),
    }
)
"""Names of the numbers after the cookie, by (major, minor)."""


@dataclass(frozen=True, slots=True)
class Offsets:
    """The offsets that this package uses, in bytes, under CPython's names (``.`` as ``_``)."""

    runtime_state_size: int
    runtime_state_finalizing: int
    runtime_state_interpreters_head: int
    interpreter_state_size: int
    interpreter_state_id: int
    interpreter_state_next: int
    interpreter_state_threads_head: int
    interpreter_state_threads_main: int
    interpreter_state_ceval_gil: int
    interpreter_state_gil_runtime_state: int
    interpreter_state_gil_runtime_state_locked: int
    interpreter_state_gil_runtime_state_holder: int
    thread_state_size: int
    thread_state_prev: int
    thread_state_next: int
    thread_state_interp: int
    thread_state_current_frame: int
    thread_state_thread_id: int
    thread_state_native_thread_id: int
    thread_state_datastack_chunk: int
    thread_state_status: int
    interpreter_frame_size: int
    interpreter_frame_previous: int
    interpreter_frame_executable: int
    interpreter_frame_instr_ptr: int
    interpreter_frame_owner: int
    interpreter_frame_tlbc_index: int
    code_object_size: int
    code_object_filename: int
    code_object_qualname: int
    code_object_linetable: int
    code_object_firstlineno: int
    code_object_co_code_adaptive: int
    code_object_co_tlbc: int
    pyobject_size: int
    pyobject_ob_type: int
    type_object_size: int
    type_object_tp_name: int
    bytes_object_size: int
    bytes_object_ob_size: int
    bytes_object_ob_sval: int
    unicode_object_size: int
    unicode_object_state: int
    unicode_object_length: int
    unicode_object_asciiobject_size: int
    debugger_support_eval_breaker: int
    debugger_support_remote_debugger_support: int
    debugger_support_remote_debugging_enabled: int
    debugger_support_debugger_pending_call: int
    debugger_support_debugger_script_path: int
    debugger_support_debugger_script_path_size: int
    table: Mapping[str, int]
    """The whole table under CPython's own names ("gc.size"); only the fields above are checked."""

    def gil_locked(self) -> int:
        """Return the offset of ``locked`` in the GIL structure."""
        return (
            self.interpreter_state_gil_runtime_state_locked
            - self.interpreter_state_gil_runtime_state
        )

    def gil_holder(self) -> int:
        """Return the offset of ``last_holder`` in the GIL structure."""
        return (
            self.interpreter_state_gil_runtime_state_holder
            - self.interpreter_state_gil_runtime_state
        )

    def gil_interval(self) -> int:
        """Return the offset of the switch interval in microseconds, a long before the holder."""
        return self.gil_holder() - 8

    def gil_switch_number(self) -> int:
        """Return the offset of ``switch_number``: it follows ``locked``, aligned to 8 bytes."""
        return (self.gil_locked() + 11) & ~7


def table_bytes(version: tuple[int, int]) -> int:
    """Return the size of the table of ``version``, cookie included."""
    return len(COOKIE) + 8 * len(LAYOUTS[version])


def parse_offsets(data: bytes, version: tuple[int, int]) -> Offsets:
    """Return the checked offsets from the bytes of a table.

    Raises ``UnsupportedPythonError`` when they cannot be those of a real interpreter.
    """
    names = LAYOUTS[version]
    if len(data) < table_bytes(version) or not data.startswith(COOKIE):
        raise _implausible("cut off")
    values = struct.unpack_from(f"<{len(names)}Q", data, len(COOKIE))
    table = dict(zip(names, values, strict=True))
    flat = {name.replace(".", "_"): value for name, value in table.items()}
    wanted = {item.name: flat[item.name] for item in fields(Offsets) if item.name != "table"}
    offsets = Offsets(**wanted, table=MappingProxyType(table))
    _check(offsets, wanted)
    return offsets


_STRUCTS = (
    "runtime_state",
    "interpreter_state",
    "thread_state",
    "interpreter_frame",
    "code_object",
    "pyobject",
    "type_object",
    "bytes_object",
    "unicode_object",
)


def _check(offsets: Offsets, flat: Mapping[str, int]) -> None:
    for name in _STRUCTS:
        size = flat[f"{name}_size"]
        if not _POINTER_BYTES <= size <= _MAX_STRUCT_BYTES:
            raise _implausible(f"{name}.size")
        for key, value in flat.items():
            if key.startswith(f"{name}_") and value > size:
                raise _implausible(key)
    _check_debugger_support(offsets)
    _check_gil(offsets)
    for key in _POINTERS:
        if flat[key] % _POINTER_BYTES:
            raise _implausible(key)


_POINTERS = (
    "runtime_state_interpreters_head",
    "interpreter_state_next",
    "interpreter_state_threads_head",
    "interpreter_state_threads_main",
    "interpreter_state_ceval_gil",
    "thread_state_next",
    "thread_state_current_frame",
    "thread_state_datastack_chunk",
    "interpreter_frame_previous",
    "interpreter_frame_executable",
    "interpreter_frame_instr_ptr",
    "debugger_support_eval_breaker",
)


def _check_debugger_support(offsets: Offsets) -> None:
    """These are the places that a request is written to: they must lie in the thread state."""
    base = offsets.debugger_support_remote_debugger_support
    path = base + offsets.debugger_support_debugger_script_path
    ends = (
        base + offsets.debugger_support_debugger_pending_call + 4,
        path + offsets.debugger_support_debugger_script_path_size,
        offsets.debugger_support_eval_breaker + 8,
    )
    if max(ends) > offsets.thread_state_size:
        raise _implausible("debugger_support")
    if not 16 <= offsets.debugger_support_debugger_script_path_size <= 4096:  # noqa: PLR2004 - a path
        raise _implausible("debugger_support.debugger_script_path_size")
    if offsets.debugger_support_remote_debugging_enabled + 4 > offsets.interpreter_state_size:
        raise _implausible("debugger_support.remote_debugging_enabled")


def _check_gil(offsets: Offsets) -> None:
    largest = 256
    if not 0 < offsets.gil_locked() < largest or not 0 < offsets.gil_holder() < largest:
        raise _implausible("interpreter_state.gil_runtime_state")


def _implausible(what: str) -> UnsupportedPythonError:
    return UnsupportedPythonError(
        f"The table of offsets in the target is not one of a known CPython ({what}).",
        hint="Use a released CPython 3.14 or 3.15; a patched build may keep other structures.",
    )
