"""Entries of dicts are found from outside as they are now, and found again without a search."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from snapshotter.outside.classes import ClassReader
from snapshotter.outside.heap import Heap
from snapshotter.outside.layouts import ObjectLayout
from snapshotter.outside.memory import Memory
from snapshotter.outside.modules import Modules
from snapshotter.outside.pages import PagedMemory
from snapshotter.outside.runtime import Runtime
from tests.support.puppet import puppet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.puppet import Puppet

pytestmark = pytest.mark.live


class Looker:
    """Looks names up in a puppet, each time in its memory as it is."""

    def __init__(self, doll: Puppet, memory: Memory) -> None:
        runtime = Runtime.attach(doll.pid, memory)
        self.doll = doll
        self.pages = PagedMemory(memory)
        heap = Heap(self.pages, ObjectLayout.of(runtime))
        self.modules = Modules(runtime, heap, ClassReader(runtime, heap))

    def module(self, name: str) -> int:
        self.pages.forget()
        return self.modules.module(name)

    def entry(self, names: str, wanted: str) -> int:
        self.pages.forget()
        return self.modules.entry(self.id(names), wanted)

    def id(self, expression: str) -> int:
        address: int = self.doll.get(f"id({expression})")
        return address


@pytest.fixture
def looker(target_python: str) -> Iterator[Looker]:
    with contextlib.ExitStack() as stack:
        doll = stack.enter_context(puppet(python=target_python))
        doll.run("import sys, types")
        memory = stack.enter_context(Memory(doll.pid))
        yield Looker(doll, memory)


def test_a_module_is_found_as_it_comes_goes_and_is_replaced(looker: Looker) -> None:
    assert looker.module("late") == 0
    for _ in range(2):
        looker.doll.run("sys.modules['late'] = types.ModuleType('late')")
        assert looker.module("late") == looker.id("sys.modules['late']")
        looker.doll.run("sys.modules['late'] = types.ModuleType('again')")
        assert looker.module("late") == looker.id("sys.modules['late']")
        looker.doll.run("del sys.modules['late']")
        assert looker.module("late") == 0
        assert looker.module("late") == 0


def test_a_module_is_found_again_without_a_search(
    looker: Looker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert looker.module("sys") == looker.id("sys")
    assert looker.module("absent") == 0
    monkeypatch.delattr(Heap, "dict_places")
    monkeypatch.delattr(Heap, "dict_items")
    assert looker.module("sys") == looker.id("sys")
    assert looker.module("absent") == 0


def test_a_dict_that_shares_its_keys_is_searched_each_time(looker: Looker) -> None:
    looker.doll.run("class C: pass")
    looker.doll.run("one, other = C(), C()")
    looker.doll.run("other.a = other.b = None; one.a = []; names = one.__dict__")
    assert looker.entry("names", "a") == looker.id("one.a")
    assert looker.entry("names", "b") == 0
    looker.doll.run("one.b = []")
    assert looker.entry("names", "b") == looker.id("one.b")
    looker.doll.run("del one.a")
    assert looker.entry("names", "a") == 0
