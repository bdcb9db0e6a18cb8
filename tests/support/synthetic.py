"""Snapshots made by hand, for tests that need a certain shape or size."""

from __future__ import annotations

import random
from dataclasses import replace

from snapshotter.model import (
    Capture,
    Counters,
    Frame,
    GcState,
    Generation,
    Identity,
    Interpreter,
    Kind,
    Local,
    Origin,
    OutsideStack,
    ProcessInfo,
    Snapshot,
    Status,
    Thread,
    Value,
    View,
)

__all__ = ["busy_snapshot", "process", "tiny_snapshot"]

NOW_NS = 1_795_079_703_003_000_000
MONOTONIC_NS = 123_456_789_012_345


def process(pid: int = 4121, start_ticks: int = 998) -> ProcessInfo:
    """A process with an identity of its own."""
    return ProcessInfo(
        pid=pid,
        start_time_ns=NOW_NS - start_ticks * 1_000_000_000,
        uid=33,
        python="3.14.8",
        executable="/usr/bin/python3.14",
        cmdline=("/usr/bin/python3.14", "-m", "orders"),
        host="a1",
        identity=Identity("boot", pid, start_ticks, 8 << 64 | 4711, 0x7FFC_0000_0000),
    )


def tiny_snapshot(pid: int = 4121, *, start_ticks: int = 998, after_s: int = 0) -> Snapshot:
    """A snapshot without threads, ``after_s`` seconds after the first."""
    return Snapshot(
        captured_at_ns=NOW_NS + after_s * 1_000_000_000,
        monotonic_ns=MONOTONIC_NS + after_s * 1_000_000_000,
        process=process(pid, start_ticks),
        capture=Capture((View.OUTSIDE,), complete=True),
        threads=(),
    )


def busy_snapshot(
    *, threads: int = 100, depth: int = 20, differing: int = 0, locals_each: int = 8
) -> Snapshot:
    """A snapshot whose stacks have nothing in common: the worst case for its size.

    ``differing`` is the number of innermost frames that the outside stack does not share with the
    inside one.
    """
    rng = random.Random(1)  # noqa: S311  a reproducible shape, no secret
    values: list[Value] = []

    def stack(frames: int) -> tuple[Frame, ...]:
        return tuple(_frame(rng.randrange(150), rng.randrange(40)) for _ in range(frames))

    def thread(number: int) -> Thread:
        innermost, *rest = stack(depth)
        first = len(values)
        values.extend(_value(first + index) for index in range(locals_each))
        local = tuple(Local(f"local_{index}", first + index) for index in range(locals_each))
        outside = (*stack(differing), *(innermost, *rest)[differing:])
        return Thread(
            ident=140_737_353_977_856 + number * 8_392_704,
            native_id=41_210 + number,
            name=f"ThreadPoolExecutor-0_{number}",
            daemon=True,
            is_main=number == 0,
            view=View.INSIDE,
            at_ns=MONOTONIC_NS + number * 100_000,
            frames=(replace(innermost, locals=local), *rest),
            counters=Counters(
                "S", "futex_wait_queue", 1234 + number, 17, 123_456_789, 876_543, MONOTONIC_NS
            ),
            outside=OutsideStack(outside, MONOTONIC_NS + number),
        )

    return replace(
        tiny_snapshot(),
        capture=Capture((View.INSIDE, View.OUTSIDE), complete=True, carrier="thread"),
        threads=tuple(map(thread, range(threads))),
        values=tuple(values),
        gc=GcState(enabled=True, generations=(Generation(100, 2000, 34, 456, 0),) * 3),
        interpreter=Interpreter("3.14.8"),
        tool="0.1.0",
    )


def _frame(code: int, line: int) -> Frame:
    first = 10 + 37 * code % 900
    return Frame(
        filename=f"/srv/orders/app/package_{code // 10}/module_{code}.py",
        qualname=f"ClassName{code % 7}.method_name_{code}",
        lineno=first + line,
        first_lineno=first,
        origin=Origin.APP,
        lasti=line * 14,
    )


def _value(index: int) -> Value:
    return Value(
        Kind.STR,
        "str",
        Status.OK,
        length=20,
        value=f"some text {index}",
        identity=0x7F12_3450_0000 + index * 64,
    )
