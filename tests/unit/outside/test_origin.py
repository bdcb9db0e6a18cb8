from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from snapshotter.model.snapshot import Origin
from snapshotter.outside.origin import Origins


@pytest.mark.parametrize(
    ("filename", "origin"),
    [
        ("/srv/app/views.py", Origin.APP),
        ("app.py", Origin.APP),
        ("<string>", Origin.APP),
        ("<stdin>", Origin.APP),
        ("", Origin.APP),
        ("<frozen importlib._bootstrap>", Origin.STDLIB),
        ("/usr/lib/python3.14/threading.py", Origin.STDLIB),
        ("/usr/lib64/python3.15/asyncio/tasks.py", Origin.STDLIB),
        ("/opt/x/lib/python314.zip/os.py", Origin.STDLIB),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", Origin.LIBRARY),
        ("/home/me/.venv/lib/python3.14/site-packages/flask/app.py", Origin.LIBRARY),
        ("/srv/python3.14/app.py", Origin.APP),
        ("/custom/stdlib/queue.py", Origin.STDLIB),
        ("/custom/stdlib2/queue.py", Origin.APP),
    ],
)
def test_file_name_decides_the_origin(filename: str, origin: Origin) -> None:
    assert Origins(("/custom/stdlib",)).of(filename) is origin


def test_standard_library_of_a_process_is_found() -> None:
    origins = Origins.for_process(os.getpid())

    assert origins.of(threading.__file__) is Origin.STDLIB
    assert any(Path(prefix).samefile(Path(os.__file__).parent) for prefix in origins._prefixes)


def test_unknown_process_still_gives_origins() -> None:
    assert Origins.for_process(2**22 + 1).of("<frozen os>") is Origin.STDLIB
