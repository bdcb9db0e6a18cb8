"""Whatever a file holds: a snapshot or an UnreadableFileError with its reason, soon, in little."""

from __future__ import annotations

import random
import subprocess
import sys
import zlib
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshotter.errors import UnreadableFileError
from snapshotter.model import Snapshot, Variable, View
from snapshotter.store.decode import decode
from snapshotter.store.encode import encode
from snapshotter.store.envelope import seal
from snapshotter.store.format import MAX_FILE_BYTES, TRAILER_BYTES
from tests.support.examples import examples
from tests.support.synthetic import busy_snapshot, tiny_snapshot

GOOD = encode(busy_snapshot(threads=2, depth=3, differing=1, locals_each=2))
HEAD_BYTES = len(b"\xde\x00\x00" + msgpack.packb("schema") + msgpack.packb("snapshotter.dump/1"))


def resealed(body: bytes) -> bytes:
    """Return ``body`` with a right checksum and end."""
    trailer = GOOD[-TRAILER_BYTES:]
    return body + trailer[:7] + zlib.crc32(body).to_bytes(4) + trailer[11:]


def document() -> dict[str, Any]:
    """Return the map of a good file, to be tampered with and sealed again."""
    fields = msgpack.unpackb(GOOD)
    return {key: fields[key] for key in fields if key not in {"schema", "crc32", "end"}}


def refusal(data: bytes) -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        decode(data, name="x.msgpack")
    assert caught.value.message.startswith("x.msgpack ")
    return caught.value


def only_refuses(data: bytes) -> None:
    """Any other exception than UnreadableFileError fails the test."""
    with suppress(UnreadableFileError):
        assert isinstance(decode(data), Snapshot)


def test_torn_at_every_offset_is_refused() -> None:
    slugs = {refusal(GOOD[:end]).slug for end in range(1, len(GOOD))}

    assert slugs == {"torn", "not-a-dump"}
    assert refusal(b"").slug == "torn"


def test_every_single_bit_flip_is_refused() -> None:
    for position in range(len(GOOD)):
        damaged = bytearray(GOOD)
        damaged[position] ^= 1 << position % 8
        refusal(bytes(damaged))


def test_altered_content_is_told_from_a_torn_file() -> None:
    damaged = bytearray(GOOD)
    damaged[len(GOOD) // 2] ^= 1

    assert refusal(bytes(damaged)).slug == "altered"


@pytest.mark.parametrize(
    "data",
    [b"\x7fELF" + bytes(100), b"{}", msgpack.packb({"schema": "other/1"}), b"\x81\xa6schema\xc0"],
)
def test_foreign_file_is_not_a_dump(data: bytes) -> None:
    assert refusal(data).slug == "not-a-dump"


def test_higher_major_is_refused_and_named() -> None:
    error = refusal(seal(document(), major=2))

    assert error.slug == "newer-schema"
    assert "format 2" in error.message


def test_version_zero_was_never_written() -> None:
    assert refusal(seal(document(), major=0)).slug == "malformed"


def test_too_large_file_is_refused() -> None:
    assert refusal(GOOD + bytes(MAX_FILE_BYTES)).slug == "dump-too-large"


def test_unknown_keys_and_columns_are_ignored() -> None:
    tampered = document()
    tampered["heap"] = {"objects": [1, 2, 3]}
    tampered["threads"]["mood"] = ["calm"]

    assert decode(seal(tampered)) == decode(GOOD)


def test_optional_columns_and_fields_may_be_absent() -> None:
    tampered = document()
    del tampered["threads"]["wchan"]
    del tampered["capture"]["armed_ns"]
    del tampered["task_awaiters"]

    snapshot = decode(seal(tampered))

    assert snapshot.capture.armed_ns is None
    assert not any(task.awaited_by for task in snapshot.tasks)
    assert all(thread.counters and thread.counters.wchan is None for thread in snapshot.threads)


def test_a_variable_of_an_old_file_says_no_view() -> None:
    variable = Variable("app:limit", None, "there is none", View.OUTSIDE)
    written = encode(replace(tiny_snapshot(), variables=(variable,)))
    assert decode(written).variables == (variable,)
    fields = msgpack.unpackb(written)
    del fields["variables"]["view"]
    old = {key: fields[key] for key in fields if key not in {"schema", "crc32", "end"}}
    assert decode(seal(old)).variables == (replace(variable, view=None),)


_BAD = (None, True, -1, 2**40, 1.5, b"\xff", "word", [], {}, [[1]], [None], [-1], [2**63], ["x"])


def _places(fields: dict[str, Any]) -> list[tuple[str, ...]]:
    inner = [(key, name) for key, part in fields.items() if isinstance(part, dict) for name in part]
    return [*((key,) for key in fields), *inner]


@pytest.mark.parametrize("place", _places(document()), ids=".".join)
def test_no_wrong_type_at_any_place_gets_through_as_a_crash(place: tuple[str, ...]) -> None:
    tampered = document()
    owner = tampered if len(place) == 1 else tampered[place[0]]
    good = owner[place[-1]]
    for bad in _BAD:
        owner[place[-1]] = bad
        only_refuses(seal(tampered))
        if isinstance(good, list) and good and len(place) == 2:
            owner[place[-1]] = [*good[:-1], bad]
            only_refuses(seal(tampered))


def test_every_index_is_checked() -> None:
    indices = [
        *(("codes", name) for name in ("filename", "qualname", "origin")),
        *(("frames", "code"), ("stack_frames", "frame"), ("threads", "stack")),
        *(("threads", "name"), ("threads", "outside_stack"), ("locals", "value")),
        *(("locals", "row"), ("locals", "depth"), ("locals", "of"), ("values", "type")),
        *(("values", "text"), ("values", "items"), ("stacks", "length")),
    ]
    for table, name in indices:
        for bad in (-1, 100_000, 2**63):
            tampered = document()
            tampered[table][name][-1] = bad
            assert refusal(seal(tampered)).slug == "malformed", (table, name, bad)


def test_words_of_closed_sets_are_checked() -> None:
    tampered = document()
    tampered["threads"]["view"][-1] = tampered["threads"]["name"][-1]

    assert (
        "threads.view is a word that this version does not know" in refusal(seal(tampered)).message
    )


@given(st.binary(max_size=300))
def test_any_content_behind_a_right_head_and_sum_is_refused(content: bytes) -> None:
    refusal(resealed(GOOD[:HEAD_BYTES] + content))


@given(st.data())
@examples(200)
def test_mutated_and_resealed_files_are_read_or_refused(data: st.DataObject) -> None:
    body = bytearray(GOOD[:-TRAILER_BYTES])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(HEAD_BYTES, len(body) - 1))
        body[position] = data.draw(st.integers(0, 255))
    only_refuses(resealed(bytes(body)))


