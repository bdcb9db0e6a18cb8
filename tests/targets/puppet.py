"""Does what it reads from stdin: a tuple ("exec" or "eval", text) per line, one answer line each."""

import ctypes  # noqa: F401 - a program that gave up root may no longer import
import encodings.idna  # noqa: F401 - as above
import os
import resource  # noqa: F401 - as above
import signal  # noqa: F401 - as above
import subprocess  # noqa: F401 - as above
import sys
import threading  # noqa: F401 - as above
import time  # noqa: F401 - as above

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
