"""Hypothesis strategies for snapshots: every field of the model, whatever the types allow."""

from __future__ import annotations

from types import MappingProxyType

from hypothesis import strategies as st

from snapshotter.model import (
    Capture,
    Collection,
    Counters,
    Frame,
    GcState,
    Generation,
    Identity,
    Interpreter,
    Item,
    Kind,
    Local,
    MainState,
    Origin,
    OutsideStack,
    Pause,
    ProcessInfo,
    SignalHandler,
    Snapshot,
    Status,
    Task,
    TaskState,
    Thread,
    Tick,
    Value,
    ValueLevel,
    Variable,
    View,
)

__all__ = ["frames", "gc_states", "processes", "snapshots", "texts", "threads", "values"]

# Any code point, lone surrogates too: a target can have them in names and paths.
texts = st.text(st.characters(exclude_categories=()), max_size=12)
_maybe_texts = st.none() | texts
_flags = st.booleans()
_int64 = st.integers(-(2**63), 2**64 - 1)
_counts = st.integers(0, 2**63 - 1)
_maybe_counts = st.none() | _counts
_lines = st.integers(-(2**31), 2**31 - 1)
_unix_ns = st.integers(0, 2**63 - 1)


def _tuples[T](
    members: st.SearchStrategy[T], max_size: int = 3
) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(members, max_size=max_size).map(tuple)


def _locals(nodes: int) -> st.SearchStrategy[tuple[Local, ...]]:
    if not nodes:
        return st.just(())
    return _tuples(st.builds(Local, name=texts, node=st.integers(0, nodes - 1)))


def frames(nodes: int = 0) -> st.SearchStrategy[Frame]:
    """Frames whose locals point into a table of ``nodes`` values."""
    return st.builds(
        Frame,
        filename=texts,
        qualname=texts,
        lineno=st.none() | _lines,
        first_lineno=_lines,
        origin=st.sampled_from(Origin),
        lasti=st.none() | _lines,
        locals=_locals(nodes),
        locals_missing=_maybe_texts,
    )


def _stacks(nodes: int) -> st.SearchStrategy[tuple[Frame, ...]]:
    return _tuples(frames(nodes), max_size=4)


_counters = st.builds(
    Counters,
    state=texts,
    wchan=_maybe_texts,
    voluntary_switches=_maybe_counts,
    involuntary_switches=_maybe_counts,
    cpu_ns=_maybe_counts,
    start_ticks=_maybe_counts,
    at_ns=_int64,
)


def threads(nodes: int = 0) -> st.SearchStrategy[Thread]:
    """Threads whose locals point into a table of ``nodes`` values."""
    return st.builds(
        Thread,
        ident=_int64,
        native_id=st.none() | _int64,
        name=_maybe_texts,
        daemon=st.none() | _flags,
        is_main=_flags,
        view=st.sampled_from(View),
        at_ns=_int64,
        frames=_stacks(nodes),
        complete=_flags,
        note=_maybe_texts,
        counters=st.none() | _counters,
        outside=st.none()
        | st.builds(
            OutsideStack, frames=_stacks(nodes), at_ns=_int64, tries=_counts, truncated=_flags
        ),
        holds_gil=st.none() | _flags,
        interpreter=_int64,
    )


def _tasks(nodes: int) -> st.SearchStrategy[Task]:
    return st.builds(
        Task,
        identity=_int64,
        name=_maybe_texts,
        state=st.sampled_from(TaskState),
        loop=_int64,
        thread_ident=st.none() | _int64,
        frames=_stacks(nodes),
        waits_for=_maybe_texts,
        awaited_by=st.lists(_int64, max_size=3).map(tuple),
    )


_scalars = (
    st.none()
    | _flags
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=12)
)


def values(count: int) -> st.SearchStrategy[tuple[Value, ...]]:
    """A table of ``count`` values whose members point anywhere in it, cycles included."""
    if not count:
        return st.just(())
    nodes = st.integers(0, count - 1)
    items = st.builds(Item, node=nodes, name=_maybe_texts, key=st.none() | nodes, attribute=_flags)
    value = st.builds(
        Value,
        kind=st.sampled_from(Kind),
        type=texts,
        status=st.sampled_from(Status),
        length=_maybe_counts,
        value=_scalars,
        items=_tuples(items),
        identity=st.none() | _int64,
    )
    return st.lists(value, min_size=count, max_size=count).map(tuple)


