"""One snapshot: the outside view at once, the inside view when the main thread runs Python."""

from __future__ import annotations

import contextlib
import fcntl
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from snapshotter.attach.compilers import PROBE_FILENAME
from snapshotter.attach.inject import Injector, Outcome
from snapshotter.attach.namespaces import credentials
from snapshotter.attach.preflight import inside_problem
from snapshotter.attach.process import identify, process_info, still_same
from snapshotter.attach.protocol import withdraw_leftovers
from snapshotter.attach.reply import InsideView, ReplyError, decode_reply
from snapshotter.attach.request import Question, check_selection
from snapshotter.attach.spool import Spool
from snapshotter.errors import (
    NotPermittedError,
    ProcessEndedError,
    SnapshotterError,
    TornReadError,
    check_files,
)
from snapshotter.outside.give_way import give_way
from snapshotter.outside.memory import Memory
from snapshotter.outside.origin import Origins
from snapshotter.outside.procfs import is_thread, start_ticks, thread_ids
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.view import OutsideReader
from snapshotter.record.blocked import BlockedSince
from snapshotter.record.details import DetailsSource
from snapshotter.record.merge import Views, merge
from snapshotter.record.reach import hopeless, ways_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from snapshotter.model import Identity, ProcessInfo, Snapshot
    from snapshotter.outside.view import OutsideView
    from snapshotter.record.allowance import Allowance
    from snapshotter.record.options import CaptureOptions

__all__ = ["Observer"]

_LOCK_POLL_S = 0.005
_PROBE_POLL_S = 0.001
_LOOKS_FOR_PROBE = 20


