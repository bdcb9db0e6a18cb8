"""The pages are reachable, their links lead somewhere, and every command is shown in use."""

import re
import tomllib
from pathlib import Path

import pytest

from snapshotter.analysis.idle import idle_reason, parse_pattern
from snapshotter.cli.app import COMMANDS
from tests.support.samples import BOOTSTRAP, STDLIB, frame

REPOSITORY = Path(__file__).parents[3]
DOCS = REPOSITORY / "docs"
PAGES = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(DOCS.rglob("*.md")),
]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# Found on the machine of whoever wrote a page, and nowhere else.
PRIVATE = re.compile(r"/(root|home|opt|work)/|simple/|index-url")


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _links(page: Path) -> list[str]:
    found = LINK.findall(FENCE.sub("", _text(page)))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def _anchors(page: Path) -> set[str]:
    """The addresses that a reader's software makes of headings."""
    headings = HEADING.findall(FENCE.sub("", _text(page)))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


def _id(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for link in _links(page):
        path, _, anchor = link.partition("#")
        goal = (page.parent / path).resolve() if path else page
        if not goal.exists() or (anchor and anchor not in _anchors(goal)):
            dead.append(link)
    assert not dead


def test_every_page_is_linked_from_the_index() -> None:
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in _links(DOCS / "index.md")}
    wanted = {page for page in DOCS.rglob("*.md") if page.name != "index.md"}
    assert {_id(page) for page in wanted - linked} == set()


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_no_page_names_a_private_place(page: Path) -> None:
    assert not PRIVATE.findall(_text(page))


def test_every_command_is_shown_in_the_readme_or_a_guide() -> None:
    guides = [REPOSITORY / "README.md", *(DOCS / "how-to").glob("*.md")]
    text = "\n".join(_text(page) for page in guides)
    assert [name for name in COMMANDS if f"snap {name}" not in text] == []


def test_every_command_that_is_shown_exists() -> None:
    shown = {
        name
        for page in PAGES
        for name in re.findall(r"(?:^|`|\$ )snap ([a-z]+)", _text(page), re.MULTILINE)
    }
    assert shown <= set(COMMANDS)


def test_the_idle_pattern_that_is_shown_hides_a_worker_that_waits() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", _text(DOCS / "reference/cli.md"), re.DOTALL)
    patterns = map(parse_pattern, tomllib.loads(example)["idle"])
    waiting = (
        frame(f"{STDLIB}/threading.py:369", "Condition.wait"),
        frame(f"{STDLIB}/threading.py:670", "Event.wait"),
        frame("/srv/orders/worker.py:12", "Worker.wait_for_job"),
        *BOOTSTRAP,
    )
    assert idle_reason(waiting, patterns) == "waits for work"


def test_the_readme_goes_into_the_package() -> None:
    project = _text(REPOSITORY / "pyproject.toml")
    assert 'readme = "README.md"' in project
    assert '"/README.md"' in project
