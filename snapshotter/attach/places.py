"""Where the spool of a target may stand: a directory that it can see and nobody else can bend.

Paths are walked in the target's own tree without following links. Every directory on the way
must belong to root or to us and must not be writable by others, unless its sticky bit keeps our
entry ours.

A target can write into its reply file as much as the file system holds, and go on with that after
we have removed the file, as long as it keeps it open. Nothing bounds that from outside. So a
target of another user gets its reply file only where it could have made one by itself.
"""

from __future__ import annotations

import ctypes
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from snapshotter.attach.namespaces import (
    Credentials,
    Namespace,
    acting_as,
    namespace_root,
    open_directory,
    open_root,
    same_namespace,
    status_fields,
)
from snapshotter.attach.permission import has_capability
from snapshotter.errors import NotPermittedError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

__all__ = ["MIN_FREE_BYTES", "Place", "actor_for", "candidates", "find_place", "space_problem"]

MIN_FREE_BYTES = 16 << 20
"""Below this much free space no spool is made: a full file system hurts its other users."""

_CAP_CHOWN = 0
_MIN_FREE_FILES = 16
# File systems that answer from this machine's memory or disks: no server and no user's program
# (NFS, FUSE) can keep the controller, or the target's main thread, waiting for ever.
_LOCAL = {
    0x01021994: "tmpfs",
    0x2FC12FC1: "zfs",
    0x58465342: "xfs",
    0x794C7630: "overlay",
    0x858458F6: "ramfs",
    0x9123683E: "btrfs",
    0xCA451A4E: "bcachefs",
    0xEF53: "ext4",
    0xF2F52010: "f2fs",
}
_STATFS_BYTES = 256
_FOR_EVERYBODY = ("/dev/shm", "/tmp")  # noqa: S108 - see the module docstring


@dataclass(frozen=True, slots=True)
class Place:
    """A directory in which a spool can be made; close it after use."""

    path: str
    """As the target sees it."""
    fd: int
    actor: Credentials | None
    """As whom to write there; None is ourselves."""

    @property
    def owner_uid(self) -> int:
        """Whom files made here belong to at first."""
        return os.geteuid() if self.actor is None else self.actor.uid

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def candidates(uid: int, *, owner_uid: int) -> tuple[str, ...]:
    """Return the directories to try for a target of user ``uid``, the best first.

    ``owner_uid`` is whom the spool will belong to.
    """
    if uid == owner_uid:
        return ("/run", f"/run/user/{uid}", *_FOR_EVERYBODY)
    return _FOR_EVERYBODY


def actor_for(pid: int) -> Credentials | None:
    """Return as whom to touch files in the target's tree (None: as ourselves).

    In another user namespace root of ours would write where only that namespace's root may, and
    its file systems refuse our numbers: there we act as the root of that namespace.
    """
    if os.geteuid() != 0 or same_namespace(pid, Namespace.USER):
        return None
    return namespace_root(pid)


def find_place(pid: int, target_uid: int) -> Place:
    """Return the first directory that will do. Raises NotPermittedError, saying why none does."""
    reasons = []
    root_fd = open_root(pid)
    try:
        actor = actor_for(pid)
        owner_uid = os.geteuid() if actor is None else actor.uid
        if target_uid != owner_uid and not has_capability(status_fields(os.getpid()), _CAP_CHOWN):
            raise NotPermittedError(
                f"No file can be given to user {target_uid} without the capability CAP_CHOWN.",
                hint=f"Add the capability CHOWN, or run snap as user {target_uid}.",
                slug="no-spool",
            )
        for path in candidates(target_uid, owner_uid=owner_uid):
            found = _examine(root_fd, path, actor, target_uid=target_uid)
            if isinstance(found, Place):
                return found
            reasons.append(f"{path} {found}")
    finally:
        os.close(root_fd)
    raise NotPermittedError(
        f"Found no directory to share files with process {pid}: {'; '.join(reasons)}.",
        hint=f"Make room in /dev/shm or /tmp, or run snap as root or as user {target_uid}.",
        slug="no-spool",
    )


def _examine(
    root_fd: int,
    path: str,
    actor: Credentials | None,
    *,
    target_uid: int,
) -> Place | str:
    try:
        fd, way = open_directory(root_fd, path)
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be opened without following a link ({error.strerror})"
    place = Place(path, fd, actor)
    problem = (
        _filesystem_problem(fd)
        or _way_problem(way, {0, place.owner_uid}, target_uid=target_uid)
        or space_problem(fd)
        or _write_problem(place)
    )
    if problem is None:
        return place
    place.close()
    return problem


def _way_problem(way: Iterable[os.stat_result], owners: set[int], *, target_uid: int) -> str | None:
    for info in way:
        writable = info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if writable and not info.st_mode & stat.S_ISVTX:
            return "lies below a directory that others can write"
        if info.st_uid not in owners:
            return f"lies below a directory of user {info.st_uid}"
        passable = stat.S_IXUSR if info.st_uid == target_uid else stat.S_IXOTH
        if target_uid != 0 and not info.st_mode & passable:
            return f"lies below a directory that user {target_uid} may not enter"
    return None


def space_problem(fd: int) -> str | None:
    """Return what is wrong with the free space around a descriptor, None when nothing is."""
    info = os.fstatvfs(fd)
    if info.f_flag & os.ST_RDONLY:
        return "is read-only"
    free_bytes = info.f_bavail * info.f_frsize
    if free_bytes < MIN_FREE_BYTES:
        return f"has only {free_bytes >> 20} MB free"
    # Some file systems do not count files and say 0 of 0.
    if info.f_files and info.f_favail < _MIN_FREE_FILES:
        return "has no free inodes"
    return None


def _write_problem(place: Place) -> str | None:
    try:
        with acting_as(place.actor):
            writable = os.access(".", os.W_OK | os.X_OK, dir_fd=place.fd, effective_ids=True)
    except PermissionError as error:
        return f"is out of reach: we {error}"
    return None if writable else "is not writable for us"


def _filesystem_problem(fd: int) -> str | None:
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if ctypes.CDLL(None).fstatfs(fd, buffer) != 0:
        return "cannot be looked at"
    # The first field of struct statfs; only its low half is ever used.
    kind = ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF
    return None if kind in _LOCAL else f"is on a file system that may block ({kind:#x})"
