"""source files ──▶ modules, imports, functions and private names, by their syntax trees. No module is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("feedback", "loadtests", "models", "scoring", "service", "training")
TREES = (*ROOMS, "tests", "tools")

NAMED_TUPLE_METHODS = {"_asdict", "_fields", "_make", "_replace"}
"""They begin with an underscore and are documented."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(trees: Iterable[str] = TREES) -> list[Path]:
    """Every Python file below these folders that a person wrote, relative to the project's root."""
    found = [file.relative_to(ROOT) for tree in trees for file in sorted((ROOT / tree).rglob("*.py"))]
    return [file for file in found if not file.stem.endswith("_pb2")]


def module_name(file: Path) -> str:
    """`service/http/__init__.py` is `service.http`."""
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, ast.Module]:
    """The syntax tree of each module of the rooms."""
    return {module_name(file): ast.parse((ROOT / file).read_text()) for file in files(ROOMS)}


def imported(tree: ast.AST) -> Iterator[str]:
    """The full name of everything that is imported anywhere in the tree, for types alone too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def import_graph() -> dict[str, set[str]]:
    """module ──▶ the modules of the rooms that it imports."""
    return {
        name: {
            target
            for full in imported(tree)
            for target in (full, full.rpartition(".")[0])[: 1 if full in modules() else 2]
            if target in modules() and target != name
        }
        for name, tree in modules().items()
    }


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """Every module that `start` imports, directly or through others."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Each function's name and its lines, from `def` to its end, docstring and all."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in NAMED_TUPLE_METHODS


@cache
def own_names() -> frozenset[str]:
    """Every name that the rooms define: functions, classes, variables, parameters and attributes of `self`."""
    found: set[str] = set()
    for node in (node for tree in modules().values() for node in ast.walk(tree)):
        if isinstance(node, Function | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node.value):
            found.add(node.attr)
    return frozenset(found)


def foreign_private_names(tree: ast.Module) -> set[str]:
    """The private names of other packages that a module uses.

    These are modules and names that it imports, and attributes that no room defines. `super()._name` counts if no base
    of the class is ours. An assignment to `__class__` counts too.
    """
    found = {
        full
        for full in imported(tree)
        if full.split(".")[0] not in ROOMS and any(is_private(part) for part in full.split("."))
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own_names():
            found.add(node.attr)
        elif isinstance(node, ast.Attribute) and node.attr == "__class__" and isinstance(node.ctx, ast.Store):
            found.add("__class__")
        elif isinstance(node, ast.ClassDef) and not {ast.unparse(base) for base in node.bases} & own_names():
            found |= {
                inner.attr
                for inner in ast.walk(node)
                if isinstance(inner, ast.Attribute) and is_private(inner.attr) and _is_super(inner.value)
            }
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"getattr", "setattr", "hasattr"}:
            name = getattr(node.args[1], "value", "") if len(node.args) > 1 else ""
            if isinstance(name, str) and is_private(name) and name not in own_names():
                found.add(name)
    return found


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def _is_super(node: ast.expr) -> bool:
    return ast.unparse(node) == "super()"