class Observer:
    """One process incarnation under observation. Make it with :meth:`open`, close it."""

    def __init__(
        self, memory: Memory, runtime: Runtime, identity: Identity, options: CaptureOptions
    ) -> None:
        """Use an open memory; see :meth:`open`."""
        self.allowance: Allowance | None = None
        """Limits how often the process is asked; None where each snapshot was asked for."""
        self._memory = memory
        self._runtime = runtime
        self._identity = identity
        self._options = options
        self._origins = Origins.for_process(runtime.pid)
        self._reader = OutsideReader(runtime.pid, memory, runtime, origins=self._origins)
        self._details = DetailsSource(runtime, self._reader.codes, options)
        self._spool: Spool | None = None
        self._injector: Injector | None = None
        self._os_threads: frozenset[int] = frozenset()
        """Those that were there before the request, by their numbers in the kernel."""
        self._new_threads: frozenset[int] = frozenset()
        self._blocked = BlockedSince()
        self._carriers: frozenset[int] = frozenset()
        self._suspects: frozenset[int] = frozenset()
        """Threads that began while we asked, by their numbers in the kernel: carriers, perhaps."""
        self._names: dict[tuple[int, int], tuple[str | None, bool | None]] = {}
        self.process: ProcessInfo = process_info(runtime.pid, runtime.version_text, identity)

    @classmethod
    def open(cls, pid: int, options: CaptureOptions) -> Self:
        """Open a process; nothing is sent to it yet.

        Raises UsageError for options that cannot be meant, NoSuchProcessError, NotPythonError,
        UnsupportedPythonError and NotPermittedError.
        """
        check_selection(options.locals, options.variables)
        try:
            return cls._opened(pid, options)
        except OSError as error:
            check_files(error)
            raise

    @classmethod
    def _opened(cls, pid: int, options: CaptureOptions) -> Self:
        memory = Memory(pid, writable=True)
        try:
            # the descriptor is bound to this program image; whoever has the pid now must be it
            identity = identify(pid)
            runtime = Runtime.attach(pid, memory)
            return cls(memory, runtime, identity, options)
        except BaseException:
            memory.close()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Remove what was laid down for the target, once nothing of ours is armed."""
        is_clear = True
        if self._injector is not None:
            is_clear = self._injector.settle()
            self._injector = None
        if self._spool is not None:
            if is_clear:
                self._spool.remove()
            self._spool = None
        self._memory.close()

    def ended(self) -> str | None:
        """Return a sentence when the process ended or became another one, else None."""
        try:
            self._memory.read(self._runtime.address, 8)
        except ProcessEndedError:
            return f"Process {self._identity.pid} ended, or became another program."
        except SnapshotterError:
            pass
        try:
            is_same = still_same(self._identity)
        except NotPermittedError:
            # It has changed its user, or hides from others: its memory still is what we opened.
            is_same = start_ticks(self._identity.pid) == self._identity.start_ticks
        if is_same:
            return None
        return f"Process {self._identity.pid} is no longer the one that was observed."

    def capture(self) -> Snapshot:
        """Take one snapshot. Raises ProcessEndedError, NoSnapshotError."""
        try:
            return self._capture()
        except (TornReadError, FileNotFoundError, ProcessLookupError) as error:
            # what a process that ends has in memory and in /proc goes piece by piece
            ended = self.ended()
            if ended is None:
                raise
            raise ProcessEndedError(ended) from error
        except OSError as error:
            check_files(error)
            raise

    def _capture(self) -> Snapshot:
        give_way()
        captured_at_ns, monotonic_ns = time.time_ns(), time.monotonic_ns()
        process = process_info(self._runtime.pid, self._runtime.version_text, self._identity)
        outside = self._look()
        outside = replace(outside, main_detail=self._blocked.describe(outside))
        inside, outcome = self._inside(outside)
        details, details_problem = self._details.read(inside)
        views = Views(
            captured_at_ns=captured_at_ns,
            monotonic_ns=monotonic_ns,
            process=process,
            outside=outside,
            inside=inside,
            outcome=outcome,
            details=details,
            details_problem=details_problem,
            selection=self._details.selection,
            options=self._options,
            runtime_version=self._runtime.version_text,
            free_threaded=self._runtime.free_threaded,
            carriers=self._carriers | self._suspected(outside),
        )
        self._remember_carriers(views)
        give_way()
        return merge(views, self._names)

    def _look(self) -> OutsideView:
        """Read the outside view, once the main thread has left what was left of our probe."""
        outside = self._reader.read()
        for _ in range(_LOOKS_FOR_PROBE):
            main = next((thread for thread in outside.threads if thread.is_main), None)
            frames = main.stack.frames if main and main.stack else ()
            if not any(frame.filename == PROBE_FILENAME for frame in frames):
                break
            time.sleep(_PROBE_POLL_S)
            outside = self._reader.read()
        return outside

    def _suspected(self, outside: OutsideView) -> frozenset[int]:
        """Idents of the threads that may be carriers which never had a turn."""
        seen = outside.threads
        return frozenset(thread.ident for thread in seen if thread.os_tid in self._suspects)

    def _remember_carriers(self, views: Views) -> None:
        """Keep the idents of our threads as long as there are such threads."""
        alive = self._carriers & {thread.ident for thread in views.outside.threads}
        inside = views.inside
        own = {inside.carrier_ident} if inside and inside.carrier == "thread" else set()
        self._carriers = alive | own
        seen = {thread.os_tid for thread in views.outside.threads}
        self._suspects = self._suspects & seen | self._new_threads

    def _inside(self, outside: OutsideView) -> tuple[InsideView | None, Outcome]:
        """Ask the target, unless something forbids it; the reason stands in the outcome."""
        problem = hopeless(self._runtime, self._options, outside.main)
        if problem is None:
            problem = inside_problem(self._runtime.pid, self._runtime)
        if problem is None and self.allowance is not None:
            problem = self.allowance.refusal(time.monotonic_ns())
        if problem is not None:
            return None, Outcome(None, b"", problem=problem)
        with self._lock() as locked:
            if not locked:
                held = "another snap is asking this process at the moment"
                return None, Outcome(None, b"", problem=held)
            outcome = self._ask()
        inside = None
        if outcome.reply is not None:
            try:
                inside = decode_reply(outcome.reply, outcome.nonce, self._origins)
            except ReplyError as error:
                sentence = f"the target's reply cannot be believed: {error}"
                outcome = replace(outcome, reply=None, problem=sentence)
        if self.allowance is not None and outcome.asked_at_ns is not None:
            # what came to no answer has cost something too, and nobody has measured it
            self.allowance.spend(inside.pause_total_ns if inside else self._options.max_pause_ns)
        return inside, outcome

    def _ask(self) -> Outcome:
        options = self._options
        self._os_threads = frozenset(thread_ids(self._runtime.pid))
        self._new_threads = frozenset()
        question = Question(
            nonce=b"",
            inner_pid=self._runtime.inner_pid,
            start_by_ns=0,
            deadline_ns=0,
            slice_ns=options.max_pause_ns,
            carrier=options.carrier,
            os_threads=len(self._os_threads),
            locals=options.locals,
            values=options.values,
            variables=options.variables,
            stdlib=self._origins.prefixes,
            reply_path="",
        )
        try:
            return self._prepared().ask(
                question,
                patience_ns=options.patience_ns,
                wait_inside_ns=options.wait_inside_ns,
            )
        except ProcessEndedError:
            raise
        except SnapshotterError as error:
            return Outcome(None, b"", problem=_fragment(error.message))

    def _prepared(self) -> Injector:
        """Lay down spool and probe with the first request, so that opening leaves nothing."""
        if self._injector is not None:
            return self._injector
        runtime = self._runtime
        ways = ways_to(runtime, self._options, self._reader.codes)
        withdraw_leftovers(runtime, ways.main, self._identity)
        owner = credentials(runtime.pid)
        self._spool = Spool.create(runtime.pid, self._identity, owner.uid, owner.gid)
        try:
            injector = Injector(
                ways,
                self._spool,
                is_at_work=self._carrier_at_work,
                has_new_thread=self._has_new_thread,
            )
            injector.prepare(version=runtime.version, pid=runtime.pid, inner_pid=runtime.inner_pid)
        except BaseException:
            self._spool.remove()
            self._spool = None
            raise
        self._injector = injector
        return injector

    def _carrier_at_work(self) -> bool:
        """Whether a thread of the target runs the probe, or may do so: it could not be read."""
        # Most often this is enough; to read all stacks takes the CPU that the target may need.
        if self._has_new_thread():
            return True
        for thread in self._reader.read().threads:
            frames = thread.stack.frames if thread.stack else ()
            if not frames or any(frame.filename == PROBE_FILENAME for frame in frames):
                return True
        return False

    def _has_new_thread(self) -> bool:
        """Whether an OS thread is there that was not when we asked: the carrier, most likely."""
        pid = self._runtime.pid
        if not self._new_threads:  # to list a thousand takes the CPU that the target may need
            self._new_threads = frozenset(thread_ids(pid)) - self._os_threads
        return any(is_thread(pid, tid) for tid in self._new_threads)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[bool]:
        """Keep a second controller out while we ask; nothing is left to clean up."""
        until = time.monotonic_ns() + self._options.patience_ns
        locked = False
        while not locked:
            try:
                fcntl.flock(self._memory.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked = True
            except BlockingIOError:
                if time.monotonic_ns() >= until:
                    break
                time.sleep(_LOCK_POLL_S)
        try:
            yield locked
        finally:
            if locked:
                fcntl.flock(self._memory.fd, fcntl.LOCK_UN)


def _fragment(sentence: str) -> str:
    """Make a sentence fit behind a colon."""
    return (sentence[:1].lower() + sentence[1:]).removesuffix(".")
