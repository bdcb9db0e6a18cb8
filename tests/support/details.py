"""Values as the outside view reads them: of a live target, or of our own process."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from snapshotter.model import ValueLevel
from snapshotter.outside.codes import CodeCache
from snapshotter.outside.details import DetailsReader, OutsideDetails, Wanted
from snapshotter.outside.memory import Memory
from snapshotter.outside.origin import Origins
from snapshotter.outside.runtime import Runtime
from snapshotter.outside.selection import Selection
from tests.unit.probe.variables import module_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from snapshotter.model import Value

__all__ = ["Details", "details_of", "see_own", "tree"]


class Details:
    """Reads the details of one process again and again."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        codes = CodeCache(runtime, Origins.for_process(runtime.pid))
        self.reader = DetailsReader(runtime, codes)

    def read(self, policy: str = "app", **wanted: Any) -> OutsideDetails:  # noqa: ANN401 - as Wanted
        threads = self.runtime.threads(self.runtime.main_interpreter())
        wanted.setdefault("level", ValueLevel.SCRUBBED)
        return self.reader.read(threads, Wanted(selection=Selection(policy), **wanted))


@contextlib.contextmanager
def details_of(pid: int) -> Iterator[Details]:
    """A reader of process ``pid`` until the end of the ``with`` block."""
    with Memory(pid) as memory:
        yield Details(Runtime.attach(pid, memory))


def see_own(details: Details, values: Mapping[str, Any], **wanted: Any) -> OutsideDetails:  # noqa: ANN401 - as Wanted
    """Read values of our own process, as variables of a module, through its memory."""
    with module_of(values) as variables:
        wanted.setdefault("variables", tuple(tuple(path) for path in variables))
        return details.read("none", **wanted)


def tree(values: Sequence[Value], index: int, path: tuple[int, ...] = ()) -> object:
    """What is shown of a value, all that is in it included, but for where it lies in memory.

    The order of attributes is not told: the probe asks for them by name.
    """
    if index in path or len(path) > 6:
        return "…"
    value, path = values[index], (*path, index)
    items = [
        (
            item.name,
            item.attribute,
            None if item.key is None else tree(values, item.key, path),
            tree(values, item.node, path),
        )
        for item in value.items
    ]
    attributes = sorted((item for item in items if item[1]), key=lambda item: str(item[0]))
    members = [item for item in items if not item[1]]
    what = str(value.kind), value.type, str(value.status), value.length, repr(value.value)
    return *what, members, attributes
