"""Observers that capture in the background while a test does something to their targets."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from snapshotter.errors import NoSuchProcessError, ProcessEndedError, TornReadError
from snapshotter.model import View
from snapshotter.outside.memory import Memory
from snapshotter.outside.runtime import Runtime
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.targets import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.model import Snapshot

__all__ = ["Watch", "captured", "captured_inside", "capturing", "pending_call", "spools_for"]

_PATIENCE_NS = 20_000_000
_PLACES = (Path("/run"), Path("/dev/shm"), Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - all of them
_OWNERS = "snapshotter-*/owner"


@dataclass(slots=True)
class Watch:
    """What a background thread has captured so far."""

    snapshots: list[Snapshot] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    @property
    def inside(self) -> int:
        return sum(1 for snapshot in self.snapshots if snapshot.capture.carrier)

    @property
    def missing(self) -> set[str]:
        return {line for snapshot in self.snapshots for line in snapshot.capture.missing}

    def said(self, words: str) -> int:
        """How many snapshots lack something for a reason with these words."""
        return sum(
            1
            for snapshot in self.snapshots
            if any(words in line for line in snapshot.capture.missing)
        )


@contextlib.contextmanager
def capturing(*pids: int, every_s: float = 0.1, patience_ns: int = _PATIENCE_NS) -> Iterator[Watch]:
    """Capture all processes, one after the other, every ``every_s``, until the block ends.

    The end of a process is no error.
    """
    watch = Watch()
    stop = threading.Event()
    options = CaptureOptions(patience_ns=patience_ns)

    def run() -> None:
        with contextlib.ExitStack() as stack:
            observers = []
            for pid in pids:
                with contextlib.suppress(NoSuchProcessError):
                    observers.append(stack.enter_context(Observer.open(pid, options)))
            due = time.monotonic()
            while not stop.is_set() and observers:
                for observer in tuple(observers):
                    try:
                        watch.snapshots.append(observer.capture())
                    except ProcessEndedError:
                        observers.remove(observer)
                    except TornReadError:
                        pass  # it is just ending
                    except Exception as error:  # noqa: BLE001 - the test looks at it
                        watch.errors.append(error)
                due = max(due + every_s, time.monotonic())
                stop.wait(due - time.monotonic())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join()
    if watch.errors:
        raise watch.errors[0]


def captured(pid: int, *, patience_ns: int = 1_000_000_000) -> Snapshot:
    """Take one snapshot."""
    with Observer.open(pid, CaptureOptions(patience_ns=patience_ns)) as observer:
        return observer.capture()


def captured_inside(observer: Observer) -> Snapshot:
    """Take snapshots until one has an inside view, which not every moment allows."""
    found: list[Snapshot] = []

    def is_taken() -> bool:
        found.append(observer.capture())
        return View.INSIDE in found[-1].capture.views

    wait_until(is_taken)
    return found[-1]


def pending_call(pid: int) -> int:
    """The flag in the target that says that a request lies there."""
    with Memory(pid) as memory:
        point = Runtime.attach(pid, memory).main_probe_point()
        assert point is not None
        return memory.i32(point.pending_address)


def spools_for(pid: int) -> list[Path]:
    """The spools on this machine that were made for a target, whoever made them."""
    return [path.parent for place in _PLACES for path in place.glob(_OWNERS) if _is_for(path, pid)]


def _is_for(marker: Path, pid: int) -> bool:
    try:
        return int(json.loads(marker.read_text())["target"]["pid"]) == pid
    except OSError:
        return False  # it was removed meanwhile
