"""Who in a process can be asked, by what it is and by what the user allows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from snapshotter.attach.namespaces import shares_our_view
from snapshotter.attach.protocol import MainThread
from snapshotter.attach.ways import Ways
from snapshotter.errors import SnapshotterError
from snapshotter.model import MainState
from snapshotter.record.options import CarrierChoice, WakeChoice

if TYPE_CHECKING:
    from snapshotter.outside.codes import CodeCache
    from snapshotter.outside.runtime import Runtime
    from snapshotter.record.options import CaptureOptions

__all__ = ["hopeless", "ways_to"]

_GONE = (
    "there is no main thread that could be asked: it has ended, or another thread forked this "
    "process"
)
_ENDING = "the interpreter is ending: no safe point will come"


def hopeless(runtime: Runtime, options: CaptureOptions, main: MainState) -> str | None:
    """Return why nobody in the process can be asked now, None if somebody may be."""
    if main is MainState.STOPPED:
        return "the process is stopped"
    if main not in {MainState.ENDING, MainState.GONE}:
        return None
    # other threads may go on for long while the main one waits for their end
    if options.carrier is CarrierChoice.ANY_THREAD and not runtime.is_finalizing:
        return None
    return _ENDING if main is MainState.ENDING else _GONE


def ways_to(runtime: Runtime, options: CaptureOptions, codes: CodeCache) -> Ways:
    """Return the ways that are there and allowed.

    Raises SnapshotterError when there is none.
    """
    others = bell = None
    point = runtime.main_probe_point()
    main = None if point is None else MainThread(runtime, point, stock=_stock_works(runtime))
    if options.carrier is CarrierChoice.ANY_THREAD:
        from snapshotter.attach.any_thread import OtherThreads  # noqa: PLC0415 -- start-up

        others = OtherThreads(runtime)
    elif main is None:
        raise SnapshotterError(_GONE)
    if options.wake is WakeChoice.LOOP:
        from snapshotter.attach.loop_bell import LoopBell  # noqa: PLC0415 -- start-up

        bell = LoopBell(runtime, codes)
    return Ways(main, bell, others)


def _stock_works(runtime: Runtime) -> bool:
    """Whether ``sys.remote_exec`` can reach the main thread of interpreter 0 of this target."""
    return (
        runtime.version == sys.version_info[:2]
        and not runtime.free_threaded
        and sys.is_remote_debug_enabled()
        and shares_our_view(runtime.pid)
    )
