from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from snapshotter.analysis.idle import CATALOGUE, idle_reason, parse_pattern
from tests.support.samples import (
    APP,
    EXECUTOR_BUSY,
    EXECUTOR_IDLE,
    GTHREAD_MAIN,
    SITE,
    STDLIB,
    frame,
)

if TYPE_CHECKING:
    from snapshotter.model import Frame


def stack(*calls: str) -> tuple[Frame, ...]:
    """Make frames from "module.path:qualname", innermost first; a leading "+" means third-party."""
    frames = []
    for call in calls:
        module, _, qualname = call.lstrip("+@").partition(":")
        root = SITE if call.startswith("+") else APP if call.startswith("@") else STDLIB
        frames.append(frame(f"{root}/{module.replace('.', '/')}.py:1", qualname))
    return tuple(frames)


@pytest.mark.parametrize(
    "frames",
    [
        EXECUTOR_IDLE,
        GTHREAD_MAIN,
        stack("selectors:PollSelector.select", "socketserver:BaseServer.serve_forever", "@a:main"),
        stack("selectors:EpollSelector.select", "asyncio.base_events:BaseEventLoop._run_once",
              "asyncio.base_events:BaseEventLoop.run_forever"),
        stack("asyncio.runners:Runner.run", "asyncio.runners:run", "@a:main"),
        stack("threading:Condition.wait", "queue:Queue.get", "@a:consume"),
        stack("threading:Condition.wait", "threading:Event.wait", "threading:Timer.run"),
        stack("multiprocessing.pool:Pool._handle_tasks", "threading:Thread.run"),
        stack("multiprocessing.connection:Connection._recv", "multiprocessing.queues:Queue.get",
              "concurrent.futures.process:_process_worker"),
        stack("+gunicorn.workers.sync:SyncWorker.wait", "+gunicorn.workers.sync:SyncWorker.run"),
        stack("threading:Condition.wait", "threading:Event.wait",
              "+uvicorn.supervisors.multiprocess:Multiprocess.run"),
        stack("+kombu.utils.eventio:_epoll.poll", "+kombu.asynchronous.hub:Hub.create_loop",
              "+celery.worker.loops:asynloop"),
        stack("+billiard.connection:_ConnectionBase.poll",
              "+billiard.pool:Worker._make_recv_method.<locals>._recv",
              "+billiard.pool:Worker._make_protected_receive.<locals>.receive"),
    ],
)  # fmt: skip
def test_idle_reason_knows_stacks_that_wait_for_work(frames: tuple[Frame, ...]) -> None:
    assert idle_reason(frames)


@pytest.mark.parametrize(
    "frames",
    [
        (),
        EXECUTOR_BUSY,
        stack("threading:Condition.wait", "threading:Event.wait", "@a:main"),
        stack("threading:Condition.wait", "@a:main"),
        stack("selectors:EpollSelector.select", "@a:main"),
        stack("@a:handler", "asyncio.base_events:BaseEventLoop._run_once"),
        stack("@queue:Queue.get2", "@a:main"),
        stack("threading:Thread.join", "@a:main"),
    ],
)
def test_idle_reason_leaves_everything_else_alone(frames: tuple[Frame, ...]) -> None:
    assert idle_reason(frames) is None


def test_idle_reason_takes_patterns_of_the_caller() -> None:
    own = parse_pattern("orders.db:Pool.* << threading:Thread.run", "pool asleep")
    frames = stack("@orders.db:Pool.wait", "@orders.api:x", "threading:Thread.run")
    assert idle_reason(frames, (*CATALOGUE, own)) == "pool asleep"
    assert idle_reason(frames) is None


@pytest.mark.parametrize(
    "text", ["", "threading", "threading:", ":wait", "a:b < c", "a:b <<", "a:b<c:d e"]
)
def test_parse_pattern_refuses_what_cannot_be_meant(text: str) -> None:
    with pytest.raises(ValueError, match="module:function"):
        parse_pattern(text)


def test_parse_pattern_keeps_the_brackets_of_local_functions() -> None:
    own = parse_pattern("a.b:f.<locals>.<lambda> < a.b:f")
    frames = stack("@a.b:f.<locals>.<lambda>", "@a.b:f")
    assert idle_reason(frames, [own]) == "waits for work"