_identities = st.builds(
    Identity,
    boot_id=texts,
    pid=_counts,
    start_ticks=_counts,
    executable_inode=st.integers(0, 2**128 - 1),
    random_address=st.integers(0, 2**64 - 1),
)

processes: st.SearchStrategy[ProcessInfo] = st.builds(
    ProcessInfo,
    pid=_counts,
    start_time_ns=_unix_ns,
    uid=_counts,
    python=texts,
    executable=texts,
    cmdline=_tuples(texts),
    cwd=_maybe_texts,
    host=texts,
    container=_maybe_texts,
    rss_bytes=_maybe_counts,
    cpu_ns=_maybe_counts,
    fds=_maybe_counts,
    os_threads=_maybe_counts,
    voluntary_switches=_maybe_counts,
    involuntary_switches=_maybe_counts,
    state=_maybe_texts,
    identity=st.none() | _identities,
)

_generations = st.builds(
    Generation,
    count=_int64,
    threshold=_int64,
    collections=_counts,
    collected=_counts,
    uncollectable=_counts,
    extra=st.dictionaries(texts, _int64 | st.floats(allow_nan=False), max_size=3).map(
        MappingProxyType
    ),
)

_collections = st.builds(
    Collection,
    generation=_counts,
    started_ns=_counts,
    duration_ns=_counts,
    heap_objects=_counts,
    collected=_maybe_counts,
    uncollectable=_maybe_counts,
    candidates=_maybe_counts,
)

gc_states: st.SearchStrategy[GcState] = st.builds(
    GcState,
    enabled=_flags,
    generations=_tuples(_generations),
    freeze_count=_maybe_counts,
    garbage=_maybe_counts,
    callbacks=_tuples(texts),
    recent=_tuples(_collections),
)

_interpreters = st.builds(
    Interpreter,
    version=texts,
    allocated_blocks=_maybe_counts,
    modules=_maybe_counts,
    recursion_limit=_maybe_counts,
    switch_interval_ns=_maybe_counts,
    tracemalloc_bytes=_maybe_counts,
    tracemalloc_peak_bytes=_maybe_counts,
    interpreters=_maybe_counts,
    free_threaded=_flags,
    signal_handlers=_tuples(st.builds(SignalHandler, signum=_counts, handler=texts)),
    gil_holder=st.none() | _int64,
)

_captures = st.builds(
    Capture,
    views=_tuples(st.sampled_from(View)),
    complete=_flags,
    carrier=_maybe_texts,
    slices=_maybe_counts,
    pause=st.none() | st.builds(Pause, max_ns=_counts, total_ns=_counts),
    delivery_ns=_maybe_counts,
    armed_ns=_maybe_counts,
    skew_ns=_maybe_counts,
    main=st.sampled_from(MainState),
    main_detail=_maybe_texts,
    locals=texts,
    values=st.sampled_from(ValueLevel),
    missing=_tuples(texts),
    probe=_maybe_texts,
    reply_bytes=_maybe_counts,
    outside_ns=_maybe_counts,
    asked_thread=_maybe_counts,
    holds=_maybe_counts,
    held_ns=_maybe_counts,
    woken=_maybe_texts,
)

_ticks = st.builds(Tick, sequence=_counts, due_at_ns=_unix_ns, lateness_ns=_int64)


def _variables(nodes: int) -> st.SearchStrategy[Variable]:
    node = st.none() | st.integers(0, nodes - 1) if nodes else st.none()
    view = st.none() | st.sampled_from(View)
    return st.builds(Variable, expression=texts, node=node, problem=_maybe_texts, view=view)


@st.composite
def snapshots(draw: st.DrawFn, *, max_values: int = 4) -> Snapshot:
    """Any snapshot that keeps the promises of the model."""
    count = draw(st.integers(0, max_values))
    return draw(
        st.builds(
            Snapshot,
            captured_at_ns=_unix_ns,
            monotonic_ns=_counts,
            process=processes,
            capture=_captures,
            threads=_tuples(threads(count)),
            values=values(count),
            gc=st.none() | gc_states,
            interpreter=st.none() | _interpreters,
            tasks=_tuples(_tasks(count)),
            tasks_total=_maybe_counts,
            variables=_tuples(_variables(count)),
            tick=st.none() | _ticks,
            tool=texts,
        )
    )
