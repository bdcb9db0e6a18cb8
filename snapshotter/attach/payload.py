"""Makes one source of the probe's modules: what is sent to the target is built from plain modules.

The modules of ``snapshotter.probe`` are ordinary typed code. Here they are merged in the order of
their imports, without docstrings, annotations, typing imports and imports of each other. Whatever
would mean something else when merged (a name defined twice, an alias, a shadowed builtin) is
refused with a :class:`BuildError` that names both places, never merged silently.
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from snapshotter.attach.compilers import compile_for
from snapshotter.attach.sources import probe_sources
from snapshotter.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["ALLOWED_IMPORTS", "amalgamate", "compile_for", "probe_sources"]

ALLOWED_IMPORTS = frozenset({"_imp", "_signal", "_thread", "marshal", "posix", "sys", "time"})
"""What every interpreter has loaded at start-up, so that the probe adds nothing to the target."""

_PACKAGE = "snapshotter.probe"
_ENTRY = "entry"
_TYPING_ONLY = frozenset({"__future__", "collections.abc", "types", "typing"})


def amalgamate(sources: Mapping[str, str] | None = None, *, entry: str = _ENTRY) -> str:
    """Merge modules into one source, each after the modules that it imports.

    ``sources`` maps module names to their text (default: the probe). Only what ``entry`` needs is
    taken. Raises BuildError where merging would change the meaning.
    """
    texts = probe_sources() if sources is None else sources
    modules = _in_order(texts, entry)
    _check_names(modules)
    imports = {text: node for module in modules for text, node in module.imports.items()}
    body: list[ast.stmt] = [imports[text] for text in sorted(imports)]
    for module in modules:
        body.extend(module.body)
    return ast.unparse(ast.Module(body=body, type_ignores=[])) + "\n"


@dataclass
class _Module:
    """One module while it is taken apart."""

    name: str
    body: list[ast.stmt] = field(default_factory=list)
    imports: dict[str, ast.stmt] = field(default_factory=dict)
    """Statements that import from the standard library, by their text."""
    typing_names: set[str] = field(default_factory=set)
    needs: dict[str, set[str]] = field(default_factory=dict)
    """Names taken from each other module of the package."""

    def error(self, node: ast.AST, what: str) -> BuildError:
        """Return an error that says where in this module the trouble is."""
        line = getattr(node, "lineno", 0)
        return BuildError(f"The probe cannot be built: {self.name}.py, line {line}: {what}.")


def _in_order(texts: Mapping[str, str], entry: str) -> list[_Module]:
    ordered: dict[str, _Module] = {}
    path: list[str] = []

    def visit(name: str, wanted_by: str) -> None:
        if name in ordered:
            return
        if name in path:
            cycle = " -> ".join([*path[path.index(name) :], name])
            raise BuildError(
                f"The probe cannot be built: its modules import each other in a cycle ({cycle})."
            )
        if name not in texts:
            raise BuildError(f"The probe cannot be built: there is no module {name} ({wanted_by}).")
        path.append(name)
        module = _take_apart(name, texts[name])
        for needed in module.needs:
            visit(needed, f"wanted by {name}.py")
        ordered[path.pop()] = module

    visit(entry, "the entry module")
    return list(ordered.values())


def _take_apart(name: str, text: str) -> _Module:
    module = _Module(name)
    for statement in ast.parse(text, filename=f"{name}.py").body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            _sort_import(module, statement)
        elif not _is_left_out(statement):
            module.body.append(statement)
    stripped = _Stripper().visit(ast.Module(body=module.body, type_ignores=[]))
    module.body = stripped.body
    _check_statements(module)
    return module


def _sort_import(module: _Module, statement: ast.Import | ast.ImportFrom) -> None:
    if isinstance(statement, ast.ImportFrom):
        origin = _module_of_package(statement)
        if origin == "":
            raise module.error(statement, "it imports a module of the package, not names of it")
        if origin is not None:
            _take_internal(module, statement, origin)
            return
        names = {statement.module or ""}
    else:
        names = {alias.name for alias in statement.names}
    if names <= _TYPING_ONLY:
        bound = (alias.asname or alias.name for alias in statement.names)
        module.typing_names |= {name.partition(".")[0] for name in bound}
        return
    if not names <= ALLOWED_IMPORTS:
        wrong = ", ".join(sorted(names - ALLOWED_IMPORTS))
        raise module.error(statement, f"the probe may not import {wrong}")
    for alias in statement.names:
        if alias.name == "*":
            raise module.error(statement, "it imports a star")
        single = _single_import(statement, alias)
        module.imports[ast.unparse(single)] = single


def _single_import(statement: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    if isinstance(statement, ast.Import):
        return ast.Import(names=[alias])
    return ast.ImportFrom(module=statement.module, names=[alias], level=0)


def _module_of_package(statement: ast.ImportFrom) -> str | None:
    """Return which module of the package it imports from: "" is the package, None is no module."""
    name = statement.module or ""
    if statement.level == 1:
        return name
    if statement.level == 0 and (name == _PACKAGE or name.startswith(f"{_PACKAGE}.")):
        return name.removeprefix(_PACKAGE).removeprefix(".")
    return None


def _take_internal(module: _Module, statement: ast.ImportFrom, origin: str) -> None:
    for alias in statement.names:
        if alias.asname not in {None, alias.name}:
            what = f"alias {alias.name} as {alias.asname}: names keep their names when merged"
            raise module.error(statement, what)
        if alias.name == "*":
            raise module.error(statement, "it imports a star")
        module.needs.setdefault(origin, set()).add(alias.name)


def _is_left_out(statement: ast.stmt) -> bool:
    match statement:
        case ast.If(test=ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name("__all__")]) | ast.AnnAssign(target=ast.Name("__all__")):
            return True
        case ast.TypeAlias():
            return True
    return False


class _Stripper(ast.NodeTransformer):
    """Drops docstrings, annotations and type parameters."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Visit the parts; a block that lost all its statements becomes ``pass``."""
        super().generic_visit(node)
        if getattr(node, "body", None) == [] and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Drop what only typing and readers need from a function."""
        return self._strip_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Drop the same from a coroutine function (the probe reads types off such a one)."""
        return self._strip_function(node)

    def _strip_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        node.type_params = []
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Drop the annotation of a parameter."""
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Make a plain assignment of an annotated one; a mere declaration goes."""
        if node.value is None:
            return None
        value = self.visit(node.value)
        return ast.copy_location(ast.Assign(targets=[node.target], value=value), node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Drop docstrings, also those after constants."""
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return self.generic_visit(node)


def _check_statements(module: _Module) -> None:
    for node in _walk(module.body):
        match node:
            case ast.ClassDef():
                raise module.error(node, f"class {node.name} would leave a type in the target")
            case ast.Import() | ast.ImportFrom():
                raise module.error(node, "imports stand at the top of a module")
            case ast.Global():
                raise module.error(node, f"global {', '.join(node.names)}: the probe has no state")
            case ast.Name(id=name, ctx=ast.Load()) if name in module.typing_names:
                raise module.error(node, f"{name} is for typing only and not there at run time")
            case _:
                pass


def _check_names(modules: Iterable[_Module]) -> None:
    """Refuse a name that means two things, and a name that is imported but not defined."""
    places: dict[str, str] = dict.fromkeys(dir(builtins), "the builtins")
    defined: dict[str, set[str]] = {}
    for module in modules:
        for text, statement in module.imports.items():
            name = next(_bound_names([statement]))
            _claim(places, name, f"{text!r}", module)
        defined[module.name] = set(_bound_names(module.body))
        for name in sorted(defined[module.name]):
            _claim(places, name, f"{module.name}.py", module)
        for origin, names in module.needs.items():
            for name in sorted(names - defined[origin]):
                raise BuildError(
                    f"The probe cannot be built: {module.name}.py imports {name} from"
                    f" {origin}.py, which does not define it."
                )


def _claim(places: dict[str, str], name: str, place: str, module: _Module) -> None:
    """Note where a name gets its meaning. The same import may stand in several modules."""
    before = places.setdefault(name, place)
    if before != place:
        raise BuildError(
            f"The probe cannot be built: {name} means two things, in {module.name}.py and by"
            f" {before}."
        )


def _bound_names(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield every name that the statements bind at the top level of their module."""
    for node in _walk(statements, into_functions=False):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name
            case ast.alias(name=name, asname=alias):
                yield alias or name
            case _:
                pass


_OWN_SCOPE = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


def _walk(statements: Iterable[ast.AST], *, into_functions: bool = True) -> Iterator[ast.AST]:
    """Yield all nodes in source order, optionally without those of an inner scope."""
    for node in statements:
        yield node
        if into_functions or not isinstance(node, _OWN_SCOPE):
            yield from _walk(ast.iter_child_nodes(node), into_functions=into_functions)
