"""What a type of the target is made of, and how to read its instances; decided once per type."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Final

from snapshotter.errors import SnapshotterError, TornReadError
from snapshotter.outside.layouts import HEAP_TYPE, SIZES, TYPE_HEAD_BYTES
from snapshotter.outside.leaves import visible
from snapshotter.outside.locate import read_mappings
from snapshotter.outside.readings import (
    MODULE_TYPES,
    OWN_TYPES,
    SECRET_TYPES,
    Plan,
    Reading,
    is_made_in_c,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.outside.heap import DictKeys, Heap
    from snapshotter.outside.runtime import Runtime

__all__ = ["ClassReader"]

_HEAD: Final = Struct("<24xQqq120xQ88xQ16xq48xQ")
_MANAGED_DICT: Final = 1 << 4
_INLINE_VALUES: Final = 1 << 2
_MEMBER_KINDS: Final = {6, 16}  # _Py_T_OBJECT, Py_T_OBJECT_EX
_DESCRIPTOR_TYPE, _DESCRIPTOR_DETAIL = 16, 40
_MEMBER: Final = Struct("<qq")  # type (padded) and offset, after the name
_GETSET_DOC: Final = 24
_DOC_OF_DICT: Final = "dictionary for instance variables"
_WITH_DICT: Final = ("BaseException", "types.SimpleNamespace")
_FIELD_TABLES: Final = ("__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__")
_MOST_PARENTS, _MOST_SCANNED, _MOST_SLOTS, _MOST_FIELDS = 64, 3000, 64, 256
_MAX_NAME, _MAX_BYTES_OF_INSTANCE = 200, 1 << 20
_MAX_PLANS: Final = 20_000


@dataclass(frozen=True, slots=True)
class _Head:
    """The fields of a type object that tell what it is."""

    name: int
    basic_size: int
    item_size: int
    flags: int
    dict: int
    dict_offset: int
    order: int
    data: bytes


@dataclass(slots=True)
class _Scan:
    module: str = ""
    has_dict: bool = False
    fields: tuple[str, ...] | None = None
    slots: tuple[tuple[str, int], ...] = ()
    has_c_members: bool = False
    hidden: frozenset[str] = frozenset()


class ClassReader:
    """Types by address. What was learned is kept as long as the head of the type stays the same."""

    __slots__ = ("_checked", "_depth", "_heap", "_image", "_plans", "made")

    def __init__(self, runtime: Runtime, heap: Heap) -> None:
        """Read types of ``runtime`` through ``heap``."""
        self._heap = heap
        self._image = _own_data(runtime)
        self._plans: dict[int, Plan] = {}
        self._checked: set[int] = set()
        self._depth = 0
        self.made: list[tuple[int, Plan]] = []
        """Plans made since ``begin``, by address: their ``spans`` tell what they rest on."""

    def begin(self) -> None:
        """Start a new reading: look again at every type that is met."""
        self.made.clear()
        self._checked.clear()
        if len(self._plans) > _MAX_PLANS:
            self._plans.clear()

    def drop(self, address: int) -> None:
        """Forget the plan of one type."""
        self._plans.pop(address, None)

    def plan(self, address: int) -> Plan:
        """Return how to read instances of the type at ``address``. Raises ``TornReadError``."""
        plan = self._plans.get(address)
        if plan is not None and address not in self._checked:
            if self._heap.pages.read(address + 8, TYPE_HEAD_BYTES - 8) != plan.head:
                plan = None  # another type lies there now
            self._checked.add(address)
        if plan is None:
            if self._depth > 8:  # noqa: PLR2004 - a type, its metaclass, the classes of its fields
                raise TornReadError("Types of types do not end.")
            first = len(self._heap.pages.spans)
            self._depth += 1
            try:
                plan = self._make(address)
            finally:
                self._depth -= 1
            plan.spans = first, len(self._heap.pages.spans)
            self._plans[address] = plan
            self._checked.add(address)
            self.made.append((address, plan))
        return plan

    def parents(self, address: int) -> tuple[int, ...]:
        """Return addresses of the classes of ``__mro__``."""
        mro = self._heap.pages.u64(address + 344)
        return self._heap.tuple_items(mro, _MOST_PARENTS)[0] if mro else (address,)

    def entries(self, address: int, most: int = _MOST_SCANNED) -> DictKeys:
        """Return the class dict; empty for static types of the interpreter."""
        names = self._heap.pages.u64(address + 264)
        return self._heap.dict_items(names, most) if names else []

    def name_of(self, address: int) -> str:
        """Return the qualified name of the class at ``address`` itself."""
        return self._qualname(address, self._head(address))

    def text_if_exact(self, address: int, most: int) -> str | None:
        """Return the text of an exact str, None of anything else."""
        if self.plan(self._heap.type_of(address)).short != "str":
            return None
        return self._heap.text(address, most)[0]

    def _head(self, address: int) -> _Head:
        data = self._heap.pages.read(address + 8, TYPE_HEAD_BYTES - 8)
        name, basic, item, flags, names, offset, mro = _HEAD.unpack(bytes(8) + data)
        return _Head(name, basic, item, flags, names, offset, mro, data)

    def _make(self, address: int) -> Plan:
        head = self._head(address)
        parents = self.parents(address)
        if not parents or parents[0] != address:
            raise TornReadError(f"No plausible type at {address:#x}.")
        if is_made_in_c(head.flags):
            return self._of_c(address, head, parents)
        self._check_heap_type(address, head)
        reading = self._inherited(parents)
        scan = self._scan(address, parents, reading)
        qualname = self._qualname(address, head)
        plan = self._plan(head, scan, reading, address=address, qualname=qualname)
        if self._is_enum(parents):
            plan.reading = Reading.ENUM
        return plan

    def _plan(
        self, head: _Head, scan: _Scan, reading: Reading, *, address: int, qualname: str
    ) -> Plan:
        name = f"{scan.module}.{qualname}" if scan.module else qualname
        offset, inline, keys = head.dict_offset, 0, 0
        if head.flags & _MANAGED_DICT:
            offset = -24
            if head.flags & _INLINE_VALUES:
                inline = head.basic_size
                keys = self._heap.pages.u64(address + self._heap.layout.heap_cached_keys)
        return Plan(
            name=visible(name),
            short=qualname,
            reading=reading,
            base=reading,
            flags=head.flags,
            has_dict=scan.has_dict and offset != 0,
            dict_offset=offset,
            inline=inline,
            cached_keys=keys,
            slots=scan.slots,
            has_c_members=scan.has_c_members,
            fields=scan.fields,
            hidden=scan.hidden,
            secret=qualname.rpartition(".")[2] in SECRET_TYPES,
            head=head.data,
        )

    def _of_c(self, address: int, head: _Head, parents: tuple[int, ...]) -> Plan:
        """Types made in C have no attributes that we look for, but for exceptions."""
        tp_name = self._heap.c_text(head.name)
        reading = self._inherited(parents)
        if head.flags & HEAP_TYPE:
            module, qualname = self._module_of(address), self._qualname(address, head)
            module = "" if module == tp_name.rpartition(".")[2] else module
        else:
            module, _, qualname = tp_name.rpartition(".")
        has_dict = reading is Reading.EXCEPTION or tp_name in _WITH_DICT
        scan = _Scan("" if module == "builtins" else module[:_MAX_NAME], has_dict)
        plan = self._plan(head, scan, reading, address=address, qualname=qualname[:_MAX_NAME])
        if not head.flags & HEAP_TYPE:
            plan.short = tp_name
        return plan

    def _inherited(self, parents: tuple[int, ...]) -> Reading:
        for parent in parents:
            reading = self._of_own(parent)
            if reading is not None:
                return reading
        return Reading.OBJECT

    def _of_own(self, address: int) -> Reading | None:
        """What the layout of a type made in C is; None where it says nothing."""
        known = self._plans.get(address)
        if known is not None and known.is_made_in_c and known.reading is not Reading.OBJECT:
            return known.reading
        head = self._head(address)
        if not is_made_in_c(head.flags):
            return None
        tp_name = self._heap.c_text(head.name, 64)
        lies_in_image = any(start <= address < end for start, end in self._image)
        if not head.flags & HEAP_TYPE and lies_in_image:
            reading = OWN_TYPES.get(tp_name) or MODULE_TYPES.get(tp_name)
        else:
            reading = MODULE_TYPES.get(tp_name)
        if reading is None:
            return None
        sizes = SIZES.get(tp_name)
        return reading if sizes is None or head.basic_size in sizes else Reading.FOREIGN

    def _check_heap_type(self, address: int, head: _Head) -> None:
        """``tp_name`` of a class is the text of ``ht_name``: else the offsets are others.

        Types that C code made from a specification have their module before it.
        """
        place = self._heap.pages.u64(address + self._heap.layout.heap_name)
        name = self._heap.text(place, 64)[0].encode("utf-8", "replace").decode()
        shown = self._heap.c_text(head.name)
        is_known = shown.startswith(name) or shown.endswith(f".{name}")
        if not is_known or not 0 < head.basic_size <= _MAX_BYTES_OF_INSTANCE:
            raise TornReadError(f"No plausible class at {address:#x}.")

    def _qualname(self, address: int, head: _Head) -> str:
        if not head.flags & HEAP_TYPE:
            return self._heap.c_text(head.name).rpartition(".")[2]
        name = self._heap.pages.u64(address + self._heap.layout.heap_qualname)
        return self._heap.text(name, _MAX_NAME)[0]

    def _module_of(self, address: int) -> str:
        for key, value in self.entries(address):
            if self.text_if_exact(key, 64) == "__module__":
                return self.text_if_exact(value, _MAX_NAME) or ""
        return ""

    def _is_enum(self, parents: tuple[int, ...]) -> bool:
        """Whether ``enum.Enum`` is among the parents; it has no name but in its own module."""
        for parent in parents[-2:-6:-1]:
            head = self._head(parent)
            if head.flags & HEAP_TYPE and self._qualname(parent, head) == "Enum":
                return self._module_of(parent) == "enum"
        return False

    def _scan(self, address: int, parents: tuple[int, ...], reading: Reading) -> _Scan:
        """One pass over the class dicts of classes that class statements made."""
        scan = _Scan()
        slots: list[tuple[str, int]] = []
        hidden: set[str] = set()
        left = _MOST_SCANNED
        for parent in parents:
            head = self._head(parent)
            if is_made_in_c(head.flags):
                scan.has_dict = scan.has_dict or self._heap.c_text(head.name) in _WITH_DICT
                continue
            entries = self.entries(parent, left)
            left -= len(entries)
            for key, value in entries:
                name = self.text_if_exact(key, _MAX_NAME)
                if name is not None:
                    self._entry(scan, (address, parent), (name, value), (slots, hidden, reading))
        scan.slots = tuple(slots[:_MOST_SLOTS])
        scan.hidden = frozenset(hidden)
        return scan

    def _entry(
        self,
        scan: _Scan,
        classes: tuple[int, int],
        entry: tuple[str, int],
        found: tuple[list[tuple[str, int]], set[str], Reading],
    ) -> None:
        (address, parent), (name, value), (slots, hidden, reading) = classes, entry, found
        kind = self._heap.type_of(value)
        head_name = self._short_of_c(kind)
        if head_name == "member_descriptor":
            if name[:2] != "__" and self._belongs(value, parent):
                offset = self._slot(value)
                if offset:
                    slots.append((name, offset))
                scan.has_c_members = scan.has_c_members or not offset
        elif head_name == "getset_descriptor":
            if name == "__dict__" and self._is_the_dict(value, parent):
                scan.has_dict = True
        elif name == "__module__" and parent == address and head_name == "str":
            scan.module = self._heap.text(value, _MAX_NAME)[0]
        elif name == "_fields" and reading is Reading.TUPLE and head_name == "tuple":
            if scan.fields is None:
                items, _ = self._heap.tuple_items(value, _MOST_SLOTS)
                texts = [self.text_if_exact(item, _MAX_NAME) for item in items]
                scan.fields = tuple(text for text in texts if text is not None)
        elif name in _FIELD_TABLES:
            hidden.update(self._hidden(value, head_name))

    def _short_of_c(self, address: int) -> str:
        """``tp_name`` of a static type of the interpreter, "" of any other type."""
        if not any(start <= address < end for start, end in self._image):
            return ""
        plan = self._plans.get(address)
        return plan.short if plan else self.plan(address).short

    def _belongs(self, descriptor: int, parent: int) -> bool:
        return self._heap.pages.u64(descriptor + _DESCRIPTOR_TYPE) == parent

    def _slot(self, descriptor: int) -> int:
        """Return the offset of an object in its owner, 0 for a member that is a value of C."""
        member = self._heap.pages.u64(descriptor + _DESCRIPTOR_DETAIL)
        kind, offset = _MEMBER.unpack(self._heap.pages.read(member + 8, _MEMBER.size))
        is_object = kind & 0xFFFF_FFFF in _MEMBER_KINDS
        return offset if is_object and 0 < offset < _MAX_BYTES_OF_INSTANCE else 0

    def _is_the_dict(self, descriptor: int, parent: int) -> bool:
        """Whether CPython itself put this ``__dict__`` into the class: known by its doc.

        3.14 makes one for each class, 3.15 has one for all, which belongs to ``object``.
        """
        owner = self._heap.pages.u64(descriptor + _DESCRIPTOR_TYPE)
        if owner != parent and self._short_of_c(owner) != "object":
            return False
        getset = self._heap.pages.u64(descriptor + _DESCRIPTOR_DETAIL)
        doc = self._heap.pages.u64(getset + _GETSET_DOC)
        return doc != 0 and self._heap.c_text(doc, 64) == _DOC_OF_DICT

    def _hidden(self, fields: int, kind: str) -> Iterator[str]:
        """Names of ``dataclasses.field(repr=False)`` and the like of attrs and pydantic."""
        if kind == "dict":
            pairs = self._heap.dict_items(fields, _MOST_FIELDS)
        elif self.plan(self._heap.type_of(fields)).reading is Reading.TUPLE:
            items, _ = self._heap.tuple_items(fields, _MOST_FIELDS)
            pairs = [(self.slot_value(item, "name"), item) for item in items]
        else:
            return
        for key, field in pairs:
            name = self.text_if_exact(key, _MAX_NAME) if key else None
            value = self.slot_value(field, "repr")
            if name is not None and value and self.is_false(value):
                yield name

    def slot_value(self, address: int, wanted: str) -> int:
        """Return the address of what is in a slot of an object, 0 if there is none."""
        for name, offset in self.plan(self._heap.type_of(address)).slots:
            if name == wanted:
                return self._heap.pages.u64(address + offset)
        return 0

    def is_false(self, address: int) -> bool:
        """Whether this is ``False``."""
        is_bool = self.plan(self._heap.type_of(address)).reading is Reading.BOOL
        return is_bool and self._heap.integer(address)[0] == 0


def _own_data(runtime: Runtime) -> tuple[tuple[int, int], ...]:
    """Where the file that the runtime lies in is mapped: static types of the interpreter."""
    try:
        mappings = read_mappings(runtime.pid)
    except SnapshotterError, OSError:
        return ()
    home = {item.file for item in mappings if item.start <= runtime.address < item.end}
    return tuple((item.start, item.end) for item in mappings if item.file in home)
