"""The table of ``snap ps``: the Python processes of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group as Renderables
from rich.text import Text

from snapshotter.render.fit import Hanging, Trimmed, blank, line, sentence
from snapshotter.render.header import command_of
from snapshotter.render.sanitize import sanitize, text
from snapshotter.render.styles import EMPHASIS, GOOD, QUIET, WARN
from snapshotter.render.tables import plain_table
from snapshotter.render.units import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from snapshotter.render.protocols import PythonProcess

__all__ = ["processes_view"]

_CONTAINER_ID = 12


def processes_view(processes: Sequence[PythonProcess]) -> RenderableType:
    """Return one row for each process, and why a snapshot cannot be taken where it cannot."""
    if not processes:
        return line("No Python process was found on this machine.")
    in_container = any(process.container for process in processes)
    columns = ["pid", "version", "user", "snapshot", *(["container"] if in_container else [])]
    table = plain_table(*columns, "command", numbers_from=len(columns) + 1)
    table.columns[0].justify = "right"
    table.columns[-1].no_wrap = False
    for process in processes:
        table.add_row(*_cells(process, in_container=in_container))
    able = sum(process.attachable for process in processes)
    total = line((f"{plural(len(processes), 'process', 'processes')}, {able} attachable", QUIET))
    reasons = (
        Hanging("", sentence((str(process.pid), EMPHASIS), f": {process.why}"))
        for process in processes
        if process.why and not process.attachable
    )
    return Renderables(Trimmed(table), blank(), total, *reasons)


def _cells(process: PythonProcess, *, in_container: bool) -> list[RenderableType]:
    able = process.attachable
    container = [text((process.container or "")[:_CONTAINER_ID])] if in_container else []
    return [
        Text(str(process.pid), EMPHASIS),
        text(process.version or "?"),
        Text(sanitize(process.user)),
        Text("yes", GOOD) if able else Text("no", WARN),
        *container,
        line(command_of(process.cmdline)),
    ]
