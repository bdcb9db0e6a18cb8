"""What a process runs in: whose it is, what confines it, which container it belongs to."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

from snapshotter.attach.container import container_of, runtime_of
from snapshotter.attach.namespaces import status_fields
from snapshotter.attach.permission import has_capability, security_label
from snapshotter.model.checks import Check, CheckStatus

__all__ = ["check_container", "check_security_module", "check_user", "sandbox_of", "user_name"]

_OK, _WARN = CheckStatus.OK, CheckStatus.WARN
_CAP_SYS_PTRACE = 19
_SHORT_ID = 12
# AppArmor profiles of containers let them open any file of their own.
_PROFILES_OF_CONTAINERS = re.compile(
    r"docker-|containers-default|cri-containerd|crio-default|lxc-container|podman|moby-default"
)
_SANDBOXES = {
    "runsc": "a gVisor sandbox",
    "firecracker": "a virtual machine (Firecracker)",
    "cloud-hypervisor": "a virtual machine (Cloud Hypervisor)",
    "qemu-system": "a virtual machine (QEMU)",
}


def user_name(uid: int) -> str:
    """Return the name of a user, or its number where it has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def check_user(pid: int) -> Check:
    """Whose it is, and by which right we look at it."""
    theirs, ours = status_fields(pid), status_fields(os.getpid())
    uid, gid = (int(theirs[name].split()[1]) for name in ("Uid", "Gid"))
    sentence = f"It runs as user {user_name(uid)} ({uid}), group {gid}"
    if not is_dumpable(pid, theirs):
        sentence += ", and is not dumpable"
    if has_capability(ours, _CAP_SYS_PTRACE):
        return Check("user", _OK, f"{sentence}; CAP_SYS_PTRACE lets us look at it.")
    return Check("user", _OK, f"{sentence}, as we do.")


def is_dumpable(pid: int, fields: dict[str, str]) -> bool:
    """Tell whether its own user may look at it; of root's processes this cannot be told."""
    # The files of a process that is not dumpable belong to root.
    uid = int(fields["Uid"].split()[1])
    return uid == 0 or os.stat(f"/proc/{pid}/status").st_uid != 0


def check_security_module(pid: int) -> Check:
    """A profile may keep the process from opening our files, of which CPython would complain."""
    label = security_label(pid)
    if label is None:
        return Check("security-module", _OK, "No security module confines it.")
    name, _, mode = label.partition(" (")
    if mode.startswith("enforce") and not _PROFILES_OF_CONTAINERS.match(name):
        return Check(
            "security-module",
            _WARN,
            f"The AppArmor profile {name} may keep it from opening our files; CPython would then "
            "complain on its standard error.",
            "Add to the profile: /{dev/shm,run,tmp}/snapshotter-*/* rw,",
        )
    return Check("security-module", _OK, f"Its security label is {label}.")


def check_container(pid: int) -> Check:
    """In a container of its own other numbers and files count."""
    container, ours = container_of(pid), container_of(os.getpid())
    if container is None:
        return Check("container", _OK, "It runs in no container.")
    runtime = runtime_of(pid)
    of_runtime = f" of {runtime}" if runtime else ""
    if container == ours:
        return Check("container", _OK, f"It runs in our own container{of_runtime}.")
    return Check("container", _OK, f"It runs in the container {container[:_SHORT_ID]}{of_runtime}.")


def sandbox_of(pid: int) -> str | None:
    """Return what kind of sandbox a process is, if it is one: its programs do not show here."""
    try:
        name = Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return None
    return next((what for start, what in _SANDBOXES.items() if name.startswith(start)), None)
