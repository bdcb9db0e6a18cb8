"""Works until it is told, then ends in the way that the first argument names.

The second argument is the number of other threads.
"""

import atexit
import os
import signal
import sys
import threading
import time

told = []


def step(n):
    return n + 1


def work(seconds):
    end = time.monotonic() + seconds
    n = 0
    while time.monotonic() < end:
        n = step(n)


def sys_exit():
    sys.exit(3)


def non_daemon():
    threading.Thread(target=work, args=(0.1,)).start()
    sys.exit(4)


def os_exit():
    os._exit(5)


def at_exit():
    atexit.register(work, 0.1)


def replace():
    code = "import os, time; time.sleep(0.3); os.write(1, b'replaced\\n')"
    os.execv(sys.executable, [sys.executable, "-S", "-c", code])  # noqa: S606


def by_sigterm():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


def by_sigint():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    except KeyboardInterrupt:
        os.write(1, b"interrupted\n")
        sys.exit(6)


def raising():
    raise SystemExit("a last word")


class Last:
    def __del__(self):
        os.write(1, b"finalized\n")


last = Last()
atexit.register(os.write, 1, b"exit handler\n")
for _ in range(int(sys.argv[2])):
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
threading.Thread(target=lambda: told.append(sys.stdin.readline()), daemon=True).start()
while not told:
    work(0.003)
globals()[sys.argv[1]]()
