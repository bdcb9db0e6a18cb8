from __future__ import annotations

import random
import sysconfig
import types
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from snapshotter.outside.linetable import line_at

STDLIB = Path(sysconfig.get_path("stdlib"))
MODULES = [
    "_pydecimal",
    "argparse",
    "ast",
    "asyncio/base_events",
    "asyncio/tasks",
    "collections/__init__",
    "concurrent/futures/thread",
    "contextlib",
    "dataclasses",
    "email/_header_value_parser",
    "enum",
    "inspect",
    "json/decoder",
    "logging/__init__",
    "re/_parser",
    "subprocess",
    "tarfile",
    "threading",
    "typing",
]

EXOTIC = (
    """
def decorated(x):
    return x
@decorated
@(
    lambda f:
        f
)
def long_call(a, *, b=(
        1,
        2)):
    return (a
        .real
        + [i
           for i in b
           if i][0]
        if a else
        None)
async def coroutine(it):
    async with it as (
        x
    ):
        async for y in x:
            yield y; await y
class C[T]:
    a: int = 1
    def m(self): return __class__
def matching(v):
    match v:
        case {"a": [1, *rest]} if rest: return rest
        case (
            C(m=1)
        ): pass
    try: v()
    except* ValueError as e: raise TypeError from e
    finally: del v
def backwards(f):
    return f(
        1)(
    2
    )
x = lambda: (yield)
while x: x = None
else: x = 1
"""
    + "\n" * 3000
    + "def far(): pass\nfar(\n"
    + "\n" * 900
    + "\n)\n"
)


def codes_of(code: types.CodeType) -> list[types.CodeType]:
    found = [code]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found += codes_of(constant)
    return found


def check(code: types.CodeType) -> None:
    for start, end, line in code.co_lines():
        for offset in {start, end - 2}:
            found = line_at(code.co_linetable, code.co_firstlineno, offset)
            assert found == line, (code, offset)


@pytest.mark.parametrize("name", MODULES)
def test_lines_equal_co_lines_of_the_standard_library(name: str) -> None:
    chosen = random.Random(name)  # noqa: S311 - repeatable, not secret
    codes = codes_of(SourceFileLoader(name, str(STDLIB / f"{name}.py")).get_code(name))
    for code in chosen.sample(codes, min(60, len(codes))):
        if len(code.co_linetable) < 4000:
            check(code)


def test_lines_equal_co_lines_of_exotic_code() -> None:
    for code in codes_of(compile(EXOTIC, "exotic", "exec")):
        check(code)


def test_every_single_instruction_has_the_line_of_co_lines() -> None:
    for code in codes_of(compile(EXOTIC, "exotic", "exec"))[1:]:
        wanted = {o: line for s, e, line in code.co_lines() for o in range(s, e, 2)}
        found = {o: line_at(code.co_linetable, code.co_firstlineno, o) for o in wanted}
        assert found == wanted


@pytest.mark.parametrize("first_line", [1, 0, 2**31 - 2])
def test_first_line_is_the_base(first_line: int) -> None:
    code = (lambda: 0).__code__.replace(co_firstlineno=first_line)
    check(code)


def test_offset_before_the_start_has_the_first_line() -> None:
    assert line_at(b"", 7, -1) == 7


def test_offset_beyond_the_table_has_no_line() -> None:
    code = (lambda: 0).__code__
    assert line_at(code.co_linetable, 1, len(code.co_code) + 2) is None
    assert line_at(b"", 1, 0) is None


def test_mutated_tables_neither_fail_nor_hang() -> None:
    chosen = random.Random(1)  # noqa: S311 - repeatable, not secret
    table = codes_of(compile(EXOTIC, "exotic", "exec"))[0].co_linetable[:400]
    for _ in range(2000):
        bad = bytearray(table)
        for _ in range(chosen.randrange(1, 20)):
            bad[chosen.randrange(len(bad))] = chosen.randrange(256)
        cut = bytes(bad[: chosen.randrange(len(bad))])
        found = line_at(cut, 1, chosen.randrange(2000))
        assert found is None or abs(found) < 1 << 48
