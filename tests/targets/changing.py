"""Changes one thing at a time, as each line on stdin says: locals, calls, threads, tasks, files."""

import asyncio
import gc
import os
import sys
import threading
import time

THINGS = (None, "text", 1, (1, 2))


class Desk:
    """Where a worker waits for its next command."""

    def __init__(self):
        self.wanted = threading.Semaphore(0)
        self.waits = threading.Semaphore(0)
        self.order = ("", 0)

    def ask(self):
        self.waits.release()
        self.wanted.acquire()
        return self.order

    def tell(self, *order):
        self.order = order
        self.wanted.release()
        self.waits.acquire()


def stand(desk):  # noqa: C901 - one case per command
    rows, table, number, thing, side = [0], {}, 0, None, 0
    while True:
        if side:
            what, count = desk.ask()
        else:
            what, count = desk.ask()
        match what:
            case "grow":
                rows.extend([0] * count)
            case "key":
                table[count] = count
            case "count":
                number += count
            case "swap":
                thing = THINGS[count]  # noqa: F841 - to be seen
            case "name":
                extra = count  # noqa: F841 - to be seen
            case "side":
                side = count
            case "call":
                if stand(desk):
                    return True
            case "return" | "end":
                return what == "end"


desks, threads, tasks, files = {}, {}, {}, []
loop = asyncio.new_event_loop()


async def job(events):
    await events[0].wait()
    await events[1].wait()


def on_loop(function):
    """Run it in the loop, and wait until all that follows from it is done."""
    done = threading.Event()

    def run():
        function()
        loop.call_later(0.005, done.set)

    loop.call_soon_threadsafe(run)
    done.wait()


def begin(name):
    events = [asyncio.Event(), asyncio.Event()]
    tasks[name] = loop.create_task(job(events), name=name), events


def obey(what, name, count):
    match what:
        case "start":
            desks[name] = Desk()
            threads[name] = threading.Thread(target=stand, args=(desks[name],), name=name)
            threads[name].start()
            desks[name].waits.acquire()
        case "end":
            desks[name].order = ("end", 0)
            desks.pop(name).wanted.release()
            threads.pop(name).join()
        case "begin":
            on_loop(lambda: begin(name))
        case "go on":
            on_loop(tasks[name][1][0].set)
        case "cancel":
            on_loop(tasks.pop(name)[0].cancel)
        case "open":
            files.append(os.open(os.devnull, os.O_RDONLY))
        case "close":
            os.close(files.pop())
        case "collect":
            gc.collect(count)
        case _:
            desks[name].tell(what, count)


def serve():
    for line in sys.stdin:
        what, name, count = line.strip().split(",")
        obey(what, name, int(count))
        sys.stdout.write("done\n")
        sys.stdout.flush()
    os._exit(0)


gc.disable()
threading.Thread(target=loop.run_forever, name="loop", daemon=True).start()
threading.Thread(target=serve, name="serve", daemon=True).start()
os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
while True:
    time.sleep(0.002)
