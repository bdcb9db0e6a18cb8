"""A blocked main thread, and a busy worker to which signals are sent; counts those that arrive.

Real-time signals wait in a queue, and each one that is delivered writes a byte.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading

ours, theirs = socket.socketpair()
ours.settimeout(0)
arrived = [0]


def work() -> None:
    number = 0
    while True:
        number += 1


def count() -> None:
    while data := theirs.recv(4096):
        arrived[0] += len(data)


def main() -> None:
    signal.signal(signal.SIGRTMIN, lambda *_: None)
    signal.set_wakeup_fd(ours.fileno())
    for target in (work, count):
        threading.Thread(target=target, daemon=True, name=target.__name__).start()
    worker = next(one for one in threading.enumerate() if one.name == "work")
    sys.stdout.write(f"{worker.native_id}\n")
    sys.stdout.flush()
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    for _ in sys.stdin:
        sys.stdout.write(f"{arrived[0]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
