"""The target as a process: who it is, and what the operating system says of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Identity", "Incarnation", "ProcessInfo", "PythonProcess"]

_START_TOLERANCE_NS = 2_000_000_000


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
class Incarnation:
    """One run of a program, as far as it is known: what tells it from every other process."""

    pid: int
    start_time_ns: int
    """Unix time, nanoseconds."""
    identity: Identity | None = None
    host: str = ""
    """"" where it is not known."""

    def is_same(self, other: Incarnation) -> bool:
        """Tell whether both are the same run: neither ended, nor called exec in between."""
        if self.identity is not None and other.identity is not None:
            return self.identity == other.identity
        if self.pid != other.pid or (self.host and other.host and self.host != other.host):
            return False
        # Unix start times are computed from the boot time, which a clock correction moves.
        return abs(self.start_time_ns - other.start_time_ns) < _START_TOLERANCE_NS


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

    @property
    def incarnation(self) -> Incarnation:
        """Which run of a program this was a look at."""
        return Incarnation(self.pid, self.start_time_ns, self.identity, self.host)


@dataclass(frozen=True, slots=True)
class PythonProcess:
    """A Python process of this machine, and which views of it a snapshot could have."""

    pid: int
    version: str | None
    """As full as it could be read ("3.14.8", or "3.11" from the name of the program)."""
    uid: int
    user: str
    """Name of the user, or its number."""
    cmdline: tuple[str, ...]
    container: str | None
    attachable: bool
    """The same as ``inside``."""
    why: str = ""
    """One sentence when it is not attachable."""
    build: str | None = None
    """"gil" or "free-threaded", with "debug" and "jit" behind it where they show."""
    inside: bool = False
    """Whether it could be asked: its values would come from its own interpreter."""
    outside: bool = False
    """Whether its memory could be read: stacks, and most values, whatever it does."""
    outside_why: str = ""
    """One sentence when it is not."""
    container_runtime: str | None = None
    """Such as "docker"; None when it runs in no container, or does not show whose."""
