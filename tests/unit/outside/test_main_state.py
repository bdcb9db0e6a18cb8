from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from snapshotter.model.snapshot import Counters, Frame, MainState, Origin
from snapshotter.outside.main_state import MainEvidence, decide_main_state, describe_place
from snapshotter.outside.probe_point import GilState, lies_in_gil
from snapshotter.outside.runtime import ThreadRef

if TYPE_CHECKING:
    from snapshotter.outside.runtime import Runtime

RUNTIME = cast(
    "Runtime",
    SimpleNamespace(pid=1, address=0x10000, offsets=SimpleNamespace(runtime_state_size=0x8000)),
)
THREAD = ThreadRef(
    address=0x12000,
    interpreter=0x11000,
    interpreter_id=0,
    ident=1,
    native_id=1,
    current_frame=0,
    datastack_chunk=0,
    status=0,
    pending=0,
    is_main=True,
    gil=0x13000,
)
FREE = GilState(locked=False, holder=0, switch_number=0)
APP = Frame("/srv/app.py", "Handler.get", 12, 10, Origin.APP)
STDLIB = Frame("/usr/lib/python3.14/queue.py", "Queue.get", 210, 180, Origin.STDLIB)
SEEN = MainEvidence(
    thread=THREAD,
    is_registered=True,
    is_finalizing=False,
    frames=(STDLIB, APP),
    gil=FREE,
    gil_holder_id=None,
    waiting_on=None,
    counters=Counters(state="S", wchan="do_epoll_wait"),
)


def counters(state: str, wchan: str | None) -> Counters:
    return Counters(state=state, wchan=wchan)


@pytest.mark.parametrize(
    ("seen", "state", "words"),
    [
        (SEEN, MainState.BLOCKED, "waiting in do_epoll_wait"),
        (replace(SEEN, counters=counters("S", "futex_do_wait")), MainState.UNKNOWN, "lock or"),
        (replace(SEEN, counters=counters("S", None)), MainState.UNKNOWN, "does not tell"),
        (replace(SEEN, counters=None), MainState.UNKNOWN, "does not tell"),
        (replace(SEEN, counters=counters("R", None)), MainState.RUNNING, "without the GIL"),
        (replace(SEEN, waiting_on="running"), MainState.RUNNING, "without the GIL"),
        (replace(SEEN, counters=counters("t", None)), MainState.STOPPED, "held by a debugger"),
        (replace(SEEN, is_finalizing=True), MainState.ENDING, "finalizing"),
        (replace(SEEN, is_registered=False), MainState.ENDING, "running exit handlers"),
        (replace(SEEN, thread=None, is_registered=False), MainState.GONE, "thread state is gone"),
        (
            replace(SEEN, is_registered=False, thread=replace(THREAD, address=0x90000)),
            MainState.GONE,
            "fork of a thread",
        ),
        (
            replace(SEEN, gil=GilState(locked=True, holder=THREAD.address, switch_number=1)),
            MainState.RUNNING,
            "running Python in Queue.get (queue.py:210), called at app.py:12 in Handler.get",
        ),
    ],
)
def test_evidence_decides_the_state(seen: MainEvidence, state: MainState, words: str) -> None:
    found, detail = decide_main_state(RUNTIME, seen)

    assert found is state
    assert words in (detail or "")


def test_place_names_the_application() -> None:
    assert describe_place(()) == ""
    assert describe_place((APP, STDLIB)) == " at app.py:12 in Handler.get"
    assert describe_place((STDLIB,)) == " in Queue.get (queue.py:210)"


SCRIPT = Frame("/srv/venv/bin/gunicorn", "<module>", 10, 1, Origin.APP)
LIBRARY = Frame("/srv/venv/site-packages/gunicorn/sync.py", "wait", 35, 30, Origin.LIBRARY)


@pytest.mark.parametrize(
    ("frames", "place"),
    [
        ((LIBRARY, SCRIPT), " in wait (sync.py:35)"),
        ((STDLIB, LIBRARY, SCRIPT), " in Queue.get (queue.py:210), called at sync.py:35 in wait"),
        ((STDLIB, APP, LIBRARY, SCRIPT), "called at app.py:12 in Handler.get"),
        ((LIBRARY, APP, SCRIPT), " in wait (sync.py:35), called at app.py:12 in Handler.get"),
        ((STDLIB, SCRIPT), " in Queue.get (queue.py:210), called at gunicorn:10 in <module>"),
        ((SCRIPT,), " at gunicorn:10 in <module>"),
    ],
)
def test_place_names_no_start_script_where_there_is_more_to_tell(
    frames: tuple[Frame, ...], place: str
) -> None:
    assert describe_place(frames).endswith(place)


def test_only_addresses_inside_the_gil_belong_to_it() -> None:
    assert lies_in_gil(0x1020, 0x1000)
    assert not lies_in_gil(0xFFF, 0x1000)
    assert not lies_in_gil(0x1100, 0x1000)
    assert not lies_in_gil(8, 0)
