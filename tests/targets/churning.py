"""A blocked main thread beside threads that are born, compute for a moment and die.

After a line on stdin it ends them and tells how many began and how many came to their end.
"""

from __future__ import annotations

import os
import sys
import threading

began = [0] * 4
ended = [0] * 4
is_over = threading.Event()


def live_shortly(number: int, steps: int) -> None:
    began[number] += 1
    total = 0
    for step in range(steps):
        total += step
    ended[number] += 1


def give_birth(number: int) -> None:
    steps = 0
    while not is_over.is_set():
        steps = (steps + 997) % 20_000
        child = threading.Thread(target=live_shortly, args=(number, steps))
        child.start()
        child.join()


parents = [threading.Thread(target=give_birth, args=(number,)) for number in range(4)]
for parent in parents:
    parent.start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
sys.stdin.readline()
is_over.set()
for parent in parents:
    parent.join()
sys.stdout.write(f"{sum(began)} {sum(ended)} {threading.active_count()}\n")
