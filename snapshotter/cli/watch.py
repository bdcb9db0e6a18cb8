"""``snap watch``: record processes, snapshot after snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from snapshotter.cli.capture import CaptureGiven, capture_arguments, capture_options
from snapshotter.cli.command import Command
from snapshotter.cli.console import can_draw
from snapshotter.cli.errors import print_note
from snapshotter.cli.idle import idle_catalogue
from snapshotter.cli.params import COUNT, DIRECTORY, DURATION, PID, SIZE
from snapshotter.cli.targets import Targets
from snapshotter.cli.units import format_duration
from snapshotter.errors import (
    ExitCode,
    NoSnapshotError,
    ProcessEndedError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from snapshotter.cli.display import Display
    from snapshotter.cli.recordings import Follower, Recordings
    from snapshotter.errors import SnapshotterError
    from snapshotter.record.clock import Clock
    from snapshotter.record.events import Event
    from snapshotter.record.fleet import Limits
    from snapshotter.record.options import CaptureOptions
    from snapshotter.record.stop import StopReason

__all__ = ["command"]

# Faster, and requests begin to disturb the signals of the target.
_SHORTEST_INTERVAL_NS = 100_000_000
_LONGEST_PATIENCE_NS = 5_000_000_000


class WatchGiven(CaptureGiven):
    """What click hands over."""

    pids: tuple[int, ...]
    name: tuple[str, ...]
    tree: tuple[int, ...]
    every: int
    count: int | None
    duration: int | None
    output: Path | None
    keep: int
    max_size: int
    quiet: bool


@click.command(
    "watch",
    cls=Command,
    examples=(
        "snap watch 4121 --every 30s",
        "snap watch 4121 --every 5s --for 10m -o stall",
        "snap watch --tree 4100 --every 1m --keep 7d --max-size 2GB",
        "snap watch 4121 --every 1s --count 60 | grep 'frozen=[1-9]'",
    ),
    exits=(
        ExitCode.DONE,
        ExitCode.USAGE,
        ExitCode.NO_TARGET,
        ExitCode.NOT_PERMITTED,
        ExitCode.NO_SNAPSHOT,
        ExitCode.UNREADABLE_FILE,
        ExitCode.INTERRUPTED,
    ),
)
@click.argument("pids", metavar="[PID]...", type=PID, nargs=-1)
@click.option(
    "--name",
    multiple=True,
    metavar="GLOB",
    help="All Python processes with such a name, also those that start later.",
)
@click.option(
    "--tree",
    type=PID,
    multiple=True,
    help="This process and all below it, also those that start later.",
)
@click.option(
    "--every",
    type=DURATION,
    default="30s",
    show_default=True,
    help="The time from one snapshot to the next; at least 100ms.",
)
@click.option(
    "--count",
    type=COUNT,
    metavar="N",
    help="End after N snapshots of each process. One that starts later has N of its own, but is "
    "waited for only as long as others are recorded.",
)
@click.option("--for", "duration", type=DURATION, help="End after this time.")
@click.option(
    "-o",
    "--output",
    type=DIRECTORY,
    metavar="DIR",
    help="The directory of the recording; of several processes, the directory that their "
    "recordings go into.  [default: NAME-PID-TIME, here]",
)
@click.option(
    "--keep",
    type=DURATION,
    default="24h",
    show_default=True,
    help="Remove snapshots of this recording when they are older.",
)
@click.option(
    "--max-size",
    type=SIZE,
    default="512MB",
    show_default=True,
    help="Remove the oldest snapshots of a recording when it is larger.",
)
@click.option("--quiet", is_flag=True, help="Show nothing but trouble.")
@capture_arguments(
    patience_help="How long to wait for a moment at which the main thread can be asked, "
    "at most half of --every.  [default: that, up to 5s, shared by all processes]"
)
def command(**given: Unpack[WatchGiven]) -> int:
    """Record each process, one snapshot --every so often, until it is told to stop.

    A recording ends with Ctrl-C, SIGTERM, --count, --for or its process. Then the exit code is 0,
    but 130 after Ctrl-C, and 3 or 5 if not one snapshot was taken. A second Ctrl-C does not
    wait for the snapshot under way.

    After the first 30 ms of slices a process is asked only as long as that takes at most 0.5 % of
    its time, or 0.02 % with --every under 1s. A snapshot that would take more is from outside only,
    and says so.

    On a terminal the last snapshots are shown live; in a pipe, or where TERM is dumb, there is
    one line per event.
    """
    targets = Targets(pids=given["pids"], names=given["name"], trees=given["tree"])
    _check(given)
    return _watch(given, targets)


def _check(given: WatchGiven) -> None:
    if not all(glob.strip() for glob in given["name"]):
        raise UsageError("--name: an empty name matches no process.")
    if given["every"] < _SHORTEST_INTERVAL_NS:
        raise UsageError(
            f"--every must be at least {format_duration(_SHORTEST_INTERVAL_NS)}, not "
            f"{format_duration(given['every'])}."
        )
    if given["output"] == Path("-"):
        raise UsageError(
            "A recording is a directory and cannot go to stdout.",
            hint="name a directory with -o, or take one dump with snap dump PID -o -",
        )
    half_ns = given["every"] // 2
    if given["patience"] is not None and given["patience"] > half_ns:
        raise UsageError(f"--patience may be at most half of --every, {format_duration(half_ns)}.")


def _watch(given: WatchGiven, targets: Targets) -> int:
    options = _options(given, len(targets.now()))
    from snapshotter.attach.priority import modest  # noqa: PLC0415 -- start-up
    from snapshotter.cli.recordings import RecordingPlan, Recordings  # noqa: PLC0415 -- start-up
    from snapshotter.record.clock import SystemClock  # noqa: PLC0415 -- start-up
    from snapshotter.store.retention import Retention  # noqa: PLC0415 -- start-up

    plan = RecordingPlan(
        options=options,
        interval_ns=given["every"],
        retention=Retention(keep_ns=given["keep"], max_bytes=given["max_size"]),
        directory=given["output"],
        several=targets.are_several,
    )
    modest()  # whoever is watched for hours must not have to wait for us
    clock = SystemClock()
    recordings = Recordings(plan, clock)
    tally = _run(given, recordings, targets, clock)
    _check_written(tally, recordings.written)
    _summarize(tally, recordings.written)
    return tally.exit_code()


def _options(given: WatchGiven, processes: int) -> CaptureOptions:
    patience_ns = min(given["every"] // 2, _LONGEST_PATIENCE_NS) // processes
    return capture_options(given, patience_ns=patience_ns)


@dataclass(slots=True)
class _Tally:
    """What happened, as far as the exit code depends on it."""

    taken: int = 0
    missed: int = 0
    stored: int = 0
    ended: str | None = None
    stopped: StopReason | None = None
    trouble: str | None = None
    unwritten: SnapshotterError | None = None

    def count(self, event: Event) -> None:
        from snapshotter.record import events  # noqa: PLC0415 -- start-up

        match event:
            case events.SnapshotTaken(_, path):
                self.taken += 1
                self.stored += path is not None
            case events.TickMissed(_, missed):
                self.missed += missed.count
                self.trouble = missed.detail or self.trouble
            case events.StorageTrouble(_, error):
                self.unwritten = error
            case events.TargetEnded(_, reason):
                self.ended = reason
            case events.Stopped(reason):
                self.stopped = reason

    def exit_code(self) -> ExitCode:
        """Return it, or raise the error that says why there is nothing to show for it."""
        from snapshotter.record.stop import StopReason  # noqa: PLC0415 -- start-up

        if self.stopped is StopReason.INTERRUPT:
            return ExitCode.INTERRUPTED
        if self.stored:
            return ExitCode.DONE
        if self.unwritten is not None:
            raise self.unwritten
        if self.ended is not None:
            raise ProcessEndedError(self.ended)
        if self.trouble is None and self.stopped is not None:
            raise NoSnapshotError(
                f"Not one snapshot was taken: {self.stopped.value}.",
                hint="Let it run for longer, or take one dump with: snap dump PID",
            )
        raise NoSnapshotError(self.trouble or "Not one snapshot was taken.")


def _run(given: WatchGiven, recordings: Recordings, targets: Targets, clock: Clock) -> _Tally:
    """Record until the end."""
    from snapshotter.record.fleet import Fleet  # noqa: PLC0415 -- start-up
    from snapshotter.record.stop import StopToken, stop_on_signals  # noqa: PLC0415 -- start-up

    tally = _Tally()
    with StopToken() as stop, stop_on_signals(stop):
        pids = targets.now()
        fleet = Fleet(
            recordings.open_all(pids, wanted=targets.pids),
            clock=clock,
            stop=stop,
            limits=_limits(given, clock),
            newcomers=_follower(given, recordings, targets, pids),
        )
        try:
            with fleet, _display(given, recordings, clock) as display:
                for event in fleet.events():
                    tally.count(event)
                    display.tell(event)
        except KeyboardInterrupt:  # The second signal: all is closed, and the first one counts.
            tally.stopped = stop.reason
    return tally


def _limits(given: WatchGiven, clock: Clock) -> Limits:
    from snapshotter.record.fleet import Limits  # noqa: PLC0415 -- start-up

    duration_ns = given["duration"]
    until_ns = None if duration_ns is None else clock.monotonic_ns() + duration_ns
    return Limits(count=given["count"], until_ns=until_ns)


def _follower(
    given: WatchGiven, recordings: Recordings, targets: Targets, pids: tuple[int, ...]
) -> Follower | None:
    from snapshotter.cli.recordings import Follower  # noqa: PLC0415 -- start-up

    if not targets.are_open:
        return None
    return Follower(targets, recordings, interval_ns=given["every"], known=pids)


def _display(given: WatchGiven, recordings: Recordings, clock: Clock) -> Display:
    from snapshotter.cli import display  # noqa: PLC0415 -- start-up

    if given["quiet"]:
        return display.QuietDisplay()
    catalogue = idle_catalogue()
    if not can_draw():
        return display.LineDisplay(clock, catalogue)
    return display.LiveDisplay(
        recordings.directories, interval_ns=given["every"], clock=clock, catalogue=catalogue
    )


def _check_written(tally: _Tally, directories: AbstractSet[Path]) -> None:
    """Raise NoSnapshotError when all that was recorded is no longer where it was."""
    if tally.stored and not any(path.is_dir() for path in directories):
        places = " and ".join(map(str, sorted(directories)))
        verb, it = ("is", "it") if len(directories) == 1 else ("are", "them")
        raise NoSnapshotError(
            f"{places} {verb} no longer there: somebody removed or renamed {it} during the"
            " recording.",
            hint="Record again, into a directory that nobody cleans up.",
            slug="recording-removed",
        )


def _summarize(tally: _Tally, directories: AbstractSet[Path]) -> None:
    """Say on stderr what there is now, and where."""
    if tally.stored:
        left = [path for path in directories if path.is_dir()]
        places = {str(path.parent if len(left) > 1 else path) for path in left}
        missed = f", {tally.missed} missed" if tally.missed else ""
        noun = "snapshot" if tally.stored == 1 else "snapshots"
        print_note(f"{tally.stored} {noun}{missed} in {' and '.join(sorted(places))}")
