"""Keeps the cases of one module of the zoo as locals of parked threads.

Answers on the descriptor of its stdout: ``arm`` arms the wires, ``poke`` does what
trips one, ``trips`` disarms them and gives what has run since.
"""

import importlib
import os
import sys
import threading
from time import sleep

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from zoo.trips import cases_of, trips

_PER_THREAD = 40
module = importlib.import_module("zoo." + sys.argv[1])
made = []
for label, make in cases_of(module):
    made.append(make())


def keep(first, things, arrived, stop):
    """Hold each thing in a local of its own, then stand still."""
    names = [f"case_{first + n:03}" for n in range(len(things))]
    source = ["def hold(things, arrived, stop):"]
    source += [f"    {name} = things[{n}]" for n, name in enumerate(names)]
    source += ["    things = None", "    arrived.set()", "    stop.wait()"]
    space = {}
    exec("\n".join(source), space)
    space["hold"](things, arrived, stop)


stop = threading.Event()
for first in range(0, len(made), _PER_THREAD):
    arrived = threading.Event()
    things = made[first : first + _PER_THREAD]
    threading.Thread(target=keep, args=(first, things, arrived, stop), daemon=True).start()
    del things
    arrived.wait()
poked = made[-1] if sys.argv[1] != "builtin_types" else made[24]
made.clear()

read, write = os.read, os.write


def answer():
    """Do what is asked for, line by line, with functions that were taken before."""
    while line := read(0, 64):
        if line == b"arm\n":
            trips.arm()
            write(1, b"armed\n")
        elif line == b"poke\n":
            repr(poked)  # what any other tool would do
            write(1, b"poked\n")
        else:
            trips.disarm()
            write(1, (";".join(trips.seen) + "\n").encode())


threading.Thread(target=answer, daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
while True:
    sleep(0.002)
