"""Why the kernel lets us, or does not let us, read and write a process.

The right itself is found out by opening ``/proc/<pid>/mem``, which asks the kernel's own check
and touches nothing. The reasons follow ``ptrace(2)``, "Ptrace access mode checking".
"""

from __future__ import annotations

import os
from pathlib import Path

from snapshotter.attach.namespaces import Namespace, same_namespace, status_fields

__all__ = ["has_capability", "may_write", "refusal", "security_label"]

_CAP_DAC_OVERRIDE, _CAP_SYS_PTRACE = 1, 19
_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")


def may_write(pid: int) -> bool:
    """Tell whether we may write the memory of a process; nothing is written."""
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC))
    except PermissionError:
        return False
    return True


def has_capability(fields: dict[str, str], number: int) -> bool:
    """Tell from the fields of a status file whether a capability is in force."""
    return bool(int(fields.get("CapEff", "0"), 16) >> number & 1)


def refusal(pid: int) -> tuple[str, str]:
    """Return the likeliest reason why we may not, a sentence, and what to do about it."""
    ours, theirs = status_fields(os.getpid()), status_fields(pid)
    if has_capability(ours, _CAP_SYS_PTRACE):
        return _despite_capability(pid, ours, theirs)
    if os.geteuid() == 0:
        return (
            "We are root without the capability CAP_SYS_PTRACE, as is usual in a container.",
            "docker run --cap-add SYS_PTRACE …, or securityContext.capabilities.add: [SYS_PTRACE]",
        )
    if _is_in_our_rootless_container(pid):
        enter = f"nsenter --user --preserve-credentials --target {pid} snap doctor {pid}"
        return (
            "It runs as another user of a user namespace of ours, as in a rootless container.",
            f"podman unshare snap doctor {pid}, or: {enter}",
        )
    command = f"sudo snap doctor {pid}"
    reason = _as_plain_user(pid, ours, theirs)
    if reason is not None:
        return reason, command
    scope = _yama_scope()
    if scope:
        return (
            f"The kernel allows this for child processes only (Yama ptrace_scope is {scope}).",
            f"{command}, or: sudo sysctl kernel.yama.ptrace_scope=0",
        )
    return _security_module(pid)


def _is_in_our_rootless_container(pid: int) -> bool:
    """Tell whether the rights that we lack are there for the taking, in its user namespace.

    The owner of a user namespace may look at what is in it, but the files of another user's
    process below ``/proc`` open only to a root of that namespace.
    """
    try:
        return not same_namespace(pid, Namespace.USER)
    except OSError:
        return False


def _as_plain_user(pid: int, ours: dict[str, str], theirs: dict[str, str]) -> str | None:
    for name, what in (("Uid", "user"), ("Gid", "group")):
        # The kernel compares our file system id with its real, effective and saved one.
        mine, its = ours[name].split()[3], sorted(set(theirs[name].split()[:3]))
        if its != [mine]:
            return f"It runs as {what} {', '.join(its)} and we as {what} {mine}."
    # The directory itself always belongs to the user; the files in it only when dumpable.
    if Path(f"/proc/{pid}/status").stat().st_uid == 0:
        return "It has made itself unreadable for its own user (it is not dumpable)."
    if int(theirs["CapPrm"], 16) & ~int(ours["CapPrm"], 16):
        return "It has capabilities that we have not."
    return None


def _despite_capability(pid: int, ours: dict[str, str], theirs: dict[str, str]) -> tuple[str, str]:
    uid = theirs["Uid"].split()[1]
    if uid != ours["Uid"].split()[3] and not has_capability(ours, _CAP_DAC_OVERRIDE):
        return (
            "We lack the capability CAP_DAC_OVERRIDE, to open files of another user's process.",
            f"Add the capabilities DAC_OVERRIDE and CHOWN, or run snap as user {uid}.",
        )
    if _yama_scope() == "3":
        return "The kernel forbids this to everybody (Yama ptrace_scope is 3).", "Only a reboot."
    if _is_in_another_user_namespace(pid):
        return (
            "It lives in a user namespace over which our capabilities have no power.",
            "Run snap in the namespace of its parent, such as on the host.",
        )
    return _security_module(pid)


def _is_in_another_user_namespace(pid: int) -> bool:
    """Tell whether it is known to be; who may not look at a process may not even see this."""
    try:
        return not same_namespace(pid, Namespace.USER)
    except PermissionError:
        return False


def security_label(pid: int) -> str | None:
    """Return what a security module calls a process; None when none confines it."""
    try:
        label = Path(f"/proc/{pid}/attr/current").read_text(encoding="utf-8").strip("\0\n")
    except OSError, UnicodeDecodeError:
        return None
    return None if label in {"", "unconfined"} else label


def _security_module(pid: int) -> tuple[str, str]:
    label = security_label(pid)
    shown = f" (its label is {label})" if label else ""
    return (
        f"The kernel does not allow it; a security module may forbid it{shown}.",
        "Look for a denial in: sudo dmesg | grep -iE 'apparmor|avc'",
    )


def _yama_scope() -> str | None:
    """Return the scope when it restricts anything."""
    try:
        scope = _YAMA.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if scope == "0" else scope
