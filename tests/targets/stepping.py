"""Sleeps in short steps; arguments: milliseconds of each, number of other threads."""

import os
import sys
import threading
import time

for _ in range(int(sys.argv[2])):
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
while True:
    time.sleep(int(sys.argv[1]) / 1000)
