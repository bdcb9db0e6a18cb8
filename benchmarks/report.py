"""Makes RESULTS.md from the JSON that the benchmarks saved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.harness import RESULTS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["main", "section"]

_HEAD = """\
# Results

The last run of each benchmark, made by `scripts/bench`; do not edit. Each figure stands beside
the idle baseline or the paired run of the same minutes: ratios travel better than milliseconds.
"""


def section(name: str, record: dict[str, Any]) -> str:
    """Return the Markdown of one benchmark's saved record."""
    return "\n".join(_lines(name, record))


def _lines(name: str, record: dict[str, Any]) -> Iterator[str]:
    machine, load = record["machine"], record["load"]
    yield f"## {record['title']}"
    yield ""
    yield record["method"]
    yield ""
    length = ", short form" if record["short"] else ""
    yield (
        f"`benchmarks/{name}.py`{length}, {record['started']}, {record['took_s']} s; "
        f"{machine['processor']}; {machine['kernel']}; CPython {machine['python']}; "
        f"load average {load[0]} before, {load[1]} after; commit {machine['snapshotter']}."
    )
    if record["goals"]:
        rows = [
            (goal["what"], goal["limit"], goal["measured"], "yes" if goal["met"] else "**no**")
            for goal in record["goals"]
        ]
        yield ""
        yield from _table(("goal", "limit", "measured", "met"), rows)
    for table in record["tables"]:
        yield from ("", f"**{table['title']}**", "")
        yield from _table(table["columns"], table["rows"])
    for note in record["notes"]:
        yield from ("", note)
    yield ""


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def main() -> None:
    """Write RESULTS.md from results.json."""
    records = json.loads(RESULTS.read_text(encoding="utf-8"))
    parts = [_HEAD, *(section(name, records[name]) for name in sorted(records))]
    (ROOT / "benchmarks" / "RESULTS.md").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
