"""What stands in a request file, and which options cannot be meant."""

from __future__ import annotations

import marshal

import pytest

from snapshotter.attach.request import (
    NONCE_BYTES,
    Question,
    check_locals,
    check_selection,
    check_variable,
    new_nonce,
    request_bytes,
)
from snapshotter.errors import UsageError
from snapshotter.model import ValueLevel
from snapshotter.probe.start import REQUEST_SIZE
from snapshotter.record.options import CarrierChoice


def question(**changes: object) -> Question:
    fields: dict[str, object] = {
        "nonce": b"n" * NONCE_BYTES,
        "inner_pid": 12,
        "start_by_ns": 1,
        "deadline_ns": 2,
        "slice_ns": 3,
        "carrier": CarrierChoice.THREAD,
        "os_threads": 4,
        "locals": "app",
        "values": ValueLevel.SHAPES,
        "variables": ("orders.cache:CACHE.hits",),
        "stdlib": ("/usr/lib/python3.14",),
        "reply_path": "/run/reply",
    }
    return Question(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_request_is_made_of_exact_builtin_types() -> None:
    request = marshal.loads(request_bytes(question()))  # noqa: S302 - our own
    assert request["pid"] == 12
    assert type(request["carrier"]) is str
    assert type(request["values"]) is str
    assert request["variables"] == [["orders.cache", "CACHE", "hits"]]
    assert request["reply"] == "/run/reply"


def test_patterns_of_locals_are_split() -> None:
    request = marshal.loads(request_bytes(question(locals="orders.*:*:id,*:handle:*")))  # noqa: S302
    assert request["locals"] == "globs"
    assert request["globs"] == [["orders.*", "*", "id"], ["*", "handle", "*"]]


def test_nonces_differ() -> None:
    assert len({new_nonce() for _ in range(50)}) == 50


@pytest.mark.parametrize("policy", ["", "apps", "a:b", "a:b:c:d", "a::c", "app,none"])
def test_a_policy_that_cannot_be_meant_is_refused(policy: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_locals(policy)
    assert caught.value.slug == "locals"
    assert caught.value.hint


@pytest.mark.parametrize("expression", ["", "module", ":name", "module:", "module:a..b"])
def test_a_variable_that_cannot_be_meant_is_refused(expression: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_variable(expression)
    assert caught.value.slug == "var"


@pytest.mark.parametrize(
    ("policy", "variables"),
    [
        ("x" * 6_000 + ":*:*", ()),
        (",".join(["a:b:c"] * 1_001), ()),
        ("app", ("sys:" + "a." * 3_000 + "b",)),
        ("app", ("m:x",) * 2_000),
    ],
    ids=["long pattern", "many patterns", "long path", "many paths"],
)
def test_more_than_a_request_can_hold_is_refused(policy: str, variables: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="6,000 characters together") as caught:
        check_selection(policy, variables)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("policy", "variables"),
    [
        ("😀" * 5_996 + ":*:*", ()),
        (",".join(["😀:😁:😂"] * 1_000), ()),
        ("all", ("s:" + "😀." * 2_997 + "b",)),
        ("all", ("😀:😁",) * 1_999),
    ],
    ids=["long pattern", "many patterns", "long path", "many paths"],
)
def test_what_may_be_asked_for_fits_into_a_request(policy: str, variables: tuple[str, ...]) -> None:
    check_selection(policy, variables)
    asked = question(locals=policy, variables=variables, stdlib=("/x" * 2_000,))
    assert len(request_bytes(asked)) <= REQUEST_SIZE
