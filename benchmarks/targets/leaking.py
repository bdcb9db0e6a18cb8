"""A target that tells what it holds: run 5,000 dumps on it and ask again.

A line on stdin asks; the answer is one line of JSON on stdout. Beside a main thread that wakes all
the time there are parked threads with locals of many kinds.
"""

from __future__ import annotations

import collections
import gc
import json
import os
import re
import select
import sys
import threading
from pathlib import Path

gate = threading.Lock()


class Order:
    """An application object."""

    def __init__(self, number: int) -> None:
        """Note some attributes."""
        self.number = number
        self.lines = [f"line {part}" for part in range(number % 5)]


def parked(depth: int) -> int:
    """Hold values of many kinds."""
    order = Order(depth)
    table = {f"key {part}": part / 3 for part in range(depth)}
    queue = collections.deque(range(depth), maxlen=20)
    mixed = (depth, f"text {depth}", b"bytes", None, {1, 2, depth}, range(depth), re.compile("a+"))
    if depth > 1:
        return parked(depth - 1) + len(table) + len(queue) + len(mixed) + order.number
    with gate:
        return depth


def figures() -> dict[str, int]:
    """Count what may grow."""
    gc.collect()
    return {
        "GC objects": len(gc.get_objects()),
        "types": sum(isinstance(found, type) for found in gc.get_objects()),
        "interned strings": sys.getunicodeinternedsize(),
        "modules": len(sys.modules),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "OS threads": len(list(Path("/proc/self/task").iterdir())),
        "Python threads": len(sys._current_frames()),  # noqa: SLF001 - those threading ignores too
        "memory blocks": sys.getallocatedblocks(),
    }


def main() -> None:
    """Answer questions; compute a little in between, so that there are safe points."""
    gate.acquire()
    for _ in range(10):
        threading.Thread(target=parked, args=(10,), daemon=True).start()
    figures()
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    while True:
        sum(range(20_000))
        if select.select([0], [], [], 0)[0]:
            if not sys.stdin.readline():
                return
            sys.stdout.write(json.dumps(figures()) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
