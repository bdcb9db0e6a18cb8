"""A comparison as JSON: the analysis' own records, as the schema says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from referencing import Registry, Resource

from snapshotter.analysis.diff import diff
from snapshotter.analysis.recordings import diff_recordings
from snapshotter.export.diff_json import diff_dict
from snapshotter.export.encoding import dumps
from snapshotter.model import Item, Kind, Local, Recording, SkippedFile, Snapshot, Value
from tests.support.examples import examples
from tests.support.strategies import snapshots
from tests.support.synthetic import busy_snapshot, tiny_snapshot

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


def _schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REFERENCE / f"{name}.schema.json").read_text())
    return found


_SNAPSHOT = Resource.from_contents(_schema("snapshot"))
SCHEMA = jsonschema.Draft202012Validator(
    _schema("diff"), registry=Registry().with_resource(_SNAPSHOT.id() or "", _SNAPSHOT)
)


def validated(document: object) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(dumps(document))
    SCHEMA.validate(plain)
    return plain


def grown() -> tuple[Snapshot, Snapshot]:
    """Two snapshots of one thread whose local list grew and whose caller moved."""
    first = busy_snapshot(threads=1, depth=2, locals_each=1)
    (thread,) = first.threads
    innermost, caller = thread.frames

    def side(length: int, after_s: int) -> Snapshot:
        items = tuple(Item(1) for _ in range(length))
        values = (
            Value(Kind.LIST, "list", length=length, items=items, identity=1),
            Value(Kind.INT, "int", value=7),
        )
        frame = replace(innermost, locals=(Local("items", 0),))
        return replace(
            first,
            captured_at_ns=first.captured_at_ns + after_s * 1_000_000_000,
            monotonic_ns=first.monotonic_ns + after_s * 1_000_000_000,
            threads=(replace(thread, frames=(frame, caller)),),
            values=values,
        )

    return side(1, 0), side(3, 30)


def test_grown_local_is_told_with_its_values() -> None:
    document = validated(diff_dict(diff(*grown())))

    assert document["schema"] == "snapshotter.diff/1"
    assert document["elapsed"]["ns"] == 30_000_000_000
    (local,) = document["locals"]
    assert local["name"] == "items"
    assert local["changes"][0]["before"]["length"] == 1
    assert local["changes"][0]["after"]["length"] == 3
    assert local["changes"][0]["length_delta"] == 2
    assert document["threads"][0]["after"]["frames"][0]["code"] == "app"


def test_what_many_changes_share_is_not_written_out_for_each() -> None:
    def side(length: int) -> Snapshot:
        whole = busy_snapshot(threads=400, depth=1, locals_each=1)
        shared = Value(Kind.LIST, "list", length=900, items=tuple(Item(1) for _ in range(900)))
        own = Value(Kind.LIST, "list", length=length, items=(Item(0),) * length)
        threads = tuple(
            replace(each, frames=(replace(each.frames[0], locals=(Local("rows", 2 + at),)),))
            for at, each in enumerate(whole.threads)
        )
        values = (shared, Value(Kind.INT, "int", value=7), *[own] * 400)
        return replace(whole, threads=threads, values=values)

    document = diff_dict(diff(side(1), side(2)))
    assert len(document["locals"]) == 400
    assert all(one["changes"][0]["length_delta"] == 1 for one in document["locals"])
    assert document["locals"][0]["changes"][0]["after"]["items"][0]["elided"]
    assert len(dumps(document)) < 50_000_000


def test_snapshots_are_only_named() -> None:
    document = validated(diff_dict(diff(tiny_snapshot(), tiny_snapshot(after_s=30))))

    assert set(document["baseline"]) == {
        "captured_at",
        "captured_at_ns",
        "monotonic_ns",
        "pid",
        "sequence",
    }


def test_two_incarnations_compare_by_signature() -> None:
    other = replace(busy_snapshot(threads=2, depth=1), process=tiny_snapshot(pid=9).process)

    document = validated(diff_dict(diff(busy_snapshot(threads=1, depth=1), other)))

    assert document["same_process"] is False
    assert document["signatures"]


def test_two_recordings_compare() -> None:
    before, after = grown()
    torn = SkippedFile(Path("000002.msgpack"), "is torn")
    current = Recording((before, after), skipped=(torn,))
    document = validated(diff_dict(diff_recordings(Recording((before,)), current)))

    assert document["baseline"]["skipped"] == []
    assert document["current"]["skipped"] == [{"path": "000002.msgpack", "reason": "is torn"}]
    assert document["schema"] == "snapshotter.recording-diff/1"
    assert document["current"]["snapshots"] == 2
    assert document["last"]["locals"]


@given(snapshots(max_values=1), snapshots(max_values=1))
@examples(20)
def test_any_diff_is_as_the_schema_says(before: Snapshot, after: Snapshot) -> None:
    later = replace(
        after,
        process=before.process,
        threads=(*before.threads, *after.threads),
        values=before.values + after.values,
    )

    validated(diff_dict(diff(before, after)))
    validated(diff_dict(diff(before, later)))


def test_unknown_record_is_refused() -> None:
    with pytest.raises(TypeError, match="no JSON shape"):
        diff_dict(replace(diff(tiny_snapshot(), tiny_snapshot()), process=({1},)))  # type: ignore[arg-type]
