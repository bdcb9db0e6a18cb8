"""Coroutines and generators that never rest, in a known call graph: see busy.py."""

import asyncio
import os


async def leaf(n):
    return n + 1


async def pause():
    await asyncio.sleep(0)


async def left(n):
    await leaf(n)
    return await leaf(n + 1)


async def right(n):
    await pause()
    return await left(n)


async def deep(n):
    if n > 0:
        return await deep(n - 1)
    return await right(n)


async def stream(n):
    for i in range(n):
        yield await left(i)


async def drain(n):
    async for i in stream(n):
        await leaf(i)


def numbers(n):
    for i in range(n):
        yield plus(i)


def more_numbers(n):
    yield from numbers(n)


def plus(n):
    return n + 2


def count(n):
    for i in more_numbers(n):
        plus(i)


async def work():
    while True:
        await left(1)
        await right(2)
        await deep(6)
        await drain(3)
        count(4)


async def main():
    await asyncio.gather(work(), work(), work())


os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
asyncio.run(main())
