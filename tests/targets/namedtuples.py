"""A main thread that does nothing but make namedtuples, whose constructor has no builtins."""

from __future__ import annotations

import collections
import os
import threading
import time

Point = collections.namedtuple("Point", "a b c d e")  # noqa: PYI024 - the one meant


def main() -> None:
    threading.Thread(target=time.sleep, args=(1_000,), daemon=True).start()
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    while True:
        for number in range(100):
            Point(1, 2, 3, 4, number)


if __name__ == "__main__":
    main()
