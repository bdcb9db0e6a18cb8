"""Tasks that await others in each way that asyncio has; ``many`` of them in one gather.

Prints who awaits whom by asyncio's own account.
"""
# ruff: noqa: ASYNC110 - the pace is what the test wants

import asyncio
import json
import os
import sys
import threading


async def leaf(event):
    await event.wait()


async def gathers(*tasks):
    await asyncio.gather(*tasks)


async def nests(one, two, three):
    await asyncio.gather(asyncio.gather(one, two), three)


async def waits(*tasks):
    await asyncio.wait(tasks)


async def completes(*tasks):
    async for task in asyncio.as_completed(tasks):
        await task


async def shields(task):
    await asyncio.shield(task)


async def groups(event):
    async with asyncio.TaskGroup() as tasks:
        for number in range(2):
            tasks.create_task(leaf(event), name=f"grouped {number}")


async def follows(name):
    await made[name]


def make(coroutine, name):
    made[name] = asyncio.create_task(coroutine, name=name)
    return made[name]


def leaves(event, name, count):
    return [make(leaf(event), f"{name} {number}") for number in range(count)]


async def main(event, many):
    make(gathers(*leaves(event, "gathered", many)), "gather")
    make(nests(*leaves(event, "nested", 3)), "nest")
    make(groups(event), "group")
    make(waits(*leaves(event, "waited", 2)), "wait")
    make(completes(*leaves(event, "completed", 2)), "complete")
    make(shields(*leaves(event, "shielded", 1)), "shield")
    make(follows("right"), "left")
    make(follows("left"), "right")
    shared = leaves(event, "shared", 1)
    for number in range(3):
        make(gathers(*shared), f"sharer {number}")
    await asyncio.sleep(0.05)
    tasks = asyncio.all_tasks()
    told = {
        task.get_name(): sorted(one.get_name() for one in task._asyncio_awaited_by or ())
        for task in tasks
    }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    tasks.clear()
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    while True:
        await asyncio.sleep(float(sys.argv[2]))


made = {}
# with a second thread the probe has one of its own, and as many slices as it needs
threading.Thread(target=threading.Event().wait, daemon=True).start()
asyncio.run(main(asyncio.Event(), int(sys.argv[1])))
