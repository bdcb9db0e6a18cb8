from __future__ import annotations

import os
import random
import struct
import sys
from pathlib import Path

import pytest

from snapshotter.outside.elf import section_address


def small_elf(name: bytes = b".PyRuntime", address: int = 0x5000, load: int = 0x1234) -> bytes:
    names = b"\0" + name + b"\0.shstrtab\0"
    program = struct.pack("<IIQQQQQQ", 1, 5, 0, load, load, 64, 64, 0x1000)
    empty = bytes(64)
    wanted = struct.pack("<IIQQQQIIQQ", 1, 1, 3, address, 0, 8, 0, 0, 8, 0)
    names_at = 64 + len(program) + 3 * 64
    strings = struct.pack("<IIQQQQIIQQ", len(name) + 2, 3, 0, 0, names_at, len(names), 0, 0, 1, 0)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQI", 3, 62, 1, 0, 64, 64 + len(program), 0)
    header += struct.pack("<HHHHHH", 64, 56, 1, 64, 3, 2)
    return header + program + empty + wanted + strings + names


def test_section_and_load_base_are_found(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(small_elf())

    assert section_address(str(path), b".PyRuntime") == (0x5000, 0x1000)
    assert section_address(str(path), b".PyRun") is None


def test_descriptor_is_taken_and_left_open(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(small_elf())
    with path.open("rb") as file:
        assert section_address(file.fileno(), b".PyRuntime") == (0x5000, 0x1000)
        assert file.read(4) == b"\x7fELF"


def test_interpreter_has_its_section() -> None:
    mapped = {
        line.split(None, 5)[5].strip()
        for line in Path("/proc/self/maps").read_text().splitlines()
        if "python" in line and len(line.split(None, 5)) == 6
    }
    assert any(section_address(p, b".PyRuntime") for p in mapped if Path(p).exists())


@pytest.mark.parametrize(
    "content", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(90)]
)
def test_other_files_have_no_section(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)

    assert section_address(str(path), b".PyRuntime") is None


def test_fifo_and_device_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    assert section_address(str(tmp_path / "fifo"), b".PyRuntime") is None
    assert section_address("/dev/zero", b".PyRuntime") is None


def test_mutated_files_neither_fail_nor_hang(tmp_path: Path) -> None:
    chosen = random.Random(2)  # noqa: S311 - repeatable, not secret
    path = tmp_path / "x"
    good = small_elf()
    for _ in range(400):
        bad = bytearray(good)
        for _ in range(chosen.randrange(1, 12)):
            bad[chosen.randrange(len(bad))] = chosen.choice([0, 1, 255, chosen.randrange(256)])
        path.write_bytes(bad[: chosen.randrange(16, len(bad) + 1)])
        found = section_address(str(path), b".PyRuntime")
        assert found is None or len(found) == 2


def test_missing_file_is_an_os_error() -> None:
    with pytest.raises(OSError, match="No such file"):
        section_address(f"/nowhere/{sys.platform}", b".PyRuntime")
