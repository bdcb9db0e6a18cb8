"""Calls one tiny function after the other as fast as it can, below a number of other frames."""

import os
import sys


def first():
    return 1


def second():
    return 2


def third():
    return 3


def fourth():
    return 4


def phases():
    while True:
        first()
        second()
        third()
        fourth()


def below(depth):
    return below(depth - 1) if depth else phases()


os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
below(int(sys.argv[1]))
