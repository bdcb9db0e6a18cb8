"""Two threads that stand still, some calls deep, with locals of many kinds."""

import os
import threading
import time


class Order:
    def __init__(self):
        self.number, self.lines = 41, ["a", "b"]


def park(depth, ready):
    order, prices, words = Order(), {"a": 1.5, "b": 2.5}, {"x", "y"}
    if depth:
        return park(depth - 1, ready)
    os.write(ready, b"ready\n") if ready >= 0 else None
    time.sleep(600)
    return order, prices, words


threading.Thread(target=park, args=(5, -1), name="parked", daemon=True).start()
park(5, int(os.environ["SNAP_READY_FD"]))
