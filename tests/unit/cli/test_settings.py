import os
from typing import TYPE_CHECKING

import click
import pytest

from snapshotter.cli import dump, view, watch
from snapshotter.cli.settings import SETTABLE, load_settings
from snapshotter.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Snap


def test_no_file_is_no_setting(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == ({}, None)


def test_a_directory_that_was_removed_has_no_settings(
    snap: Snap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert snap("completion", "bash").code == 0


@pytest.mark.parametrize("text", ["evry = '1m'", "not TOML", "color = 'pink'"])
def test_wrong_settings_keep_nobody_from_the_help(snap: Snap, tmp_path: Path, text: str) -> None:
    (tmp_path / "snapshotter.toml").write_text(text)
    assert snap("ps").code == 2
    for words in (["--help"], ["-h"], ["--version"]):
        assert snap(*words).code == 0
    assert snap("watch", "--help").code == (2 if "pink" in text else 0)


def test_capture_options_at_the_top_hold_for_dump_and_watch(tmp_path: Path) -> None:
    (tmp_path / "snapshotter.toml").write_text(
        'locals = "all"\nvar = ["a:b"]\n[watch]\nlocals = "none"\nmax-size = "1GB"\n'
    )
    settings, _ = load_settings(tmp_path)
    assert settings["dump"] == {"locals": "all", "var": ["a:b"]}
    assert settings["watch"] == {"locals": "none", "var": ["a:b"], "max_size": "1GB"}


def test_the_ways_to_a_blocked_process_can_be_set(tmp_path: Path) -> None:
    (tmp_path / "snapshotter.toml").write_text('carrier = "any-thread"\nwake = "loop"\n')
    settings, _ = load_settings(tmp_path)
    assert settings["dump"] == settings["watch"] == {"carrier": "any-thread", "wake": "loop"}


def test_pyproject_is_read_when_there_is_no_file_of_our_own(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.snapshotter.watch]\nfor = "2h"\n')
    assert load_settings(tmp_path)[0]["watch"] == {"duration": "2h"}
    (tmp_path / "snapshotter.toml").write_text("")
    assert load_settings(tmp_path)[0]["watch"] == {}


def test_a_directory_of_that_name_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / "snapshotter.toml").mkdir()
    assert load_settings(tmp_path) == ({}, None)


def test_flags_and_lists_are_set_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "snapshotter.toml").write_text(
        'var = ["a:b"]\n[watch]\nquiet = true\ncount = 3\n[view]\nall = "yes"\n'
    )
    settings, _ = load_settings(tmp_path)
    assert settings["watch"] == {"var": ["a:b"], "quiet": True, "count": "3"}
    assert settings["view"] == {"all": "yes"}


def test_a_pyproject_of_others_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "orders"\n')
    assert load_settings(tmp_path) == ({}, None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("evry = '1m'", "snapshotter.toml sets 'evry', which is no setting."),
        ("[watch]\nevry = '1m'", "snapshotter.toml sets 'evry', which is no setting."),
        ("[dump]\nforce = true", "snapshotter.toml sets 'force', which is no setting."),
        ("yes = true", "snapshotter.toml sets 'yes', which is no setting."),
        ("watch = 3", "snapshotter.toml: watch must be a table."),
        ("idle = 3", "snapshotter.toml: idle must be a list of texts."),
        ("= 3", "snapshotter.toml is not valid TOML"),
        ('var = "a:b"', "snapshotter.toml: var must be a list of texts."),
        ("var = [1]", "snapshotter.toml: var must be a list of texts."),
        ('[watch]\nevery = ["1s"]', "snapshotter.toml: every must be a text or a number."),
        ("[watch]\ncount = true", "snapshotter.toml: count must be a text or a number."),
        ("[dump]\nlocals = {a = 1}", "snapshotter.toml: locals must be a text or a number."),
    ],
)
def test_what_means_nothing_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "snapshotter.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        load_settings(tmp_path)
    assert sentence in caught.value.message


def test_every_setting_is_an_option_of_its_command() -> None:
    for name, command in {
        "dump": dump.command,
        "watch": watch.command,
        "view": view.command,
    }.items():
        options = {
            option.removeprefix("--")
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
        }
        assert SETTABLE[name] <= options


def test_a_wrong_value_names_the_file_it_is_from(snap: Snap, tmp_path: Path) -> None:
    (tmp_path / "snapshotter.toml").write_text("[watch]\nevery = 30\n")
    outcome = snap("watch", "1")
    assert outcome.code == 2
    assert "--every: '30' has no unit" in outcome.err
    assert "(from the settings file)" in outcome.err


@pytest.mark.parametrize(
    "text",
    [
        'max-pause = "5s"',
        'locals = "mine"',
        'var = ["CACHE"]',
        'values = "full"',
        '[watch]\nevery = "10ms"',
        '[watch]\nevery = "2s"\npatience = "5s"',
    ],
)
def test_what_cannot_be_meant_names_the_file_it_is_from(
    snap: Snap, tmp_path: Path, text: str
) -> None:
    (tmp_path / "snapshotter.toml").write_text(text)
    first = snap("watch", "1").err.splitlines()[0]
    assert first.endswith(" (from the settings file)")
    (tmp_path / "snapshotter.toml").unlink()
    assert "settings" not in snap("watch", "1", "--locals", "mine").err


def test_the_command_line_wins(snap: Snap, tmp_path: Path) -> None:
    (tmp_path / "snapshotter.toml").write_text('[watch]\nevery = "10ms"\n')
    assert "not 10ms" in snap("watch", "1").err
    assert "not 20ms" in snap("watch", "1", "--every", "20ms").err


def test_settings_cannot_switch_redaction_off_unasked(snap: Snap, tmp_path: Path) -> None:
    (tmp_path / "snapshotter.toml").write_text('values = "full"\n')
    assert "nobody is here to ask" in snap("dump", "1").err


@pytest.mark.parametrize("command", ["dump", "watch"])
def test_an_idle_pattern_that_is_none_is_refused_before_anything_is_done(
    snap: Snap, tmp_path: Path, command: str
) -> None:
    (tmp_path / "snapshotter.toml").write_text('idle = ["nonsense"]\n')
    outcome = snap(command, os.getpid())
    assert outcome.code == 2
    assert outcome.err.startswith("snap: idle, in the settings:")
    assert [path.name for path in tmp_path.iterdir()] == ["snapshotter.toml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_settings_of_another_user_are_left_out(snap: Snap, tmp_path: Path) -> None:
    path = tmp_path / "snapshotter.toml"
    path.write_text("evry = '1m'")
    os.chown(path, 12345, 12345)
    assert load_settings(tmp_path)[0] == {}
    assert "snapshotter.toml was left out" in snap("completion", "bash").err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_settings_in_a_directory_of_another_user_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "snapshotter.toml").write_text("")
    os.chown(tmp_path, 12345, 12345)
    assert load_settings(tmp_path)[1] is not None


def test_a_fifo_of_that_name_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "snapshotter.toml")
    assert load_settings(tmp_path) == ({}, None)
