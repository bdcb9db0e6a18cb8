"""The spool: the private directory through which the target gets requests and gives replies.

One directory per target incarnation, owned by the controller, with an unguessable name::

    snapshotter-<32 hex digits>/     0710, of the target's group (0700 when it has our uid)
        owner      0400  who made it and for whom; locked while that controller lives
        driver.py  0444  what the interpreter runs, constant text
        probe      0444  marshalled code of the probe
        request    0444  replaced whole, by rename, for each request
        reply      0600  empty, of the target's uid; a new file for each request

The target can write nothing but the inside of the reply file. The controller reads that file
through the descriptor with which it made it, so no name that the target could replace is ever
opened. Everything is done relative to descriptors of directories, never by path.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, Self

from snapshotter.attach.leftovers import (
    DRIVER_NAME,
    MARKER_NAME,
    NEW,
    PREFIX,
    PROBE_NAME,
    REPLY_NAMES,
    REQUEST_NAME,
    Leftover,
    Marker,
    clean,
    leftovers,
    remove_files,
)
from snapshotter.attach.namespaces import Credentials, acting_as
from snapshotter.attach.places import Place, find_place, space_problem
from snapshotter.attach.process import still_same
from snapshotter.errors import (
    NoSnapshotError,
    NotPermittedError,
    ProcessEndedError,
    SnapshotterError,
    StorageError,
    check_files,
)

if TYPE_CHECKING:
    from types import TracebackType

    from snapshotter.model import Identity

__all__ = [
    "DRIVER_NAME",
    "MAX_REPLY_BYTES",
    "PROBE_NAME",
    "REPLY_NAMES",
    "REQUEST_NAME",
    "Leftover",
    "Reply",
    "Spool",
    "clean",
    "leftovers",
]

MAX_REPLY_BYTES = 8 << 20
"""The longest reply that is read by default."""

_OUR_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Reply:
    """The reply file of one request, read through the descriptor that made it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._fd < 0

    def size(self) -> int:
        """Return how many bytes the target has written so far."""
        return os.fstat(self._fd).st_size

    def read(self, max_bytes: int = MAX_REPLY_BYTES) -> bytes:
        """Return what the target has written; it may be incomplete, or nothing.

        Raises NoSnapshotError (``reply-too-large``) when it is longer than ``max_bytes``.
        """
        content = bytearray()
        while len(content) <= max_bytes:
            # The target may write, or cut, all the while: no size but that of what came counts.
            chunk = os.pread(self._fd, max_bytes + 1 - len(content), len(content))
            if not chunk:
                return bytes(content)
            content += chunk
        self.close()
        raise NoSnapshotError(
            f"The target wrote more than the {max_bytes} bytes that a reply may have.",
            hint="Ask for less, such as with --locals none.",
            slug="reply-too-large",
        )

    def close(self) -> None:
        """Free the space, whoever else still has the file open. May be called twice."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Spool:
    """The spool of one target incarnation. Make it with :meth:`create`; remove it at the end."""

    def __init__(self, place: Place, user: Credentials) -> None:
        self._name = PREFIX + os.urandom(16).hex()
        self._place = place
        self._open_place = contextlib.ExitStack()
        self._open_place.callback(place.close)
        self._user = user
        self._fd = -1
        self._marker_fd = -1
        self._reply: Reply | None = None
        self._requests = 0
        self.path_in_target = f"{place.path}/{self._name}"

    @classmethod
    def create(cls, pid: int, identity: Identity, target_uid: int, target_gid: int) -> Self:
        """Make the directory where the target can see it.

        ``target_uid`` and ``target_gid`` are numbered as in our user namespace. Raises
        NotPermittedError (``no-spool``), or ProcessEndedError when ``pid`` is no longer the
        process of ``identity``.
        """
        try:
            spool = cls(find_place(pid, target_uid), Credentials(target_uid, target_gid))
        except OSError as error:
            raise _cannot_share(pid, error) from error
        try:
            spool._fill(identity)
        except OSError as error:
            spool.remove()
            raise _cannot_share(pid, error) from error
        except BaseException:
            spool.remove()
            raise
        return spool

    @property
    def driver_path(self) -> str:
        """Path of the driver as the target sees it: what the attachment protocol is given."""
        return f"{self.path_in_target}/{DRIVER_NAME}"

    @property
    def next_reply_path(self) -> str:
        """Path of the next request's reply as the target sees it: it stands in that request."""
        return f"{self.path_in_target}/{self._reply_name(self._requests)}"

    def write_code(self, driver: bytes, probe: bytes) -> None:
        """Write driver and probe, once: what may be pending never changes. Raises StorageError."""
        try:
            with acting_as(self._place.actor):
                os.close(self._new_file(DRIVER_NAME, driver))
                os.close(self._new_file(PROBE_NAME, probe))
        except OSError as error:
            raise _cannot_write(self.path_in_target, error) from error

    def new_request(self, request: bytes) -> Reply:
        """Replace the request, and give the target a new, empty reply file.

        The reply of the request before is closed. Raises StorageError when there is no room.
        """
        problem = space_problem(self._fd)
        if problem is not None:
            raise StorageError(
                f"No request is sent while {self._place.path} {problem}.",
                hint="Free some space there; until then snapshots are from outside only.",
                slug="spool-full",
            )
        self._close_reply()
        try:
            self._reply = Reply(self._new_reply_file(self._reply_name(self._requests)))
            self._requests += 1
            with acting_as(self._place.actor):
                self._discard(REQUEST_NAME + NEW)
                os.close(self._new_file(REQUEST_NAME + NEW, request))
                self._publish(REQUEST_NAME)
        except OSError as error:
            raise _cannot_write(self.path_in_target, error) from error
        return self._reply

    def remove(self) -> None:
        """Remove all files and the directory, and close every descriptor. Never raises OSError.

        May be called again, also when Ctrl-C has cut it short.
        """
        self._close_reply()
        if self._fd >= 0:
            with contextlib.suppress(OSError), acting_as(self._place.actor):
                remove_files(self._place.fd, self._name, self._fd)
            fd, self._fd = self._fd, -1
            os.close(fd)
        if self._marker_fd >= 0:
            # Only now: until then no one else may take it for a leftover.
            fd, self._marker_fd = self._marker_fd, -1
            os.close(fd)
        self._open_place.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    def _fill(self, identity: Identity) -> None:
        """Make the directory and its marker; the target may enter once both are right."""
        with acting_as(self._place.actor):
            os.mkdir(self._name, mode=0o700, dir_fd=self._place.fd)
            self._fd = os.open(self._name, _OUR_DIRECTORY, dir_fd=self._place.fd)
            if os.fstat(self._fd).st_uid != self._place.owner_uid:
                raise PermissionError("somebody replaced the new directory")
            marker = Marker.of_us(identity).to_bytes()
            self._marker_fd = self._new_file(MARKER_NAME + NEW, marker, mode=0o400)
            # Whoever finds it under its final name finds it complete and locked.
            fcntl.flock(self._marker_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._publish(MARKER_NAME)
            # Those who clean up /tmp by age (systemd-tmpfiles) pass over what somebody has locked.
            fcntl.flock(self._fd, fcntl.LOCK_SH)
        if self._user.uid != self._place.owner_uid:
            # As ourselves: only root of ours may give a directory to a group, and then pass.
            os.fchown(self._fd, -1, self._user.gid)
            os.fchmod(self._fd, 0o710)
        # Not before: from here on the place is known to be in the tree of the right process.
        if not still_same(identity):
            raise ProcessEndedError(f"Process {identity.pid} ended.")

    def _new_file(self, name: str, content: bytes, *, mode: int = 0o444) -> int:
        """Return a descriptor of a file that did not exist before."""
        fd = os.open(name, _NEW_FILE, 0o400, dir_fd=self._fd)
        try:
            with open(fd, "wb", closefd=False) as file:
                file.write(content)
            os.fchmod(fd, mode)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _new_reply_file(self, name: str) -> int:
        with acting_as(self._place.actor):
            self._discard(name + NEW)
            fd = self._new_file(name + NEW, b"", mode=0o600)
        try:
            if self._user.uid != self._place.owner_uid:
                # As ourselves: only root of ours may give a file away.
                os.fchown(fd, self._user.uid, self._user.gid)
            with acting_as(self._place.actor):
                self._publish(name)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _publish(self, name: str) -> None:
        os.rename(name + NEW, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def _discard(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def _close_reply(self) -> None:
        if self._reply is not None:
            self._reply.close()
            self._reply = None
            with contextlib.suppress(OSError), acting_as(self._place.actor):
                self._discard(self._reply_name(self._requests - 1))

    @staticmethod
    def _reply_name(number: int) -> str:
        return REPLY_NAMES[number % len(REPLY_NAMES)]


def _cannot_share(pid: int, error: OSError) -> SnapshotterError:
    if isinstance(error, FileNotFoundError | ProcessLookupError):
        return ProcessEndedError(f"Process {pid} ended.")
    check_files(error)
    return NotPermittedError(
        f"Cannot share files with process {pid}: {error.strerror or error}.",
        hint="Run snap as root or as the user of that process.",
        slug="no-spool",
    )


def _cannot_write(path: str, error: OSError) -> StorageError:
    return StorageError(
        f"Cannot write the request in {path}: {error.strerror or error}.",
        hint="Until this is put right snapshots are from outside only.",
        slug="spool-write",
    )
