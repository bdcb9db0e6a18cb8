"""Snapshots of what people run: gunicorn, uvicorn, prefork workers, a loop full of tasks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

import pytest

from snapshotter.model import Origin, Snapshot, Status, Thread, View
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions
from tests.support.observing import captured_inside
from tests.support.services import Service, gunicorn, uvicorn
from tests.support.targets import spawn, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

PATIENT = CaptureOptions(patience_ns=15_000_000_000)


def capture_with_locals(pid: int) -> Snapshot:
    with Observer.open(pid, PATIENT) as observer:
        return captured_inside(observer)


def threads_in(snapshot: Snapshot, function: str) -> list[Thread]:
    return [
        thread
        for thread in snapshot.threads
        if any(frame.qualname == function for frame in thread.frames)
    ]


def locals_of(snapshot: Snapshot, thread: Thread, function: str) -> dict[str, object]:
    frame = next(frame for frame in thread.frames if frame.qualname == function)
    assert frame.origin is Origin.APP
    return {local.name: snapshot.values[local.node].value for local in frame.locals}


class Visitor:
    """Asks for pages all the time and counts what it gets."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answers = 0
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self.answers > 2)
        return self

    def __exit__(self, *_: object) -> None:
        seen = self.answers
        wait_until(lambda: self.answers > seen + 2 or self.failures)
        self._stop.set()
        self._thread.join(30)
        assert not self.failures

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                body = self._service.get(f"/order/{number}")
            except Exception as error:  # noqa: BLE001 - any failure of the service counts
                self.failures.append(repr(error))
                return
            assert body == f"order {number}"
            self.answers += 1


def test_flask_under_gunicorn_sync_answers_while_it_is_looked_at(target_python: str) -> None:
    with gunicorn("flask_app", python=target_python) as service, Visitor(service):
        snapshots = [capture_with_locals(service.worker_pid) for _ in range(3)]

    for snapshot in snapshots:
        main = next(thread for thread in snapshot.threads if thread.is_main)
        assert any("gunicorn" in frame.filename for frame in main.frames)
        assert snapshot.gc is not None
        assert snapshot.gc.generations[0].threshold > 0


def test_flask_under_gunicorn_threads_shows_the_stuck_request(target_python: str) -> None:
    options = ("-k", "gthread", "--threads", "4")
    with gunicorn("flask_app", *options, python=target_python) as service:
        pid = service.worker_pid
        service.get_in_background("/stuck/7")
        with Visitor(service), Observer.open(pid, PATIENT) as observer:
            wait_until(lambda: threads_in(observer.capture(), "stuck"))
            snapshot = captured_inside(observer)

    (thread,) = threads_in(snapshot, "stuck")
    assert locals_of(snapshot, thread, "stuck")["number"] == 7
    assert "correct-horse" not in repr(snapshot)
    assert any(value.status is Status.REDACTED for value in snapshot.values)


def test_django_under_gunicorn_shows_the_stuck_view(target_python: str) -> None:
    options = ("-k", "gthread", "--threads", "3")
    with gunicorn("django_app", *options, python=target_python) as service:
        pid = service.worker_pid
        service.get_in_background("/stuck/9")
        with Visitor(service), Observer.open(pid, PATIENT) as observer:
            wait_until(lambda: threads_in(observer.capture(), "stuck"))
            snapshot = observer.capture()

    assert View.INSIDE in snapshot.capture.views
    (thread,) = threads_in(snapshot, "stuck")
    assert locals_of(snapshot, thread, "stuck")["number"] == 9
    assert "not-for-your-eyes" not in repr(snapshot)


def test_fastapi_under_uvicorn_shows_tasks_and_pool_threads(target_python: str) -> None:
    with uvicorn("fastapi_app", python=target_python) as service:
        pid = service.worker_pid
        service.get_in_background("/stuck/3")
        service.get_in_background("/parked/4")
        with Visitor(service), Observer.open(pid, PATIENT) as observer:
            wait_until(lambda: threads_in(observer.capture(), "stuck"))
            wait_until(lambda: parked_tasks(observer.capture()))
            snapshot = observer.capture()

    assert locals_of(snapshot, threads_in(snapshot, "stuck")[0], "stuck")["number"] == 3
    assert parked_tasks(snapshot)


def parked_tasks(snapshot: Snapshot) -> list[str | None]:
    return [
        task.name
        for task in snapshot.tasks
        if any(frame.qualname == "parked" for frame in task.frames)
    ]


@pytest.fixture
def prefork_pids(target_python: str) -> Iterator[list[int]]:
    with spawn("prefork.py", python=target_python) as target:
        yield [int(word) for word in target.stdout_text().split()]


def test_prefork_workers_are_looked_at_one_by_one(prefork_pids: list[int]) -> None:
    for pid in prefork_pids:
        wait_until(lambda: threads_in(capture_with_locals(pid), "worker"))  # noqa: B023
        snapshot = capture_with_locals(pid)

        (thread,) = threads_in(snapshot, "worker")
        assert thread.is_main


def test_a_thousand_tasks_are_listed_with_their_coroutines(target_python: str) -> None:
    with spawn("many_tasks.py", "pool", python=target_python) as target:
        snapshot = capture_with_locals(target.pid)

    assert snapshot.tasks_total == 1_001
    crawls = [task for task in snapshot.tasks if (task.name or "").startswith("crawl-")]
    assert len(crawls) == 1_000
    names = [frame.qualname for frame in crawls[0].frames]
    assert names[-1] == "crawl"
    assert "fetch_page" in names
