"""In which container a process runs, and whose, as its control group and mounts tell."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["container_of", "from_cgroup", "from_mounts", "runtime_in", "runtime_of"]

_ID = r"[0-9a-f]{64}"
# /docker/<id>, docker-<id>.scope, cri-containerd-<id>.scope, libpod-<id>.scope/container,
# /kubepods/…/<id>: the last component with an id is the innermost container.
_SCOPE = re.compile(rf"(?:^|/)(?:[a-z-]+-)?({_ID})(?:\.scope)?(?=/|$)")
_ECS = re.compile(r"/ecs/[0-9a-f-]+/([0-9a-f]{32})-\d+")
_LXC = re.compile(r"/lxc(?:\.payload\.|/)([\w.-]+)")
_MOUNT_SOURCE = re.compile(rf"/({_ID})/")
# What the paths of a runtime's control groups, or of its files, have in them; the first wins, as
# Docker and Kubernetes use containerd.
_RUNTIMES = (
    (re.compile(r"[/-]crio[-/]|/cri-?o/"), "cri-o"),
    (re.compile(r"[/-]libpod[-_/]|/containers/storage/|/podman"), "podman"),
    (re.compile(r"[/-]docker[-/]|/docker/containers/"), "docker"),
    (re.compile(r"cri-containerd|/containerd[/.]|io\.containerd"), "containerd"),
    (re.compile(r"/ecs/"), "ecs"),
    (re.compile(r"/lxc[./]"), "lxc"),
    (re.compile(r"systemd-nspawn@"), "systemd-nspawn"),
    (re.compile(r"/kubepods|/kubelet/pods/"), "kubernetes"),
)
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


def runtime_of(pid: int) -> str | None:
    """Return the name of the container runtime, such as "docker", None when it does not show."""
    try:
        found = runtime_in(Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8"))
        if found is None:
            mounts = Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8").splitlines()
            of_runtime = [line for line in mounts if line.split()[4] in _FILES_OF_THE_RUNTIME]
            found = runtime_in("\n".join(of_runtime))
    except OSError, UnicodeDecodeError:
        return None
    return found


def runtime_in(text: str) -> str | None:
    """Find the runtime in paths of control groups or of its files."""
    return next((name for pattern, name in _RUNTIMES if pattern.search(text)), None)


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
