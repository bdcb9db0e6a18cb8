"""A dump gives back exactly the snapshot that went in, and any msgpack reader can read it."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import msgpack
import pytest
from hypothesis import given, settings

from snapshotter.errors import InternalError, StorageError
from snapshotter.model import Frame, Kind, Origin, OutsideStack, Snapshot, Value, Variable
from snapshotter.store import envelope
from snapshotter.store import format as file_format
from snapshotter.store.decode import decode
from snapshotter.store.encode import encode
from tests.support.examples import examples
from tests.support.strategies import snapshots
from tests.support.synthetic import busy_snapshot, tiny_snapshot


@given(snapshots())
@examples(60)
def test_decode_of_encode_is_the_same_snapshot(snapshot: Snapshot) -> None:
    comes_back(snapshot)


@pytest.mark.slow
@given(snapshots())
@settings(max_examples=5_000, deadline=None)
def test_decode_of_encode_is_the_same_snapshot_many_times(snapshot: Snapshot) -> None:
    comes_back(snapshot)


def comes_back(snapshot: Snapshot) -> None:
    again = decode(encode(snapshot))

    assert again == snapshot
    assert repr(again) == repr(snapshot)  # 1, 1.0 and True are equal and not the same


def test_not_a_number_survives() -> None:
    snapshot = replace(tiny_snapshot(), values=(Value(Kind.FLOAT, "float", value=math.nan),))

    (value,) = decode(encode(snapshot)).values

    assert isinstance(value.value, float)
    assert math.isnan(value.value)


def test_plain_msgpack_reads_the_file_as_one_map() -> None:
    data = encode(busy_snapshot(threads=3, depth=4))

    document = msgpack.unpackb(data, strict_map_key=True)

    assert next(iter(document)) == "schema"
    assert document["schema"] == "snapshotter.dump/1"
    assert list(document)[-2:] == ["crc32", "end"]
    assert [document["strings"][row] for row in document["threads"]["name"]] == [
        f"ThreadPoolExecutor-0_{number}" for number in range(3)
    ]


def test_lone_surrogates_stand_in_the_file_as_bin() -> None:
    snapshot = replace(tiny_snapshot(), tool="caf\udce9")

    document = msgpack.unpackb(encode(snapshot))

    assert document["tool"].decode("utf-8", "surrogatepass") == "caf\udce9"


def test_specification_names_every_key_and_column() -> None:
    document = msgpack.unpackb(encode(busy_snapshot(threads=1, depth=1)))
    written = {*document, *(name for table in document.values() for name in _names(table))}

    described = set(re.findall(r"`(\w+)`", file_format.__doc__ or ""))

    assert written <= described


def test_equal_stacks_are_stored_once() -> None:
    frame = Frame("app.py", "handler", 12, 10, Origin.APP, 34)
    thread = replace(
        busy_snapshot(threads=1).threads[0],
        frames=(frame,) * 5,
        outside=OutsideStack((frame,) * 5, at_ns=1),
    )

    document = msgpack.unpackb(encode(replace(tiny_snapshot(), threads=(thread,) * 7)))

    assert document["stacks"] == {"length": [5]}
    assert document["stack_frames"] == {"frame": [0] * 5}


@pytest.mark.parametrize(("differing", "locals_each"), [(0, 0), (0, 8), (3, 0), (3, 8), (20, 8)])
def test_size_stays_within_its_goal(differing: int, locals_each: int) -> None:
    snapshot = busy_snapshot(threads=100, depth=20, differing=differing, locals_each=locals_each)
    places = [
        frame
        for thread in snapshot.threads
        for frame in (*thread.frames, *(thread.outside.frames if thread.outside else ()))
    ]
    codes = {(frame.filename, frame.qualname) for frame in places}

    size = len(encode(snapshot))

    assert size <= 12 * 100 * 20 + 60 * len(snapshot.values) + 200 * len(codes)


def test_reference_to_a_missing_value_is_refused_before_writing() -> None:
    snapshot = replace(tiny_snapshot(), variables=(Variable("app:limit", node=0),))

    with pytest.raises(InternalError, match="refers to a value that it does not have"):
        encode(snapshot)


def test_number_beyond_64_bits_in_a_counter_is_refused_before_writing() -> None:
    with pytest.raises(InternalError):
        encode(replace(tiny_snapshot(), monotonic_ns=2**64))


def test_snapshot_too_large_for_the_reader_is_refused_before_writing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(envelope, "MAX_ROWS", 50)
    with pytest.raises(StorageError) as by_rows:
        encode(busy_snapshot(threads=60, depth=1))
    monkeypatch.undo()
    monkeypatch.setattr(envelope, "MAX_FILE_BYTES", 500)
    with pytest.raises(StorageError) as by_bytes:
        encode(tiny_snapshot())

    assert {by_rows.value.slug, by_bytes.value.slug} == {"dump-too-large"}


def _names(table: object) -> list[str]:
    return list(table) if isinstance(table, dict) else []
