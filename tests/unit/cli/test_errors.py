import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshotter.cli import main
from snapshotter.cli.errors import exit_code_of, print_error, print_note
from snapshotter.errors import (
    ExitCode,
    InternalError,
    NoSnapshotError,
    NoSuchProcessError,
    NotPermittedError,
    NotPythonError,
    ProcessEndedError,
    SnapshotterError,
    StorageError,
    TooManyFilesError,
    UnreadableFileError,
    UnsupportedPythonError,
    UsageError,
    shell_word,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def _all_classes(base: type[SnapshotterError]) -> Iterator[type[SnapshotterError]]:
    for each in base.__subclasses__():
        yield each
        yield from _all_classes(each)


def run_and_raise(error: BaseException) -> int:
    def run() -> int:
        raise error

    return exit_code_of(run)


@pytest.mark.parametrize(
    ("error_class", "code"),
    [
        (UsageError, 2),
        (NoSuchProcessError, 3),
        (ProcessEndedError, 3),
        (NotPythonError, 3),
        (UnsupportedPythonError, 3),
        (NotPermittedError, 4),
        (NoSnapshotError, 5),
        (StorageError, 5),
        (TooManyFilesError, 5),
        (UnreadableFileError, 6),
        (InternalError, 70),
    ],
)
def test_each_error_has_its_exit_code(error_class: type[SnapshotterError], code: int) -> None:
    assert run_and_raise(error_class("It went wrong.")) == code


def test_an_error_is_a_sentence_a_next_step_and_a_place_to_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_and_raise(NotPermittedError("The kernel says no.", hint="sudo snap dump 1"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "snap: The kernel says no.",
        "  try: sudo snap dump 1",
        "  see: docs/reference/messages.md#not-permitted",
    ]


@pytest.mark.parametrize("error_class", list(_all_classes(SnapshotterError)))
def test_every_error_has_a_next_step(
    error_class: type[SnapshotterError], capsys: pytest.CaptureFixture[str]
) -> None:
    run_and_raise(error_class("It went wrong."))
    _, step, place = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"  try: \S.{5,}", step)
    assert place == f"  see: docs/reference/messages.md#{error_class.slug}"


def test_wrong_use_of_a_command_points_to_its_own_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "1", "--every", "1ms"]) == ExitCode.USAGE
    assert "  try: snap watch --help\n" in capsys.readouterr().err


def test_what_a_target_put_into_an_error_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_and_raise(NoSnapshotError("Thread \x1b]0;evil\x07 \x1b[31m died."))
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a\nb", "a\r\x1b[2Jb", "a\u2028b", "a\udcffb"])
def test_a_name_of_a_file_cannot_begin_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    print_note(f"wrote {name} (1 KB)")
    print_error(UsageError(f"{name} exists already.", hint=f"rm {name}"))
    run_and_raise(ValueError(name))
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 + 3 + 3
    assert err.isascii()
    assert err.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "name", ["plain", "caf\u00e9 au lait", "it's\n\\n\t", "\x1b[2J", "a\udcffb"]
)
def test_a_path_in_a_hint_is_one_word_for_a_shell(name: str) -> None:
    word = shell_word(Path("dir", name))
    assert word.isprintable()
    done = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert done.stdout == os.fsencode(f"dir/{name}")


def test_help_in_place_of_an_error_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == ExitCode.USAGE
    assert len(capsys.readouterr().err.splitlines()) > 10


def test_our_own_bug_is_one_sentence_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SNAP_DEBUG", raising=False)
    assert run_and_raise(ZeroDivisionError("division by zero")) == ExitCode.INTERNAL
    err = capsys.readouterr().err
    assert "bug of snapshotter: ZeroDivisionError: division by zero" in err
    assert "SNAP_DEBUG=1" in err
    assert "Traceback" not in err


