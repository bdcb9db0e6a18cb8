"""What a spool consists of, whose it is, and how one that a killed controller left is removed.

A directory is touched only when all of this holds: its name has our pattern, it and its marker
belong to us, the marker parses, no process holds the marker's lock, and the controller that the
marker names is dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from snapshotter.attach.namespaces import acting_as, open_directory, open_root
from snapshotter.attach.places import actor_for, candidates
from snapshotter.attach.process import boot_id, still_same
from snapshotter.errors import NotPermittedError
from snapshotter.model import Identity
from snapshotter.outside.procfs import start_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from snapshotter.attach.namespaces import Credentials

__all__ = [
    "DRIVER_NAME",
    "MARKER_NAME",
    "NEW",
    "PREFIX",
    "PROBE_NAME",
    "REPLY_NAMES",
    "REQUEST_NAME",
    "Leftover",
    "Marker",
    "clean",
    "leftovers",
    "remove_files",
]

PREFIX = "snapshotter-"
DRIVER_NAME = "driver.py"
PROBE_NAME = "probe"
REQUEST_NAME = "request"
REPLY_NAMES = tuple(f"reply-{number}" for number in range(16))
"""Taken in turn: a carrier that comes too late must not find the reply file of the next request."""
MARKER_NAME = "owner"
NEW = ".new"
"""What the name of a file ends in until it is complete."""

_IN_ORDER_OF_REMOVAL = (
    DRIVER_NAME,
    PROBE_NAME,
    REQUEST_NAME,
    REQUEST_NAME + NEW,
    *REPLY_NAMES,
    *(name + NEW for name in REPLY_NAMES),
    MARKER_NAME + NEW,
    # Last: while it is there, what an interrupted removal left can be recognised.
    MARKER_NAME,
)
_NAME = re.compile(rf"{PREFIX}[0-9a-f]{{32}}")
_MAX_MARKER_BYTES = 4096
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Marker:
    """Who made a spool, and for which target."""

    controller_pid: int
    controller_start_ticks: int
    pid_namespace: int
    """Inode of the pid namespace in which both pids count."""
    target: Identity

    @classmethod
    def of_us(cls, target: Identity) -> Self:
        """Return the marker of a spool that this process makes."""
        pid = os.getpid()
        return cls(pid, start_ticks(pid) or 0, _our_pid_namespace(), target)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a marker back. Raises ValueError when it is none."""
        try:
            fields = json.loads(data)
            target = Identity(**fields.pop("target"))
            marker = cls(target=target, **fields)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("not a marker") from error
        numbers = [value for value in fields.values() if type(value) is not int]
        if numbers or type(target.pid) is not int or type(target.boot_id) is not str:
            raise ValueError("not a marker")
        return marker

    def to_bytes(self) -> bytes:
        """Return the content of the marker file."""
        return json.dumps(asdict(self)).encode()

    def is_for(self, target: Identity) -> bool:
        """Tell whether the spool was made for this process (by exec it changes its identity)."""
        ours = (self.target.boot_id, self.target.pid, self.target.start_ticks)
        return ours == (target.boot_id, target.pid, target.start_ticks)

    def may_be_alive(self) -> bool:
        """Tell whether the controller may still run; one of another pid namespace always may."""
        if self.target.boot_id != boot_id():
            return False
        if self.pid_namespace != _our_pid_namespace():
            return True
        return start_ticks(self.controller_pid) == self.controller_start_ticks

    def target_may_be_alive(self) -> bool:
        """Tell whether the target may still be the incarnation that the spool was made for."""
        if self.target.boot_id != boot_id():
            return False
        if self.pid_namespace != _our_pid_namespace():
            return True
        try:
            return still_same(self.target)
        except NotPermittedError:
            return True


@dataclass(frozen=True, slots=True)
class Leftover:
    """A spool whose controller is dead."""

    path: str
    """As we reach it."""
    path_in_target: str
    """As its target sees it: what a request that it left pending begins with."""
    marker: Marker


