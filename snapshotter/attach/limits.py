"""Limits of a process that our few system calls in it could run into.

Ours are: opening, reading and closing two files, writing one, perhaps starting a thread. A
sandbox that kills for such a call, or a limit that does, makes a request out of the question;
others only cost a part of the snapshot.
"""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from snapshotter.attach.container import container_of
from snapshotter.attach.namespaces import Namespace, same_namespace, status_fields
from snapshotter.attach.permission import has_capability
from snapshotter.attach.process import open_descriptors
from snapshotter.model.checks import Check, CheckStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Facts",
    "check_descriptors",
    "check_file_size",
    "check_seccomp",
    "check_state",
    "check_thread",
]

_OK, _WARN, _FAIL = CheckStatus.OK, CheckStatus.WARN, CheckStatus.FAIL
_CAP_SYS_ADMIN, _CAP_SYS_RESOURCE = 21, 24
_MIN_FREE_DESCRIPTORS = 3
_USUAL_REPLY_BYTES = 1 << 20
_LEAST_REPLY_BYTES = 1 << 9
# Measured: stack and malloc arena of a first thread take 150 MB of addresses, 2 MB of memory.
_THREAD_ADDRESS_BYTES = 160 << 20
_MIN_FREE_TASKS = 4
_COUNTED_TASK_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class Facts:
    """What ``/proc`` says of a process, read once for all checks."""

    pid: int
    status: dict[str, str]
    limits: dict[str, int]
    """Soft limits by the names of ``/proc/<pid>/limits``; unlimited ones are left out."""

    @classmethod
    def read(cls, pid: int) -> Self:
        """Read them. Raises OSError when the process is gone."""
        text = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
        rows = (re.split(r"\s{2,}", line) for line in text.splitlines()[1:])
        limits = {row[0]: int(row[1]) for row in rows if row[1].isdecimal()}
        return cls(pid, status_fields(pid), limits)

    def number(self, name: str) -> int:
        """Return the first number of a status field, 0 when it is missing."""
        return int((self.status.get(name) or "0").split()[0])


def check_state(facts: Facts) -> Check:
    """A stopped process reaches no safe point."""
    letter = facts.status.get("State", "?")[:1]
    tracer = facts.number("TracerPid")
    if letter == "t":
        return Check(
            "state",
            _FAIL,
            f"The process is held by a debugger (process {tracer}).",
            f"Let it go on in process {tracer}.",
        )
    if letter == "T":
        return Check("state", _FAIL, "The process is stopped.", f"kill -CONT {facts.pid}")
    if tracer:
        sentence = f"Process {tracer} traces it, which slows it down."
        return Check("state", _WARN, sentence, f"ps -fp {tracer}")
    return Check("state", _OK, "The process is neither stopped nor traced.")


def check_seccomp(facts: Facts) -> Check:
    """A filter may kill the process for opening a file; which calls it allows cannot be read."""
    mode, filters = facts.number("Seccomp"), facts.number("Seccomp_filters")
    if mode == 0:
        return Check("seccomp", _OK, "No seccomp filter is in force.")
    if mode == 2 and filters <= _inherited_filters(facts):  # noqa: PLR2004 - SECCOMP_MODE_FILTER
        sentence = (
            "The only seccomp filter is that of its container, which refuses but never kills."
        )
        return Check("seccomp", _OK, sentence)
    return Check(
        "seccomp",
        _FAIL,
        "The process has a seccomp filter that may kill it for opening a file.",
        "Snapshots are from outside only. With systemd: SystemCallErrorNumber=EPERM in its unit.",
    )


def _inherited_filters(facts: Facts) -> int:
    """Return how many filters come from what the process runs in and not from itself."""
    if container_of(facts.pid) is None:
        return 0
    ours = status_fields(os.getpid())
    if same_namespace(facts.pid, Namespace.PID) and ours.get("Seccomp") == "2":
        # We run, and open files, under the same filters.
        return int(ours.get("Seccomp_filters", "0"))
    init = _init_of(facts)
    return 1 if init is None else int(init.get("Seccomp_filters", "1"))


def _init_of(facts: Facts) -> dict[str, str] | None:
    """Return the status of process 1 of its pid namespace, None when that is itself."""
    fields, is_self = facts.status, True
    while fields.get("NSpid", "1").split()[-1] != "1":
        try:
            fields, is_self = status_fields(int(fields["PPid"])), False
        except OSError, KeyError:
            return None
    return None if is_self else fields


