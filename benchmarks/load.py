"""A paced HTTP load: requests are due at fixed times, whether or not earlier ones were answered.

Run as a program: ``load.py PORT PATH RATE SECONDS``. Prints for each request when it was due
(monotonic clock) and its latency counted from then (so a stall counts for all that it delayed), in
nanoseconds, as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import subprocess
import sys
import time

__all__ = ["start_load", "take_latencies"]

_TIMEOUT_S = 20
_HEAD_END = b"\r\n\r\n"
type _Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def start_load(port: int, path: str, *, rate: int, seconds: float) -> subprocess.Popen[str]:
    """Start the load as a process of its own; let :func:`take_latencies` wait for it."""
    words = [sys.executable, "-m", "benchmarks.load", str(port), path, str(rate), str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def take_latencies(load: subprocess.Popen[str]) -> list[tuple[int, int]]:
    """Wait for the end of a load and return (due, latency) of its requests in nanoseconds.

    Raises RuntimeError when it failed.
    """
    output, _ = load.communicate()
    if load.returncode:
        raise RuntimeError(f"the load ended with {load.returncode}")
    return [(due_ns, latency_ns) for due_ns, latency_ns in json.loads(output)]


class _Client:
    """Asks for one page over kept connections."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._request = f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
        self._idle: list[_Connection] = []
        self.latencies_ns: list[tuple[int, int]] = []

    async def ask(self, due_ns: int) -> None:
        """Make one request; once more on a new connection when a kept one was closed."""
        while True:
            kept = bool(self._idle)
            reader, writer = self._idle.pop() if kept else await self._connect()
            try:
                keep = await self._exchange(reader, writer)
            except (OSError, asyncio.IncompleteReadError) as error:
                writer.close()
                if kept:
                    continue
                raise RuntimeError("the service does not answer") from error
            break
        self.latencies_ns.append((due_ns, time.monotonic_ns() - due_ns))
        if keep:
            self._idle.append((reader, writer))
        else:
            writer.close()

    async def _connect(self) -> _Connection:
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Return whether the connection can be used again."""
        writer.write(self._request)
        head = (await reader.readuntil(_HEAD_END)).lower()
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError(head.decode("ascii", "replace"))
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        return b"connection: close" not in head

    def close(self) -> None:
        """Close what is kept."""
        for _, writer in self._idle:
            writer.close()


async def _run(client: _Client, rate: int, seconds: float) -> None:
    start_ns = time.monotonic_ns() + 50_000_000
    async with asyncio.timeout(seconds + _TIMEOUT_S), asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            due_ns = start_ns + number * 1_000_000_000 // rate
            await asyncio.sleep((due_ns - time.monotonic_ns()) / 1e9)
            group.create_task(client.ask(due_ns))
    client.close()


def _main(port: str, path: str, rate: str, seconds: str) -> None:
    client = _Client(int(port), path)
    gc.disable()
    with contextlib.suppress(OSError), open("/proc/self/timerslack_ns", "w") as file:  # noqa: PTH123
        file.write("1000")
    asyncio.run(_run(client, int(rate), float(seconds)))
    sys.stdout.write(json.dumps(client.latencies_ns))


if __name__ == "__main__":
    _main(*sys.argv[1:])
