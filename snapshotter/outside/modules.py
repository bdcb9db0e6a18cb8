"""Modules of the target by name, variables in them, and the names that ``threading`` keeps."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from snapshotter.errors import TornReadError
from snapshotter.outside.attributes import instance_items
from snapshotter.outside.readings import Reading

if TYPE_CHECKING:
    from snapshotter.outside.classes import ClassReader
    from snapshotter.outside.heap import DictKeys, Heap
    from snapshotter.outside.readings import Plan
    from snapshotter.outside.runtime import Runtime
    from snapshotter.outside.scrub import Scrubber
    from snapshotter.outside.values import ValueTable

__all__ = ["Modules", "SeenVariable"]

_MODULE_DICT: Final = 16
_MAX_NAME: Final = 200
_MOST_ENTRIES: Final = 20_000
_MOST_THREADS: Final = 4_000
_MOST_DIGITS: Final = 10
_MOST_PLACES: Final = 1_000
_MOST_ABSENT: Final = 16
_NAMES_BUDGET_NS: Final = 100_000_000
"""For the interpreters after the main one."""

type ThreadName = tuple[str | None, bool | None]
"""Name and daemon flag."""
_UNNAMED: Final[ThreadName] = (None, None)


@dataclass(frozen=True, slots=True)
class SeenVariable:
    """Where a variable is in the table, or why it is not there."""

    node: int | None
    problem: str | None = None


class Modules:
    """Looks names up in dicts of the main interpreter: by their text, none is ever hashed."""

    __slots__ = ("_absent", "_classes", "_heap", "_places", "_runtime")

    def __init__(self, runtime: Runtime, heap: Heap, classes: ClassReader) -> None:
        """Look into ``runtime`` through ``heap``."""
        self._runtime = runtime
        self._heap = heap
        self._classes = classes
        self._places: dict[tuple[int, str], int] = {}
        self._absent: dict[tuple[int, str], object] = {}

    def builtins(self) -> DictKeys:
        """Return the entries of the dict of ``builtins``. Raises ``TornReadError``."""
        return self._heap.dict_items(self._at("interpreter_state.builtins"), _MOST_ENTRIES)

    def module(self, name: str, interpreter: int = 0) -> int:
        """Return the address of what ``sys.modules`` has under ``name``, 0 if nothing.

        ``interpreter`` is the address of another one than the main one.
        Raises ``TornReadError``.
        """
        return self.entry(self._at("interpreter_state.imports_modules", interpreter), name)

    def namespace(self, name: str, interpreter: int = 0) -> int:
        """Return the address of the dict of a module that is loaded, 0 if it is not."""
        module = self.module(name, interpreter)
        if not module or self._reading(module) is not Reading.MODULE:
            return 0
        return self._heap.pages.u64(module + _MODULE_DICT)

    def entry(self, names: int, wanted: str) -> int:
        """Return the address of the value under an exact str key of a dict, 0 if there is none."""
        if not names or self._base(names) is not Reading.DICT:
            return 0
        place = self._places.get((names, wanted))
        if place is not None:
            key, value = self._heap.dict_entry(names, place)
            if value and self._is(key, wanted):
                return value
        table = self._heap.dict_table(names)
        if table is not None and self._absent.get((names, wanted)) == table:
            return 0
        for place, (key, value) in enumerate(self._heap.dict_places(names)):
            if value and self._is(key, wanted):
                _remember(self._places, (names, wanted), place, _MOST_PLACES)
                return value
        _remember(self._absent, (names, wanted), table, _MOST_ABSENT)
        return 0

    def variable(self, table: ValueTable, path: tuple[str, ...]) -> SeenVariable:
        """Queue the variable at ``path``: (module, name, name, …)."""
        secret = False
        try:
            module = value = self.module(path[0])
            if not value or self._reading(value) is not Reading.MODULE:
                return SeenVariable(None, "no module of this name is loaded")
            for name in path[1:]:
                found = self._member(value, name)
                if not found:
                    return SeenVariable(None, f"nothing readable is called {name}")
                plan = self._classes.plan(self._heap.type_of(value))
                is_hidden = value != module and (plan.secret or name in plan.hidden)
                secret = secret or table.scrubber.is_secret(name)
                secret = secret or (is_hidden and table.scrubber.hides)
                value = found
        except TornReadError:
            return SeenVariable(None)
        return SeenVariable(table.add(value, 0, secret=secret))

    def thread_names(self, scrubber: Scrubber) -> dict[int, ThreadName]:
        """Return name and daemon flag by ident; None where they are hidden or cannot be read.

        Each interpreter names the threads that entered it: the main one knows best.
        """
        found: dict[int, ThreadName] = {}
        try:
            interpreters = self._runtime.interpreters()
        except TornReadError:
            return found
        until_ns = time.monotonic_ns() + _NAMES_BUDGET_NS
        for interpreter in sorted(interpreters, key=lambda one: one.id):
            if time.monotonic_ns() > until_ns:
                break
            with suppress(TornReadError):
                found = self._names_in(interpreter.address, scrubber) | found
        return found

    def _names_in(self, interpreter: int, scrubber: Scrubber) -> dict[int, ThreadName]:
        pages = self._heap.pages
        pages.forget()
        active = self.entry(self.namespace("threading", interpreter), "_active")
        entries = self._heap.dict_items(active, _MOST_THREADS) if active else []
        found: dict[int, tuple[ThreadName, int, int]] = {}
        for key, thread in entries:
            first, named = len(pages.spans), _UNNAMED
            with suppress(TornReadError):
                ident = self._heap.integer(key)[0]
                with suppress(TornReadError):
                    named = self._thread_name(thread, scrubber)
                found[ident] = named, first, len(pages.spans)
        pages.refresh()
        return {
            ident: _UNNAMED if pages.has_changed(first, last) else named
            for ident, (named, first, last) in found.items()
        }

    def _thread_name(self, thread: int, scrubber: Scrubber) -> ThreadName:
        plan = self._classes.plan(self._heap.type_of(thread))
        name, daemon = None, None
        items = instance_items(self._heap, self._classes, thread, plan)
        for key, value in items[0] if items else ():
            attribute = self._classes.text_if_exact(key, _MAX_NAME)
            if attribute == "_name":
                text = self._classes.text_if_exact(value, _MAX_NAME)
                if text is not None and not scrubber.hides_text(text):
                    name = text.encode("utf-8", "backslashreplace").decode()
            elif attribute == "_daemonic" and self._reading(value) is Reading.BOOL:
                daemon = bool(self._heap.integer(value)[0])
        return name, daemon

    def _at(self, field: str, interpreter: int = 0) -> int:
        address = interpreter or self._runtime.main_interpreter().address
        return self._heap.pages.u64(address + self._runtime.offsets.table[field])

    def _reading(self, address: int) -> Reading:
        return self._classes.plan(self._heap.type_of(address)).reading

    def _base(self, address: int) -> Reading:
        return self._classes.plan(self._heap.type_of(address)).base

    def _is(self, key: int, wanted: str) -> bool:
        return self._classes.text_if_exact(key, len(wanted) + 1) == wanted

    def _member(self, value: int, name: str) -> int:
        """Return an attribute from instance dict, slot or class dict, a str key, or an index."""
        plan = self._classes.plan(self._heap.type_of(value))
        if plan.reading is Reading.MODULE:
            return self.entry(self._heap.pages.u64(value + _MODULE_DICT), name)
        if plan.short == "type":
            return self._of_class(value, name)
        if plan.base is Reading.DICT:
            return self.entry(value, name)
        if plan.short in {"list", "tuple"} and name.isdecimal() and len(name) < _MOST_DIGITS:
            return self._of_sequence(value, int(name), is_list=plan.short == "list")
        return self._of_instance(value, plan, name)

    def _of_sequence(self, value: int, at: int, *, is_list: bool) -> int:
        read = self._heap.list_items if is_list else self._heap.tuple_items
        items, _ = read(value, min(at + 1, _MOST_ENTRIES))
        return items[at] if at < len(items) else 0

    def _of_instance(self, value: int, plan: Plan, name: str) -> int:
        found = self._classes.slot_value(value, name)
        if found or not plan.has_dict:
            return found
        items_found = instance_items(self._heap, self._classes, value, plan, _MOST_ENTRIES)
        for key, member in items_found[0] if items_found else ():
            if self._is(key, name):
                return member
        return 0

    def _of_class(self, address: int, name: str) -> int:
        for parent in self._classes.parents(address):
            for key, value in self._classes.entries(parent):
                if self._is(key, name):
                    return value
        return 0


def _remember[K, V](known: dict[K, V], key: K, value: V, most: int) -> None:
    """Add to what is known, which is forgotten as a whole when it is too much."""
    if len(known) >= most:
        known.clear()
    known[key] = value
