"""Byte code of the probe is kept; what a stranger could have altered is not."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from snapshotter.attach import built, compilers
from snapshotter.attach.built import probe_code, text_code
from snapshotter.errors import UnsupportedPythonError

if TYPE_CHECKING:
    from pathlib import Path

US = sys.version_info[:2]
SOURCES = {"entry": "def enter():\n    return 1\n"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(built, "__file__", str(tmp_path / "built.py"))
    monkeypatch.setattr(built, "probe_sources", lambda: SOURCES)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "__pycache__").mkdir()
    return tmp_path / "__pycache__"


def no_building(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise AssertionError("it was built again")

    monkeypatch.setattr(built, "compile_trusted", fail)


def test_the_second_time_it_is_only_read(monkeypatch: pytest.MonkeyPatch) -> None:
    first = probe_code(US, pid=1)
    no_building(monkeypatch)

    assert probe_code(US, pid=1) == first
    assert b"<snapshotter probe>" in first


def test_a_damaged_copy_is_not_used(cache: Path) -> None:
    first = probe_code(US, pid=1)
    (kept,) = cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")

    assert probe_code(US, pid=1) == first


def test_what_other_sources_gave_is_not_used_and_removed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / f"probe-entry.{sys.implementation.cache_tag}.0123456789abcdef").write_bytes(b"old")

    code = probe_code(US, pid=1)

    assert code != b"old"
    assert len(list(cache.iterdir())) == 1
    no_building(monkeypatch)
    monkeypatch.setattr(built, "probe_sources", lambda: {"entry": "pass"})
    with pytest.raises(AssertionError, match="built again"):
        probe_code(US, pid=1)


def test_nothing_is_kept_where_byte_code_is_not(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    probe_code(US, pid=1)

    assert not list(cache.iterdir())


OTHER = (3, 98)


def interpreter(folder: Path) -> Path:
    """Make one that tells how often it ran, and compiles to the bytes that it is given."""
    program = folder / "python3.98"
    program.write_text(
        "#!/bin/sh\necho ran >>runs\nprintf '3.98\\n'; exec cat\n".replace(
            "runs", str(folder / "runs")
        )
    )
    program.chmod(0o755)
    return program


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().split())


def test_what_another_version_compiled_is_kept_until_that_one_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = interpreter(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    codes = {text_code("opening", OTHER, "x = 1", pid=os.getpid()) for _ in range(3)}

    assert codes == {b"x = 1"}
    assert runs(tmp_path) == 1
    compilers._compile_with.cache_clear()
    os.utime(program, (1, 1))
    text_code("opening", OTHER, "x = 1", pid=os.getpid())
    assert runs(tmp_path) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only as root is the owner of an interpreter asked")
def test_what_others_could_have_altered_is_neither_used_nor_kept(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    tmp_path.chmod(stat.S_IMODE(tmp_path.stat().st_mode) | stat.S_IWGRP)

    with pytest.raises(UnsupportedPythonError):
        text_code("opening", OTHER, "x = 1", pid=os.getpid())

    assert not list(cache.iterdir())
