"""The friendly shape: always valid JSON, always as its schema says, always finite."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from referencing import Registry, Resource

from snapshotter.export import FORMATS
from snapshotter.export.encoding import Scalar, dumps, scalar, utc
from snapshotter.export.json import recording_dict, snapshot_dict
from snapshotter.export.values import MAX_DEPTH, ValueTrees
from snapshotter.model import (
    Generation,
    Item,
    Kind,
    Missed,
    MissedReason,
    Recording,
    SkippedFile,
    Snapshot,
    Value,
)
from tests.support.examples import examples
from tests.support.strategies import snapshots
from tests.support.synthetic import busy_snapshot, tiny_snapshot

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REFERENCE / f"{name}.schema.json").read_text())
    return found


def validator(name: str) -> jsonschema.Draft202012Validator:
    resources = map(Resource.from_contents, (schema("snapshot"), schema("recording")))
    registry = Registry().with_resources((each.id() or "", each) for each in resources)
    return jsonschema.Draft202012Validator(schema(name), registry=registry)


SNAPSHOT = validator("snapshot")
RECORDING = validator("recording")


def exported(name: str, subject: Snapshot | Recording) -> str:
    stream = io.BytesIO()
    FORMATS[name].write(subject, stream)
    return stream.getvalue().decode()


def recording(count: int = 2) -> Recording:
    return Recording(
        snapshots=tuple(tiny_snapshot(after_s=30 * tick) for tick in range(count)),
        missed=(Missed(1_795_079_703_003_000_000, 2, MissedReason.OVERRUN),),
        skipped=(SkippedFile(Path("x\udcff.msgpack"), "It is torn."),),
        directory=Path("orders"),
        interval_ns=30_000_000_000,
    )


@pytest.mark.parametrize("name", ["snapshot", "recording", "diff"])
def test_schema_itself_is_valid(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))


@given(snapshots(max_values=2))
@examples(40)
def test_any_snapshot_is_as_the_schema_says(snapshot: Snapshot) -> None:
    SNAPSHOT.validate(json.loads(dumps(snapshot_dict(snapshot))))


def test_every_property_of_a_full_snapshot_is_described() -> None:
    written = _keys(snapshot_dict(busy_snapshot(threads=2, depth=2)))

    assert written <= _described(schema("snapshot"))


def test_shape_is_the_one_other_programs_rely_on() -> None:
    document = snapshot_dict(busy_snapshot(threads=1, depth=1, locals_each=1))

    assert document["schema"] == "snapshotter.snapshot/1"
    assert document["captured_at"] == "2026-11-19T09:15:03.003Z"
    assert document["process"]["start_time"] == "2026-11-19T08:58:25.003Z"
    (thread,) = document["threads"]
    assert thread["counters"]["wchan"] == "futex_wait_queue"
    (frame,) = thread["frames"]
    assert frame["code"] == "app"
    assert frame["locals"] == [
        {
            "name": "local_0",
            "type": "str",
            "kind": "str",
            "value": "some text 0",
            "length": 20,
            "status": "ok",
            "identity": 0x7F12_3450_0000,
        }
    ]
    assert document["gc"]["generations"][0]["collections"] == 34
    assert document["heap"] is None


def test_further_gc_figures_stand_beside_ours_and_never_replace_them() -> None:
    generation = Generation(1, 2, 3, 4, 5, extra={"duration": math.inf, "count": 99})
    gc = busy_snapshot(threads=0).gc
    assert gc is not None

    document = snapshot_dict(replace(tiny_snapshot(), gc=replace(gc, generations=(generation,))))

    (written,) = document["gc"]["generations"]
    assert written["duration"] == "Infinity"
    assert written["count"] == 1


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (1.5, 1.5),
        (2**64 - 1, 2**64 - 1),
        (2**64, "0x10000000000000000"),
        (-(2**63) - 1, "-0x8000000000000001"),
        (b"GET \x00\xff", "GET \x00\xff"),
        (True, True),
        (None, None),
        ("text", "text"),
    ],
)
def test_what_json_cannot_say_stays_visible(value: Scalar, written: object) -> None:
    assert scalar(value) == written
    assert json.loads(dumps({"v": scalar(value)})) == {"v": written}


def test_lone_surrogates_are_written_out() -> None:
    assert json.loads(dumps({"caf\udce9": ["\ud800"]})) == {"caf\\udce9": ["\\ud800"]}


def test_what_is_no_plain_value_is_refused() -> None:
    with pytest.raises(TypeError):
        dumps({"x": object()})


def test_time_is_cut_to_the_millisecond_in_utc() -> None:
    assert utc(1_795_166_100_003_999_999) == "2026-11-20T09:15:00.003Z"
    assert utc(0) == "1970-01-01T00:00:00.000Z"


class TestValues:
    def test_cycle_is_marked_where_it_closes(self) -> None:
        values = (
            Value(Kind.LIST, "list", length=1, items=(Item(1),)),
            Value(Kind.DICT, "dict", length=1, items=(Item(0, name="back"),)),
        )

        tree = ValueTrees(values).tree(0)

        (inner,) = tree["items"]
        (back,) = inner["items"]
        assert back["name"] == "back"
        assert back["cycle"] is True
        assert "items" not in back

    def test_shared_part_stands_in_both_places(self) -> None:
        values = (
            Value(Kind.LIST, "list", length=2, items=(Item(1), Item(1))),
            Value(Kind.TUPLE, "tuple", length=1, items=(Item(2),)),
            Value(Kind.INT, "int", value=7),
        )

        first, second = ValueTrees(values).tree(0)["items"]

        assert first == second
        assert first["items"][0]["value"] == 7

    def test_depth_is_bounded_and_said(self) -> None:
        values = tuple(
            Value(Kind.LIST, "list", length=1, items=(Item(min(node + 1, 29)),))
            for node in range(30)
        )

        tree = ValueTrees(values).tree(0)
        depth = 0
        while "elided" not in tree:
            (tree,) = tree["items"]
            depth += 1

        assert depth == MAX_DEPTH

    def test_parts_shared_on_every_level_do_not_explode(self) -> None:
        values = tuple(
            Value(Kind.LIST, "list", length=100, items=(Item(min(node + 1, 9)),) * 100)
            for node in range(10)
        )
        trees = ValueTrees(values, max_values=1_000)

        text = json.dumps([trees.tree(0) for _ in range(3)])

        assert text.count('"type"') <= 1_000 + 3 * MAX_DEPTH
        assert '"elided": true' in text

    def test_key_that_is_no_text_is_a_value(self) -> None:
        values = (
            Value(Kind.DICT, "dict", length=1, items=(Item(1, key=1),)),
            Value(Kind.INT, "int", value=7),
        )

        (item,) = ValueTrees(values).tree(0)["items"]

        assert item["key"]["value"] == 7
        assert "name" not in item


class TestFormats:
    def test_snapshot_is_one_document_in_both(self) -> None:
        as_json, as_jsonl = (exported(name, tiny_snapshot()) for name in ("json", "jsonl"))

        assert as_json == as_jsonl
        SNAPSHOT.validate(json.loads(as_json))

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_recording_is_one_document_with_its_snapshots(self, count: int) -> None:
        document = json.loads(exported("json", recording(count)))

        RECORDING.validate(document)
        assert len(document["snapshots"]) == count
        assert document["skipped"] == [{"path": "x\\udcff.msgpack", "reason": "It is torn."}]

    def test_lines_are_the_recording_and_then_each_snapshot(self) -> None:
        head, *rest = map(json.loads, exported("jsonl", recording(3)).splitlines())

        RECORDING.validate(head)
        assert "snapshots" not in head
        assert [SNAPSHOT.is_valid(line) for line in rest] == [True] * 3

    def test_table_names_suffix_and_kind(self) -> None:
        assert {name: (each.suffix, each.binary) for name, each in FORMATS.items()} == {
            "json": (".json", False),
            "jsonl": (".jsonl", False),
        }

    def test_recording_properties_are_all_described(self) -> None:
        assert _keys(recording_dict(recording())) <= _described(schema("recording"))


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    if isinstance(value, list):
        return set().union(*map(_keys, value))
    return set()


def _described(part: object) -> set[str]:
    if isinstance(part, dict):
        names = set(part.get("properties", {}))
        return names.union(*map(_described, part.values()))
    if isinstance(part, list):
        return set().union(*map(_described, part))
    return set()
