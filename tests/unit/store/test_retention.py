"""What stays: the newest always, findings longest, foreign files untouched."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from snapshotter.store.retention import FreeSpace, Kept, Retention, free_space, to_remove

GB = 1_000_000_000


def dumps(count: int, size_bytes: int = 10) -> list[Kept]:
    return [Kept(Path(str(number)), number, size_bytes) for number in range(count)]


def removed(kept: list[Kept], retention: Retention, now_ns: int = 0) -> list[str]:
    return [dump.path.name for dump in to_remove(kept, retention, now_ns=now_ns)]


def test_nothing_goes_while_the_bounds_hold() -> None:
    assert removed(dumps(5), Retention(keep_ns=10, max_bytes=50), now_ns=10) == []


def test_too_old_dumps_go() -> None:
    assert removed(dumps(5), Retention(keep_ns=5, max_bytes=None), now_ns=8) == ["0", "1", "2"]


def test_oldest_go_until_the_size_fits() -> None:
    assert removed(dumps(5), Retention(keep_ns=None, max_bytes=25)) == ["0", "1", "2"]


def test_newest_stays_whatever_the_bounds() -> None:
    assert removed(dumps(3), Retention(keep_ns=0, max_bytes=0), now_ns=100) == ["0", "1"]
    assert removed(dumps(1), Retention(keep_ns=0, max_bytes=0), now_ns=100) == []
    assert removed([], Retention(keep_ns=0, max_bytes=0), now_ns=100) == []


def test_pinned_dumps_outlive_their_age() -> None:
    policy = Retention(keep_ns=1, max_bytes=None, pinned=lambda path: path.name == "1")

    assert removed(dumps(5), policy, now_ns=100) == ["0", "2", "3"]


def test_pinned_dumps_go_last() -> None:
    def policy(max_bytes: int) -> Retention:
        return Retention(None, max_bytes, pinned=lambda path: path.name in {"0", "1"})

    assert removed(dumps(5), policy(30)) == ["2", "3"]
    assert removed(dumps(5), policy(20)) == ["2", "3", "0"]


@given(
    st.lists(st.integers(0, 50), max_size=20),
    st.none() | st.integers(0, 20),
    st.none() | st.integers(0, 300),
    st.sets(st.integers(0, 20)),
)
def test_bounds_hold_afterwards(
    sizes: list[int], keep_ns: int | None, max_bytes: int | None, pins: set[int]
) -> None:
    kept = [Kept(Path(str(number)), number, size) for number, size in enumerate(sizes)]
    policy = Retention(keep_ns, max_bytes, pinned=lambda path: int(path.name) in pins)

    gone = to_remove(kept, policy, now_ns=20)
    left = [dump for dump in kept if dump not in gone]

    assert len(gone) == len(set(gone))
    assert left[-1:] == kept[-1:]
    if max_bytes is not None and len(left) > 1:
        assert sum(dump.size_bytes for dump in left) <= max_bytes
    if keep_ns is not None:
        assert all(dump.at_ns >= 20 - keep_ns or int(dump.path.name) in pins for dump in left[:-1])


def test_disk_is_low_below_a_gigabyte_or_five_percent() -> None:
    assert FreeSpace(GB - 1, 10 * GB).is_low
    assert not FreeSpace(GB, 10 * GB).is_low
    assert FreeSpace(4 * GB, 100 * GB).is_low
    assert FreeSpace(0, 0).is_low
    assert FreeSpace(4 * GB, 100 * GB).sentence() == "Only 4000 MB (4 %) of the disk are free."


def test_free_space_asks_the_file_system(tmp_path: Path) -> None:
    space = free_space(tmp_path)

    assert 0 <= space.free_bytes <= space.total_bytes
