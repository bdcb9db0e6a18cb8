"""Answers each request by itself, and not as the probe would: argv says how."""

# ruff: noqa: PTH123, S302
# The hook has strings, and no time to lose.

import marshal
import os
import struct
import sys
import threading
import time

import msgpack

ESCAPES = "\x1b]52;c;aGk=\x07\x1b[2J\u202e\x00\r\n"
HUGE = (1 << 64) - 1
stop = []  # our own attacks end when they have lasted long enough to be seen


def skeleton(nonce, **changes):
    """A whole reply as a probe could write it, with changes."""
    fields = {
        "v": "1",
        "nonce": nonce,
        "carrier": "thread",
        "carrier_ident": 1,
        "started_ns": 1,
        "ended_ns": 2,
        "slices": 1,
        "pause_max_ns": 1,
        "pause_total_ns": 1,
        "frozen_clock": False,
        "types": ["T"],
        "nodes": [],
        "codes": [["app.py", "main", 1, 0, b"\x80\x00"]],
        "stacks": b"",
        "threads": [],
        "names": [],
        "locals": [],
        "notes": [],
        "missing": [],
        "gc": None,
        "interpreter": {"version": "3.14.8", "signals": []},
        "asyncio": False,
        "tasks": [],
        "tasks_total": 0,
        "variables": [],
    }
    return msgpack.packb({**fields, **changes, "end": nonce})


def ident():
    return threading.main_thread().ident


def absurd_figures(nonce):
    row = [ident(), 0, 1, HUGE, True]
    stat = {"collections": HUGE, "collected": 0, "uncollectable": 0, "duration": "0x1p29"}
    stat["x" * 40] = -1
    gc = {"enabled": True, "freeze_count": HUGE, "garbage": -1, "callbacks": [ESCAPES]}
    gc |= {"count": [HUGE], "threshold": [-1], "stats": [stat]}
    interpreter = {"version": ESCAPES, "signals": [[HUGE, ESCAPES]], "modules": -5}
    interpreter["getswitchinterval"] = "0x1p30"
    return skeleton(
        nonce,
        slices=-(1 << 63),
        pause_max_ns=HUGE,
        pause_total_ns=HUGE,
        started_ns=HUGE,
        carrier_ident=HUGE,
        names=[[ident(), ESCAPES, True], [HUGE, "x" * 100_000, None]],
        codes=[[ESCAPES * 1000, ESCAPES, HUGE, 0, b"\xff" * 64]],
        stacks=struct.pack("<Q", 0xFFFF_FFFF),
        threads=[row],
        missing=[ESCAPES] * 50,
        gc=gc,
        interpreter=interpreter,
        tasks=[[HUGE, ESCAPES, "pending", HUGE, HUGE, [0], ESCAPES]],
        tasks_total=HUGE,
        variables=[[ESCAPES, None, ESCAPES]],
    )


def values_that_hold_each_other(nonce):
    """Cycles, and a value of which each level shows the next one twice."""
    deep = [[10, 0, 0, HUGE, None, 1, [None, n + 1, None, n + 1], None] for n in range(500)]
    nodes = [*deep, [10, 0, 0, 1, None, 2, [None, 500, "x", 0], [ESCAPES, 500]]]
    where = [[0, 0, f"local{n}", n % 501] for n in range(2000)]
    stack = [[ident(), 0, 1, 5, True]]
    place = struct.pack("<Q", 0)
    return skeleton(nonce, nodes=nodes, locals=where, threads=stack, stacks=place)


def endless_stack(nonce):
    size = 400_000
    stack = [[ident(), 0, size, 5, True]]
    return skeleton(nonce, threads=stack, stacks=struct.pack("<Q", 0) * size)


def many_threads(nonce):
    stack = struct.pack("<Q", 0) * 60_000
    rows = [[7000 + n, n, 1, 5, True] for n in range(60_000)]
    return skeleton(nonce, threads=rows, stacks=stack)


def long_texts(nonce):
    text = "\u0bae\u0bbf" * 500_000
    nodes = [[4, 0, 0, HUGE, text, 1, None, None]]
    names = [[ident(), text, True]]
    stack = [[ident(), 0, 1, 5, True]]
    where = [[0, 0, text[:1000], 0]]
    place = struct.pack("<Q", 0)
    return skeleton(nonce, nodes=nodes, names=names, threads=stack, stacks=place, locals=where)


def names_that_talk(nonce):
    stat = {"collections": 1, "collected": 0, "uncollectable": 0, ESCAPES: 1}
    gc = {"enabled": True, "freeze_count": 0, "garbage": 0, "callbacks": []}
    return skeleton(nonce, gc={**gc, "count": [1], "threshold": [1], "stats": [stat]})


WHOLE = {
    "garbage": lambda nonce: os.urandom(100_000) + nonce,
    "array-bomb": lambda nonce: b"\xdd\x00\x01\xff\xff" * 900 + nonce,
    "many-empty-arrays": lambda nonce: b"\xdd\x00\x0f\xff\xff" + b"\x90" * 0xF_FFFF + nonce,
    "other-nonce": lambda nonce: skeleton(b"fedcba9876543210")[:-16] + nonce,
    "huge": lambda nonce: skeleton(nonce, missing=["x" * (9 << 20)]),
    "names-that-talk": names_that_talk,
    "absurd-figures": absurd_figures,
    "values-that-hold-each-other": values_that_hold_each_other,
    "endless-stack": endless_stack,
    "many-threads": many_threads,
    "long-texts": long_texts,
}


def for_ever(fd, _nonce):
    """Write and never end; give the space back now and then, as this machine is not the victim."""
    while not stop:
        os.write(fd, b"\xc0" * (1 << 20))
        if os.fstat(fd).st_size > 48 << 20:
            os.ftruncate(fd, 0)
            os.lseek(fd, 0, os.SEEK_SET)


def cutting(fd, nonce):
    """Write what looks complete, and cut it again, over and over."""
    whole = skeleton(nonce, missing=["x" * 300_000])
    while not stop:
        os.pwrite(fd, whole[:-1], 0)
        os.ftruncate(fd, 1000)


def changing(fd, nonce):
    """Alter the reply while it is read."""
    whole = skeleton(nonce, missing=["x" * 300_000])
    while not stop:
        os.pwrite(fd, whole, 0)
        os.pwrite(fd, os.urandom(2000), 200_000)


LASTING = {"for-ever": for_ever, "cutting": cutting, "changing": changing}


def answer(folder, how):
    with open(f"{folder}/request", "rb") as file:
        request = marshal.load(file)
    nonce = request["nonce"]
    fd = os.open(request["reply"], os.O_WRONLY)
    if how in WHOLE:
        data = WHOLE[how](nonce)
        while data:
            data = data[os.write(fd, data) :]
    else:
        threading.Thread(target=LASTING[how], args=(fd, nonce), daemon=True).start()


def hook(event, arguments):
    if event == "cpython.remote_debugger_script":
        how = sys.argv[1]
        if how == "silent":
            time.sleep(600)
        path = arguments if isinstance(arguments, str) else arguments[0]
        answer(path.rpartition("/")[0], how)
        raise RuntimeError("no driver runs here")


sys.unraisablehook = lambda _: None
sys.addaudithook(hook)
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
while True:
    sum(range(100))
