"""The target as a process: who it is, and what the operating system says of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Identity", "ProcessInfo", "PythonProcess"]


@dataclass(frozen=True, slots=True)
class Identity:
    """One incarnation of a process: neither pid reuse nor exec gives two the same identity."""

    boot_id: str
    pid: int
    start_ticks: int
    """Field 22 of ``/proc/<pid>/stat``: clock ticks since boot."""
    executable_inode: int
    """Device and inode of the mapped executable, as ``dev << 64 | ino``."""
    random_address: int
    """``AT_RANDOM`` of the program image: another one after each exec."""


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """Process figures at the time of the dump; None where the system does not tell."""

    pid: int
    start_time_ns: int
    """Unix time, nanoseconds."""
    uid: int
    python: str
    """Full version, such as "3.14.8"."""
    executable: str
    cmdline: tuple[str, ...]
    cwd: str | None = None
    host: str = ""
    container: str | None = None
    rss_bytes: int | None = None
    cpu_ns: int | None = None
    """User and system time since the process started."""
    fds: int | None = None
    os_threads: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    state: str | None = None
    """State letter of ``/proc/<pid>/stat``."""
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class PythonProcess:
    """A Python process of this machine, and whether a snapshot of it could be taken from inside."""

    pid: int
    version: str | None
    """As full as it could be read ("3.14.8", or "3.11" from the name of the program)."""
    uid: int
    user: str
    """Name of the user, or its number."""
    cmdline: tuple[str, ...]
    container: str | None
    attachable: bool
    why: str = ""
    """One sentence when it is not attachable."""
