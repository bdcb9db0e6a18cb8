from __future__ import annotations

import os
import random
import struct
from dataclasses import fields

import pytest

from snapshotter.errors import UnsupportedPythonError
from snapshotter.outside.locate import find_runtime
from snapshotter.outside.memory import Memory
from snapshotter.outside.offsets import COOKIE, LAYOUTS, Offsets, parse_offsets, table_bytes
from snapshotter.outside.runtime import version_text

VERSION = (3, 14)


@pytest.fixture(scope="module")
def own_table() -> bytes:
    with Memory(os.getpid()) as memory:
        return memory.read(find_runtime(os.getpid(), memory), table_bytes(VERSION))


def test_tables_have_the_size_of_the_structure() -> None:
    assert {version: table_bytes(version) for version in LAYOUTS} == {(3, 14): 760, (3, 15): 888}


def test_all_fields_are_in_each_layout() -> None:
    wanted = {item.name for item in fields(Offsets)} - {"table"}
    for names in LAYOUTS.values():
        assert wanted <= {name.replace(".", "_") for name in names}
        assert len(set(names)) == len(names)


def test_own_table_is_plausible(own_table: bytes) -> None:
    offsets = parse_offsets(own_table, VERSION)

    assert offsets.debugger_support_debugger_script_path_size == 512
    assert offsets.table["pyobject.ob_type"] == offsets.pyobject_ob_type == 8
    assert (offsets.gil_holder(), offsets.gil_locked(), offsets.gil_switch_number()) == (8, 16, 24)


@pytest.mark.parametrize("cut", [0, 8, 400, 759])
def test_cut_table_is_refused(own_table: bytes, cut: int) -> None:
    with pytest.raises(UnsupportedPythonError):
        parse_offsets(own_table[:cut], VERSION)


def test_table_without_cookie_is_refused(own_table: bytes) -> None:
    with pytest.raises(UnsupportedPythonError):
        parse_offsets(b"x" * len(COOKIE) + own_table[len(COOKIE) :], VERSION)


@pytest.mark.parametrize("name", [item.name for item in fields(Offsets) if item.name != "table"])
@pytest.mark.parametrize("value", [2**64 - 1, 2**40])
def test_each_absurd_offset_is_refused(own_table: bytes, name: str, value: int) -> None:
    flat = [key.replace(".", "_") for key in LAYOUTS[VERSION]]
    bad = bytearray(own_table)
    struct.pack_into("<Q", bad, len(COOKIE) + 8 * flat.index(name), value)

    with pytest.raises(UnsupportedPythonError):
        parse_offsets(bytes(bad), VERSION)


def test_mutated_tables_are_parsed_or_refused(own_table: bytes) -> None:
    chosen = random.Random(3)  # noqa: S311 - repeatable, not secret
    for _ in range(3000):
        bad = bytearray(own_table)
        for _ in range(chosen.randrange(1, 8)):
            bad[chosen.randrange(8, len(bad))] = chosen.randrange(256)
        try:
            offsets = parse_offsets(bytes(bad), VERSION)
        except UnsupportedPythonError:
            continue
        assert offsets.thread_state_size <= 16 << 20


@pytest.mark.parametrize(
    ("hexversion", "text"),
    [(0x030E08F0, "3.14.8"), (0x030F00C1, "3.15.0rc1"), (0x030F00A4, "3.15.0a4")],
)
def test_version_reads_as_python_prints_it(hexversion: int, text: str) -> None:
    assert version_text(hexversion) == text
