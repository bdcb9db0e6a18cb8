"""The driver: the few generated lines that the target's interpreter compiles and runs.

Its text is constant for a target (each new name in a script would stay interned in the target
for ever); what changes with each request stands in the request file. It runs on the main thread:
the exception of a signal handler may land in it, and CPython would drop it with the script. The
signal is therefore sent to the main thread again from a helper thread, as a real one.
"""

from __future__ import annotations

import os

__all__ = ["driver_text"]

_READ_ONLY = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW

# s: the probe's namespace. t: the innermost traceback entry that is not ours, which is that of
# the handler. n: the signal number, from the handler's arguments.
_DRIVER = """\
try:
    import posix, marshal
    s = {{"__builtins__": __builtins__}}
    if posix.getpid() == {pid}:
        f = posix.open({probe!r}, {flags})
        try: b = posix.read(f, {size})
        finally: posix.close(f)
        (lambda: 0).__class__(marshal.loads(b), s)()
        s["enter"]({request!r}, s)
except BaseException as e:
    c = ().__class__.__class__
    t = e.__traceback__
    n = [2] if c(e) is KeyboardInterrupt else []
    while t and (t.tb_frame.f_globals is globals() or t.tb_frame.f_globals is s): t = t.tb_next
    if t:
        v = [i for v in t.tb_frame.f_locals.values() for i in (v if c(v) is c(()) else (v,))]
        n = [i for i in v if c(i) is c(1) and 0 < i < 65]
    t = v = None
    if n:
        import _signal, _thread
        _thread.start_new_thread(_signal.pthread_kill, (_thread.get_ident(), n[0]))
"""


def driver_text(directory: str, *, inner_pid: int, probe_bytes: int) -> bytes:
    """Return the driver for a spool ``directory`` (as the target sees it).

    ``inner_pid`` is the target's pid as it sees it itself: a forked child runs nothing.
    """
    return _DRIVER.format(
        pid=inner_pid,
        probe=f"{directory}/probe",
        request=f"{directory}/request",
        flags=_READ_ONLY,
        size=probe_bytes + 1,
    ).encode()
