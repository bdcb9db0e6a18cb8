"""A target that feels pauses: a busy main thread, parked threads, perhaps an I/O thread.

Arguments: LOG THREADS FRAMES OBJECTS IO. The loops store to mapped memory only where there is a
gap; no allocation that the garbage collector counts, no system call but the I/O thread's sleep.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from pathlib import Path

from benchmarks.gaplog import GapLog, channel_words

SMALLEST_NS = 50_000
PERIOD_NS = 2_000_000


gate = threading.Lock()
arrived = threading.Semaphore(0)


def parked(depth: int) -> int:
    """Stand ``depth`` frames deep with four simple locals in each, until the gate opens."""
    label = f"frame {depth}"
    share = depth / 7
    flag = depth % 2 == 0
    if depth > 1:
        return parked(depth - 1) + len(label) + int(share) + flag
    arrived.release()
    with gate:
        return depth


def park(threads: int, frames: int) -> None:
    """Start the parked threads and wait until each stands at its place."""
    gate.acquire()
    for number in range(threads):
        name = f"parked-{number}"
        threading.Thread(target=parked, args=(frames,), name=name, daemon=True).start()
    for _ in range(threads):
        arrived.acquire()


def watch_main(words: memoryview, slots: int) -> None:
    """Spin for ever; note each stretch in which this thread did not run."""
    clock = time.perf_counter_ns
    written = 0
    before = clock()
    while True:
        now = clock()
        if now - before > SMALLEST_NS:
            place = 1 + 2 * (written % slots)
            words[place] = before
            words[place + 1] = now
            written += 1
            words[0] = written
            now = clock()
        before = now


def watch_io(words: memoryview, slots: int) -> None:
    """Wake every 2 ms; note by how much each waking was late."""
    clock = time.perf_counter_ns
    sleep = time.sleep
    written = 0
    while True:
        due = clock() + PERIOD_NS
        sleep(PERIOD_NS / 1e9)
        now = clock()
        place = 1 + 2 * (written % slots)
        words[place] = due
        words[place + 1] = max(due, now)
        written += 1
        words[0] = written


def main(arguments: list[str]) -> None:
    """Build everything, say that it stands, and run."""
    path, threads, frames, objects, with_io = arguments
    log = GapLog(Path(path))
    park(int(threads), int(frames))
    kept: list[list[object]] = [[] for _ in range(int(objects))]
    gc.collect()
    main_words, io_words = channel_words(log.words, 0), channel_words(log.words, 1)
    slots = (len(main_words) - 1) // 2
    if int(with_io):
        threading.Thread(target=watch_io, args=(io_words, slots), name="io", daemon=True).start()
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    watch_main(main_words, slots)
    kept.clear()


if __name__ == "__main__":
    main(sys.argv[1:])
