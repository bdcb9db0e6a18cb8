"""Which threads of the two views stand in a snapshot: never ours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snapshotter.attach.compilers import PROBE_FILENAME
from snapshotter.attach.inject import Outcome
from snapshotter.model import Frame, Origin, OutsideStack, Snapshot
from snapshotter.outside.outer import OuterPart
from snapshotter.outside.selection import Selection
from snapshotter.outside.view import OutsideThread
from snapshotter.record.merge import Views, merge
from snapshotter.record.options import CaptureOptions
from tests.support import samples
from tests.support.outside_views import outside_view

CARRIER = 77


def frame(filename: str) -> Frame:
    return Frame(
        filename=filename, qualname="f", lineno=1, first_lineno=1, origin=Origin.APP, lasti=0
    )


def seen(ident: int, *filenames: str, is_main: bool = False) -> OutsideThread:
    frames = tuple(frame(name) for name in filenames)
    return OutsideThread(
        ident=ident,
        native_id=ident,
        os_tid=ident,
        is_main=is_main,
        interpreter=0,
        stack=OutsideStack(at_ns=1, frames=frames),
        problem=None,
        holds_gil=False,
        counters=None,
    )


def merged(*threads: OutsideThread, carriers: frozenset[int] = frozenset()) -> Snapshot:
    views = Views(
        captured_at_ns=1,
        monotonic_ns=1,
        process=samples.process(),
        outside=outside_view(*threads),
        inside=None,
        outcome=Outcome(None, b"", problem="it was not asked"),
        details=None,
        details_problem=None,
        selection=Selection("app"),
        options=CaptureOptions(),
        runtime_version="3.14.8",
        free_threaded=False,
        carriers=carriers,
    )
    return merge(views, {})


def merged_idents(*threads: OutsideThread, carriers: frozenset[int] = frozenset()) -> list[int]:
    return [thread.ident for thread in merged(*threads, carriers=carriers).threads]


MAIN = seen(1, "app.py", is_main=True)


@pytest.mark.parametrize(
    "filenames", [(PROBE_FILENAME,), ("site.py", PROBE_FILENAME), (PROBE_FILENAME, "finalizer.py")]
)
def test_a_thread_that_runs_the_probe_is_left_out(filenames: tuple[str, ...]) -> None:
    assert merged_idents(MAIN, seen(CARRIER, *filenames), seen(2, "app.py")) == [1, 2]


def test_a_main_thread_that_runs_the_probe_stays() -> None:
    assert merged_idents(seen(1, PROBE_FILENAME, "app.py", is_main=True)) == [1]


def test_a_carrier_that_is_just_ending_is_left_out() -> None:
    assert merged_idents(MAIN, seen(CARRIER), carriers=frozenset({CARRIER})) == [1]


def test_a_thread_without_python_that_was_never_ours_stays() -> None:
    assert merged_idents(MAIN, seen(CARRIER)) == [1, CARRIER]


def test_a_new_thread_with_the_ident_of_an_old_carrier_stays() -> None:
    assert merged_idents(MAIN, seen(CARRIER, "app.py"), carriers=frozenset({CARRIER})) == [
        1,
        CARRIER,
    ]


def cut(thread: OutsideThread) -> OutsideThread:
    assert thread.stack is not None
    return replace(thread, stack=replace(thread.stack, truncated=True))


def test_a_stack_that_was_cut_is_not_complete() -> None:
    snapshot = merged(MAIN, cut(seen(2, "app.py")))
    assert [thread.complete for thread in snapshot.threads] == [True, False]
    assert snapshot.threads[1].note == "its outermost frames are missing: there are too many"
    assert "the stack of 1 of 2 threads is not complete" in snapshot.capture.missing
    alone = merged(cut(MAIN))
    assert "the stack of its only thread is not complete" in alone.capture.missing


def outer_of(ident: int, *filenames: str) -> OutsideThread:
    part = OuterPart(tuple(frame(name) for name in filenames), 5, "Its innermost calls changed.")
    return replace(seen(ident), stack=None, problem=part.problem, outer=part)


def test_the_outer_part_of_a_stack_is_shown_with_its_note() -> None:
    snapshot = merged(MAIN, outer_of(2, "app.py", "main.py"))
    thread = snapshot.threads[1]
    assert [one.filename for one in thread.frames] == ["app.py", "main.py"]
    assert (thread.complete, thread.lacks_innermost, thread.at_ns) == (False, True, 5)
    assert thread.note == "Its innermost calls changed."
    assert thread.outside is None
    assert "the stack of 1 of 2 threads is not complete" in snapshot.capture.missing


def test_a_carrier_of_which_only_the_outer_part_is_known_is_left_out() -> None:
    assert merged_idents(MAIN, outer_of(CARRIER, PROBE_FILENAME)) == [1]
    ended = frozenset({CARRIER})
    assert merged_idents(MAIN, outer_of(CARRIER, "app.py"), carriers=ended) == [1, CARRIER]


def test_several_stacks_that_were_cut_are_counted() -> None:
    snapshot = merged(cut(MAIN), cut(seen(2, "app.py")))
    assert "the stacks of 2 of 2 threads are not complete" in snapshot.capture.missing
