"""Where a target lives: its namespaces, its numbers and its files, as seen from ours.

Files of a target are reached through ``/proc/<pid>/root`` and walked one component at a time
without following links: a target can put a link anywhere in its own tree.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Credentials",
    "Namespace",
    "acting_as",
    "credentials",
    "inner_pid",
    "namespace_root",
    "open_directory",
    "open_root",
    "same_namespace",
    "shares_our_view",
    "status_fields",
]

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Namespace(StrEnum):
    """The namespaces that matter for sharing files and numbers with a target."""

    MOUNT = "mnt"
    PID = "pid"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a group, numbered as in our user namespace."""

    uid: int
    gid: int


def status_fields(pid: int) -> dict[str, str]:
    """Return ``/proc/<pid>/status`` by field name. Raises OSError when the process is gone."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def credentials(pid: int) -> Credentials:
    """Return the effective user and group of a process: as whom it opens files."""
    fields = status_fields(pid)
    return Credentials(uid=int(fields["Uid"].split()[1]), gid=int(fields["Gid"].split()[1]))


def inner_pid(pid: int) -> int:
    """Return the number by which the process knows itself (in its innermost pid namespace)."""
    return int(status_fields(pid).get("NSpid", str(pid)).split()[-1])


def same_namespace(pid: int, kind: Namespace) -> bool:
    """Tell whether a process is in our namespace of this kind. Raises OSError when not told."""
    ours = Path(f"/proc/self/ns/{kind}").readlink()
    return Path(f"/proc/{pid}/ns/{kind}").readlink() == ours


def shares_our_view(pid: int) -> bool:
    """Tell whether a path means the same file for a process and for us, with the same rights."""
    ours, theirs = Path("/").stat(), Path(f"/proc/{pid}/root").stat()
    return (
        (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)
        and same_namespace(pid, Namespace.MOUNT)
        and same_namespace(pid, Namespace.USER)
    )


def namespace_root(pid: int) -> Credentials | None:
    """Return who root of the target's user namespace is in ours; None when it is nobody of ours."""
    uid, gid = (_outer_id(pid, name) for name in ("uid_map", "gid_map"))
    return None if uid is None or gid is None else Credentials(uid=uid, gid=gid)


def _outer_id(pid: int, name: str) -> int | None:
    if same_namespace(pid, Namespace.USER):
        # Read from inside, the file tells the numbers of the parent namespace instead of ours.
        return 0
    for line in Path(f"/proc/{pid}/{name}").read_text(encoding="ascii").splitlines():
        inner, outer, _ = (int(number) for number in line.split())
        if inner == 0:
            return outer
    return None


def open_root(pid: int) -> int:
    """Return a descriptor of the root directory of a process. Raises OSError."""
    return os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def open_directory(root_fd: int, path: str) -> tuple[int, tuple[os.stat_result, ...]]:
    """Walk an absolute ``path`` below ``root_fd`` without following any link.

    Returns a descriptor of the directory and the status of each directory on the way, the root
    first. Raises OSError (a link: ENOTDIR).
    """
    current = os.open(".", _DIRECTORY, dir_fd=root_fd)
    seen = [os.fstat(current)]
    try:
        for component in Path(path).parts[1:]:
            following = os.open(component, _DIRECTORY, dir_fd=current)
            os.close(current)
            current = following
            seen.append(os.fstat(current))
    except BaseException:
        os.close(current)
        raise
    return current, tuple(seen)


@contextlib.contextmanager
def acting_as(user: Credentials | None) -> Iterator[None]:
    """Touch files as ``user`` in this thread (None: as ourselves). Raises PermissionError.

    Only the file system identity of the calling thread changes: no signal, no other thread and
    no child is affected, and with the user's identity go our rights over other users' files.
    """
    if user is None:
        yield
        return
    libc = ctypes.CDLL(None)
    before = Credentials(uid=libc.setfsuid(-1), gid=libc.setfsgid(-1))
    libc.setfsgid(user.gid)
    libc.setfsuid(user.uid)
    try:
        if (libc.setfsuid(-1), libc.setfsgid(-1)) != (user.uid, user.gid):
            raise PermissionError(f"cannot act as user {user.uid}")
        yield
    finally:
        libc.setfsuid(before.uid)
        libc.setfsgid(before.gid)
