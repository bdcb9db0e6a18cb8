"""What is said of a process that the kernel does not let us look at."""

import os
from typing import TYPE_CHECKING

from snapshotter.attach import permission, preflight
from snapshotter.model.checks import CheckStatus

if TYPE_CHECKING:
    import pytest


def refuse(*_: object) -> bool:
    raise PermissionError(13, "Permission denied", "/proc/1/ns/user")


def test_a_namespace_that_we_may_not_see_is_no_end_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(permission, "same_namespace", refuse)
    monkeypatch.setattr(permission, "has_capability", lambda *_: True)
    monkeypatch.setattr(permission, "_yama_scope", lambda: None)
    sentence, fix = permission.refusal(os.getpid())
    assert sentence.startswith("The kernel does not allow it; a security module may forbid it")
    assert fix


def test_what_we_may_not_look_at_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "may_write", refuse)
    *_, last = preflight.examine(os.getpid()).checks
    assert (last.name, last.status) == ("permission", CheckStatus.FAIL)
    assert last.sentence == f"The kernel does not let us look at process {os.getpid()}."
    assert last.fix
