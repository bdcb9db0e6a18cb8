"""The driver: the few words that the target's interpreter compiles and runs, and what they load.

Its text is constant for a target (each new name in a script would stay interned in the target
for ever); what changes with each request stands in the request file. It runs on the main thread,
where the exception of the application's signal handler may land in it, and CPython would drop
that with the script: the ``except`` clause has the signal sent again (``probe/rescue.py``).

What no driver can do anything about is a signal that is handled at its very first instruction,
before any ``try``. It must come after the interpreter last looked for signals: while it opens,
reads and compiles this text. So the text has few words (their bytes cost little, their syntax
much); all that it does is unmarshalled.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from snapshotter.attach.built import probe_code, text_code

__all__ = ["Code", "build_code"]

# No signal is looked for before the first call; from there on each line lies in a ``try``.
# No name is left in the end that refers back to this namespace: that would be a cycle.
_DRIVER = """\
import marshal as m
p={pid},{path!r},{places}
s={{}};h={{}};a={opening!r}
try:exec(m.loads(a));s["begin"](s,h,p)
except:
 h[-1]=1
 try:exec(m.loads(a));hand_on(s,h,p)
 except:
  try:exec(m.loads(a));hand_on(s,h,p)
  except:0
"""
# It loads what starts the probe; in the ``except`` clauses, which have set the mark, the rescue.
_OPENING = f"""\
import posix
i = 2 if -1 in h else 0
f = posix.open(p[1] + "/probe", {os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW})
try:
    c = posix.pread(f, p[2][i + 1], p[2][i])
finally:
    posix.close(f)
exec(m.loads(c), s if i == 0 else globals())
"""


@dataclass(frozen=True, slots=True)
class Code:
    """What is laid down for a target."""

    driver: bytes
    probe: bytes


def build_code(directory: str, *, version: tuple[int, int], pid: int, inner_pid: int) -> Code:
    """Build driver and probe for a spool ``directory`` (as the target sees it).

    ``inner_pid`` is the target's pid as it sees it itself: a forked child runs nothing. ``pid``
    may be needed to compile for its ``version``; raises UnsupportedPythonError as
    :func:`~snapshotter.attach.compilers.compile_for` does.
    """
    parts = [probe_code(version, pid=pid, entry=name) for name in ("start", "rescue", "carrier")]
    places: list[int] = []
    for part in parts:
        places += [sum(places[1::2]), len(part)]
    driver = _DRIVER.format(
        pid=inner_pid,
        path=directory,
        places=tuple(places),
        opening=text_code("opening", version, _OPENING, pid=pid),
    )
    return Code(driver.encode(), b"".join(parts))
