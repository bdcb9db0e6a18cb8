"""A dump is one file that holds one snapshot.

It is one [msgpack](https://msgpack.org) map, plain and uncompressed: any msgpack reader in any
language reads it. In Python, the names of the threads are:

    dump = msgpack.unpackb(open("dump.msgpack", "rb").read())
    [row if row is None else dump["strings"][row] for row in dump["threads"]["name"]]

## What every reader relies on

* The first key is `schema`, with the value `snapshotter.dump/1`. The number is the **major**
  version. A reader refuses a higher one, upgrades a lower one, and **ignores every key and column
  that it does not know**. What changes meaning, goes away or adds a member to a closed set raises
  the major version; what is only added does not. A column or field marked `?` may be nil, and may
  be absent, which means nil in every row.
* The last two keys are `crc32` and `end`, always packed into the same 26 bytes: `a5 "crc32"`,
  `ce` and four bytes (CRC-32 as of zlib, over **everything before the key** `crc32`), `a3 "end"`,
  `aa "snapshot/1"`. A file without that end is torn; one whose sum differs was altered.
* Containers nest three deep and never deeper: the file, a table or group of fields, a column.
  Whatever is deep or circular in the target is flat here: rows point to rows by index.
* A **table** is a map of columns; a column is an array, and all columns of a table have the same
  length. A **group** is a map of single fields.
* A **text** is a msgpack str. Text with lone surrogates (file names that are not UTF-8, damaged
  strings of the target) is not valid UTF-8 and stands there as bin instead, encoded as if the
  surrogates were characters (Python: `.decode("utf-8", "surrogatepass")`).
* An **s-index** is an index into `strings`. Words of closed sets (state, kind, view, …) are
  s-indices too.
* Times end in `_ns` and are integers in nanoseconds. `captured_at_ns`, `start_time_ns` and
  `due_at_ns` are Unix time; every other instant is monotonic time of the machine.
* No extension types, no floats for time, no compression. Integers fit 64 bits, signed or unsigned;
  wider ones are text in hexadecimal.

## Top level

`schema`, `tool` (version that wrote it), `captured_at_ns`, `monotonic_ns`, `tasks_total`?, then the
tables and groups below, then `crc32`, `end`.

### `strings`
One array of texts, the only string table. Its first entries are the words of the closed sets.

### Stacks
* `codes` table, one row per code object: `filename` s-index, `qualname` s-index, `first_lineno`,
  `origin` s-index (`app`, `library`, `stdlib`).
* `frames` table, one row per distinct place: `code` row of `codes`, `lineno`?, `lasti`? (byte
  offset of the instruction).
* `stacks` table, one row per distinct stack: `length`, the number of its frames.
* `stack_frames` table: `frame` row of `frames`; the frames of the first stack innermost first, then
  those of the second, and so on. Equal stacks are stored once, whoever has them.

### `threads`
One row per thread: `ident`, `native_id`?, `name`? s-index, `daemon`?, `is_main`, `view` s-index
(`inside`, `outside`), `at_ns`, `stack` row of `stacks`, `complete`, `note`? s-index, `holds_gil`?,
`interpreter`. From the kernel, read before any request was sent: `state`? s-index (nil: no
counters), `wchan`? s-index, `voluntary_switches`?, `involuntary_switches`?, `cpu_ns`?,
`start_ticks`?, `counters_at_ns`?. The stack as seen from outside: `outside_stack`? row of `stacks`,
`outside_at_ns`?, `outside_tries`?, `outside_truncated`? (only its innermost frames were read).

### `tasks`
One row per asyncio task: `identity`, `name`? s-index, `state` s-index (`pending`, `running`,
`cancelled`, `finished`), `loop`, `thread_ident`?, `stack` row of `stacks`, `waits_for`? s-index.
* `task_awaiters` table (may be absent), one row per task and task that awaits it, be it in a
  gather, a group, a wait or a shield: `task` row of `tasks`, `awaiter` identity. Up to 64 per task.

### Locals
* `locals` table, one row per captured local: `of` s-index (`thread`, `outside`, `task`: whose stack
  it is), `row` of `threads` or `tasks`, `depth` (0 is the innermost frame), `name` s-index, `value`
  row of `values`.
* `locals_missing` table, one row per frame whose locals were selected and are not all there: `of`,
  `row`, `depth`, `reason` s-index.
* `variables` table, one row per module variable asked for: `expression` s-index, `value`? row of
  `values`, `problem`? s-index, `view`? s-index.

### Values
* `values` table, one row per captured value: `kind` s-index, `type` s-index, `status` s-index
  (`ok`, `redacted`, `truncated`, `unreadable`), `length`?, `scalar`? (bool, int, float or bin),
  `text`? s-index (where the scalar is a str), `items` (how many members follow in `items`),
  `identity`? (address in the target).
* `items` table: `value` row of `values`, `name`? s-index (attribute, field or string key), `key`?
  row of `values` (any other key), `attribute` (told from a key). The members of the first value,
  then those of the second, and so on.
* `wide_ints` table: `value` row of `values`, `hex` s-index: scalars that do not fit 64 bits.

### `gc`
nil, or a group: `enabled`, `freeze_count`?, `garbage`?, `callbacks` (array of texts).
* `generations` table: `count`, `threshold`, `collections`, `collected`, `uncollectable`.
* `generation_extra` table, further keys of `gc.get_stats()`: `generation` row, `name` s-index,
  `number` (int or float).
* `gc_runs` table (may be absent), the last runs of the collector: `generation`, `started_ns`,
  `duration_ns`, `heap_objects`, `collected`?, `uncollectable`?, `candidates`?.

### `process`
A group: `pid`, `start_time_ns`, `uid`, `python`, `executable`, `cmdline` (array of texts), `cwd`?,
`host`, `container`?, `rss_bytes`?, `cpu_ns`?, `fds`?, `os_threads`?, `voluntary_switches`?,
`involuntary_switches`?, `state`?.
* `identity`: nil, or a group that tells this incarnation from every other: `boot_id`, `pid`,
  `start_ticks`, `executable_inode` (text in hexadecimal, device and inode), `random_address`.

### `interpreter`
nil, or a group: `version`, `allocated_blocks`?, `modules`?, `recursion_limit`?,
`switch_interval_ns`?, `tracemalloc_bytes`?, `tracemalloc_peak_bytes`?, `interpreters`?,
`free_threaded`, `gil_holder`?.
* `signal_handlers` table: `signum`, `handler` s-index.

### `capture`
A group, how the snapshot was taken: `views` (array of texts), `complete`, `carrier`?, `slices`?,
`pause_max_ns`?, `pause_total_ns`?, `delivery_ns`?, `armed_ns`?, `skew_ns`?, `main`, `main_detail`?,
`locals`, `values`, `missing` (array of texts), `probe`?, `reply_bytes`?, `outside_ns`?,
`asked_thread`?, `holds`?, `held_ns`?, `woken`?.

### `tick`
nil, or a group: `sequence`, `due_at_ns`, `lateness_ns`.

## A recording

A directory with one dump for each snapshot, `000001-20261120T091500.003Z.msgpack`: a number that
only rises, and when it was taken (UTC). `recording.json` beside them says whose recording it is
(`target`), how it is taken (`options`, `interval_ns`), which due times have no snapshot (`missed`)
and why it ended (`ended`, null while it runs or when it was cut off); its `schema` is
`snapshotter.recording/1`. Files appear by rename or link, whole or not at all; what a killed writer
left is named `.tmp-…` and removed by the next. Files of any other name are not ours and stay.

## Limits of our reader

A file of at most 16 MiB, no column of more than 131,072 rows, at most 1,000,000 frames when every
thread's stack is written out. Every index, word and number is checked before anything is built.
A file that breaks a rule is refused as a whole, with one sentence.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "END_MARK",
    "INT_MAX",
    "INT_MIN",
    "LINE_MAX",
    "LINE_MIN",
    "MAJOR",
    "MAX_CONTAINERS",
    "MAX_DEPTH",
    "MAX_FILE_BYTES",
    "MAX_FRAMES_WRITTEN_OUT",
    "MAX_ROWS",
    "SCHEMA_PREFIX",
    "TRAILER_BYTES",
]

SCHEMA_PREFIX: Final = "snapshotter.dump/"
MAJOR: Final = 1

END_MARK: Final = "snapshot/1"
TRAILER_BYTES: Final = 26

MAX_FILE_BYTES: Final = 16 * 1024 * 1024
MAX_ROWS: Final = 131_072
MAX_FRAMES_WRITTEN_OUT: Final = 1_000_000
MAX_DEPTH: Final = 3
MAX_CONTAINERS: Final = 1_024

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**64 - 1
LINE_MIN: Final = -(2**31)
LINE_MAX: Final = 2**31 - 1
