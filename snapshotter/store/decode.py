"""From the bytes of a dump to a Snapshot; everything is checked before it is built."""

from __future__ import annotations

from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from snapshotter.model import (
    Capture,
    Collection,
    GcState,
    Generation,
    Identity,
    Interpreter,
    Item,
    Kind,
    MainState,
    Pause,
    ProcessInfo,
    SignalHandler,
    Snapshot,
    Status,
    Tick,
    Value,
    ValueLevel,
    Variable,
    View,
)
from snapshotter.store.columns import Columns, Group, from_hexadecimal, texts
from snapshotter.store.decode_stacks import read_stacks
from snapshotter.store.envelope import malformed, unseal
from snapshotter.store.format import MAX_ROWS
from snapshotter.store.upgrade import upgrade
from snapshotter.store.wire import WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["decode"]

type _Document = dict[str, Any]


def decode(data: bytes, *, name: str = "The dump") -> Snapshot:
    """Return the snapshot in the file ``data``; ``name`` stands for it in messages.

    Raises UnreadableFileError for everything that is not one whole, unaltered and valid dump.
    """
    major, document = unseal(data, name=name)
    try:
        return _snapshot(upgrade(document, major))
    except WireError as error:
        raise malformed(name, error) from error


def _snapshot(document: _Document) -> Snapshot:
    head = Group(document, "file")
    strings = _strings(document.get("strings"))
    values = _values(document, strings)
    threads, tasks = read_stacks(document, strings, len(values))
    return Snapshot(
        captured_at_ns=head.integer("captured_at_ns"),
        monotonic_ns=head.integer("monotonic_ns"),
        process=_process(document),
        capture=_capture(Group(document.get("capture"), "capture")),
        threads=threads,
        values=values,
        gc=_gc(document, strings),
        interpreter=_interpreter(document, strings),
        tasks=tasks,
        tasks_total=head.maybe_integer("tasks_total"),
        variables=_variables(document, strings, len(values)),
        tick=_tick(document.get("tick")),
        tool=head.text("tool"),
    )


def _strings(column: object) -> tuple[str, ...]:
    if type(column) is not list:
        raise WireError("the string table is missing")
    return texts(column)


def _values(document: _Document, strings: Sequence[str]) -> tuple[Value, ...]:
    table = Columns(document, "values", strings)
    kinds = table.words("kind", Kind)
    scalars: list[bool | int | float | str | bytes | None] = list(table.scalars("scalar"))
    for row, text in enumerate(table.maybe_texts("text")):
        if text is not None:
            scalars[row] = text
    _add_wide_integers(document, strings, scalars)
    counts = table.integers("items", low=0, high=MAX_ROWS)
    rows = zip(
        kinds,
        table.texts("type"),
        table.words("status", Status),
        table.maybe_integers("length", low=0),
        scalars,
        _items(document, strings, counts),
        table.maybe_integers("identity"),
        strict=True,
    )
    return tuple(Value(*row) for row in rows)


def _add_wide_integers(document: _Document, strings: Sequence[str], scalars: list[Any]) -> None:
    table = Columns(document, "wide_ints", strings)
    rows = table.rows_of("value", len(scalars))
    for row, text in zip(rows, table.texts("hex"), strict=True):
        scalars[row] = from_hexadecimal(text)


def _items(
    document: _Document, strings: Sequence[str], counts: Sequence[int]
) -> list[tuple[Item, ...]]:
    table = Columns(document, "items", strings)
    nodes = table.rows_of("value", len(counts))
    rows = zip(
        nodes,
        table.maybe_texts("name"),
        table.maybe_rows_of("key", len(counts)),
        table.flags("attribute"),
        strict=True,
    )
    items = tuple(Item(*row) for row in rows)
    ends = list(accumulate(counts, initial=0))
    if ends[-1] != len(items):
        raise WireError("the values do not have as many members as there are")
    return [items[start:end] for start, end in pairwise(ends)]


def _variables(document: _Document, strings: Sequence[str], count: int) -> tuple[Variable, ...]:
    table = Columns(document, "variables", strings)
    rows = zip(
        table.texts("expression"),
        table.maybe_rows_of("value", count),
        table.maybe_texts("problem"),
        table.maybe_words("view", View),
        strict=True,
    )
    return tuple(Variable(*row) for row in rows)


def _gc(document: _Document, strings: Sequence[str]) -> GcState | None:
    generations = _generations(document, strings)
    if document.get("gc") is None:
        return None
    group = Group(document["gc"], "gc")
    return GcState(
        enabled=group.flag("enabled"),
        generations=generations,
        freeze_count=group.maybe_integer("freeze_count"),
        garbage=group.maybe_integer("garbage"),
        callbacks=group.texts("callbacks"),
        recent=_gc_runs(document, strings),
    )


