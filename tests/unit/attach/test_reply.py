"""Replies of targets that lie: one error, within bounds of time and memory."""

from __future__ import annotations

import contextlib
import struct
import threading
import time
import tracemalloc
from functools import cache
from typing import TYPE_CHECKING, Any

import msgpack
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from snapshotter.attach.reply import ReplyError, decode_reply
from snapshotter.model import Kind
from snapshotter.outside.origin import Origins
from tests.support.examples import examples
from tests.unit.probe.probing import NONCE, raw_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from snapshotter.attach.reply import InsideView

ORIGINS = Origins(())
LONG_S = 20.0
MOST_BYTES = 200 << 20
ZEROES = {"collections": 0, "collected": 0, "uncollectable": 0}
FUZZ = examples(40, suppress_health_check=[HealthCheck.too_slow])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.floats(allow_nan=True),
    st.text(max_size=12),
    st.binary(max_size=24),
    st.sampled_from(["0x1p99999", "inf", "nan", "-0x", "pending", NONCE]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=20,
)


@cache
def honest() -> bytes:
    """The reply of a real probe: threads, locals, values, variables."""
    stop = threading.Event()

    def wait(numbers: list[float], text: str) -> None:
        assert numbers
        assert text
        stop.wait()

    thread = threading.Thread(target=wait, args=([1.5, 2.0], "hello"))
    thread.start()
    try:
        return raw_reply(locals="all", variables=[["sys", "path"], ["sys", "nothing"]])
    finally:
        stop.set()
        thread.join()


def fields() -> dict[str, Any]:
    found: dict[str, Any] = msgpack.unpackb(honest())
    return found


def decode(data: bytes) -> InsideView:
    return decode_reply(data, NONCE, ORIGINS)


def decode_or_refuse(data: bytes) -> None:
    """Any other error fails the test."""
    with contextlib.suppress(ReplyError):
        decode(data)


def altered(**changes: object) -> bytes:
    return msgpack.packb({**fields(), **changes})  # type: ignore[no-any-return]


def test_an_honest_reply_is_decoded_whole() -> None:
    view = decode(honest())
    assert view.carrier == "main"
    assert any(frame.qualname.endswith("wait") for t in view.threads for frame in t.frames)
    assert {value.kind for value in view.values} >= {Kind.FLOAT, Kind.STR}


@pytest.mark.parametrize("place", ["nonce", "end"])
def test_a_reply_to_another_request_is_refused(place: str) -> None:
    with pytest.raises(ReplyError, match="another request"):
        decode(altered(**{place: b"fedcba9876543210"}))


def test_what_the_probe_says_went_wrong_is_passed_on() -> None:
    told = {"v": "1", "nonce": NONCE, "failed": "MemoryError", "end": NONCE}
    with pytest.raises(ReplyError, match="MemoryError"):
        decode(msgpack.packb(told))


@pytest.mark.parametrize("cut", [0, 1, 17, 200, -1, -17, -300])
def test_a_reply_that_is_cut_is_refused(cut: int) -> None:
    with pytest.raises(ReplyError):
        decode(honest()[:cut])


@FUZZ
@given(st.binary(max_size=400))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ReplyError):
        decode(data)


@FUZZ
@given(st.data())
def test_flipped_bytes_give_an_answer_or_one_error(data: st.DataObject) -> None:
    reply = bytearray(honest())
    for _ in range(data.draw(st.integers(1, 4))):
        reply[data.draw(st.integers(0, len(reply) - 1))] = data.draw(st.integers(0, 255))
    decode_or_refuse(bytes(reply))


@FUZZ
@given(st.sampled_from(sorted(fields())), anything)
def test_a_field_of_another_shape_gives_an_answer_or_one_error(name: str, value: object) -> None:
    decode_or_refuse(altered(**{name: value}))


@FUZZ
@given(st.data())
def test_a_cell_of_another_shape_gives_an_answer_or_one_error(data: st.DataObject) -> None:
    reply = fields()
    tables = sorted(name for name, value in reply.items() if type(value) is list and value)
    rows = reply[data.draw(st.sampled_from(tables))]
    row = data.draw(st.integers(0, len(rows) - 1))
    if type(rows[row]) is list and rows[row]:
        rows[row][data.draw(st.integers(0, len(rows[row]) - 1))] = data.draw(anything)
    else:
        rows[row] = data.draw(anything)
    decode_or_refuse(msgpack.packb(reply))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stacks", b"abc"),
        ("interpreter", {"getswitchinterval": "0x1p99999"}),
        ("interpreter", {"getswitchinterval": "inf"}),
        ("interpreter", {"signals": [[1, b"x"]]}),
        ("gc", {"count": [1], "threshold": [1], "stats": [{"duration": "nan"}]}),
        ("gc", {"stats": [dict(ZEROES, duration="inf")]}),
        ("gc", {"stats": [dict(ZEROES, duration="0x1p999")]}),
        ("gc", {"stats": [dict(ZEROES, **{"\x1b[2J": 1})]}),
        ("gc", {"stats": [dict(ZEROES, **{f"figure{n}": 1 for n in range(40)})]}),
        ("threads", [[[], 0, 0, 0, True]]),
        ("threads", [[number, 0, 0, 1, True] for number in range(60_000)]),
        ("tasks", [[1, "t", "pending", 1, 1, [], None, [1] * 65]]),
        ("tasks", [[1, "t", "pending", 1, 1, [], None, None]]),
        ("tasks", [[1, "t", "pending", 1, 1, [], None, []]] * 60_000),
        ("nodes", [[0, None, 0, None, None, None, None, None]] * 120_000),
        ("names", [[1, 2, 3]]),
    ],
)
def test_a_figure_that_cannot_be_is_refused(name: str, value: object) -> None:
    if type(value) is dict:
        value = {**fields()[name], **value}
    with pytest.raises(ReplyError):
        decode(altered(**{name: value}))


@FUZZ
@given(st.sampled_from(["gc", "interpreter"]), st.data())
def test_a_figure_of_another_kind_gives_an_answer_or_one_error(
    name: str, data: st.DataObject
) -> None:
    figures = dict(fields()[name])
    figures[data.draw(st.sampled_from(sorted(figures)))] = data.draw(anything)
    decode_or_refuse(altered(**{name: figures}))


def many_threads_of_one_long_stack() -> bytes:
    size = 100_000
    packed = struct.pack("<Q", 1) * size
    rows = [[number, 0, size, 1, True] for number in range(20_000)]
    return altered(stacks=packed, threads=rows, locals=[], notes=[])


def one_long_line_table() -> bytes:
    table = b"\x80\x00" * 1_500_000
    places = struct.pack("<300000Q", *range(0, 600_000, 2))
    rows = [[1, 0, 300_000, 1, True]]
    code = [["file.py", "f", 1, 0, table]]
    return altered(codes=code, stacks=places, threads=rows, locals=[], notes=[], tasks=[])


def many_members(nodes: int = 4) -> bytes:
    node = [0, None, 0, None, None, None, [0, 0] * 50_000, None]
    return altered(nodes=[node] * nodes, variables=[], locals=[])


def most_members() -> bytes:
    return many_members(15)


@pytest.mark.parametrize(
    "bomb",
    [
        many_threads_of_one_long_stack,
        one_long_line_table,
        many_members,
        pytest.param(most_members, marks=pytest.mark.slow),
    ],
)
def test_a_bomb_is_bounded(bomb: Callable[[], bytes]) -> None:
    data = bomb()
    begin = time.monotonic()
    tracemalloc.start()
    try:
        decode_or_refuse(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.monotonic() - begin < LONG_S
    assert most < MOST_BYTES
