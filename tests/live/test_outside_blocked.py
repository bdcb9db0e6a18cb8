"""A process blocked in any call is told whole from outside: stacks, and locals of its own code."""

from __future__ import annotations

import pytest

from snapshotter.model import MainState, Origin, Status, View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.services import gunicorn, uvicorn
from tests.support.targets import spawn, wait_until

pytestmark = pytest.mark.live

PATIENCE_NS = 30_000_000
LONGEST_OUTSIDE_NS = 2_000_000_000
CALLS = {
    "sleep": ("sleeping", ()),
    "wait_in_select": ("waiting for file descriptors", ()),
    "poll": ("waiting for file descriptors", ("waiting",)),
    "epoll": ("waiting for file descriptors", ("read", "_", "waiting")),
    "idle_asyncio": ("waiting for file descriptors", ("wait",)),
    "read": ("reading on descriptor 0, a pipe", ()),
    "accept": ("waiting for a connection", ()),
    "recv": ("receiving on descriptor", ("one", "_other")),
    "lock": ("waiting for a lock", ("held",)),
    "rlock": ("waiting for a lock", ("held", "taken", "keep")),
    "event": ("waiting for a lock", ()),
    "join": ("waiting for a lock", ()),
    "get": ("waiting for a lock", ()),
    "popen": ("waiting for a child process", ("child",)),
    "pause": ("waiting for a signal", ()),
    "result": ("waiting for a lock", ()),
    "flock": ("waiting for a file lock", ("path", "first", "second")),
}
"""What the kernel says that the main thread does, and the locals of the function."""


@pytest.mark.parametrize("call", CALLS)
def test_a_blocked_process_is_told_whole(target_python: str, call: str) -> None:
    words, names = CALLS[call]
    options = CaptureOptions(patience_ns=PATIENCE_NS)
    with (
        spawn("signalled.py", call, python=target_python) as target,
        Observer.open(target.pid, options) as observer,
    ):
        target.wait_for(lambda: words in (observer.capture().capture.main_detail or ""))
        snapshot = observer.capture()

    capture = snapshot.capture
    assert capture.main is MainState.BLOCKED
    assert capture.views == (View.OUTSIDE,)
    assert capture.outside_ns is not None
    assert capture.outside_ns < LONGEST_OUTSIDE_NS
    for thread in snapshot.threads:
        assert thread.frames, thread.note
        assert thread.complete
        for frame in thread.frames[:8]:
            assert frame.origin is not Origin.APP or frame.locals_missing is None
    (main,) = (thread for thread in snapshot.threads if thread.is_main)
    (frame,) = (frame for frame in main.frames if frame.qualname == call)
    assert {local.name for local in frame.locals} == set(names)
    assert all(
        snapshot.values[local.node].status is not Status.UNREADABLE for local in frame.locals
    )
    assert f"signalled.py:{frame.lineno} in {call}" in (capture.main_detail or "")


def test_a_long_call_of_c_is_told_whole(target_python: str) -> None:
    options = CaptureOptions(patience_ns=PATIENCE_NS)
    with (
        spawn("signalled.py", "long_c_call", python=target_python) as target,
        Observer.open(target.pid, options) as observer,
    ):
        target.wait_for(lambda: " in long_c_call" in (observer.capture().capture.main_detail or ""))
        (main,) = observer.capture().threads

    assert [frame.qualname for frame in main.frames] == ["long_c_call", "<module>"]


def test_an_idle_server_is_named_by_its_own_code_and_not_by_its_start_script(
    target_python: str,
) -> None:
    options = CaptureOptions(patience_ns=PATIENCE_NS)
    with gunicorn("flask_app", as_script=True, python=target_python) as service:
        pid = service.worker_pid
        with Observer.open(pid, options) as observer:
            wait_until(lambda: observer.capture().capture.main is MainState.BLOCKED)
            worker = observer.capture().capture.main_detail or ""
        with Observer.open(service.process.pid, options) as observer:
            wait_until(lambda: observer.capture().capture.main is MainState.BLOCKED)
            master = observer.capture().capture.main_detail or ""

    assert "in SyncWorker.wait (sync.py:" in worker
    assert "in Arbiter." in master
    assert "gunicorn:" not in worker + master


def test_an_idle_loop_is_named_by_the_library_that_runs_it(target_python: str) -> None:
    options = CaptureOptions(patience_ns=PATIENCE_NS)
    with (
        uvicorn("fastapi_app", as_script=True, python=target_python) as service,
        Observer.open(service.process.pid, options) as observer,
    ):
        wait_until(lambda: observer.capture().capture.main is MainState.BLOCKED)
        detail = observer.capture().capture.main_detail or ""

    assert "in EpollSelector.select (selectors.py:" in detail
    assert "called at server.py:" in detail or "called at _compat.py:" in detail
    assert "uvicorn:" not in detail
