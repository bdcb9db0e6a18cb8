# ruff: noqa: ANN401 - what is captured is of any type
"""Slices, the fuse, the deadline, limits, and notes on what is missing."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from snapshotter.attach.reply import decode_reply
from snapshotter.model import Origin
from snapshotter.outside.origin import Origins
from snapshotter.probe.budget import slice_length
from snapshotter.probe.survey import run
from snapshotter.probe.tools import gather_tools
from tests.unit.probe.probing import NONCE, make_request, survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snapshotter.attach.reply import InsideView


@pytest.fixture
def parked() -> Iterator[threading.Event]:
    """Thirty threads that stand still below an innermost frame with locals."""
    stop = threading.Event()
    arrived = threading.Semaphore(0)

    def stand(level: int) -> None:
        table = {f"key_{n}": [n, level] for n in range(8)}
        if level and table:
            stand(level - 1)
        else:
            arrived.release()
            stop.wait()

    threads = [threading.Thread(target=stand, args=(5,), daemon=True) for _ in range(30)]
    for thread in threads:
        thread.start()
    for _ in threads:
        arrived.acquire()
    yield stop
    stop.set()
    for thread in threads:
        thread.join()


def _run(carrier: str, tools: dict[str, Any] | None = None, **changes: Any) -> InsideView:
    found: Any = gather_tools()
    reply = b"".join(run(make_request(**changes), {**found, **(tools or {})}, carrier))
    return decode_reply(reply, NONCE, Origins(()))


class _Sleep:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, seconds: float) -> None:
        assert seconds > 0  # after sleep(0) we were back before whoever waits
        self.calls += 1


@pytest.mark.usefixtures("parked")
def test_a_carrier_gives_the_interpreter_away_between_slices() -> None:
    sleep = _Sleep()
    view = _run("thread", {"sleep": sleep}, locals="all", slice_ns=100_000)
    assert len(view.threads) >= 30
    assert view.slices == sleep.calls + 1 > 10
    assert view.pause_max_ns <= view.pause_total_ns


@pytest.mark.usefixtures("parked")
def test_the_main_thread_works_in_one_slice_and_says_what_is_missing() -> None:
    view = _run("main", locals="all", slice_ns=300_000)
    assert view.slices == 1
    assert any("not reached" in sentence for sentence in view.missing)


@pytest.mark.usefixtures("parked")
@pytest.mark.parametrize("carrier", ["main", "thread"])
def test_a_clock_that_stands_still_ends_by_the_fuse(carrier: str) -> None:
    sleep = _Sleep()
    tools = {"clock": lambda: 5, "sleep": sleep}
    view = _run(carrier, tools, locals="all", slice_ns=1_000_000)
    assert sleep.calls <= 200
    assert any("stands still" in sentence for sentence in view.missing)


@pytest.mark.usefixtures("parked")
def test_every_slice_makes_progress_however_short_it_is() -> None:
    ticks = iter(range(0, 1 << 60, 1_000_000_000))
    tools = {"clock": lambda: next(ticks), "sleep": _Sleep()}
    view = _run("thread", tools, locals="all", slice_ns=1, deadline_ns=1 << 62)
    assert len(view.threads) >= 30


@pytest.mark.usefixtures("parked")
def test_after_the_deadline_nothing_new_is_begun() -> None:
    sleep = _Sleep()
    now = time.monotonic_ns()
    view = _run("thread", {"sleep": sleep}, locals="all", slice_ns=100_000, deadline_ns=now)
    assert sleep.calls == 1
    assert any("not reached" in sentence for sentence in view.missing)


@pytest.mark.usefixtures("parked")
def test_when_nobody_waits_for_the_reply_any_more_it_ends_at_once() -> None:
    sleep = _Sleep()
    with pytest.raises(TimeoutError):
        _run("thread", {"sleep": sleep}, locals="all", slice_ns=100_000, deadline_ns=0)
    assert sleep.calls == 1


@pytest.mark.usefixtures("parked")
def test_locals_of_a_thread_that_moved_on_are_left_out(parked: threading.Event) -> None:
    released = []

    def sleep(_: float) -> None:
        if not released:
            released.append(1)
            parked.set()
            for thread in threading.enumerate():
                if thread.daemon and thread is not threading.current_thread():
                    thread.join(0.5)

    view = _run("thread", {"sleep": sleep}, locals="all", slice_ns=100_000)
    notes = {f.locals_missing for t in view.threads for f in t.frames if f.locals_missing}
    assert notes <= {"the thread moved on", "no time was left in this dump"}


@pytest.mark.usefixtures("parked")
def test_limits_cut_threads_and_frames() -> None:
    view = survey(locals="none", threads=3, frames=2, carrier="main")
    assert len(view.threads) <= 4
    assert all(len(thread.frames) <= 2 for thread in view.threads)
    assert not any(thread.complete for thread in view.threads if len(thread.frames) == 2)


def test_a_slice_is_at_most_half_of_the_switch_interval() -> None:
    interval = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.001)
        assert slice_length(5_000_000) == 500_000
        assert slice_length(200_000) == 200_000
        sys.setswitchinterval(1e-6)
        assert slice_length(5_000_000) == 100_000
    finally:
        sys.setswitchinterval(interval)


def test_a_replaced_function_for_the_interval_is_not_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "getswitchinterval", lambda: pytest.fail("called"))
    assert slice_length(700_000) == 700_000


def test_frames_are_selected_by_origin_and_patterns() -> None:
    def inner(wanted: int, other: int) -> InsideView:
        assert wanted
        assert other
        return survey(locals="globs", globs=[["*", "*inner", "wan*"]])

    view = inner(1, 2)
    names = [local.name for t in view.threads for f in t.frames for local in f.locals]
    assert names == ["wanted"]


def test_nothing_is_missing_of_a_frame_that_no_pattern_selects() -> None:
    names = [f"name_{number}" for number in range(100)]
    source = f"def crowded(survey):\n {' = '.join(names)} = 1\n return survey()"
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102
    view = space["crowded"](lambda: survey(locals="globs", globs=[["*", "none", "*"]]))
    frames = [f for t in view.threads for f in t.frames if f.qualname == "crowded"]
    assert [frame.locals_missing for frame in frames] == [None]


def test_long_names_of_files_and_functions_are_whole() -> None:
    name, file = "n" * 3000, "/" + "directory/" * 300 + "site-packages/module.py"
    space: dict[str, Any] = {}
    exec(compile(f"def {name}(survey):\n return survey()", file, "exec"), space)  # noqa: S102
    view = space[name](lambda: survey(locals="globs", globs=[["*", "*n", "survey"]]))
    frames = [f for t in view.threads for f in t.frames if f.filename == file]
    assert [(f.qualname, f.origin, len(f.locals)) for f in frames] == [(name, Origin.LIBRARY, 1)]


def test_a_namespace_that_is_no_dict_is_never_asked() -> None:
    class Mapping(dict[str, Any]):
        def __getattribute__(self, name: str) -> Any:
            pytest.fail(name)

        def items(self) -> Any:
            pytest.fail("items")

    class Meta(type):
        @classmethod
        def __prepare__(cls, *_: Any, **__: Any) -> Any:
            return dict.__new__(Mapping)

    views = []
    source = "class Made(metaclass=Meta):\n inside = 5\n views.append(survey(locals='all'))\n"
    exec(source, {"Meta": Meta, "views": views, "survey": survey})  # noqa: S102
    frames = [f for t in views[0].threads for f in t.frames if f.qualname == "Made"]
    assert frames[0].locals_missing == "its namespace is not a plain dict"
