"""An idle event loop is woken through its self-pipe: on request, without a trace, and no other."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshotter.attach.loop_bell import LoopBell, NoBellError
from snapshotter.attach.sockets import borrowed, peer_inode, socket_inode
from snapshotter.model import MainState, View
from snapshotter.outside.memory import Memory
from snapshotter.outside.origin import Origins
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.view import OutsideReader
from snapshotter.record.capture import Observer
from snapshotter.record.options import CaptureOptions, WakeChoice
from tests.support.observing import pending_call, spools_for
from tests.support.targets import spawn, spawn_source, wait_until

if TYPE_CHECKING:
    from snapshotter.model import Capture
    from tests.support.targets import LiveTarget

pytestmark = pytest.mark.live

LOST = "a signal may have been lost"


def options(patience_ns: int = 30_000_000) -> CaptureOptions:
    return CaptureOptions(patience_ns=patience_ns, wake=WakeChoice.LOOP)


def figures(target: LiveTarget) -> list[int]:
    """Waits and events of the loop, and open descriptors."""
    before = target.stdout_text()
    target.tell("tell")
    wait_until(lambda: target.stdout_text() != before)
    wait_until(lambda: target.stdout_text().endswith("\n"))
    return [int(word) for word in target.stdout_text().splitlines()[-1].split()]


def wait_until_idle(target: LiveTarget) -> None:
    """Wait until the main thread has come to rest."""
    with Memory(target.pid) as memory:
        runtime = Runtime.attach(target.pid, memory)
        reader = OutsideReader(target.pid, memory, runtime)
        wait_until(lambda: reader.read().main is MainState.BLOCKED)


def problem_of(target: LiveTarget) -> str:
    """Why the loop is not woken."""
    with Observer.open(target.pid, options()) as observer:
        capture = observer.capture().capture
    assert capture.views == (View.OUTSIDE,)
    assert capture.woken is None
    assert target.stderr_text() == ""
    said = "no inside view: the main thread did not run Python in the time given, and "
    assert capture.missing[0].startswith(said)
    return capture.missing[0].removeprefix(said)


def test_an_idle_server_is_seen_from_inside(target_python: str) -> None:
    with spawn("idle_loop.py", python=target_python) as target:
        wait_until_idle(target)
        with Observer.open(target.pid, options()) as observer:
            for _ in range(20):
                snapshot = observer.capture()
                assert pending_call(target.pid) == 0
                if View.INSIDE in snapshot.capture.views:
                    break
        assert View.INSIDE in snapshot.capture.views
        assert snapshot.capture.woken == "loop"
        assert {"waits-for-ever", "Task-1"} <= {task.name for task in snapshot.tasks}
        assert target.stderr_text() == ""
    assert spools_for(target.pid) == []


def test_nothing_is_woken_without_the_option(target_python: str) -> None:
    with spawn("idle_loop.py", python=target_python) as target:
        wait_until_idle(target)
        before = figures(target)
        with Observer.open(target.pid, CaptureOptions(patience_ns=30_000_000)) as observer:
            captures = [observer.capture().capture for _ in range(3)]
        assert all(capture.views == (View.OUTSIDE,) for capture in captures)
        assert all(capture.woken is None for capture in captures)
        assert figures(target) == before


def test_two_hundred_wakes_leave_nothing(target_python: str) -> None:
    """Each is one event for the loop; no descriptor, no byte, no request stays."""
    with spawn("idle_loop.py", python=target_python) as target:
        wait_until_idle(target)
        waits, events, descriptors = figures(target)
        with Observer.open(target.pid, options(2_000_000)) as observer:
            captures = [observer.capture().capture for _ in range(200)]
        woken = sum(capture.woken == "loop" for capture in captures)
        assert woken > 100
        wait_until_idle(target)
        wait_until(lambda: figures(target)[1] - events <= woken)
        now = figures(target)
        assert now[1] - events <= woken  # a byte that was not yet read is no second event
        assert now[1] - events >= woken // 2
        # after the byte was read the loop waits once more, and once for the callback of nothing
        assert now[0] - waits <= 3 * woken
        assert now[2] == descriptors
        assert pending_call(target.pid) == 0
        assert unread_bytes(target.pid) == 0
        assert target.stderr_text() == ""


def unread_bytes(pid: int) -> int:
    """What lies in the self-pipe of the loop."""
    with Memory(pid) as memory:
        runtime = Runtime.attach(pid, memory)
        reader = OutsideReader(pid, memory, runtime, origins=Origins.for_process(pid))
        _, listener = LoopBell(runtime, reader.codes)._self_pipe()
    with borrowed(pid, listener) as ours, socket.socket(fileno=os.dup(ours)) as end:
        try:
            return len(end.recv(4096, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return 0


def test_the_loop_of_another_thread_is_left_alone(target_python: str) -> None:
    """Its selector counts; that of the main thread, which is woken, does not."""
    with spawn("idle_loop.py", "other", python=target_python) as target:
        wait_until_idle(target)
        wait_until(lambda: figures(target)[0] > 0)
        before = figures(target)[:2]
        with Observer.open(target.pid, options()) as observer:
            captures = [observer.capture().capture for _ in range(5)]
        assert any(capture.woken for capture in captures)
        assert figures(target)[:2] == before


def test_a_loop_of_another_make_is_not_woken(target_python: str) -> None:
    with spawn("idle_loop.py", "foreign", python=target_python) as target:
        wait_until_idle(target)
        said = problem_of(target)
        assert said == (
            "its event loop was not woken: its event loop is a __main__.ForeignLoop, "
            "not a selector loop of asyncio"
        )


def test_a_loop_that_waits_in_select_is_not_woken(target_python: str) -> None:
    with spawn("idle_loop.py", "select", python=target_python) as target:
        wait_until_idle(target)
        assert "the main thread does not wait in epoll" in problem_of(target)


def test_a_main_thread_without_a_loop_is_not_woken() -> None:
    source = """
