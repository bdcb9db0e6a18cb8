"""Wakes an idle asyncio loop of the main thread through its own self-pipe, on request.

A selector loop has a pair of sockets with which other threads wake it: one byte written into one
end ends its ``epoll_wait``, and the loop throws it away. We borrow that end from the process
for one byte, once it is certain that it is what it seems to be.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
from typing import TYPE_CHECKING, Final

from snapshotter.attach.sockets import borrowed, peer_inode, socket_inode
from snapshotter.errors import TornReadError, UnsupportedPythonError
from snapshotter.outside.attributes import instance_items
from snapshotter.outside.classes import ClassReader
from snapshotter.outside.heap import Heap
from snapshotter.outside.layouts import ObjectLayout
from snapshotter.outside.pages import PagedMemory
from snapshotter.outside.procfs import Syscall, waiting_on
from snapshotter.outside.syscalls import syscall_name
from snapshotter.outside.tasks import TaskReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from snapshotter.outside.codes import CodeCache
    from snapshotter.outside.runtime import Runtime

__all__ = ["LoopBell", "NoBellError"]

_LOOP: Final = "asyncio.selector_events.BaseSelectorEventLoop"
_SOCKET: Final = "_socket.socket"
_EPOLL: Final = {"epoll_wait", "epoll_pwait", "epoll_pwait2"}
_MOST_ATTRIBUTES: Final = 500
_MAX_NAME: Final = 64
_WAKE: Final = b"\0"
"""What the loop itself writes to wake up; it means nothing to it."""
# PySocketSockObject begins with sock_fd, sock_family, sock_type (Modules/socketmodule.h).
_SOCKET_FIELDS: Final = 16
_WATCHED: Final = re.compile(rb"^tfd:\s*(\d+)\s.*\bino:([0-9a-f]+)\b", re.MULTILINE)
_UNCERTAIN: Final = "its self-pipe could not be found with certainty"


class NoBellError(Exception):
    """The loop is not woken; the message says why."""


class LoopBell:
    """Finds and rings the self-pipe of the loop in the main thread of one process."""

    def __init__(self, runtime: Runtime, codes: CodeCache) -> None:
        """Nothing is read before ``rope``; the code objects of the process are in ``codes``."""
        self._runtime = runtime
        self._codes = codes
        self._reader: tuple[Heap, ClassReader, TaskReader] | None = None

    @contextlib.contextmanager
    def rope(self) -> Iterator[Callable[[], None]]:
        """Give a function that wakes the loop with one byte. Raises NoBellError.

        Raises ProcessEndedError, too.
        """
        try:
            ringer, listener = self._self_pipe()
        except (TornReadError, UnsupportedPythonError) as error:
            raise NoBellError(_UNCERTAIN) from error
        pid = self._runtime.pid
        with contextlib.ExitStack() as stack:
            try:
                end = stack.enter_context(borrowed(pid, ringer))
                inode = os.fstat(end).st_ino
                is_certain = (
                    inode == socket_inode(pid, ringer)
                    and _is_unix_stream(end)
                    and peer_inode(pid, inode) == socket_inode(pid, listener)
                )
            except OSError as error:
                why = "the kernel does not let us use its self-pipe"
                raise NoBellError(f"{why} ({error.strerror or error})") from error
            # the number above may be another process's by now; this one's memory is not
            self._runtime.memory.read(self._runtime.address, 8)
            if not is_certain:
                raise NoBellError(_UNCERTAIN)
            yield lambda: _ring(end)

    def _self_pipe(self) -> tuple[int, int]:
        """Return the descriptors of the end that wakes, and of the end that the loop listens to."""
        waits = waiting_on(self._runtime.pid, self._runtime.pid)
        if not isinstance(waits, Syscall) or syscall_name(waits.number) not in _EPOLL:
            raise NoBellError("the main thread does not wait in epoll")
        ringer, listener = self._sockets_of_loop()
        watched = _watched(self._runtime.pid, waits.arguments[0])
        inode = socket_inode(self._runtime.pid, listener)
        if inode is None or watched.get(listener) != inode:
            raise NoBellError("the main thread waits for something else than its event loop")
        return ringer, listener

    def _sockets_of_loop(self) -> tuple[int, int]:
        heap, classes, tasks = self._readers()
        heap.pages.forget()
        classes.begin()
        interpreter = self._runtime.main_interpreter()
        for thread in self._runtime.threads(interpreter):
            if thread.is_main:
                loop = tasks.loop_of(thread)
                break
        else:
            loop = 0
        if not loop:
            raise NoBellError("the main thread runs no asyncio event loop")
        plan = classes.plan(heap.type_of(loop))
        if not self._is_a(loop, _LOOP):
            raise NoBellError(f"its event loop is a {plan.name}, not a selector loop of asyncio")
        items = instance_items(heap, classes, loop, plan, _MOST_ATTRIBUTES)
        members = {
            classes.text_if_exact(key, _MAX_NAME): value for key, value in (items or ((), True))[0]
        }
        return self._descriptor(members.get("_csock")), self._descriptor(members.get("_ssock"))

    def _readers(self) -> tuple[Heap, ClassReader, TaskReader]:
        if self._reader is None:
            runtime = self._runtime
            heap = Heap(PagedMemory(runtime.memory), ObjectLayout.of(runtime))
            classes = ClassReader(runtime, heap)
            self._reader = heap, classes, TaskReader(runtime, heap, classes, self._codes)
        return self._reader

    def _descriptor(self, address: int | None) -> int:
        """Return the descriptor of a socket object."""
        if not address or not self._is_a(address, _SOCKET):
            raise NoBellError(_UNCERTAIN)
        heap, _, _ = self._readers()
        raw = heap.pages.read(address + _SOCKET_FIELDS, 12)
        descriptor, family, kind = (
            int.from_bytes(raw[at : at + 4], "little", signed=True) for at in (0, 4, 8)
        )
        if descriptor < 0 or family != socket.AF_UNIX or not kind & socket.SOCK_STREAM:
            raise NoBellError(_UNCERTAIN)
        return descriptor

    def _is_a(self, address: int, name: str) -> bool:
        heap, classes, _ = self._readers()
        parents = classes.parents(heap.type_of(address))
        return any(classes.plan(parent).name == name for parent in parents)


def _watched(pid: int, epoll: int) -> dict[int, int]:
    """Return the descriptors that an epoll watches, with the inode of each."""
    try:
        with open(f"/proc/{pid}/fdinfo/{epoll}", "rb") as file:
            found = _WATCHED.findall(file.read())
    except OSError:
        return {}
    return {int(descriptor): int(inode, 16) for descriptor, inode in found}


def _is_unix_stream(descriptor: int) -> bool:
    with socket.socket(fileno=os.dup(descriptor)) as end:
        return (end.family, end.type) == (socket.AF_UNIX, socket.SOCK_STREAM)


def _ring(descriptor: int) -> None:
    # it does not block, as the loop has made it so; one that is full has woken the loop already
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(descriptor, _WAKE)
