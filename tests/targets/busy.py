"""Never rests, in a known call graph: each line calls at most one function, named on it."""

import os
import sys
import threading


def left(n):
    return left_inner(n)


def left_inner(n):
    return n + 1


def right(n):
    return right_inner(n)


def right_inner(n):
    return n + 2


def deep(n):
    if n > 0:
        return deep(n - 1)
    return left(n)


def wide(n):
    left_inner(n)
    right(n)
    left(n)
    return right_inner(n)


def stream(n):
    for i in range(n):
        yield right(i)


def drain(n):
    for i in stream(n):
        left_inner(i)


def slow(n):
    total = 0
    for i in range(n):
        total += i
    return total


def work():
    while True:
        left(1)
        right(2)
        wide(3)
        deep(9)
        drain(5)
        right(4)
        left(5)
        slow(300)


for _ in range(int(sys.argv[1]) - 1 if len(sys.argv) > 1 else 0):
    threading.Thread(target=work, daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
work()
