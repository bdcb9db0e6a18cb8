import importlib
import re
from typing import TYPE_CHECKING

import click
import pytest

import snapshotter
from snapshotter.cli.app import COMMANDS, app
from snapshotter.errors import ExitCode

if TYPE_CHECKING:
    from snapshotter.cli.command import Command
    from tests.unit.cli.conftest import Snap


def commands() -> dict[str, Command]:
    return {name: importlib.import_module(f"snapshotter.cli.{name}").command for name in COMMANDS}


def test_help_lists_every_command_without_importing_any(snap: Snap) -> None:
    outcome = snap("--help")
    assert outcome.code == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", outcome.out, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_worth_its_help(snap: Snap, name: str) -> None:
    outcome = snap(name, "--help")
    assert outcome.code == 0
    assert outcome.err == ""
    assert "Examples:" in outcome.out
    assert "Exit codes:" in outcome.out
    assert commands()[name].name == name


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_says_what_it_does(name: str) -> None:
    for parameter in commands()[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.opts


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_command_lines_that_parse(name: str) -> None:
    for example in commands()[name].examples:
        words = example.split("|", maxsplit=1)[0].split(">>", maxsplit=1)[0].split(">")[0].split()
        assert words[:2] == ["snap", name]
        assert commands()[name].make_context(name, words[2:]).command is commands()[name]


def test_the_one_line_help_has_no_command_too_many_or_too_few() -> None:
    assert set(app.list_commands(click.Context(app))) == set(COMMANDS)


def test_version_is_that_of_the_package(snap: Snap) -> None:
    assert snap("--version").out == f"snap {snapshotter.__version__}\n"


def test_without_a_command_the_help_is_the_error(snap: Snap) -> None:
    outcome = snap()
    assert outcome.code == ExitCode.USAGE
    assert outcome.out == ""
    assert "Commands:" in outcome.err


def test_a_number_above_every_pid_is_a_process_that_is_not_there(snap: Snap) -> None:
    for pid in (2**22 + 1, 2**31 - 1):
        outcome = snap("dump", pid)
        assert outcome.code == ExitCode.NO_TARGET
        assert outcome.err.startswith(f"snap: There is no process {pid}.\n")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["dmp"], "No such command 'dmp'. Did you mean 'dump'?"),
        (["dump"], "PID is missing."),
        (["dump", "x"], "'x' is not a process id."),
        (["dump", "-1"], "No such option '-1'"),
        (["dump", "0"], "'0' is not a process id."),
        (["dump", "99999999999"], "'99999999999' is not a process id."),
        (["dump", "1", "--fro"], "No such option '--fro'"),
        (["dump", "1", "--patience", "30"], "--patience: '30' has no unit"),
        (["dump", "1", "--values", "most"], "--values: 'most' is not one of"),
        (["watch", "1", "--count", "x"], "--count: 'x' is not a valid number."),
        (["watch", "1", "--name", " "], "--name: an empty name matches no process."),
        (["dump", "1", "--locals", "mine"], "--locals 'mine' is neither app, all, none nor"),
        (["dump", "1", "--var", "CACHE"], "--var 'CACHE' is not of the form module:dotted.path."),
        (["dump", "1", "--max-pause", "2s"], "--max-pause must be between 50us and 100ms"),
        (["dump", "1", "2", "-o", "x"], "-o names one file, but there are 2 processes."),
        (["dump", "1", "--json", "-o", "-"], "--json and -o - both want stdout."),
        (["dump", "1", "--values", "full"], "nobody is here to ask"),
        (["watch"], "No process is named."),
        (["watch", "1", "--every", "10ms"], "--every must be at least 100ms, not 10ms."),
        (["watch", "1", "-o", "-"], "A recording is a directory and cannot go to stdout."),
        (["watch", "1", "--count", "0"], "--count: 0 is not in the range x>=1."),
        (["watch", "1", "--patience", "20s"], "--patience may be at most half of --every, 15s."),
        (["watch", "1", "--max-size", "12"], "--max-size: '12' has no unit"),
        (["export", "x"], "--format"),
        (["export", "x", "--format", "xml"], "--format: 'xml' is not one of"),
        (["view"], "PATH is missing."),
        (["diff", "a"], "CURRENT is missing."),
        (["diff", "a", "b", "c"], "Got unexpected extra argument (c)."),
        (["completion", "tcsh"], "'tcsh' is not one of 'bash', 'zsh', 'fish'."),
        (["--color", "pink", "ps"], "--color: 'pink' is not one of"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(
    snap: Snap, argv: list[str], sentence: str
) -> None:
    outcome = snap(*argv)
    assert outcome.code == ExitCode.USAGE
    assert outcome.out == ""
    first, *others = outcome.err.splitlines()
    assert first.startswith("snap: ")
    assert sentence in first
    assert all(line.startswith(("  try: ", "  see: ")) for line in others)


@pytest.mark.parametrize(
    "argv", [["dump", "1", "--patience"], ["dump", "1", "--patience", "5"], ["dump", "1", "--fo"]]
)
def test_wrong_use_of_a_command_leads_to_its_own_help(snap: Snap, argv: list[str]) -> None:
    assert "  try: snap dump --help\n" in snap(*argv).err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_name_that_was_called(
    snap: Snap, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    assert "_SNAP_COMPLETE" in snap("completion", shell).out
    monkeypatch.setattr("sys.argv", ["/usr/bin/snapshotter"])
    assert "_SNAPSHOTTER_COMPLETE" in snap("completion", shell).out


def test_the_shell_gets_answers(snap: Snap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SNAP_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "snap watch --ev")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert snap().out == "plain,--every\n"


def test_the_shell_is_offered_the_commands(snap: Snap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SNAP_COMPLETE", "fish_complete")
    monkeypatch.setenv("COMP_WORDS", "snap d")
    monkeypatch.setenv("COMP_CWORD", "d")
    assert re.findall(r"^plain,(\w+)", snap().out, re.MULTILINE) == ["dump", "diff", "doctor"]
