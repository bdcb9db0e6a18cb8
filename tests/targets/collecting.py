"""Collects garbage, then prints what the gc module says of it, line by line as it is told to."""

import gc
import json
import os
import sys


class Cycle:
    def __init__(self):
        self.own = self


def called(_phase, _info):
    pass


gc.callbacks.append(called)
gc.callbacks.append(Cycle().__init__)
gc.callbacks.append(len)
gc.disable()
gc.set_threshold(700, 11, 12)
for _ in range(30):
    Cycle()
    gc.collect(0)
for _ in range(4):
    Cycle()
    gc.collect(1)
gc.collect()
gc.garbage.append("kept")
if "freeze" in sys.argv:
    gc.freeze()
gc.enable()
sys.stdout.write(json.dumps({"stats": gc.get_stats(), "frozen": gc.get_freeze_count()}) + "\n")
sys.stdout.flush()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
sys.stdin.readline()
