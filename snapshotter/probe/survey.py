"""One run: look at everything that was asked for and put it into one reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .budget import begin_slice, end_slice, next_slice, slice_length, spent
from .figures import pack_gc, pack_interpreter
from .kinds import LONGEST_PLACE, catalogue_types, exact_text, name_of_type
from .names import thread_names
from .nodes import forget_values
from .pack import (
    FALSE,
    NIL,
    TRUE,
    pack_array,
    pack_bin,
    pack_bin_head,
    pack_int,
    pack_map,
    pack_text,
)
from .pristine import modules_named
from .readers import make_readers
from .stacks import capture_threads
from .tasks import pack_tasks
from .values import hide_known
from .variables import pack_variables

if TYPE_CHECKING:
    from typing import Any

    from .shapes import Request, Tools, Work

__all__ = ["OUR_FILENAME", "PROBE_VERSION", "failure", "is_our_code", "run", "what_failed"]

PROBE_VERSION = "1"
OUR_FILENAME = "<snapshotter probe>"
_CODES_PER_CHECK = 16
_ROWS_PER_CHECK = 1024
_LARGE_FIELDS = 11
# Modules that are looked at if the application has loaded them.
_MODULES = (
    "_asyncio",
    "_collections",
    "_datetime",
    "_decimal",
    "_thread",
    "_tracemalloc",
    "_weakref",
    "enum",
    "gc",
    "numpy",
    "re",
    "threading",
)


def run(request: Request, tools: Tools, carrier: str, loaded_ns: int = 0) -> list[bytes]:
    """Take the survey in this thread and return the reply, in pieces: joining them takes time.

    ``carrier`` is "thread" (slices, the interpreter is given away in between) or "main" (one
    slice only); ``loaded_ns`` is what loading us took: a carrier's first slice, and for the main
    thread a part of its only one. Raises nothing of its own; what a
    signal handler raises passes through.
    """
    work = new_work(request, tools, carrier)
    if carrier == "thread" and loaded_ns:
        work["slices"] = 1
        work["pause_max"] = work["pause_total"] = loaded_ns
    begin_slice(work)
    work["slice_start"] = tools["entered_ns"]
    work["modules"] = modules_named(_MODULES)
    catalogue_types(work)
    readers = make_readers()
    gc = pack_gc(work)
    interpreter = pack_interpreter(work)
    names = thread_names(work)
    if tools["current_frames"]():
        capture_threads(work, readers)
    else:
        work["missing"].append("stacks from inside: the application has replaced what gives them")
    if not work["out_of_time"] and spent(work, 50):
        next_slice(work)
    variables = pack_variables(work, readers)
    forget_values(work)
    total, tasks = pack_tasks(work)
    codes = _pack_codes(work)
    hide_known(work, work["rows"])
    large = [
        *_field(work, "codes", codes),
        *_pack_stack(work),
        *_field(work, "threads", work["threads"]),
        *_field(work, "names", names),
        *_field(work, "locals", work["locals"]),
        *_field(work, "notes", work["notes"]),
        *_field(work, "types", work["types"]),
        *_field(work, "nodes", work["rows"]),
        *_field(work, "tasks", tasks),
        *_field(work, "variables", variables),
        *_field(work, "missing", [pack_text(text) for text in work["missing"]]),
    ]
    end_slice(work)
    if carrier == "main":
        work["pause_max"] += loaded_ns
        work["pause_total"] += loaded_ns
    small = [
        *_course(work),
        (pack_text("gc"), gc),
        (pack_text("interpreter"), interpreter),
        (pack_text("asyncio"), TRUE if "_asyncio" in work["modules"] else FALSE),
        (pack_text("tasks_total"), pack_int(total)),
    ]
    head = pack_map(len(small) + _LARGE_FIELDS + 2) + b"\xa1v" + pack_text(PROBE_VERSION)
    head += b"".join([key + value for key, value in small])
    return [head, *large, pack_text("end") + pack_bin(request["nonce"])]


def _course(work: Work) -> list[tuple[bytes, bytes]]:
    """Where and when the survey ran, and what it cost: to be asked after its last slice."""
    return [
        (pack_text("nonce"), pack_bin(work["request"]["nonce"])),
        (pack_text("carrier"), pack_text(work["carrier"])),
        (pack_text("carrier_ident"), pack_int(work["own"])),
        (pack_text("started_ns"), pack_int(work["started_ns"])),
        (pack_text("ended_ns"), pack_int(work["tools"]["clock"]())),
        (pack_text("slices"), pack_int(work["slices"])),
        (pack_text("pause_max_ns"), pack_int(work["pause_max"])),
        (pack_text("pause_total_ns"), pack_int(work["pause_total"])),
        (pack_text("frozen_clock"), TRUE if work["clock_stood"] else FALSE),
    ]


def new_work(request: Request, tools: Tools, carrier: str) -> Work:
    """The state of one run."""
    return {
        "request": request,
        "tools": tools,
        "catalogue": {},
        "special": {},
        "modules": {},
        "plans": {},
        "types": [],
        "kept_types": [],
        "rows": [],
        "values": [],
        "depths": [],
        "head": 0,
        "base": 0,
        "seen": {},
        "cut_node": -1,
        "dicts_read": 0,
        "names": {},
        "known": {},
        "codes": [],
        "code_index": {},
        "origins": [],
        "loop_codes": {},
        "stack": [],
        "last_first": 0,
        "threads": [],
        "native_ids": {},
        "locals": [],
        "notes": [],
        "missing": [],
        "own": tools["get_ident"](),
        "carrier": carrier,
        "slice_start": 0,
        "slice_ns": slice_length(request["slice_ns"]),
        "units": 0,
        "unit_limit": 0,
        "clock_stood": False,
        "slices": 0,
        "pause_max": 0,
        "pause_total": 0,
        "yielded_ns": 0,
        "started_ns": tools["clock"](),
        "may_yield": carrier == "thread",
        "out_of_time": False,
        "skip_locals": False,
        "threads_left": 0,
        "stack_ns": 0,
    }


def failure(request: Request, what: str) -> list[bytes]:
    """A reply that only says why there is none."""
    return [
        pack_map(4),
        b"\xa1v" + pack_text(PROBE_VERSION),
        pack_text("nonce") + pack_bin(request["nonce"]),
        pack_text("failed") + pack_text(what),
        pack_text("end") + pack_bin(request["nonce"]),
    ]


def what_failed(error: BaseException) -> str:
    """The name of an exception and the last line of ours that it passed, for the controller."""
    trace: Any = error.__traceback__
    place = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if is_our_code(code):
            place = " in " + exact_text(code.co_name, 100) + ":" + int.__repr__(trace.tb_lineno)
        trace = trace.tb_next
    return exact_text(name_of_type(type(error)), 100) + place


def is_our_code(code: Any) -> bool:
    """Whether a code object is one of the merged probe."""
    filename = code.co_filename  # may be of a subclass of str: no == then
    return type(filename) is str and filename == OUR_FILENAME


def _field(work: Work, name: str, rows: list[bytes]) -> list[bytes]:
    """The rows under this name, joined and let go of by and by."""
    parts = [pack_text(name) + pack_array(len(rows))]
    while rows:
        if spent(work, 70):
            next_slice(work)
        parts.append(b"".join(rows[:_ROWS_PER_CHECK]))
        del rows[:_ROWS_PER_CHECK]
    return parts


def _pack_stack(work: Work) -> list[bytes]:
    """All frames as 64-bit numbers."""
    stack = work["stack"]
    parts = [pack_text("stacks") + pack_bin_head(8 * len(stack))]
    while stack:
        if spent(work, 70):
            next_slice(work)
        part = stack[:_ROWS_PER_CHECK]
        parts.append(b"".join([number.to_bytes(8, "little") for number in part]))
        del stack[:_ROWS_PER_CHECK]
    return parts


def _pack_codes(work: Work) -> list[bytes]:
    """(file, name, first line, origin, line table) of each code object, as exact copies."""
    out: list[bytes] = []
    codes = work["codes"]
    for number in range(len(codes)):
        if number % _CODES_PER_CHECK == 0 and spent(work, 90):
            next_slice(work)
        code = codes[number]
        table = code.co_linetable
        out.append(
            b"\x95"
            + pack_text(exact_text(code.co_filename, LONGEST_PLACE))
            + pack_text(exact_text(code.co_qualname, LONGEST_PLACE))
            + pack_int(code.co_firstlineno)
            + pack_int(work["origins"][number])
            + (pack_bin(table) if type(table) is bytes else NIL)
        )
    return out
