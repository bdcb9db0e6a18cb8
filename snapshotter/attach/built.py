"""The built probe, kept beside the byte code of this package: building takes 70 ms, reading 1 ms.

It stands in ``__pycache__`` under a name that contains a hash of the sources, as ``.pyc`` files
may (PEP 552), and begins with a hash of itself: a file of other sources or a torn one is not used.
Who can write there could as well replace the ``.pyc`` files that we run ourselves. So what the
interpreter of a target has compiled, which its user could have altered, is not kept.
"""

from __future__ import annotations

import contextlib
import os
import sys
from importlib.util import cache_from_source, source_hash
from pathlib import Path
from typing import TYPE_CHECKING

from snapshotter.attach.compilers import compile_for, compile_trusted, compiler_mark
from snapshotter.attach.sources import probe_sources

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["probe_code", "text_code"]

_HASH_BYTES = 8


def probe_code(version: tuple[int, int], *, pid: int, entry: str = "entry") -> bytes:
    """Return what ``entry`` needs of the probe as marshalled code for CPython ``version``.

    ``pid`` is the target: its own interpreter may have to compile. Raises BuildError and
    UnsupportedPythonError (``no-compiler``).
    """
    sources = probe_sources()

    def amalgamated() -> str:
        from snapshotter.attach.payload import amalgamate  # noqa: PLC0415 -- start-up

        return amalgamate(sources, entry=entry)

    key = "\0".join(f"{name}\0{sources[name]}" for name in sources)
    return _kept(entry, version, key, amalgamated, pid=pid)


def text_code(name: str, version: tuple[int, int], text: str, *, pid: int) -> bytes:
    """Return a short ``text`` as marshalled code in the same way, kept under its ``name``."""
    return _kept(name, version, text, lambda: text, pid=pid)


def _kept(
    name: str, version: tuple[int, int], key: str, source: Callable[[], str], *, pid: int
) -> bytes:
    mark = compiler_mark(version, pid=pid)
    if mark is None:
        return compile_for(version, source(), pid=pid)
    path = _path(name, version, f"{key}\0{mark}")
    code = _read(path)
    if code is not None:
        return code
    text = source()
    code = compile_trusted(version, text, pid=pid)
    if code is None:
        return compile_for(version, text, pid=pid)
    _write(path, code)
    return code


def _path(name: str, version: tuple[int, int], key: str) -> Path:
    tag = "cpython-{}{}".format(*version)
    prefix = f"probe-{name}.{tag}."
    return Path(cache_from_source(__file__)).with_name(prefix + source_hash(key.encode()).hex())


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    code = content[_HASH_BYTES:]
    return code if source_hash(code) == content[:_HASH_BYTES] else None


def _write(path: Path, code: bytes) -> None:
    """Keep it, unless byte code is not to be kept; what older sources gave is removed."""
    if sys.dont_write_bytecode:
        return
    with contextlib.suppress(OSError):
        new = path.with_name(f"{path.name}.{os.getpid()}")
        new.write_bytes(source_hash(code) + code)
        new.replace(path)
        for old in path.parent.glob(f"{path.stem}.*"):
            if old != path:
                old.unlink()
