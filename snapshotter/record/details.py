"""What the probe did not tell, read from outside: all of it, or the threads it did not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshotter.attach.request import check_locals, check_variable
from snapshotter.errors import ProcessEndedError, SnapshotterError, UnsupportedPythonError
from snapshotter.model import ValueLevel
from snapshotter.model.limits import limits_for
from snapshotter.outside.details import DetailsReader, Wanted
from snapshotter.outside.selection import Selection

if TYPE_CHECKING:
    from snapshotter.attach.reply import InsideView
    from snapshotter.outside.codes import CodeCache
    from snapshotter.outside.details import OutsideDetails
    from snapshotter.outside.runtime import Runtime, ThreadRef
    from snapshotter.record.options import CaptureOptions

__all__ = ["DetailsSource"]


class DetailsSource:
    """Reads one process from outside with the options of its capture."""

    def __init__(self, runtime: Runtime, codes: CodeCache, options: CaptureOptions) -> None:
        """Read values of ``runtime``, whose code objects are in ``codes``."""
        word, globs = check_locals(options.locals)
        self.selection = Selection(word, tuple((one[0], one[1], one[2]) for one in globs))
        self._runtime = runtime
        self._codes = codes
        self._options = options
        self._reader: DetailsReader | None = None
        self._problem: str | None = None

    def read(self, inside: InsideView | None) -> tuple[OutsideDetails | None, str | None]:
        """Return what ``inside`` lacks, or why it cannot be read from outside.

        Raises ProcessEndedError and NotPermittedError.
        """
        if self._problem is not None:
            return None, self._problem
        try:
            if self._reader is None:
                self._reader = DetailsReader(self._runtime, self._codes)
            threads, others = self._threads(inside)
            wanted = self._wanted(inside)
            hides = self._options.values is not ValueLevel.FULL
            learn_from = others if hides and (threads or wanted.variables) else ()
            return self._reader.read(threads, wanted, learn_from=learn_from), None
        except UnsupportedPythonError as error:
            self._problem = error.message  # the build stays as it is
            return None, self._problem
        except ProcessEndedError:
            raise
        except SnapshotterError as error:
            return None, error.message

    def _threads(self, inside: InsideView | None) -> tuple[list[ThreadRef], list[ThreadRef]]:
        """Return the threads to be read, and those that are well known."""
        told = inside.threads if inside else ()
        lacking = {thread.ident for thread in told if thread.lacks_locals}
        reached = {thread.ident for thread in told} - lacking
        carrier = inside.carrier_ident if inside and inside.carrier == "thread" else None
        wanted, others = [], []
        for interpreter in self._runtime.interpreters():
            for thread in self._runtime.threads(interpreter):
                if thread.interpreter_id == 0 and thread.ident in reached:
                    others.append(thread)
                elif thread.ident != carrier:
                    wanted.append(thread)
        return wanted, others

    def _wanted(self, inside: InsideView | None) -> Wanted:
        options = self._options
        variables = inside.variables_left_out if inside else options.variables
        return Wanted(
            selection=self.selection,
            level=options.values,
            variables=tuple(tuple(check_variable(name)) for name in variables),
            limits=limits_for(options.values),
            first_node=len(inside.values) if inside else 0,
            names=inside is None,
            loops_told=_loops_told(inside),
        )


def _loops_told(inside: InsideView | None) -> frozenset[int] | None:
    if inside is None or inside.lacks_tasks:
        return frozenset()
    return frozenset(task.loop for task in inside.tasks) if inside.has_asyncio else None
