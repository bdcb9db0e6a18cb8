"""In which container a process runs, as its control group and mounts tell."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["container_of", "from_cgroup", "from_mounts"]

_SHOWN_DIGITS = 12
_ID = r"(?P<id>[0-9a-f]{64})"
# The last component with an id is the innermost container.
_SCOPE = re.compile(rf"(?:^|/)(?:(?P<runtime>[a-z-]+)-)?{_ID}(?:\.scope)?(?=/|$|:)")
_ECS = re.compile(r"/ecs/[0-9a-f-]+/(?P<id>[0-9a-f]{32})-\d+")
_LXC = re.compile(r"/lxc(?:\.payload\.|/)(?P<id>[\w.-]+)")
_MOUNT_SOURCE = re.compile(rf"/{_ID}/")
_FILES_OF_THE_RUNTIME = frozenset({"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"})
_RUNTIMES = {
    "cri-containerd": "containerd",
    "crio": "cri-o",
    "docker": "docker",
    "libpod": "podman",
    "nerdctl": "containerd",
}
_MARKS = (
    ("kubepods", "kubernetes"),
    ("libpod", "podman"),
    ("docker", "docker"),
    ("containerd", "containerd"),
)


def container_of(pid: int) -> str | None:
    """Return runtime and short id, such as "docker:4f0c8b2d11aa"; None outside of a container."""
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
        ids = list(_SCOPE.finditer(path))
        if ids:
            runtime = _RUNTIMES.get(ids[-1]["runtime"] or "") or _runtime_of(path)
            return f"{runtime}:{ids[-1]['id'][:_SHOWN_DIGITS]}"
        for pattern, runtime in ((_ECS, "ecs"), (_LXC, "lxc")):
            match = pattern.search(path)
            if match:
                return f"{runtime}:{match['id'][:_SHOWN_DIGITS]}"
    return None


def from_mounts(text: str) -> str | None:
    """Find the container in ``/proc/<pid>/mountinfo``: its runtime mounts ``/etc/hostname``."""
    for line in text.splitlines():
        fields = line.split()
        # Fields 4 and 5: what is mounted, and where.
        source, point = fields[3:5]
        match = _MOUNT_SOURCE.search(source) if point in _FILES_OF_THE_RUNTIME else None
        if match:
            return f"{_runtime_of(source)}:{match['id'][:_SHOWN_DIGITS]}"
    return None


def _runtime_of(path: str) -> str:
    return next((name for mark, name in _MARKS if mark in path), "container")
