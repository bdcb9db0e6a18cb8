"""What the kernel says of the threads of a process: counters, numbers, what they wait in."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

from snapshotter.errors import ProcessEndedError, check_files
from snapshotter.model.snapshot import Counters

__all__ = [
    "Syscall",
    "ThreadFacts",
    "innermost_id",
    "is_thread",
    "last_cpu",
    "native_to_os_tid",
    "process_state",
    "start_ticks",
    "thread_counters",
    "thread_facts",
    "thread_ids",
    "times_run",
    "waiting_on",
]

_MAX_BYTES = 64 << 10
_STATE_FIELD = 0
_START_FIELD = 19
_CPU_FIELD = 36


@dataclass(frozen=True, slots=True)
class Syscall:
    """The system call that a sleeping thread is in, and its first arguments."""

    number: int
    """-1 when it sleeps without being in a system call (a page fault)."""
    arguments: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadFacts:
    """What the kernel says of a thread."""

    counters: Counters
    name: str
    """At most 15 bytes; that of the thread that made it until somebody gives it one."""


def thread_ids(pid: int) -> tuple[int, ...]:
    """Return the OS thread ids of ``pid``, as our own pid namespace numbers them.

    Raises ``ProcessEndedError``.
    """
    try:
        return tuple(int(name) for name in os.listdir(f"/proc/{pid}/task"))
    except OSError as error:
        check_files(error)
        raise ProcessEndedError(f"Process {pid} has ended.") from error


def is_thread(pid: int, tid: int) -> bool:
    """Return whether ``pid`` has an OS thread of this number."""
    return os.path.exists(f"/proc/{pid}/task/{tid}")


def native_to_os_tid(pid: int) -> dict[int, int]:
    """Return the mapping from the target's own thread numbers to ours.

    They differ when the target lives in a pid namespace below ours. Raises ``ProcessEndedError``.
    """
    ids = thread_ids(pid)
    if len(_namespace_ids(f"/proc/{pid}/status")) <= 1:
        return {tid: tid for tid in ids}
    mapping = {}
    for tid in ids:
        numbers = _namespace_ids(f"/proc/{pid}/task/{tid}/status")
        if numbers:
            mapping[numbers[-1]] = tid
    return mapping


def innermost_id(pid: int) -> int:
    """Return the pid as the process itself sees it."""
    numbers = _namespace_ids(f"/proc/{pid}/status")
    return numbers[-1] if numbers else pid


def start_ticks(pid: int) -> int | None:
    """Return the start time of ``pid`` in clock ticks since boot, None when it is gone."""
    fields = _stat_fields(f"/proc/{pid}/stat")
    return int(fields[_START_FIELD]) if fields else None


def process_state(pid: int) -> str | None:
    """Return the state letter of the main thread of ``pid``, None when it is gone."""
    fields = _stat_fields(f"/proc/{pid}/stat")
    return fields[_STATE_FIELD].decode() if fields else None


def thread_counters(pid: int, tid: int, now_ns: int) -> Counters | None:
    """Return the kernel's counters of one thread, None when it is gone.

    ``tid`` is ours, not the target's; ``now_ns`` is the monotonic time that they are kept under.
    """
    facts = thread_facts(pid, tid, now_ns)
    return facts.counters if facts else None


def thread_facts(pid: int, tid: int, now_ns: int) -> ThreadFacts | None:
    """Return what the kernel says of one thread, None when it is gone; see ``thread_counters``."""
    base = f"/proc/{pid}/task/{tid}/"
    head, _, rest = _slurp(base + "stat").rpartition(b")")
    fields = rest.split()
    if len(fields) <= _START_FIELD:
        return None
    voluntary, involuntary = _switches(base + "status")
    counters = Counters(
        state=fields[_STATE_FIELD].decode("ascii", "replace"),
        wchan=_wchan(base + "wchan"),
        voluntary_switches=voluntary,
        involuntary_switches=involuntary,
        cpu_ns=_cpu_ns(base + "schedstat"),
        start_ticks=int(fields[_START_FIELD]),
        at_ns=now_ns,
    )
    return ThreadFacts(counters, head.partition(b"(")[2].decode("utf-8", "replace"))


def last_cpu(pid: int, tid: int) -> int | None:
    """Return the CPU on which the thread runs, or ran last; None when it is gone."""
    fields = _stat_fields(f"/proc/{pid}/task/{tid}/stat")
    return int(fields[_CPU_FIELD]) if fields and len(fields) > _CPU_FIELD else None


def waiting_on(pid: int, tid: int) -> Syscall | str | None:
    """Return what the thread sleeps in, "running" when it is on a CPU or ready for one.

    None when the kernel does not tell (no permission, a sandbox, the thread is gone).
    """
    text = _slurp(f"/proc/{pid}/task/{tid}/syscall")
    if not text:
        return None
    words = text.split()
    if words[0] == b"running":
        return "running"
    try:
        number = int(words[0])
        arguments = tuple(int(word, 16) for word in words[1:7]) if number >= 0 else ()
    except ValueError:
        return None
    return Syscall(number, arguments)


def times_run(pid: int, tid: int) -> int | None:
    """Return how often the kernel has put the thread on a CPU, None where it does not count."""
    words = _slurp(f"/proc/{pid}/task/{tid}/schedstat").split()
    with suppress(ValueError, IndexError):
        return int(words[2]) or None
    return None


def _slurp(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        check_files(error)
        return b""
    try:
        return os.read(fd, _MAX_BYTES)
    except OSError:
        return b""
    finally:
        os.close(fd)


def _stat_fields(path: str) -> list[bytes] | None:
    """Fields of a ``stat`` file from the state letter (field 3) on."""
    # The name before them is free text: a target may write spaces and brackets into it.
    fields = _slurp(path).rpartition(b")")[2].split()
    return fields if len(fields) > _START_FIELD else None


def _namespace_ids(path: str) -> list[int]:
    text = _slurp(path)
    at = text.find(b"\nNSpid:")
    if at < 0:
        return []
    with suppress(ValueError):
        return [int(word) for word in text[at + 7 : text.index(b"\n", at + 7)].split()]
    return []


def _switches(path: str) -> tuple[int | None, int | None]:
    text = _slurp(path)
    return _number_after(text, b"\nvoluntary_ctxt_switches:"), _number_after(
        text, b"\nnonvoluntary_ctxt_switches:"
    )


def _number_after(text: bytes, label: bytes) -> int | None:
    at = text.rfind(label)
    if at < 0:
        return None
    with suppress(ValueError):
        return int(text[at + len(label) :].split(None, 1)[0])
    return None


def _cpu_ns(path: str) -> int | None:
    words = _slurp(path).split()
    with suppress(ValueError, IndexError):
        return int(words[0])
    return None


def _wchan(path: str) -> str | None:
    text = _slurp(path).decode("ascii", "replace").strip()
    return text if text not in {"", "0"} else None