def test_our_own_bug_is_told_in_full_for_a_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAP_DEBUG", "1")
    assert run_and_raise(ZeroDivisionError()) == ExitCode.INTERNAL
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_and_raise(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == ""


def test_ctrl_c_in_a_callback_while_modules_are_read_is_not_lost() -> None:
    program = """
import signal, sys, weakref
from snapshotter import cli
signal.signal(signal.SIGINT, signal.default_int_handler)
class Interrupted:
    def find_spec(self, name, *_):
        if name == "snapshotter.cli.errors":
            lock = {1}
            reference = weakref.ref(lock, lambda _: signal.raise_signal(signal.SIGINT))
            del lock
sys.meta_path.insert(0, Interrupted())
sys.argv[1:] = ["--version"]
cli.program()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (ExitCode.INTERRUPTED, b"", b"")


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom snapshotter.cli.errors import exit_code_of\n"
        "def run():\n"
        "    for _ in range(100_000): print('x' * 80)\n"
        "    return 0\n"
        "sys.exit(exit_code_of(run))\n"
    )
    errors = tmp_path / "stderr"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=stderr
        )
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.close()
    assert process.returncode == 0
    assert errors.read_bytes() == b""


def test_a_full_disk_below_stdout_is_no_bug() -> None:
    program = (
        "import sys\nfrom snapshotter.cli.errors import exit_code_of\n"
        "sys.exit(exit_code_of(lambda: print('x') or 0))\n"
    )
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == ExitCode.NO_SNAPSHOT
    assert done.stderr.decode().splitlines() == [
        "snap: standard output was not written: the disk is full.",
        "  try: Free some space, or write elsewhere.",
        "  see: docs/reference/messages.md#disk-full",
    ]


def test_another_failure_of_the_system_is_our_bug(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_and_raise(OSError(errno.EBADF, "Bad file descriptor")) == ExitCode.INTERNAL
    assert run_and_raise(OSError(errno.ENOSPC, "No space left", "/x")) == ExitCode.INTERNAL
    assert "bug of snapshotter" in capsys.readouterr().err


def test_too_many_open_files_are_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    error = OSError(errno.EMFILE, "Too many open files", "/proc/1/mem")
    assert run_and_raise(error) == ExitCode.NO_SNAPSHOT
    assert capsys.readouterr().err.splitlines() == [
        "snap: Too many files are open.",
        "  try: Raise ulimit -n, or look at fewer processes at a time.",
        "  see: docs/reference/messages.md#too-many-files",
    ]


def test_too_many_open_files_are_told_though_no_module_can_be_read() -> None:
    program = (
        "import os, resource, sys\nfrom snapshotter.cli.errors import exit_code_of\n"
        "import snapshotter.errors, click\n"
        "def run():\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "    os.open('/', os.O_RDONLY)\n"
        "sys.exit(exit_code_of(run))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, check=False)
    assert done.returncode == ExitCode.NO_SNAPSHOT
    assert done.stderr.startswith(b"snap: Too many files are open")


def test_a_closed_stdout_gets_no_results_and_its_number_goes_to_no_file() -> None:
    program = (
        "import os, sys\nfrom snapshotter.cli.errors import exit_code_of\n"
        "def run():\n"
        "    print('x')\n"
        "    descriptor = os.open('/dev/zero', os.O_RDONLY)\n"
        "    print(sys.stdout.fileno(), descriptor, file=sys.stderr)\n"
        "    return 0\n"
        "sys.exit(exit_code_of(run))\n"
    )
    shell = f'exec "{sys.executable}" -c "$1" >&-'
    done = subprocess.run(
        ["bash", "-c", shell, "bash", program], stderr=subprocess.PIPE, check=False
    )
    assert done.returncode == 0
    number, other = done.stderr.split()
    assert (number, other) == (b"1", b"3")


def test_a_character_the_stream_cannot_say_is_escaped() -> None:
    program = (
        "import sys\nfrom snapshotter.cli.errors import exit_code_of\n"
        "sys.exit(exit_code_of(lambda: print('caf\\u00e9 \\u2192 \\udce9') or 0))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"caf\\xe9 \\u2192 \\udce9\n"
