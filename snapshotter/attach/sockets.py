"""Descriptors and unix sockets of another process: borrowed, and asked for their other end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["borrowed", "peer_inode", "socket_inode"]

_PIDFD_GETFD: Final = 438  # the same on every architecture
# include/uapi/linux/netlink.h, sock_diag.h, unix_diag.h
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST = 4, 20, 1
_SHOW_PEER, _PEER = 1 << 2, 2
_ANY = 0xFFFF_FFFF
_HEADER: Final = struct.Struct("=IHHII")
_REQUEST: Final = struct.Struct("=BBHIII2I")
_MESSAGE: Final = struct.Struct("=BBBBI2I")
_ATTRIBUTE: Final = struct.Struct("=HH")
_ANSWER_BYTES: Final = 8192
_ANSWER_WITHIN_S: Final = 1.0


@contextlib.contextmanager
def borrowed(pid: int, descriptor: int) -> Iterator[int]:
    """Give a descriptor of ours for the open file behind ``descriptor`` of process ``pid``.

    Raises OSError where the kernel does not let us have it.
    """
    pidfd = os.pidfd_open(pid)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        ours = libc.syscall(
            ctypes.c_long(_PIDFD_GETFD), ctypes.c_int(pidfd), ctypes.c_int(descriptor), 0
        )
        if ours < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(pidfd)
    try:
        yield ours
    finally:
        os.close(ours)


def socket_inode(pid: int, descriptor: int) -> int | None:
    """Return the inode of the socket behind a descriptor of a process, None if it is no socket."""
    try:
        link = os.readlink(f"/proc/{pid}/fd/{descriptor}")
    except OSError:
        return None
    number = link.removeprefix("socket:[").removesuffix("]")
    return int(number) if link.startswith("socket:[") and number.isdecimal() else None


def peer_inode(pid: int, inode: int) -> int | None:
    """Return the inode at the other end of a unix socket of a process, None if there is none.

    Raises OSError where the kernel does not tell.
    """
    with _netlink_of(pid) as link:
        link.settimeout(_ANSWER_WITHIN_S)
        request = _REQUEST.pack(socket.AF_UNIX, 0, 0, _ANY, inode, _SHOW_PEER, _ANY, _ANY)
        header = _HEADER.pack(
            _HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0
        )
        link.sendto(header + request, (0, 0))
        answer = link.recv(_ANSWER_BYTES)
    if len(answer) < _HEADER.size + _MESSAGE.size:
        return None
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    if kind != _SOCK_DIAG_BY_FAMILY or _MESSAGE.unpack_from(answer, _HEADER.size)[4] != inode:
        return None
    return _peer_among(answer[_HEADER.size + _MESSAGE.size :])


def _peer_among(attributes: bytes) -> int | None:
    while len(attributes) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(attributes)
        if size < _ATTRIBUTE.size:
            break
        if kind == _PEER and size >= _ATTRIBUTE.size + 4:
            return int.from_bytes(attributes[_ATTRIBUTE.size : _ATTRIBUTE.size + 4], "little")
        attributes = attributes[(size + 3) & ~3 :]
    return None


def _netlink_of(pid: int) -> socket.socket:
    """Open a socket that tells of the network namespace of a process."""
    theirs = f"/proc/{pid}/ns/net"
    if os.readlink(theirs) == os.readlink("/proc/self/ns/net"):
        return _netlink()
    found: list[socket.socket | OSError] = []

    def enter_and_open() -> None:
        # a namespace is entered by a thread, and left with its end
        try:
            with open(theirs, "rb") as namespace:
                os.setns(namespace.fileno(), os.CLONE_NEWNET)
            found.append(_netlink())
        except OSError as error:
            found.append(error)

    visitor = threading.Thread(target=enter_and_open)
    visitor.start()
    visitor.join()
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]


def _netlink() -> socket.socket:
    return socket.socket(
        socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
    )
