"""Threads that began while we asked are known by their numbers in the kernel, as we see them."""

from __future__ import annotations

from dataclasses import replace

from snapshotter.outside.view import OutsideThread
from snapshotter.record.capture import Observer
from tests.support.outside_views import outside_view

INNER, OUTER = 7, 4007
"""The number of a thread in the pid namespace of a container, and in ours."""
THREAD = OutsideThread(
    ident=99,
    native_id=INNER,
    os_tid=OUTER,
    is_main=False,
    interpreter=0,
    stack=None,
    problem=None,
    holds_gil=False,
    counters=None,
)


def suspected(*numbers: int) -> frozenset[int]:
    observer = object.__new__(Observer)
    observer._suspects = frozenset(numbers)
    other = replace(THREAD, ident=100, native_id=OUTER, os_tid=INNER)
    return observer._suspected(outside_view(THREAD, other))


def test_a_carrier_in_a_container_is_known_by_its_number_outside() -> None:
    assert suspected(OUTER) == {THREAD.ident}
