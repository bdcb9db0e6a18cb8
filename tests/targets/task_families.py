"""Task groups, gathers, eager tasks and tasks that await tasks, in two threads.

Prints what each loop says of its own tasks.
"""

import asyncio
import json
import os
import sys
import threading
import time


async def leaf(event):
    await event.wait()


async def branch(event):
    await leaf(event)


async def group(event, name):
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(branch(event), name=f"{name} in group 1")
        tasks.create_task(branch(event), name=f"{name} in group 2")


async def gathering(event, name):
    await asyncio.gather(
        asyncio.create_task(branch(event), name=f"{name} gathered 1"),
        asyncio.create_task(branch(event), name=f"{name} gathered 2"),
    )


async def follow(task):
    await task


async def timed(event):
    async with asyncio.timeout(3600):
        await branch(event)


async def shielded(task):
    await asyncio.shield(task)


def stack_of(task):
    """Functions and lines from the innermost awaited coroutine out."""
    found, coroutine = [], task.get_coro()
    while coroutine is not None and hasattr(coroutine, "cr_frame") and coroutine.cr_frame:
        frame = coroutine.cr_frame
        found.append([frame.f_code.co_qualname, frame.f_lineno])
        coroutine = coroutine.cr_await
    return found[::-1]


def report(loop):
    tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    told = {}
    for task in tasks:
        graph = asyncio.capture_call_graph(task)
        told[task.get_name()] = {
            "identity": id(task),
            "stack": stack_of(task),
            "awaited_by": sorted(
                one.future.get_name() for one in graph.awaited_by if hasattr(one.future, "get_name")
            ),
            "waits": type(task._fut_waiter).__name__,
            "waits_identity": id(task._fut_waiter),
        }
    return told


async def main(name):
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    kept = [
        asyncio.create_task(group(event, name), name=f"{name} group"),
        asyncio.create_task(gathering(event, name), name=f"{name} gather"),
        asyncio.create_task(timed(event), name=f"{name} timed"),
        asyncio.Task(branch(event), loop=loop, name=f"{name} eager", eager_start=True),
        asyncio.Task(follow(asyncio.sleep(0)), loop=loop, name=f"{name} done", eager_start=True),
    ]
    kept.append(asyncio.create_task(follow(kept[0]), name=f"{name} follower"))
    kept.append(asyncio.create_task(shielded(kept[3]), name=f"{name} shield"))
    loop.set_task_factory(asyncio.eager_task_factory)
    kept.append(asyncio.create_task(branch(event), name=f"{name} eager by factory"))
    await asyncio.sleep(0.05)
    reports[name] = report(loop)
    arrived.release()
    await asyncio.sleep(3600)


def announce():
    for _ in range(2):
        arrived.acquire()
    time.sleep(0.05)
    sys.stdout.write(json.dumps(reports) + "\n")
    sys.stdout.flush()
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")


reports = {}
arrived = threading.Semaphore(0)
threading.Thread(target=announce, daemon=True).start()
threading.Thread(target=lambda: asyncio.run(main("second")), daemon=True).start()
asyncio.run(main("first"))
