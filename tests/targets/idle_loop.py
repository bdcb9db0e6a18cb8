"""An asyncio server that nobody talks to, in a loop of the kind that is asked for.

``idle_loop.py [plain|foreign|select|other]``; it tells on request how often its loop went round.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import sys
import threading
from pathlib import Path


class CountingSelector(selectors.EpollSelector):
    """Counts its waits, and what they brought."""

    waits = 0
    events = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        type(self).waits += 1
        found = super().select(timeout)
        type(self).events += len(found)
        return found


class ForeignLoop(asyncio.BaseEventLoop):
    """A loop of another make, with its own way to wait and none to be woken."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = selectors.EpollSelector()

    def _process_events(self, _: object) -> None:
        pass


async def serve() -> None:
    label = "idle server"
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    waiting = asyncio.create_task(asyncio.Event().wait(), name="waits-for-ever")
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    async with server:
        await waiting
    len(label)


async def idle() -> None:
    os.write(int(os.environ["SNAP_READY_FD"]), b"ready\n")
    await asyncio.Event().wait()


def run(factory: type[asyncio.AbstractEventLoop] | None = None) -> None:
    asyncio.run(serve(), loop_factory=factory)


def tell() -> None:
    """Print the counters, and how many descriptors are open, for each line of stdin."""
    for _ in sys.stdin:
        descriptors = len([*Path("/proc/self/fd").iterdir()])
        told = f"{CountingSelector.waits} {CountingSelector.events} {descriptors}\n"
        sys.stdout.write(told)
        sys.stdout.flush()


def main(kind: str) -> None:
    threading.Thread(target=tell, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    if kind == "foreign":
        asyncio.run(idle(), loop_factory=ForeignLoop)
    elif kind == "select":
        run(lambda: asyncio.SelectorEventLoop(selectors.SelectSelector()))
    elif kind == "other":
        threading.Thread(
            target=lambda: asyncio.run(
                idle(), loop_factory=lambda: asyncio.SelectorEventLoop(CountingSelector())
            ),
            daemon=True,
        ).start()
        run()
    else:
        run(lambda: asyncio.SelectorEventLoop(CountingSelector()))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "plain")
