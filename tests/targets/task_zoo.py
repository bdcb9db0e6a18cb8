"""Tasks that wait for one another, for futures, locks and sleeps, in two loops."""
# ruff: noqa: ASYNC110 - the pace is what the test wants

import asyncio
import contextlib
import os
import sys
import threading


@contextlib.asynccontextmanager
async def managed():
    yield 1


async def inner(event):
    await event.wait()


async def middle(event):
    async with managed():
        await inner(event)


async def outer(event):
    await middle(event)


async def waits_for_task(task):
    await task


async def numbers(event):
    yield 1
    await event.wait()
    yield 2


async def consumes(event):
    async for _ in numbers(event):
        pass


class OldStyle:
    def __await__(self):
        return (yield from asyncio.sleep(1000).__await__())


async def awaits_old_style():
    await OldStyle()


async def gathers(event):
    await asyncio.gather(inner(event), asyncio.sleep(1000))


async def locked(lock):
    async with lock:
        await asyncio.sleep(1000)


async def never_started():
    await asyncio.sleep(1)


async def main(name, pace):
    event, lock = asyncio.Event(), asyncio.Lock()
    tasks = [
        asyncio.create_task(outer(event), name=f"{name} outer"),
        asyncio.create_task(consumes(event), name="consumer"),
        asyncio.create_task(awaits_old_style()),
        asyncio.create_task(gathers(event)),
        asyncio.create_task(locked(lock), name="holder"),
        asyncio.create_task(locked(lock), name="waiter"),
        asyncio.create_task(asyncio.sleep(0), name="done at once"),
    ]
    tasks.append(asyncio.create_task(waits_for_task(tasks[0]), name="follower"))
    await asyncio.sleep(0.05)
    arrived.release()
    if pace is None:
        await asyncio.sleep(1000)
    while True:
        await asyncio.sleep(pace)


arrived = threading.Semaphore(0)
pace = float(sys.argv[1]) if len(sys.argv) > 1 else None


def announce():
    for _ in range(2):
        arrived.acquire()
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")


threading.Thread(target=announce, daemon=True).start()
threading.Thread(target=lambda: asyncio.run(main("second", None)), daemon=True).start()
asyncio.run(main("first", pace))
