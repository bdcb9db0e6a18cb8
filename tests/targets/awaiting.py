"""Coroutines that await one another and never wait for anything."""

import asyncio
import os


async def ping(n):
    return n if n == 0 else await pong(n - 1)


async def pong(n):
    return n if n == 0 else await ping(n - 1)


async def main():
    while True:
        await ping(10)


os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
asyncio.run(main())
