from __future__ import annotations

from dataclasses import replace

import pytest

from snapshotter.analysis.signatures import (
    call_signature,
    group_threads,
    module_of,
    place_signature,
)
from snapshotter.model import View
from tests.support.samples import APP, EXECUTOR_IDLE, frame, snapshot


@pytest.mark.parametrize(
    ("filename", "module"),
    [
        ("/usr/lib/python3.14/concurrent/futures/thread.py", "concurrent.futures.thread"),
        ("/usr/lib/python3.14/asyncio/__init__.py", "asyncio"),
        ("/usr/local/lib/python3.15t/threading.py", "threading"),
        ("/app/.venv/lib/python3.14/site-packages/gunicorn/arbiter.py", "gunicorn.arbiter"),
        ("/usr/lib/python3/dist-packages/apt/cache.py", "apt.cache"),
        ("/srv/shop/2026.31/orders/db.py", "orders.db"),
        ("<frozen importlib._bootstrap>", "importlib._bootstrap"),
        ("<string>", "<string>"),
        ("app.py", "app"),
        ("C:\\app\\orders\\db.py", "orders.db"),
        ("", ""),
    ],
)
def test_module_of_is_read_from_the_path(filename: str, module: str) -> None:
    assert module_of(filename) == module


def test_call_signature_survives_a_release() -> None:
    old = frame("/srv/shop/2026.31/orders/db.py:88", "Pool.get")
    new = frame("/srv/shop/2026.32/orders/db.py:91", "Pool.get")
    assert call_signature([old]) == call_signature([new])
    assert place_signature([old]) != place_signature([new])


def test_group_threads_counts_equal_stacks_main_thread_first() -> None:
    groups = group_threads(snapshot().threads)
    assert [len(group.threads) for group in groups] == [1, 17, 12, 1, 1, 1, 1]
    assert groups[0].threads[0].is_main
    assert groups[1].has_app_code
    assert not groups[2].has_app_code


def test_group_threads_keeps_views_and_incomplete_stacks_apart() -> None:
    first = snapshot().threads[-1]
    outside = replace(first, view=View.OUTSIDE)
    cut = replace(first, complete=False, ident=1)
    assert len(group_threads([first, outside, cut, replace(cut, ident=2)])) == 4


def test_place_signature_holds_every_frame() -> None:
    assert len(place_signature(EXECUTOR_IDLE)) == len(EXECUTOR_IDLE)
    assert place_signature([frame(f"{APP}/a.py:1", "f")]) == ((f"{APP}/a.py", "f", 1),)
