"""A FastAPI service: coroutines, and a pool thread that waits."""

from __future__ import annotations

import asyncio
import os
import threading

from fastapi import FastAPI

app = FastAPI()
release = threading.Event()
gate: list[asyncio.Event] = []


@app.get("/order/{number}")
async def order(number: int) -> str:
    await asyncio.sleep(0)
    return f"order {number}"


@app.get("/stuck/{number}")
def stuck(number: int) -> str:
    release.wait()
    return str(number)


@app.get("/parked/{number}")
async def parked(number: int) -> str:
    gate.append(asyncio.Event())
    await gate[-1].wait()
    return str(number)


@app.get("/pid")
async def pid() -> str:
    return str(os.getpid())
