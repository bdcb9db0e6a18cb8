"""An event loop with a thousand tasks that wait, and one that ticks.

With the argument `pool` it has a pool thread too, as soon as a program has looked up a name.
"""

from __future__ import annotations

import asyncio
import os
import sys

COUNT = 1_000


async def fetch_page(number: int, gate: asyncio.Event) -> int:
    await gate.wait()
    return number


async def crawl(number: int, gate: asyncio.Event) -> int:
    return await fetch_page(number, gate)


async def main() -> None:
    gate = asyncio.Event()
    tasks = [asyncio.create_task(crawl(n, gate), name=f"crawl-{n}") for n in range(COUNT)]
    if "pool" in sys.argv:
        await asyncio.to_thread(os.getpid)
    await asyncio.sleep(0)
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    while True:
        await asyncio.sleep(0.005)
        if not tasks:
            return


if __name__ == "__main__":
    asyncio.run(main())
