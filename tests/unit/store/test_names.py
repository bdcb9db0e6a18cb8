"""Names that sort by time, and only our own names are ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshotter.store.names import (
    DumpName,
    dump_files,
    is_unfinished,
    recording_name,
    unfinished_name,
)
from tests.support.strategies import processes
from tests.support.synthetic import process

AT_NS = 1_795_166_100_003_999_999  # 2026-11-20T09:15:00.003999999Z


def test_dump_name_has_sequence_and_time() -> None:
    assert str(DumpName(1, AT_NS)) == "000001-20261120T091500.003Z.msgpack"


@given(st.integers(1, 10**12 - 1), st.integers(0, 2**63 - 1))
def test_dump_name_is_read_back_to_the_millisecond(sequence: int, at_ns: int) -> None:
    assert DumpName.parse(str(DumpName(sequence, at_ns))) == DumpName(
        sequence, at_ns // 1_000_000 * 1_000_000
    )


@pytest.mark.parametrize(
    "name",
    [
        "000001-20261120T091500.003Z.msgpack.bak",
        "1-20261120T091500.003Z.msgpack",
        "000001-20261320T091500.003Z.msgpack",
        "notes.msgpack",
        ".tmp-000001-20261120T091500.003Z.msgpack",
        "000001-20261120T091500.003Z.msgpack\n",
    ],
)
def test_other_names_are_not_ours(name: str) -> None:
    assert DumpName.parse(name) is None


def test_dumps_sort_by_sequence_beyond_a_million(tmp_path: Path) -> None:
    for sequence in (1_000_000, 999_999, 2):
        (tmp_path / str(DumpName(sequence, AT_NS))).touch()
    (tmp_path / "README").touch()

    assert [name.sequence for name, _ in dump_files(tmp_path)] == [2, 999_999, 1_000_000]


def test_only_temporary_names_of_ours_count_as_unfinished() -> None:
    dump, token = str(DumpName(1, AT_NS)), "0123456789abcdef"

    assert is_unfinished(unfinished_name(dump, token))
    assert is_unfinished(unfinished_name("recording.json", token))
    assert is_unfinished(unfinished_name("my.msgpack", token), of="my.msgpack")
    assert not is_unfinished(unfinished_name("my.msgpack", token))
    assert not is_unfinished(unfinished_name("my.msgpack", token), of="other.msgpack")
    assert not is_unfinished(".tmp-notes")
    assert not is_unfinished(dump)


@pytest.mark.parametrize(
    ("cmdline", "name"),
    [
        (("/usr/bin/python3.14", "orders.py"), "orders"),
        (("python3", "-X", "dev", "-u", "/srv/orders.py", "-m"), "orders"),
        (("python3", "-m", "orders.web", "--port", "80"), "orders.web"),
        (("python3", "/usr/local/bin/gunicorn", "orders:app"), "gunicorn"),
        (("python3", "/srv/orders/__main__.py"), "orders"),
        (("python3", "-c", "import os; secret()"), "python3"),
        (("python3",), "python3"),
        (("/usr/sbin/uwsgi", "--ini"), "uwsgi"),
        (("gunicorn: master [orders]",), "gunicorn_master_orders"),
        (("/bin/../../etc",), "etc"),
        (("..",), "python"),
        (("\udce9\n",), "python"),
        ((), "python"),
        (("x" * 500,), "x" * 40),
    ],
)
def test_recording_is_named_after_the_program(cmdline: tuple[str, ...], name: str) -> None:
    target = replace(process(), cmdline=cmdline)

    assert recording_name(target, AT_NS) == f"{name}-4121-20261120T091500Z"


@given(processes, st.integers(0, 2**63 - 1))
def test_recording_name_is_always_one_plain_visible_name(target: object, at_ns: int) -> None:
    name = recording_name(target, at_ns)  # type: ignore[arg-type]

    assert name.isascii()
    assert name.isprintable()
    assert Path(name).name == name
    assert not name.startswith((".", "-"))
    assert len(name) < 100
