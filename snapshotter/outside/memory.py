"""The memory of another process through one descriptor of ``/proc/<pid>/mem``."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from struct import Struct
from typing import TYPE_CHECKING, Self

from snapshotter.errors import (
    NoSuchProcessError,
    NotPermittedError,
    NotPythonError,
    ProcessEndedError,
    SnapshotterError,
    TornReadError,
    check_files,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["MAX_READ_BYTES", "Memory", "living_threads", "not_permitted", "without_memory"]

MAX_READ_BYTES = 64 << 20
"""No single read is larger: a length that a target wrote is never trusted."""

_LOWEST_ADDRESS = 0x1000
_FLAGS_FIELD = 6
_PF_KTHREAD = 0x0020_0000  # include/linux/sched.h
_PF_EXITING = 0x0000_0004
_ENDED = {b"Z", b"X", b"x"}
_ADDRESS_LIMIT = 1 << 56
_U64 = Struct("<Q")
_I32 = Struct("<i")


def not_permitted(pid: int) -> NotPermittedError:
    """Return the error for a process that the kernel does not let us read, with the fix."""
    return NotPermittedError(
        f"The kernel does not let this user read the memory of process {pid}.",
        hint=f"Run it again with sudo, or give this program CAP_SYS_PTRACE; process {pid} must "
        "belong to the same user and group and be dumpable otherwise.",
    )


def without_memory(pid: int) -> SnapshotterError:
    """Return the error for a ``pid`` that exists and has no memory: a zombie or kernel thread."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        is_kernel_thread = bool(int(fields[_FLAGS_FIELD]) & _PF_KTHREAD)
    except OSError, IndexError, ValueError:
        is_kernel_thread = False
    # A process that ends gives its memory back some time before it is a zombie.
    if not is_kernel_thread:
        return _ended(pid)
    return NotPythonError(
        f"Process {pid} is a kernel thread, not a Python program.",
        hint="List Python processes with: snap ps",
    )


def _ended(pid: int) -> ProcessEndedError:
    """Return the error for a process that has ended, or whose main thread alone has."""
    other = next(living_threads(pid), None)
    if other is None:
        return ProcessEndedError(f"Process {pid} has ended.")
    return ProcessEndedError(
        f"The main thread of process {pid} has ended, and with it the view of its memory.",
        hint=f"Others of its threads still run; see all of it through one: snap dump {other}",
    )


def living_threads(pid: int) -> Iterator[int]:
    """Yield threads of ``pid`` that have not ended and are not about to."""
    try:
        for tid in os.listdir(f"/proc/{pid}/task"):
            with suppress(FileNotFoundError, ProcessLookupError, IndexError, ValueError):
                with open(f"/proc/{pid}/task/{tid}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                if fields[0] not in _ENDED and not int(fields[_FLAGS_FIELD]) & _PF_EXITING:
                    yield int(tid)
    except OSError as error:
        check_files(error)


class Memory:
    """One open ``/proc/<pid>/mem``.

    The descriptor stays bound to the program image that ran when it was opened: neither a reused
    pid nor an exec can redirect it; after either, every read raises ``ProcessEndedError``.
    """

    __slots__ = ("fd", "pid")

    def __init__(self, pid: int, *, writable: bool = False) -> None:
        """Open the memory of ``pid``.

        Raises ``NoSuchProcessError``, ``NotPermittedError``, and ``NotPythonError`` for a kernel
        thread.
        """
        self.pid = pid
        self.fd = -1
        flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC
        try:
            self.fd = os.open(f"/proc/{pid}/mem", flags)
        except PermissionError as error:
            raise not_permitted(pid) from error
        except ProcessLookupError as error:
            raise without_memory(pid) from error
        except FileNotFoundError as error:
            raise NoSuchProcessError(
                f"There is no process {pid}.", hint="List Python processes with: snap ps"
            ) from error
        except OSError as error:
            check_files(error)
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the descriptor."""
        self.close()

    def close(self) -> None:
        """Close the descriptor; harmless when it is closed already."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)

    def read(self, address: int, size: int) -> bytes:
        """Return exactly ``size`` bytes at ``address``.

        Raises ``TornReadError`` when they are not all readable and ``ProcessEndedError`` when the
        process, or its program image, is gone.
        """
        data = self.read_some(address, size)
        if len(data) != size:
            message = f"Only {len(data)} of {size} bytes at {address:#x} are readable."
            raise TornReadError(message)
        return data

    def read_some(self, address: int, size: int) -> bytes:
        """Return up to ``size`` bytes at ``address``, at least one, cut at the next hole.

        Raises as ``read`` does.
        """
        if not _LOWEST_ADDRESS <= address < _ADDRESS_LIMIT or not 0 < size <= MAX_READ_BYTES:
            message = f"{size} bytes at {address:#x} cannot be a real place in memory."
            raise TornReadError(message)
        try:
            data = os.pread(self.fd, size, address)
        except OSError as error:
            raise self._explain(error, address) from error
        if not data:
            # The kernel answers 0 bytes only when the last user of this memory is gone.
            raise self._ended()
        return data

    def write(self, address: int, data: bytes) -> None:
        """Write ``data`` at ``address``. Raises as ``read`` does."""
        if not _LOWEST_ADDRESS <= address < _ADDRESS_LIMIT:
            message = f"{address:#x} cannot be a real place in memory."
            raise TornReadError(message)
        try:
            written = os.pwrite(self.fd, data, address)
        except OSError as error:
            raise self._explain(error, address) from error
        if not written and data:
            raise self._ended()
        if written != len(data):
            message = f"Only {written} of {len(data)} bytes at {address:#x} could be written."
            raise TornReadError(message)

    def u64(self, address: int) -> int:
        """Return the unsigned 64-bit integer at ``address``."""
        value: int = _U64.unpack(self.read(address, 8))[0]
        return value

    def i32(self, address: int) -> int:
        """Return the signed 32-bit integer at ``address``."""
        value: int = _I32.unpack(self.read(address, 4))[0]
        return value

    def _explain(self, error: OSError, address: int) -> Exception:
        if error.errno in (errno.EIO, errno.EFAULT):
            return TornReadError(f"Nothing can be read or written at {address:#x}.")
        if error.errno == errno.ESRCH:
            return self._ended()
        if error.errno in (errno.EPERM, errno.EACCES):
            return not_permitted(self.pid)
        return error

    def _ended(self) -> ProcessEndedError:
        return ProcessEndedError(
            f"Process {self.pid} ended, or became another program, while it was being read."
        )
