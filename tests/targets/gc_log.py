"""Lets the collector run by itself and writes down each run as ``gc.callbacks`` tells it."""

import gc
import json
import os
import sys
import time

runs = []
began = [0]


class Cycle:
    def __init__(self):
        self.own = self


def note(phase, info):
    if phase == "start":
        began[0] = time.perf_counter_ns()
    else:
        runs.append([info["generation"], info["collected"], began[0], time.perf_counter_ns()])


gc.set_threshold(200, 3, 4)
gc.callbacks.append(note)
kept = []
for number in range(30_000):
    Cycle()
    if number % 50 == 0:
        kept.append(Cycle())
gc.collect()
gc.disable()
sys.stdout.write(
    json.dumps({"runs": runs, "stats": gc.get_stats(), "count": gc.get_count()}) + "\n"
)
sys.stdout.flush()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
sys.stdin.readline()