import os, select
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
epoll = select.epoll()
epoll.register(0, select.EPOLLIN)
epoll.poll()
"""
    with spawn_source(source) as target:
        wait_until_idle(target)
        assert "the main thread runs no asyncio event loop" in problem_of(target)


def test_a_loop_whose_callback_blocks_in_an_epoll_of_its_own_is_not_woken() -> None:
    """One byte would not end that wait; it would lie in the pipe."""
    source = """
import asyncio, os, select
def block():
    epoll = select.epoll()
    epoll.register(0, select.EPOLLIN)
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
    epoll.poll()
async def main():
    block()
asyncio.run(main())
"""
    with spawn_source(source) as target:
        wait_until_idle(target)
        assert "waits for something else than its event loop" in problem_of(target)
        assert unread_bytes_of_any(target) == 0


def unread_bytes_of_any(target: LiveTarget) -> int:
    """What lies in all the unix sockets of the process."""
    total = 0
    for entry in Path(f"/proc/{target.pid}/fd").iterdir():
        if socket_inode(target.pid, int(entry.name)) is None:
            continue
        with (
            borrowed(target.pid, int(entry.name)) as ours,
            socket.socket(fileno=os.dup(ours)) as s,
            contextlib.suppress(OSError),
        ):
            total += len(s.recv(4096, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    return total


def test_a_self_pipe_that_is_not_one_is_not_written_to() -> None:
    """The attribute names some other socket: what it is connected to does not fit."""
    source = """
import asyncio, os, socket
async def main():
    loop = asyncio.get_running_loop()
    loop.kept = loop._csock
    loop._csock, main.other = socket.socketpair()
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\\n")
    await asyncio.Event().wait()
asyncio.run(main())
"""
    with spawn_source(source) as target:
        wait_until_idle(target)
        assert "its self-pipe could not be found with certainty" in problem_of(target)
        assert unread_bytes_of_any(target) == 0


def test_the_peer_of_a_socket_is_found() -> None:
    one, other = socket.socketpair()
    with one, other, socket.socket() as stranger:
        inodes = [os.fstat(end.fileno()).st_ino for end in (one, other)]
        assert peer_inode(os.getpid(), inodes[0]) == inodes[1]
        assert socket_inode(os.getpid(), one.fileno()) == inodes[0]
        assert peer_inode(os.getpid(), os.fstat(stranger.fileno()).st_ino) is None
    with Path("/dev/null").open("rb") as file:
        assert socket_inode(os.getpid(), file.fileno()) is None


@pytest.mark.parametrize("rounds", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_signals_outside_of_the_wake_end_it_as_without_us(target_python: str, rounds: int) -> None:
    """The loop has a handler of its own for SIGINT; SIGTERM raises in the main thread."""
    lost = 0
    for _ in range(rounds):
        with spawn("idle_loop.py", python=target_python) as target:
            wait_until_idle(target)
            captures: list[Capture] = []
            with Observer.open(target.pid, options()) as observer:
                captures += [observer.capture().capture for _ in range(2)]
                time.sleep(0.005)
                target.process.send_signal(signal.SIGTERM)
                assert target.wait(20) == 7
            lost += any(LOST in line for capture in captures for line in capture.missing)
    assert lost == 0


def test_a_bell_that_cannot_be_borrowed_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("snapshotter.attach.loop_bell.borrowed", refused)
    with spawn("idle_loop.py") as target, Memory(target.pid) as memory:
        wait_until_idle(target)
        runtime = Runtime.attach(target.pid, memory)
        reader = OutsideReader(target.pid, memory, runtime)
        with (
            pytest.raises(NoBellError, match=r"does not let us .*Operation not permitted"),
            LoopBell(runtime, reader.codes).rope(),
        ):
            pytest.fail("it was given")