def check_file_size(facts: Facts) -> Check:
    """Writing beyond the limit raises SIGXFSZ, whose default action kills, or fails."""
    limit = facts.limits.get("Max file size")
    if limit is None:
        return Check("file-size", _OK, "The size of its files is not limited.")
    bit = 1 << (signal.SIGXFSZ - 1)
    kept = int(facts.status.get("SigIgn", "0"), 16) | int(facts.status.get("SigCgt", "0"), 16)
    if not kept & bit:
        return Check(
            "file-size",
            _FAIL,
            f"A file longer than {limit} bytes would kill the process: SIGXFSZ has its default.",
            f"prlimit --fsize=unlimited --pid {facts.pid}",
        )
    if limit < _LEAST_REPLY_BYTES:
        sentence = f"Its files may have {limit} bytes at the most, too few for any reply."
        return Check("file-size", _FAIL, sentence, f"prlimit --fsize=unlimited --pid {facts.pid}")
    if limit < _USUAL_REPLY_BYTES:
        sentence = f"Its files may have {limit} bytes at the most: large replies will fail."
        return Check("file-size", _WARN, sentence, f"prlimit --fsize=unlimited --pid {facts.pid}")
    return Check("file-size", _OK, "Its limit on the size of files ignores or handles SIGXFSZ.")


def check_descriptors(facts: Facts) -> Check:
    """The probe opens one file at a time; CPython needs one more to read the driver."""
    limit, used = facts.limits.get("Max open files"), open_descriptors(facts.pid)
    if limit is None or used is None:
        return Check("descriptors", _OK, "The number of its open files is not limited.")
    free = max(0, limit - used)
    if free < _MIN_FREE_DESCRIPTORS:
        are = "is" if free == 1 else "are"
        return Check(
            "descriptors",
            _FAIL,
            f"Only {free} of its {limit} file descriptors {are} free.",
            f"prlimit --nofile={2 * limit} --pid {facts.pid}",
        )
    return Check("descriptors", _OK, f"{free} of its {limit} file descriptors are free.")


def check_thread(facts: Facts) -> Check:
    """Where no thread can be had the probe runs on the main thread, in one slice."""
    reason = next(_thread_problems(facts), None)
    if reason is None:
        return Check("thread", _OK, "A thread can be started in it.")
    return Check("thread", _WARN, reason, "The probe runs on its main thread: --carrier main")


def _thread_problems(facts: Facts) -> Iterator[str]:
    limit = facts.limits.get("Max address space")
    used = facts.number("VmSize") << 10
    if limit is not None and limit - used < _THREAD_ADDRESS_BYTES:
        free = max(0, limit - used) >> 20
        yield f"Its address space has only {free} MB left, too little for a thread."
    locked = facts.number("VmLck") << 10
    if locked > used // 2:
        yield "It keeps its memory locked (mlockall): the stack of a thread would be, too."
    room = _room_in_group(facts.pid)
    if room is not None and room < _MIN_FREE_TASKS:
        yield f"Its control group allows only {room} more tasks."
    room = _room_of_user(facts)
    if room is not None and room < _MIN_FREE_TASKS:
        yield f"Its user may start only {room} more tasks."


def _room_in_group(pid: int) -> int | None:
    """Return how many tasks the control group, or one above it, still allows."""
    rooms: list[int] = []
    for line in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in {"", "pids"} and ".." not in path:
            mount = Path("/sys/fs/cgroup") / controllers
            group = mount / path.lstrip("/")
            while group.is_relative_to(mount):
                rooms.extend(_group_room(group))
                group = group.parent
    return min(rooms, default=None)


def _group_room(group: Path) -> Iterator[int]:
    try:
        limit = (group / "pids.max").read_text(encoding="ascii").strip()
        if limit.isdecimal():
            yield max(0, int(limit) - int((group / "pids.current").read_text(encoding="ascii")))
    except OSError:
        return


def _room_of_user(facts: Facts) -> int | None:
    """Return how many tasks RLIMIT_NPROC still allows; large limits are not counted up to."""
    limit = facts.limits.get("Max processes")
    exempt = facts.number("Uid") == 0 or any(
        has_capability(facts.status, number) for number in (_CAP_SYS_ADMIN, _CAP_SYS_RESOURCE)
    )
    if limit is None or limit > _COUNTED_TASK_LIMIT or exempt:
        return None
    used = 0
    for name in os.listdir("/proc"):
        try:
            if name.isdecimal() and os.stat(f"/proc/{name}").st_uid == facts.number("Uid"):
                used += int(status_fields(int(name))["Threads"])
        except OSError:
            continue
    return max(0, limit - used)
