"""What is no dump that can be read says why, what to do, and where to read more."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from snapshotter.store.encode import encode
from tests.support import samples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Snap

WHOLE = encode(samples.snapshot())
SCHEMA = b"snapshotter.dump/1"


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


BROKEN: dict[str, tuple[bytes, str]] = {
    "torn": (WHOLE[:2_000], "torn"),
    "empty": (b"", "torn"),
    "altered": (flipped(WHOLE, len(WHOLE) // 2), "altered"),
    "newer": (WHOLE.replace(SCHEMA, b"snapshotter.dump/9"), "newer-schema"),
    "foreign": (b"hello world" * 100, "not-a-dump"),
    "zeros": (bytes(4_096), "not-a-dump"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("command", [["view"], ["export", "--format", "json"], ["diff", "good"]])
def test_a_broken_file_is_one_sentence_one_step_one_place(
    snap: Snap, tmp_path: Path, command: list[str], name: str
) -> None:
    data, slug = BROKEN[name]
    (tmp_path / "good").write_bytes(WHOLE)
    (tmp_path / name).write_bytes(data)
    outcome = snap(*command, name)
    assert outcome.code == 6
    assert outcome.out == ""
    sentence, step, place = outcome.err.splitlines()
    assert sentence.startswith(f"snap: {name} ")
    assert step.startswith("  try: ")
    assert place == f"  see: docs/reference/messages.md#{slug}"


@pytest.mark.parametrize(
    ("make", "slug"),
    [
        (lambda _: None, "no-such-file"),
        (os.mkfifo, "not-a-dump"),
        (os.mkdir, "empty-recording"),
    ],
    ids=["missing", "fifo", "directory"],
)
def test_what_is_no_file_is_told(
    snap: Snap, tmp_path: Path, make: Callable[[Path], None], slug: str
) -> None:
    make(tmp_path / "odd")
    outcome = snap("view", "odd")
    assert outcome.code == 6
    assert outcome.err.splitlines()[2] == f"  see: docs/reference/messages.md#{slug}"


def test_a_file_that_may_not_be_read_is_unreadable_and_no_wrong_use(
    snap: Snap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_bytes(WHOLE)
    # The superuser may read everything, so what the kernel says is played.
    real_open = os.open

    def refuse(path: str | Path, *args: int, **kwargs: int | None) -> int:
        if str(path) == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, *args, **kwargs)

    monkeypatch.setattr("os.access", lambda *_, **__: False)
    monkeypatch.setattr("os.open", refuse)
    outcome = snap("view", "secret")
    assert outcome.code == 6
    assert "secret cannot be read: Permission denied." in outcome.err
    assert "#unreadable-file" in outcome.err


def test_a_huge_file_is_told_without_a_size_that_it_has_not(snap: Snap, tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(300_000_000)
    outcome = snap("view", "huge")
    assert outcome.code == 6
    assert outcome.err.startswith(
        "snap: huge is larger than any dump (more than 16,777,216 bytes).\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["dump", "1", "-o", ""],
        ["dump", "1", "-o", " \t "],
        ["watch", "1", "-o", ""],
        ["watch", "1", "-o", "  "],
        ["view", ""],
        ["diff", "", "x"],
        ["diff", "x", " "],
        ["export", "", "--format", "json"],
        ["export", "x", "--format", "json", "-o", ""],
    ],
)
def test_an_empty_name_names_nothing(snap: Snap, words: list[str]) -> None:
    outcome = snap(*words)
    assert outcome.code == 2
    assert outcome.out == ""
    sentence, step, _ = outcome.err.splitlines()
    assert sentence.endswith(": the name is empty.")
    assert step == f"  try: snap {words[0]} --help"


def test_a_name_in_the_settings_is_one_that_a_file_can_have(snap: Snap, tmp_path: Path) -> None:
    (tmp_path / "snapshotter.toml").write_text('[watch]\noutput = "a\\u0000b"\n')
    outcome = snap("watch", 1)
    assert outcome.code == 2
    assert "--output: no name holds a zero byte. (from the settings file)" in outcome.err


def test_of_a_recording_that_is_broken_throughout_the_first_reason_is_told(
    snap: Snap, tmp_path: Path
) -> None:
    directory = tmp_path / "cut"
    directory.mkdir()
    for number in (1, 2):
        name = f"00000{number}-20261120T091500.003Z.msgpack"
        (directory / name).write_bytes(WHOLE[:2_000])
    outcome = snap("view", "cut")
    assert outcome.code == 6
    sentence, step, _ = outcome.err.splitlines()
    assert sentence.startswith("snap: None of the 2 files in cut can be read. cut/000001-")
    assert sentence.endswith(" is torn: its end is missing.")
    assert step.startswith("  try: Name another directory")
