"""The system calls in which a thread can stay for long, by number, and what they mean in words."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from snapshotter.outside.procfs import Syscall

__all__ = ["describe_syscall", "is_futex", "syscall_name"]

# include/uapi/asm-generic/unistd.h and arch/x86/entry/syscalls/syscall_64.tbl of Linux
_NUMBERS: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "x86_64": MappingProxyType(
            {
                0: "read", 1: "write", 2: "open", 7: "poll", 16: "ioctl", 17: "pread64",
                18: "pwrite64", 19: "readv", 20: "writev", 23: "select", 34: "pause",
                35: "nanosleep", 40: "sendfile", 42: "connect", 43: "accept", 44: "sendto",
                45: "recvfrom", 46: "sendmsg", 47: "recvmsg", 61: "wait4", 65: "semop",
                70: "msgrcv", 72: "fcntl", 73: "flock", 74: "fsync", 75: "fdatasync",
                128: "rt_sigtimedwait", 130: "rt_sigsuspend", 202: "futex", 220: "semtimedop",
                230: "clock_nanosleep", 232: "epoll_wait", 243: "mq_timedreceive", 247: "waitid",
                257: "openat", 270: "pselect6", 271: "ppoll", 275: "splice", 281: "epoll_pwait",
                288: "accept4", 299: "recvmmsg", 318: "getrandom", 426: "io_uring_enter",
                441: "epoll_pwait2", 449: "futex_waitv", 455: "futex_wait",
            }
        ),
        "aarch64": MappingProxyType(
            {
                22: "epoll_pwait", 25: "fcntl", 29: "ioctl", 32: "flock", 56: "openat",
                63: "read", 64: "write", 65: "readv", 66: "writev", 67: "pread64",
                68: "pwrite64", 71: "sendfile", 72: "pselect6", 73: "ppoll", 76: "splice",
                82: "fsync", 83: "fdatasync", 95: "waitid", 98: "futex", 101: "nanosleep",
                115: "clock_nanosleep", 133: "rt_sigsuspend", 137: "rt_sigtimedwait",
                183: "mq_timedreceive", 188: "msgrcv", 192: "semtimedop", 193: "semop",
                202: "accept", 203: "connect", 206: "sendto", 207: "recvfrom", 211: "sendmsg",
                212: "recvmsg", 242: "accept4", 243: "recvmmsg", 260: "wait4", 278: "getrandom",
                426: "io_uring_enter", 441: "epoll_pwait2", 449: "futex_waitv",
                455: "futex_wait",
            }
        ),
    }
)  # fmt: skip

_MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "waiting for a lock": "futex futex_wait futex_waitv",
        "sleeping": "nanosleep clock_nanosleep",
        "waiting for file descriptors": "select pselect6 poll ppoll epoll_wait epoll_pwait "
        "epoll_pwait2 io_uring_enter",
        "reading": "read readv pread64 splice",
        "writing": "write writev pwrite64 sendfile",
        "receiving": "recvfrom recvmsg recvmmsg",
        "sending": "sendto sendmsg",
        "waiting for a connection": "accept accept4",
        "connecting": "connect",
        "waiting for a child process": "wait4 waitid",
        "waiting for a file lock": "flock fcntl",
        "waiting for a signal": "pause rt_sigsuspend rt_sigtimedwait",
        "waiting for a semaphore": "semop semtimedop",
        "waiting for a message": "msgrcv mq_timedreceive",
        "waiting for the disk": "fsync fdatasync",
        "opening a file": "open openat",
        "waiting for a device": "ioctl",
        "waiting for random numbers": "getrandom",
    }
)
_WORDS = {name: words for words, names in _MEANINGS.items() for name in names.split()}
_ON_A_DESCRIPTOR = frozenset({"reading", "writing", "receiving", "sending"})
_FUTEX = frozenset({"futex", "futex_wait"})


def syscall_name(number: int, machine: str = "") -> str | None:
    """Return the name of system call ``number`` on ``machine`` (by default this one)."""
    return _NUMBERS.get(machine or os.uname().machine, {}).get(number)


def is_futex(call: Syscall) -> bool:
    """True when the thread waits for a futex; its address is the first argument."""
    return syscall_name(call.number) in _FUTEX


def describe_syscall(pid: int, call: Syscall) -> str:
    """Return what a thread that sleeps in ``call`` does: "sleeping (clock_nanosleep)"."""
    if call.number < 0:
        return "waiting for a page of memory"
    name = syscall_name(call.number)
    if name is None:
        return f"in system call {call.number}"
    words = _WORDS[name]
    if words in _ON_A_DESCRIPTOR and call.arguments:
        words += f" on descriptor {call.arguments[0]}{_descriptor_kind(pid, call.arguments[0])}"
    return f"{words} ({name})"


def _descriptor_kind(pid: int, descriptor: int) -> str:
    try:
        link = os.readlink(f"/proc/{pid}/fd/{descriptor}")
    except OSError:
        return ""
    for prefix, kind in (
        ("socket:", "socket"),
        ("pipe:", "pipe"),
        ("/dev/pts/", "terminal"),
        ("/dev/tty", "terminal"),
        ("/dev/", "device"),
        ("/", "file"),
    ):
        if link.startswith(prefix):
            return f", a {kind}"
    return ""
