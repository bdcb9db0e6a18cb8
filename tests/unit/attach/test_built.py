from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from snapshotter.attach import built
from snapshotter.attach.built import probe_code

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

    monkeypatch.setattr(built, "compile_for", fail)


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
