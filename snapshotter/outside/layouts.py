"""Where the fields of objects are that ``_Py_DebugOffsets`` does not tell.

Taken from the headers of CPython 3.14 and 3.15 for 64-bit machines, builds with a GIL
(``Include/cpython/object.h``, ``dictobject.h``, ``funcobject.h``;
``Include/internal/pycore_dict.h``, ``pycore_interpframe_structs.h``;
``Modules/_collectionsmodule.c``, ``Modules/_datetimemodule.c``).
None of them is believed before a target's own types say that they are of the expected size.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from snapshotter.errors import UnsupportedPythonError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from snapshotter.outside.runtime import Runtime

__all__ = ["HEAP_TYPE", "IMMUTABLE_TYPE", "SIZES", "TYPE_HEAD_BYTES", "ObjectLayout"]

# PyTypeObject.tp_flags
IMMUTABLE_TYPE: Final = 1 << 8
HEAP_TYPE: Final = 1 << 9

TYPE_HEAD_BYTES: Final = 352
"""Of a type object, from its start to the end of ``tp_mro``."""

SIZES: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "complex": (32,),
        "bytearray": (56, 64),
        "set": (200,),
        "frozenset": (200,),
        "range": (48,),
        "slice": (40,),
        "memoryview": (144,),
        "BaseException": (72,),
        "function": (152,),
        "builtin_function_or_method": (56,),
        "method": (48,),
        "module": (56, 104),
        "dict": (48,),
        "cell": (24,),
        "member_descriptor": (48,),
        "getset_descriptor": (48,),
        "collections.deque": (216,),
        "datetime.date": (32,),
        "datetime.time": (40,),
        "datetime.datetime": (48,),
        "datetime.timedelta": (40,),
        "decimal.Decimal": (104,),
        "_thread.lock": (24,),
        "_thread.RLock": (40,),
        "re.Pattern": (96,),
        "numpy.ndarray": (96,),
        "numpy.generic": (16,),
    }
)
"""``tp_basicsize`` of the types whose layout stands here, where it is the one that we know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectLayout:
    """Byte offsets into objects of one target."""

    ob_type: int
    list_item: int
    list_size: int
    tuple_item: int
    tuple_size: int
    set_used: int
    set_table: int
    set_mask: int
    dict_keys: int
    dict_values: int
    float_value: int
    long_tag: int
    long_digit: int
    bytes_size: int
    bytes_value: int
    text_state: int
    text_length: int
    text_ascii: int
    heap_name: int
    """``PyHeapTypeObject.ht_name``."""
    code_qualname: int
    code_filename: int
    code_line: int
    gen_frame: int
    gen_state: int
    frame_locals: int
    frame_stackpointer: int

    @property
    def heap_qualname(self) -> int:
        """``ht_qualname`` follows ``ht_slots``, which follows ``ht_name``."""
        return self.heap_name + 16

    @property
    def heap_cached_keys(self) -> int:
        """``ht_cached_keys`` follows ``ht_qualname``."""
        return self.heap_name + 24

    @classmethod
    def of(cls, runtime: Runtime) -> Self:
        """Return the layout of ``runtime``.

        Raises ``UnsupportedPythonError`` when objects of this build cannot be read from outside.
        """
        if runtime.free_threaded:
            raise _unreadable("in a free-threaded build")
        table = runtime.offsets.table
        layout = cls(
            ob_type=table["pyobject.ob_type"],
            list_item=table["list_object.ob_item"],
            list_size=table["list_object.ob_size"],
            tuple_item=table["tuple_object.ob_item"],
            tuple_size=table["tuple_object.ob_size"],
            set_used=table["set_object.used"],
            set_table=table["set_object.table"],
            set_mask=table["set_object.mask"],
            dict_keys=table["dict_object.ma_keys"],
            dict_values=table["dict_object.ma_values"],
            float_value=table["float_object.ob_fval"],
            long_tag=table["long_object.lv_tag"],
            long_digit=table["long_object.ob_digit"],
            bytes_size=table["bytes_object.ob_size"],
            bytes_value=table["bytes_object.ob_sval"],
            text_state=table["unicode_object.state"],
            text_length=table["unicode_object.length"],
            text_ascii=table["unicode_object.asciiobject_size"],
            heap_name=table["type_object.size"] + _HEAP_METHODS_BYTES,
            code_qualname=table["code_object.qualname"],
            code_filename=table["code_object.filename"],
            code_line=table["code_object.firstlineno"],
            gen_frame=table["gen_object.gi_iframe"],
            gen_state=table["gen_object.gi_frame_state"],
            frame_locals=table["interpreter_frame.localsplus"],
            frame_stackpointer=table["interpreter_frame.stackpointer"],
        )
        layout._check(table)
        return layout

    def _check(self, table: Mapping[str, int]) -> None:
        """Compare what both the table and we know."""
        known = {
            "pyobject.ob_type": 8,
            "type_object.tp_name": 24,
            "type_object.tp_flags": 168,
            "interpreter_frame.executable": 0,
            "interpreter_frame.previous": 8,
            "interpreter_frame.instr_ptr": 56,
            "interpreter_frame.stackpointer": 64,
            "code_object.argcount": 52,
            "dict_object.ma_keys": 32,
            "dict_object.ma_values": 40,
            "unicode_object.asciiobject_size": 40,
        }
        if any(table[name] != value for name, value in known.items()):
            raise _unreadable("in a build with these structures")
        largest = 4096
        if any(not 0 <= getattr(self, name) <= largest for name in self.__slots__):
            raise _unreadable("in a build with these structures")


_HEAP_METHODS_BYTES: Final = 440
"""The method tables between ``PyTypeObject`` and ``ht_name``: 4 + 36 + 3 + 10 + 2 pointers."""


def _unreadable(where: str) -> UnsupportedPythonError:
    return UnsupportedPythonError(
        f"Values cannot be read from outside {where}.",
        hint="Stacks and counters are still read from outside.",
    )
