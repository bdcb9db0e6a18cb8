"""Sleeps in the main thread, called through two functions."""

import os
import time


def outer():
    inner()


def inner():
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    while True:
        time.sleep(3600)


outer()
