"""A Flask service: one view that works, one that waits for its release."""

from __future__ import annotations

import os
import threading

from flask import Flask

app = Flask(__name__)
seen_orders: list[int] = []
release = threading.Event()


@app.get("/order/<int:number>")
def order(number: int) -> str:
    seen_orders.append(number)
    return f"order {number}"


@app.get("/stuck/<int:number>")
def stuck(number: int) -> str:
    customer = {"name": "Ada", "password": "correct-horse-battery"}
    release.wait()
    return f"{customer['name']} {number}"


@app.get("/pid")
def pid() -> str:
    return str(os.getpid())