@pytest.mark.slow
def test_many_mutated_and_resealed_files_are_read_or_refused() -> None:
    rng = random.Random(7)  # noqa: S311  a reproducible mutation, no secret
    for _ in range(200_000):
        body = bytearray(GOOD[:-TRAILER_BYTES])
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(HEAD_BYTES, len(body))
            body[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
        only_refuses(resealed(bytes(body)))


_BOMB = """
import resource, sys
from snapshotter.errors import UnreadableFileError
from snapshotter.store.decode import decode
data = sys.stdin.buffer.read()
def peak():
    return [int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM")][0]
before, cpu = peak(), sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
try:
    decode(data)
    word = "accepted"
except UnreadableFileError as error:
    word = error.slug
cpu = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - cpu
print(word, (peak() - before) // 1024, cpu)
"""


def _array(count: int, members: bytes) -> bytes:
    return b"\xdd" + count.to_bytes(4) + members


def _flood(member: bytes, total: int = 2_000_000) -> bytes:
    """Return a sealed file of about 2 MB of the same ``member``, in columns of the right length."""
    columns, left = [], total // len(member)
    while left:
        count = min(left, 131_072)
        columns.append(_array(count, member * count))
        left -= count
    body = b"\xde" + (len(columns) + 3).to_bytes(2) + GOOD[3:HEAD_BYTES]
    for number, column in enumerate(columns):
        body += msgpack.packb(f"k{number}") + column
    return resealed(body)


def _many(rows: int) -> dict[str, Any]:
    """Return a document with as many valid values and members as fit."""
    fields = document()
    first = {name: [column[0]] * rows for name, column in fields["values"].items()}
    items = {"value": [0] * rows, "name": [0] * rows, "key": [0] * rows}
    fields["values"] = first | {"items": [1] * rows}
    fields["items"] = items | {"attribute": [True] * rows}
    return fields


def _stack_for_all(threads: int) -> dict[str, Any]:
    """Return a document whose threads all have one very deep stack."""
    fields = document()
    fields["threads"] = {
        name: [column[0]] * threads for name, column in fields["threads"].items()
    } | {"stack": [0] * threads, "outside_stack": [0] * threads}
    fields["stacks"] = {"length": [100_000]}
    fields["stack_frames"] = {"frame": [0] * 100_000}
    fields["locals"] = {name: [] for name in fields["locals"]}
    return fields


_BOMBS = {
    "nested arrays": resealed(GOOD[:HEAD_BYTES] + b"\xa1k" + b"\xdd\x00\x01\xff\xff" * 400_000),
    "900 nested arrays": resealed(GOOD[:HEAD_BYTES] + b"\xa1k" + b"\xdd\x00\x01\xff\xff" * 900),
    "integers": _flood(b"\x01"),
    "longer integers": _flood(b"\xcd\x12\x34"),
    "texts": _flood(b"\xa2ab"),
    "bytes": _flood(b"\xc4\x02ab"),
    "empty arrays": _flood(b"\x90"),
    "empty maps": _flood(b"\x80"),
    "values": seal(_many(90_000)),
    "deep stacks": seal(_stack_for_all(20_000)),
}


@pytest.mark.parametrize("kind", _BOMBS)
def test_any_file_is_answered_soon_and_in_little_memory(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BOMB], input=_BOMBS[kind], capture_output=True, check=True
    )
    word, megabytes, cpu_s = done.stdout.decode().split()

    assert word in {"accepted", "malformed"}
    assert int(megabytes) <= 150
    assert float(cpu_s) <= 5  # a second on an idle machine; this catches what is quadratic