def _gc_runs(document: _Document, strings: Sequence[str]) -> tuple[Collection, ...]:
    if "gc_runs" not in document:  # written before there were any
        return ()
    table = Columns(document, "gc_runs", strings)
    rows = zip(
        table.integers("generation"),
        table.integers("started_ns"),
        table.integers("duration_ns"),
        table.integers("heap_objects"),
        table.maybe_integers("collected"),
        table.maybe_integers("uncollectable"),
        table.maybe_integers("candidates"),
        strict=True,
    )
    return tuple(Collection(*row) for row in rows)


def _generations(document: _Document, strings: Sequence[str]) -> tuple[Generation, ...]:
    table = Columns(document, "generations", strings)
    counts = table.integers("count")
    rows = zip(
        counts,
        table.integers("threshold"),
        table.integers("collections"),
        table.integers("collected"),
        table.integers("uncollectable"),
        map(MappingProxyType, _generation_extras(document, strings, len(counts))),
        strict=True,
    )
    return tuple(Generation(*row) for row in rows)


def _generation_extras(
    document: _Document, strings: Sequence[str], count: int
) -> list[dict[str, int | float]]:
    table = Columns(document, "generation_extra", strings)
    extras: list[dict[str, int | float]] = [{} for _ in range(count)]
    for generation, name, number in zip(
        table.rows_of("generation", count),
        table.texts("name"),
        table.numbers("number"),
        strict=True,
    ):
        extras[generation][name] = number
    return extras


def _interpreter(document: _Document, strings: Sequence[str]) -> Interpreter | None:
    table = Columns(document, "signal_handlers", strings)
    handlers = zip(table.integers("signum"), table.texts("handler"), strict=True)
    if document.get("interpreter") is None:
        return None
    group = Group(document["interpreter"], "interpreter")
    return Interpreter(
        version=group.text("version"),
        allocated_blocks=group.maybe_integer("allocated_blocks"),
        modules=group.maybe_integer("modules"),
        recursion_limit=group.maybe_integer("recursion_limit"),
        switch_interval_ns=group.maybe_integer("switch_interval_ns"),
        tracemalloc_bytes=group.maybe_integer("tracemalloc_bytes"),
        tracemalloc_peak_bytes=group.maybe_integer("tracemalloc_peak_bytes"),
        interpreters=group.maybe_integer("interpreters"),
        free_threaded=group.flag("free_threaded"),
        signal_handlers=tuple(SignalHandler(*row) for row in handlers),
        gil_holder=group.maybe_integer("gil_holder"),
    )


def _process(document: _Document) -> ProcessInfo:
    group = Group(document.get("process"), "process")
    return ProcessInfo(
        pid=group.integer("pid"),
        start_time_ns=group.integer("start_time_ns"),
        uid=group.integer("uid"),
        python=group.text("python"),
        executable=group.text("executable"),
        cmdline=group.texts("cmdline"),
        cwd=group.maybe_text("cwd"),
        host=group.text("host"),
        container=group.maybe_text("container"),
        rss_bytes=group.maybe_integer("rss_bytes"),
        cpu_ns=group.maybe_integer("cpu_ns"),
        fds=group.maybe_integer("fds"),
        os_threads=group.maybe_integer("os_threads"),
        voluntary_switches=group.maybe_integer("voluntary_switches"),
        involuntary_switches=group.maybe_integer("involuntary_switches"),
        state=group.maybe_text("state"),
        identity=_identity(document.get("identity")),
    )


def _identity(fields: object) -> Identity | None:
    if fields is None:
        return None
    group = Group(fields, "identity")
    return Identity(
        boot_id=group.text("boot_id"),
        pid=group.integer("pid"),
        start_ticks=group.integer("start_ticks"),
        executable_inode=group.hexadecimal("executable_inode"),
        random_address=group.integer("random_address"),
    )


def _capture(group: Group) -> Capture:
    max_ns = group.maybe_integer("pause_max_ns")
    total_ns = group.maybe_integer("pause_total_ns")
    return Capture(
        views=group.words("views", View),
        complete=group.flag("complete"),
        carrier=group.maybe_text("carrier"),
        slices=group.maybe_integer("slices"),
        pause=None if max_ns is None or total_ns is None else Pause(max_ns, total_ns),
        delivery_ns=group.maybe_integer("delivery_ns"),
        armed_ns=group.maybe_integer("armed_ns"),
        skew_ns=group.maybe_integer("skew_ns"),
        main=group.word("main", MainState),
        main_detail=group.maybe_text("main_detail"),
        locals=group.text("locals"),
        values=group.word("values", ValueLevel),
        missing=group.texts("missing"),
        probe=group.maybe_text("probe"),
        reply_bytes=group.maybe_integer("reply_bytes"),
        outside_ns=group.maybe_integer("outside_ns"),
        asked_thread=group.maybe_integer("asked_thread"),
        holds=group.maybe_integer("holds"),
        held_ns=group.maybe_integer("held_ns"),
        woken=group.maybe_text("woken"),
    )


def _tick(fields: object) -> Tick | None:
    if fields is None:
        return None
    group = Group(fields, "tick")
    return Tick(group.integer("sequence"), group.integer("due_at_ns"), group.integer("lateness_ns"))
