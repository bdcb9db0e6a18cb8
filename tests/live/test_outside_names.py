"""Threads bear the names that Python or the system knows, in all interpreters."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from snapshotter.outside.procfs import process_state
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.details import details_of
from tests.support.targets import spawn, spawn_source, wait_until

if TYPE_CHECKING:
    from snapshotter.model import Snapshot

pytestmark = pytest.mark.live


def name_of_thread_in(snapshot: Snapshot, function: str) -> str | None:
    (thread,) = (
        thread
        for thread in snapshot.threads
        if any(frame.qualname == function for frame in thread.frames)
    )
    return thread.name


@pytest.mark.parametrize("is_stopped", [False, True])
def test_names_are_those_of_python_or_of_the_system(
    target_python: str, *, is_stopped: bool
) -> None:
    patience_ns = 30_000_000 if is_stopped else 5_000_000_000
    with (
        spawn("names.py", *(() if is_stopped else ("tick",)), python=target_python) as target,
        Observer.open(target.pid, CaptureOptions(patience_ns=patience_ns)) as observer,
    ):
        if is_stopped:
            os.kill(target.pid, signal.SIGSTOP)
            wait_until(lambda: process_state(target.pid) == "T")
        snapshot = observer.capture()

    assert name_of_thread_in(snapshot, "named_late") == "late"
    assert (name_of_thread_in(snapshot, "dummy") or "").startswith("Dummy-")
    assert name_of_thread_in(snapshot, "named_by_the_system") == "from-c"
    assert name_of_thread_in(snapshot, "unknown") is None
    assert snapshot.interpreter is not None
    assert snapshot.interpreter.interpreters == 2
    (inner,) = (
        thread
        for thread in snapshot.threads
        if any(frame.qualname == "inner_work" for frame in thread.frames)
    )
    assert inner.interpreter == 1
    assert inner.name == "inner"
    names = {thread.name for thread in snapshot.threads}
    assert names >= {"MainThread", "late", "from-c"}


def test_a_name_that_is_hidden_does_not_come_from_the_system(target_python: str) -> None:
    """CPython gives each thread's name, cut, to the system."""
    source = (
        "import os, sys, threading\n"
        "name = 'ghp_' + 'a1B2' * 9\n"
        "threading.Thread(target=threading.Event().wait, name=name, daemon=True).start()\n"
        'os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")\n'
        "sys.stdin.readline()\n"
    )
    with (
        spawn_source(source, python=target_python) as target,
        details_of(target.pid) as details,
        Observer.open(target.pid, CaptureOptions(patience_ns=30_000_000)) as observer,
    ):
        told = details.read("none").names
        snapshot = observer.capture()

    assert sorted(str(name) for name, _ in told.values()) == ["MainThread", "None"]
    assert not any("ghp_" in (thread.name or "") for thread in snapshot.threads)
