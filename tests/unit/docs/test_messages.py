"""Every error that can be raised is explained, and nothing else is."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[3]
PAGE = REPOSITORY / "docs/reference/messages.md"
SLUG = re.compile(r"[a-z]+(-[a-z]+)*")
# Modules that pass a slug on in a variable: their slugs stand at the head of tuples.
INDIRECT = {"errors.py": False, "store/atomic.py": True}


def _slugs_of(path: Path) -> Iterator[str]:
    name = str(path.relative_to(REPOSITORY / "snapshotter"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.keyword(arg="slug", value=ast.Constant(value=str(slug))):
                yield slug
            case ast.keyword(arg="slug"):
                assert name in INDIRECT, f"{name} raises an error with a slug that is no constant"
            case ast.ClassDef(body=body):
                yield from _class_slugs(body)
            case ast.Tuple(elts=[ast.Constant(value=str(slug)), *_]) if INDIRECT.get(name):
                yield slug


def _class_slugs(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name("slug")], value=ast.Constant(value=str(slug))):
                yield slug
            case ast.AnnAssign(target=ast.Name("slug"), value=ast.Constant(value=str(slug))):
                yield slug


@cache
def _raised() -> set[str]:
    modules = (REPOSITORY / "snapshotter").rglob("*.py")
    return {slug for path in modules for slug in _slugs_of(path)}


def _sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_slug_is_a_word_that_can_stand_in_an_address() -> None:
    assert not [slug for slug in _raised() if not SLUG.fullmatch(slug)]


def test_every_slug_has_a_section() -> None:
    assert _raised() - set(_sections()) == set()


def test_no_section_is_stale() -> None:
    assert set(_sections()) - _raised() == set()


def test_each_section_says_cause_and_next_step() -> None:
    incomplete = [
        slug
        for slug, text in _sections().items()
        if not re.search(r"^\*\*Cause\.\*\* \S", text, re.MULTILINE)
        or not re.search(r"^\*\*Next step\.\*\* \S", text, re.MULTILINE)
    ]
    assert not incomplete


def test_no_slug_is_explained_twice() -> None:
    headings = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(headings) == len(set(headings))