def leftovers(target: Identity | None = None) -> tuple[Leftover, ...]:
    """Find the spools that killed controllers left: for one target, or all that we can see."""
    found: list[Leftover] = []
    _scan(target, lambda spool: found.append(spool.leftover))
    return tuple(found)


def clean(target: Identity | None = None) -> tuple[str, ...]:
    """Remove the spools that killed controllers left, and return their paths.

    A spool whose target still lives is kept, because a request for it may be pending: pass that
    ``target`` after having withdrawn the request.
    """
    removed: list[str] = []

    def remove(spool: _Found) -> None:
        path = spool.leftover.path
        if target is not None or not spool.leftover.marker.target_may_be_alive():
            with acting_as(spool.actor):
                remove_files(spool.parent_fd, Path(path).name, spool.fd)
            removed.append(path)

    _scan(target, remove)
    return tuple(removed)


def remove_files(parent_fd: int, name: str, directory_fd: int) -> None:
    """Remove a spool: its known files and itself. Raises OSError when anything else is in it."""
    for file_name in _IN_ORDER_OF_REMOVAL:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file_name, dir_fd=directory_fd)
    os.rmdir(name, dir_fd=parent_fd)


def _our_pid_namespace() -> int:
    return os.stat("/proc/self/ns/pid").st_ino


@dataclass(frozen=True, slots=True)
class _Found:
    """A leftover while its descriptors are open and its marker is locked by us."""

    leftover: Leftover
    parent_fd: int
    fd: int
    actor: Credentials | None


def _scan(target: Identity | None, handle: Callable[[_Found], None]) -> None:
    """Call ``handle`` for each leftover; what cannot be looked at is passed over."""
    pid = os.getpid() if target is None else target.pid
    prefix = "" if target is None else f"/proc/{pid}/root"
    with contextlib.ExitStack() as stack:
        try:
            root_fd = stack.enter_context(_closing(open_root(pid)))
            actor = actor_for(pid)
        except OSError:
            return
        for directory in _directories(root_fd):
            with contextlib.suppress(OSError), _opened(root_fd, directory) as parent_fd:
                for name in filter(_NAME.fullmatch, os.listdir(parent_fd)):
                    with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as inner:
                        fd = os.open(name, _DIRECTORY, dir_fd=parent_fd)
                        inner.enter_context(_closing(fd))
                        marker = inner.enter_context(_locked_marker(fd, actor))
                        if not marker.may_be_alive() and (target is None or marker.is_for(target)):
                            path = f"{directory}/{name}"
                            leftover = Leftover(prefix + path, path, marker)
                            handle(_Found(leftover, parent_fd, fd, actor))


def _directories(root_fd: int) -> Iterator[str]:
    shared, by_user, *others = candidates(0, owner_uid=0)
    yield from (shared, *others)
    users = str(Path(by_user).parent)
    with contextlib.suppress(OSError), _opened(root_fd, users) as fd:
        yield from (f"{users}/{name}" for name in sorted(os.listdir(fd)))


@contextlib.contextmanager
def _opened(root_fd: int, path: str) -> Iterator[int]:
    """Open a directory for listing, without following links."""
    walked_fd, _ = open_directory(root_fd, path)
    with _closing(walked_fd), _closing(os.open(".", _DIRECTORY, dir_fd=walked_fd)) as fd:
        yield fd


@contextlib.contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _locked_marker(directory_fd: int, actor: Credentials | None) -> Iterator[Marker]:
    """Lock and read the marker of a directory that is ours.

    Raises BlockingIOError when its controller lives, ValueError when it is not one of ours.
    """
    owner = os.geteuid() if actor is None else actor.uid
    with _closing(os.open(MARKER_NAME, _FILE, dir_fd=directory_fd)) as fd:
        ours = os.fstat(directory_fd).st_uid == os.fstat(fd).st_uid == owner
        if not ours or not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("not ours")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield Marker.parse(os.read(fd, _MAX_MARKER_BYTES))
