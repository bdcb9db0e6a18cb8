"""The catalogue of stacks that wait for work, which a reader of a dump wants out of the way.

A pattern is a line such as ``selectors:*.select < socketserver:BaseServer.serve_forever``. Its
steps are ``module:function`` globs, innermost first. The first step matches the innermost frame;
``<`` means "called directly by", ``<<`` "called, at any distance, by".

``Event.wait`` called by the application is not here on purpose: it may be the fault itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING

from snapshotter.analysis.signatures import module_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from snapshotter.model import Frame, Thread

__all__ = ["CATALOGUE", "IdlePattern", "idle_reason", "parse_pattern", "thread_idle_reason"]

# Separators have spaces around them; the brackets of <locals> and <lambda> have none.
_SEPARATOR = re.compile(r"\s+(<<?)\s+")


@dataclass(frozen=True, slots=True)
class IdlePattern:
    """One way to wait for work; ``reason`` completes "idle: …"."""

    text: str
    reason: str


_CATALOGUE = """
concurrent.futures.thread:_worker | executor worker without work
* << multiprocessing.queues:Queue.get < concurrent.futures.process:_process_worker \
| executor worker process without work
selectors:*.select < multiprocessing.connection:wait \
< concurrent.futures.process:_ExecutorManagerThread.wait_result_broken_or_wakeup \
| process pool manager waiting for results
selectors:*.select << socketserver:BaseServer.serve_forever | server waiting for connections
selectors:*.select < asyncio.base_events:BaseEventLoop._run_once | event loop waiting
asyncio.runners:Runner.run | event loop waiting
asyncio.unix_events:*._do_waitpid | waiting for a child process
threading:Condition.wait < queue:Queue.get | consumer waiting for its queue
logging.handlers:QueueListener.dequeue | log listener waiting for its queue
threading:Condition.wait < threading:Event.wait < threading:Timer.run | timer
threading:Condition.wait < multiprocessing.queues:Queue._feed | queue feeder without work
multiprocessing.*:* << multiprocessing.queues:*Queue.get | consumer waiting for its queue
multiprocessing.*:* << multiprocessing.pool:worker | pool worker without work
multiprocessing.pool:worker | pool worker without work
multiprocessing.pool:Pool._handle_tasks | pool internals
multiprocessing.pool:ThreadPool._* | pool internals
multiprocessing.*:* << multiprocessing.pool:Pool._handle_results | pool internals
multiprocessing.pool:Pool._handle_results | pool internals
selectors:*.select < multiprocessing.connection:wait << multiprocessing.pool:*._handle_workers \
| pool internals
multiprocessing.pool:*._handle_workers | pool internals
multiprocessing.*:* << multiprocessing.managers:Server.serve_forever | manager without requests
gunicorn.workers.sync:SyncWorker.wait | gunicorn worker waiting for a connection
selectors:*.select << gunicorn.workers.gthread:ThreadWorker.run \
| gunicorn worker waiting for a connection
gunicorn.arbiter:Arbiter.sleep | gunicorn master
* < gunicorn.arbiter:Arbiter.wait_for_signals | gunicorn master
gunicorn.arbiter:Arbiter.wait_for_signals | gunicorn master
threading:Condition.wait < threading:Event.wait << uvicorn.supervisors.*:* | uvicorn supervisor
uvicorn.supervisors.*:* | uvicorn supervisor
uvicorn.server:Server.run | event loop waiting
kombu.utils.eventio:* << kombu.asynchronous.hub:Hub.create_loop | celery worker waiting for tasks
amqp.transport:*._read << celery.worker.loops:synloop | celery worker waiting for tasks
* << billiard.pool:Worker._make_protected_receive.<locals>.receive | celery pool worker without work
billiard.pool:*Handler.body | celery pool internals
celery.beat:Service.start | celery beat between two ticks
threading:Condition.wait < threading:Event.wait \
< apscheduler.schedulers.blocking:BlockingScheduler._main_loop | scheduler between two jobs
threading:Condition.wait < waitress.task:ThreadedTaskDispatcher.handler_thread \
| waitress worker without work
waitress.wasyncore:poll* << waitress.server:*.run | server waiting for connections
"""


def parse_pattern(text: str, reason: str = "waits for work") -> IdlePattern:
    """Check a pattern and return it; raises ValueError with a sentence when it cannot be meant."""
    for step in _steps(text):
        module, _, qualname = step.partition(":")
        is_call = module and qualname and not re.search(r"\s", step)
        if not is_call and step != "*":
            sentence = f"An idle pattern has steps such as module:function, not {step!r}."
            raise ValueError(sentence)
    return IdlePattern(text, reason)


def idle_reason(
    frames: Sequence[Frame], catalogue: Iterable[IdlePattern] | None = None
) -> str | None:
    """Say what kind of work a stack waits for, or return None when it is not known to wait.

    ``frames`` are innermost first. ``catalogue`` defaults to ``CATALOGUE``; a caller who adds
    patterns passes ``(*CATALOGUE, parse_pattern(...))``.
    """
    calls = [f"{module_of(frame.filename)}:{frame.qualname}" for frame in frames]
    if not calls:
        return None
    patterns = CATALOGUE if catalogue is None else catalogue
    return next((each.reason for each in patterns if _matches(each.text, calls)), None)


def thread_idle_reason(
    thread: Thread, catalogue: Iterable[IdlePattern] | None = None
) -> str | None:
    """Say what kind of work a thread waits for; None where its innermost calls are not known."""
    return None if thread.lacks_innermost else idle_reason(thread.frames, catalogue)


def _matches(text: str, calls: Sequence[str]) -> bool:
    position = 0
    for expression, distant in _compiled(text):
        end = len(calls) if distant else position + 1
        hit = next(
            (
                index
                for index in range(position, min(end, len(calls)))
                if expression.match(calls[index])
            ),
            None,
        )
        if hit is None:
            return False
        position = hit + 1
    return True


@lru_cache(maxsize=512)
def _compiled(text: str) -> tuple[tuple[re.Pattern[str], bool], ...]:
    separators = [False, *(sign == "<<" for sign in _SEPARATOR.findall(text))]
    return tuple(
        (re.compile(translate(step)), distant)
        for step, distant in zip(_steps(text), separators, strict=True)
    )


def _steps(text: str) -> list[str]:
    return [part.strip() for part in _SEPARATOR.split(text)[::2]]


def _parse_catalogue(text: str) -> tuple[IdlePattern, ...]:
    lines = (line.partition("|") for line in text.strip().splitlines())
    return tuple(parse_pattern(pattern.strip(), reason.strip()) for pattern, _, reason in lines)


CATALOGUE = _parse_catalogue(_CATALOGUE)
"""Built-in patterns, seen on CPython 3.14 and in the sources of the named servers."""
