"""Does what it is told: reads lines ("exec" or "eval", text), answers each with one line."""

# ruff: noqa: BLE001, F401, S102, S307
# That is its purpose; and once it gave up root it may no longer be able to import.

import ctypes
import encodings.idna
import os
import resource
import signal
import subprocess
import sys
import threading
import time

os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
while line := sys.stdin.readline():
    how, text = eval(line)
    try:
        answer = eval(text) if how == "eval" else exec(text)
    except OSError as error:
        answer = type(error).__name__
    except Exception as error:
        answer = repr(error)
    sys.stdout.write(repr(answer) + "\n")
    sys.stdout.flush()
