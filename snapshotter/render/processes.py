"""The table of ``snap ps``: the Python processes of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group as Renderables
from rich.text import Text

from snapshotter.render.fit import Hanging, Trimmed, blank, line, sentence
from snapshotter.render.header import command_of
from snapshotter.render.sanitize import text
from snapshotter.render.styles import EMPHASIS, GOOD, QUIET, WARN
from snapshotter.render.tables import plain_table
from snapshotter.render.units import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from snapshotter.render.protocols import PythonProcess

__all__ = ["processes_view"]

_CONTAINER_ID = 12
_PIDS = 4


def processes_view(processes: Sequence[PythonProcess]) -> RenderableType:
    """Return one row for each process, and why a view of it cannot be had where it cannot."""
    if not processes:
        return line("No Python process was found on this machine.")
    in_container = any(process.container for process in processes)
    columns = ["pid", "python", "user", "inside", "outside", *["container"] * in_container]
    table = plain_table(*columns, "command", numbers_from=len(columns) + 1)
    table.columns[0].justify = "right"
    table.columns[-1].no_wrap = False
    for process in processes:
        table.add_row(*_cells(process, in_container=in_container))
    inside = sum(process.inside for process in processes)
    outside = sum(process.outside for process in processes)
    total = f"{plural(len(processes), 'process', 'processes')}: {inside} can be asked from inside, "
    total += f"{outside} read from outside"
    return Renderables(Trimmed(table), blank(), sentence((total, QUIET)), *_reasons(processes))


def _reasons(processes: Sequence[PythonProcess]) -> Iterator[RenderableType]:
    """Yield each reason once, with the processes that it is about."""
    pids: dict[str, list[str]] = {}
    alone: dict[str, str] = {}
    for process in processes:
        why = process.outside_why or process.why
        if why:
            shared = _of_several(why, process.pid)
            alone[shared] = why
            pids.setdefault(shared, []).append(str(process.pid))
    for shared, about in pids.items():
        why = alone[shared] if len(about) == 1 else shared
        more = f" and {len(about) - _PIDS} more" if len(about) > _PIDS else ""
        yield Hanging("", sentence((", ".join(about[:_PIDS]) + more, EMPHASIS), f": {why}"))


def _of_several(why: str, pid: int) -> str:
    """Return the sentence about one process as it is said of several."""
    return why.replace(f"Process {pid} ", "Each of them ").replace(f"process {pid}", "them")


def _cells(process: PythonProcess, *, in_container: bool) -> list[RenderableType]:
    user = process.user if process.user == str(process.uid) else f"{process.user} {process.uid}"
    python = " ".join((process.version or "?", process.build or ""))
    return [
        Text(str(process.pid), EMPHASIS),
        text(python.strip()),
        text(user),
        _yes_or_no(yes=process.inside),
        _yes_or_no(yes=process.outside),
        *([text(_container(process))] if in_container else []),
        line(command_of(process.cmdline)),
    ]


def _yes_or_no(*, yes: bool) -> Text:
    return Text("yes", GOOD) if yes else Text("no", WARN)


def _container(process: PythonProcess) -> str:
    if process.container is None:
        return ""
    return " ".join((process.container_runtime or "", process.container[:_CONTAINER_ID])).strip()
