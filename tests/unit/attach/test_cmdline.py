"""What people put into command lines is kept, but for secrets."""

from __future__ import annotations

import pytest

from snapshotter.attach.cmdline import HIDDEN, mask_secrets


@pytest.mark.parametrize(
    ("argument", "masked"),
    [
        ("--password=hunter2", f"--password={HIDDEN}"),
        ("--db-password='hunter2 x'", f"--db-password={HIDDEN}"),
        ("API_KEY=abc123", f"API_KEY={HIDDEN}"),
        ("Authorization: Bearer abcdef", f"Authorization: {HIDDEN}"),
        ("postgres://app:hunter2@db:5432/orders", f"postgres://app:{HIDDEN}@db:5432/orders"),
        ("redis://:hunter2@cache/0", f"redis://:{HIDDEN}@cache/0"),
        ("amqp://u:p@ss/w@host", f"amqp://u:{HIDDEN}@host"),
        ("http://host/?q=1&token=abc&n=2", f"http://host/?q=1&token={HIDDEN}&n=2"),
        ('{"token": "abc def", "n": 1}', f'{{"token": {HIDDEN}, "n": 1}}'),
        ("ghp_" + "a1B2" * 9, HIDDEN),
        ("https://ghp_" + "a1B2" * 9 + "@github.com/x", HIDDEN),
        ("curl -H Authorization: Bearer abcdef x", f"curl -H Authorization: {HIDDEN} x"),
        ("-----BEGIN PRIVATE KEY-----", HIDDEN),
        ("https://0123456789abcdef0123@sentry.example.com/4", HIDDEN),
        ("https://host/?token=abc&n=2", f"https://host/?token={HIDDEN}&n=2"),
        ("sid=0123456789; path=/", f"sid={HIDDEN}; path=/"),
        ("--header=Authorization:Bearer abcdef", HIDDEN),
    ],
)
def test_secret_is_masked(argument: str, masked: str) -> None:
    assert mask_secrets([argument]) == (masked,)


@pytest.mark.parametrize(
    "argument",
    [
        "/usr/bin/python3.14",
        "-m",
        "gunicorn: worker [orders:app]",
        "--bind=0.0.0.0:8000",
        "--max-tokens=4096",
        "--tokenizer=fast",
        "http://example.org:8080/path?q=1",
        "import time\nwhile 1: time.sleep(.01)",
        "--keepalive",
        "",
    ],
)
def test_harmless_argument_is_kept(argument: str) -> None:
    assert mask_secrets([argument]) == (argument,)


@pytest.mark.parametrize(
    ("command", "masked"),
    [
        ("/usr/bin/mysql -u bob -phunter2 db", f"/usr/bin/mysql -u bob -p{HIDDEN} db"),
        ("sshpass -p hunter2 ssh host", f"sshpass -p {HIDDEN} ssh host"),
        ("curl -u bob:hunter2 https://api", f"curl -u {HIDDEN} https://api"),
        ("docker run -u 1000:1000 image", "docker run -u 1000:1000 image"),
        ("docker login -u bob -p hunter2 host", f"docker login -u bob -p {HIDDEN} host"),
        ("docker run -p 80:8080 image", "docker run -p 80:8080 image"),
        ("http -a bob:hunter2 example.org", f"http -a {HIDDEN} example.org"),
        ("mysql -p -u bob", "mysql -p -u bob"),
        ("grep -phunter2 -p file", "grep -phunter2 -p file"),
    ],
)
def test_password_option_of_a_known_program_is_masked(command: str, masked: str) -> None:
    assert " ".join(mask_secrets(command.split())) == masked


@pytest.mark.parametrize("unit", ["x", "a-", "eyJ.", "://", "://a:", "a: ", "@", "a='", " "])
def test_a_long_argument_is_gone_through_once(unit: str) -> None:
    """Else it would take longer than a test may."""
    argument = unit * ((256 << 10) // len(unit))
    assert mask_secrets([f"{argument};password=hunter2"])[0].endswith(HIDDEN)


def test_value_after_a_secret_option_is_masked() -> None:
    arguments = ["app", "--token", "abc", "--password", "--verbose", "-x", "1"]
    assert mask_secrets(arguments) == (
        "app",
        "--token",
        HIDDEN,
        "--password",
        "--verbose",
        "-x",
        "1",
    )
