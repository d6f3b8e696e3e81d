"""The mutants of a module: sources in which one place differs."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_OTHER: dict[type, type] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.In: ast.NotIn,
    ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip
_SHOWN = 70


@dataclass(frozen=True)
class Mutant:
    """A module with one thing changed.

    Attributes:
        name: the function and the change; it does not depend on the position of the lines.
        line: where.
        source: the changed module.
        function: the outermost function in whose body the change is, as `Class.method` or `function`; None if outside of any.
    """

    name: str
    line: int
    source: str
    function: str | None


def mutants(source: str) -> Iterator[Mutant]:
    """Return a module's mutants. Types, docstrings and what decorates a class are left."""
    tree = ast.parse(source)
    without_effect = {id(inner) for node in ast.walk(tree) for part in _without_effect(node) for inner in ast.walk(part)}
    functions = dict(_functions(tree))
    seen: Counter[str] = Counter()
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            for place, node in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(node, ast.AST) or id(node) in without_effect:
                    continue
                for other in variants(node):
                    setattr(parent, field, [*value[:place], other, *value[place + 1 :]] if isinstance(value, list) else other)
                    changed = ast.unparse(ast.fix_missing_locations(tree))
                    setattr(parent, field, value)
                    function = functions.get(id(node))
                    name = f"{function or '(module)'}: {_shown(node)}  ->  {_shown(other)}"
                    seen[name] += 1
                    line = getattr(node, "lineno", getattr(getattr(node, "target", None), "lineno", 0))
                    yield Mutant(name if seen[name] == 1 else f"{name} ({seen[name]})", line, changed, function)


def variants(node: ast.AST) -> Iterator[ast.AST]:  # noqa: C901 - one case after the other
    """Return the possible replacements of a node."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            if other := _OTHER.get(type(operator)):
                yield _with(node, ops=[*node.ops[:place], other(), *node.ops[place + 1 :]])
    elif isinstance(node, ast.BoolOp | ast.BinOp) and type(node.op) in _OTHER:
        yield _with(node, op=_OTHER[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | str):
        value = node.value
        yield ast.Constant(not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else f"{value}x")
    elif isinstance(node, ast.If | ast.IfExp):
        yield from (_with(node, test=ast.Constant(always)) for always in (True, False))
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield _with(node, ifs=node.ifs[1:])
    elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        yield _with(node, value=ast.Constant(None))
    elif isinstance(node, ast.Assign | ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield ast.Pass()


def _with(node: Any, **fields: Any) -> Any:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _without_effect(node: ast.AST) -> Iterator[ast.AST]:
    """Return the parts of a node that do nothing when the program runs."""
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
        yield node.annotation
    if isinstance(node, ast.FunctionDef) and node.returns:
        yield node.returns
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        yield node
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "TypeVar":
        yield node
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "cast":
        yield node.args[0]
    if isinstance(node, ast.ClassDef):
        yield from node.decorator_list


def _functions(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Return the outermost function of each node in its body."""
    for node in tree.body:
        methods = node.body if isinstance(node, ast.ClassDef) else [node]
        before = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for function in methods:
            if isinstance(function, ast.FunctionDef):
                for statement in function.body:
                    yield from ((id(inner), before + function.name) for inner in ast.walk(statement))


def _shown(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0][:_SHOWN]
