from __future__ import annotations

import pytest

from snapshotter.attach.footing import Footing
from snapshotter.model import View
from snapshotter.outside.memory import Memory
from snapshotter.outside.runtime import Runtime
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.targets import spawn, wait_until

pytestmark = pytest.mark.live


def footing(pid: int, memory: Memory) -> Footing:
    runtime = Runtime.attach(pid, memory)
    point = runtime.main_probe_point()
    assert point is not None
    return Footing(runtime, point)


def test_code_without_builtins_is_seen(target_python: str) -> None:
    with spawn("namedtuples.py", python=target_python) as target, Memory(target.pid) as memory:
        looks = footing(target.pid, memory)

        wait_until(lambda: not looks.is_sure(still=False))


def test_ordinary_code_is_never_taken_for_such(target_python: str) -> None:
    with spawn("busy.py", python=target_python) as target, Memory(target.pid) as memory:
        looks = footing(target.pid, memory)

        assert all(looks.is_sure(still=False) for _ in range(500))


def test_a_main_thread_seen_there_is_not_asked(target_python: str) -> None:
    with (
        spawn("namedtuples.py", python=target_python) as target,
        Observer.open(target.pid, CaptureOptions()) as observer,
    ):
        wait_until(lambda: "without builtins" in " ".join(observer.capture().capture.missing))

        snapshot = observer.capture()

    # once it was seen, it is looked for so often that it is hardly missed again
    assert View.INSIDE not in snapshot.capture.views
    assert any(frame.locals for thread in snapshot.threads for frame in thread.frames)
