"""Its main thread computes without end, another one sleeps in short steps; both have locals."""

import os
import threading
import time


def rest():
    word = "waiting"
    while word:
        time.sleep(0.05)


def work():
    name, number = "at work", 41
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    while name:
        number = (number + 1) % 1000


threading.Thread(target=rest, name="rest", daemon=True).start()
work()
