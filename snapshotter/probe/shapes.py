"""The shape of the probe's records, for the type checker only: nothing of it reaches the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any, TypedDict

    type Content = tuple[int, int, int | None, bytes, list[Any] | None]

    class Limits(TypedDict):
        """Upper bounds of one reply."""

        depth: int
        items: int
        attributes: int
        text: int
        nodes: int
        frames: int
        threads: int
        tasks: int
        app_frames: int

    class Request(TypedDict):
        """What the controller asks for; exact builtin types only."""

        nonce: bytes
        pid: int
        start_by_ns: int
        deadline_ns: int
        slice_ns: int
        carrier: str
        os_threads: int
        locals: str
        globs: list[list[str]]
        values: str
        variables: list[list[str]]
        stdlib: list[str]
        reply: str
        beside: bytes
        limits: Limits

    class Tools(TypedDict):
        """C functions of the running interpreter, each proved genuine."""

        clock: Callable[[], int]
        entered_ns: int
        """When this thread began with us; not a function, but found with the clock."""
        read_clock: Callable[[int], int] | None
        sleep: Callable[[float], None] | None
        start: Callable[..., int] | None
        get_ident: Callable[[], int]
        current_frames: Callable[[], dict[int, Any]]
        open: Callable[..., int]
        read: Callable[[int, int], bytes]
        writev: Callable[[int, list[bytes]], int]
        close: Callable[[int], None]
        stat: Callable[[str], Any]
        referents: Callable[..., list[Any]]
        getpid: Callable[[], int]

    class Work(TypedDict):
        """The state of one run; between slices it holds code objects and types, no values."""

        request: Request
        tools: Tools
        catalogue: dict[int, int]
        special: dict[str, Any]
        modules: dict[str, Any]
        plans: dict[int, Any]
        types: list[bytes]
        kept_types: list[Any]
        rows: list[bytes]
        values: list[Any]
        depths: list[int]
        head: int
        base: int
        seen: dict[int, int]
        cut_node: int
        dicts_read: int
        names: dict[str, bool]
        known: dict[bytes, bool]
        codes: list[CodeType]
        code_index: dict[int, int]
        origins: list[int]
        stack: list[int]
        threads: list[bytes]
        native_ids: dict[int, int]
        locals: list[bytes]
        notes: list[bytes]
        missing: list[str]
        loop_codes: dict[int, bool]
        last_first: int
        own: int
        carrier: str
        slice_start: int
        slice_ns: int
        units: int
        unit_limit: int
        clock_stood: bool
        slices: int
        pause_max: int
        pause_total: int
        yielded_ns: int
        started_ns: int
        may_yield: bool
        out_of_time: bool
        skip_locals: bool
        threads_left: int
        stack_ns: int
