"""A target that computes without a pause and counts what it has done. Argument: FILE."""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path

STEP = 1_000


def work(count: memoryview) -> None:
    """Call and return all the time; no allocation that the collector counts, no system call."""
    done = 0
    while True:
        step(STEP)
        done += 1
        count[0] = done


def step(number: int) -> int:
    """Compute a little."""
    total = 0
    while number:
        number -= 1
        total = add(total & 255, number & 255)
    return total


def add(one: int, other: int) -> int:
    """Be one call."""
    return one + other


def main(path: Path) -> None:
    """Map the file, say that it stands, and compute for ever."""
    with path.open("r+b") as file:
        count = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    work(count)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
