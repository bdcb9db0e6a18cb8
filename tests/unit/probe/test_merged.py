"""The merged probe: what it uses before its builtins are proved, and what each function sees."""

from __future__ import annotations

import ast
import builtins
import sys
from functools import cache
from types import CodeType, FunctionType
from typing import Any

import pytest

from snapshotter.attach.compilers import PROBE_FILENAME
from snapshotter.attach.payload import amalgamate
from snapshotter.probe import pristine
from snapshotter.probe.survey import OUR_FILENAME


@cache
def _source() -> str:
    return amalgamate(entry="carrier")


def _names_at_the_top(tree: ast.Module) -> set[str]:
    """Names that are loaded outside of functions, where builtins are not proved yet."""
    found: set[str] = set()
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        pending.extend(ast.iter_child_nodes(node))
    return found


def test_no_builtin_name_is_used_at_the_top_level() -> None:
    assert _names_at_the_top(ast.parse(_source())) & set(dir(builtins)) == set()


def test_no_function_is_generated_as_a_class_or_closure_with_state() -> None:
    tree = ast.parse(_source())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.Nonlocal)]


@cache
def _code() -> CodeType:
    return compile(_source(), OUR_FILENAME, "exec", dont_inherit=True, optimize=2)


def _loaded(names: dict[str, Any]) -> dict[str, Any]:
    space: dict[str, Any] = {"__builtins__": names}
    FunctionType(_code(), space)()
    return space


def test_functions_see_proved_builtins_only() -> None:
    space = _loaded(vars(builtins))
    proved = space["__builtins__"]
    early = {"pristine_builtins", "_put_back"}
    seen = {
        name
        for name, value in space.items()
        if isinstance(value, FunctionType)
        and value.__globals__ is space
        and value.__builtins__ is not proved
    }
    assert seen == early


@pytest.mark.parametrize("name", pristine._NEEDED)
def test_a_replaced_builtin_is_put_back(name: str) -> None:
    def replaced(*_: object, **__: object) -> None:
        raise AssertionError(name)

    space = _loaded({**vars(builtins), name: replaced})
    proved = space["__builtins__"]
    assert space["missing_builtins"]() == []
    assert proved[name] is not replaced
    if name not in {"id", "len", "max"}:
        assert proved[name] is getattr(builtins, name)


def test_functions_written_anew_do_the_same() -> None:
    names = {key: value for key, value in vars(builtins).items() if key not in {"id", "len", "max"}}
    proved = pristine.pristine_builtins(names)
    for value in (object(), 5, None, [], type, "x", sys):
        assert proved["id"](value) == id(value)
    assert proved["len"]([1, 2]) == 2
    assert proved["max"](1, 2) == proved["max"](2, 1) == 2


def test_all_builtins_may_be_gone() -> None:
    space = _loaded({"__import__": __import__})
    assert space["missing_builtins"]() == []
    assert space["gather_tools"]() is not None


def test_the_probe_knows_the_file_name_of_its_own_code() -> None:
    assert OUR_FILENAME == PROBE_FILENAME


def test_what_is_told_of_a_failure_names_the_line_of_ours() -> None:
    space = _loaded(vars(builtins))
    with pytest.raises(TypeError) as caught:
        space["exact_text"](5, 1)
    said = space["what_failed"](caught.value)
    assert said.startswith("TypeError in exact_text:")


def _handler(*_: object) -> None:
    raise RuntimeError("of a signal handler")


def test_an_exception_that_ends_outside_of_the_probe_is_foreign() -> None:
    space = _loaded(vars(builtins))
    run: Any = FunctionType(_code_that_calls(), {**space, "handler": _handler})
    with pytest.raises(RuntimeError) as caught:
        run()
    assert space["is_foreign"](caught.value)


def test_an_exception_of_a_class_of_its_own_is_foreign() -> None:
    space = _loaded(vars(builtins))

    class JobTimeout(RuntimeError):  # noqa: N818 - as applications name them
        pass

    assert space["is_foreign"](JobTimeout())
    with pytest.raises(TypeError) as caught:
        space["exact_text"](5, 1)
    trace = caught.value.__traceback__
    assert trace is not None
    assert not space["is_foreign"](caught.value.with_traceback(trace.tb_next))


def _code_that_calls() -> CodeType:
    code = compile("handler()", OUR_FILENAME, "exec")
    assert isinstance(code, CodeType)
    return code
