"""The tutorial does what it says: its commands are run, and what it shows is what they print."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

REPOSITORY = Path(__file__).parents[2]
TUTORIAL = REPOSITORY / "docs/tutorial.md"
LEFT_OUT = "<!-- not run by the tests"
ELLIPSIS = "..."
DEADLINE_S = 150


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the tutorial, and the lines that it shows of its output."""

    command: str
    shown: tuple[str, ...]


def _blocks(text: str) -> list[str]:
    pattern = rf"({re.escape(LEFT_OUT)}[^\n]*\n)?```console\n(.*?)```"
    return [body for skip, body in re.findall(pattern, text, flags=re.DOTALL) if not skip]


def _steps(text: str) -> list[Step]:
    steps = []
    for block in _blocks(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip("\n").split("\n")
            steps.append(Step(command, tuple(shown)))
    return steps


def _plain(line: str) -> str:
    """A line without what differs from run to run: numbers, times, addresses, widths."""
    line = re.sub(r"0x[0-9a-f]+", "#", line)
    line = re.sub(r"\d[\d.,:]*", "#", line)
    line = re.sub(r"# (s|ms|µs)\b", "# s", line)
    line = re.sub(r"^# # gil \S+ #", "# # gil someone #", " ".join(line.split()))
    return re.sub(r"#-#-#T#Z", "#", line)


def _assert_shown(step: Step, output: str) -> None:
    """The lines shown stand in the output, in this order; only at an ellipsis others in between."""
    printed = [_plain(line) for line in output.splitlines() if line.strip()]
    at, may_skip = 0, False
    for line in step.shown:
        if line == ELLIPSIS:
            may_skip = True
            continue
        wanted = _plain(line)
        rest = printed[at:]
        where = rest.index(wanted) if wanted in rest else -1
        assert where >= 0, f"{step.command}\ndoes not print: {wanted}\nbut:\n{output}"
        assert where == 0 or may_skip, f"{step.command}\nprints more before: {wanted}\n{output}"
        at, may_skip = at + where + 1, False
    whole = not step.shown or may_skip or at == len(printed)
    assert whole, f"{step.command}\nprints more than is shown:\n{output}"


def _script(steps: list[Step]) -> str:
    lines = ["exec 2>&1"]
    for number, step in enumerate(steps):
        lines += [step.command, f"printf '\\n@@%d %d\\n' {number} $?"]
    return "\n".join([*lines, ""])


def _run(steps: list[Step], directory: Path) -> str:
    """Run all commands in one shell, as a reader does; end what they left behind."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "160",
        "TMPDIR": str(directory),
    }
    shell = subprocess.Popen(
        ["bash", "-c", _script(steps)],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = shell.communicate(timeout=DEADLINE_S)
        return output
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()


def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "scripts/demo_service", tmp_path / "scripts/demo_service")
    steps = _steps(TUTORIAL.read_text(encoding="utf-8"))
    assert len(steps) > 10

    output = _run(steps, tmp_path)

    parts = re.split(r"\n@@(\d+) (\d+)\n", output)
    assert len(parts) // 3 == len(steps), f"the shell ended early:\n{output}"
    for step, text, status in zip(steps, parts[0::3], parts[2::3], strict=False):
        # `wait` hands on how the service ended: by the signal that was meant for it.
        assert status == "0" or step.command == "wait", f"{step.command}: {status}\n{text}"
        _assert_shown(step, text)
