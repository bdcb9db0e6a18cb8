"""A live target that does what a test tells it, line by line."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.targets import LiveTarget, spawn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["NOBODY", "Puppet", "puppet"]

NOBODY = 65534


@dataclass(slots=True)
class Puppet:
    """Runs Python statements and evaluates expressions in the target."""

    target: LiveTarget
    answers: int = 0

    @property
    def pid(self) -> int:
        return self.target.pid

    def run(self, statements: str) -> None:
        """Execute statements; an exception there is one here."""
        self._ask("exec", statements)

    def get(self, expression: str) -> Any:  # noqa: ANN401 - whatever it evaluates to
        """Return the value of an expression, or the name of the exception that it raised."""
        return self._ask("eval", expression)

    def become(self, uid: int) -> None:
        """Give up root for good."""
        self.run(f"os.setgroups([]); os.setgid({uid}); os.setuid({uid})")

    def _ask(self, how: str, text: str) -> Any:  # noqa: ANN401 - as get
        self.target.tell(repr((how, text)))
        self.target.wait_for(lambda: self.target.stdout_text().count("\n") > self.answers)
        answer = eval(self.target.stdout_text().splitlines()[self.answers])  # noqa: S307 - ours
        self.answers += 1
        if how == "exec":
            assert answer is None, answer
        return answer


@contextlib.contextmanager
def puppet(*, python: str | None = None, env: Mapping[str, str] | None = None) -> Iterator[Puppet]:
    """Run a puppet until the end of the ``with`` block."""
    with spawn("puppet.py", python=python, env=env) as target:
        yield Puppet(target)
