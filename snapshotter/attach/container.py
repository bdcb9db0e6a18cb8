"""In which container a process runs, as its control group and mounts tell."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["container_of", "from_cgroup", "from_mounts"]

_ID = r"[0-9a-f]{64}"
# /docker/<id>, docker-<id>.scope, cri-containerd-<id>.scope, libpod-<id>.scope/container,
# /kubepods/…/<id>: the last component with an id is the innermost container.
_SCOPE = re.compile(rf"(?:^|/)(?:[a-z-]+-)?({_ID})(?:\.scope)?(?=/|$)")
_ECS = re.compile(r"/ecs/[0-9a-f-]+/([0-9a-f]{32})-\d+")
_LXC = re.compile(r"/lxc(?:\.payload\.|/)([\w.-]+)")
_MOUNT_SOURCE = re.compile(rf"/({_ID})/")
_FILES_OF_THE_RUNTIME = frozenset({"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"})


def container_of(pid: int) -> str | None:
    """Return the id of the innermost container of a process, None when it is in none.

    It is what the container runtime prints, in full (64 hex digits, for LXC its name).
    """
    try:
        found = from_cgroup(Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8"))
        if found is None:
            # In a control group namespace the path starts at the container itself.
            found = from_mounts(Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8"))
    except OSError, UnicodeDecodeError:
        return None
    return found


def from_cgroup(text: str) -> str | None:
    """Find the container in the text of ``/proc/<pid>/cgroup``."""
    for line in text.splitlines():
        path = line.split(":", 2)[-1]
        for pattern in (_SCOPE, _ECS, _LXC):
            ids: list[str] = pattern.findall(path)
            if ids:
                return ids[-1]
    return None


def from_mounts(text: str) -> str | None:
    """Find the container in ``/proc/<pid>/mountinfo``: its runtime mounts ``/etc/hostname``."""
    for line in text.splitlines():
        # Fields 4 and 5: what is mounted, and where.
        source, point = line.split()[3:5]
        match = _MOUNT_SOURCE.search(source) if point in _FILES_OF_THE_RUNTIME else None
        if match:
            return match[1]
    return None
