"""Works out, without running it, what text an expression of a migration can give."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from guardrails.migrations.formats import MOST, choices, filled, formatted, joined, substituted, unique
from guardrails.sql.words import HOLE

_DEEPEST = 40
_DEEPEST_CLOSED = 6
_SAME = frozenset(
    {
        "strip",
        "lstrip",
        "rstrip",
        "bindparams",
        "params",
        "execution_options",
        "columns",
        "dedent",
        "cleandoc",
        "upper",
        "lower",
    }
)
"""Methods and functions that leave what a statement does as it is."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What an imported name stands for: expressions that need no names any more, or a function."""

    names: Names
    """The names of the module that it comes from."""
    values: Sequence[ast.expr] = ()
    function: ast.FunctionDef | ast.AsyncFunctionDef | None = None


class Beyond(Protocol):
    """Knows what the imported names of a module stand for."""

    def find(self, name: str) -> Foreign | None:
        """Give what a name, dotted or not, stands for; None: nobody knows."""


class Names:
    """What the names of a scope can stand for: expressions, not values."""

    beyond: Beyond | None = None
    """What looks up imported names, at the top level of a module."""

    def __init__(self, outer: Names | None = None) -> None:
        self._outer = outer
        self._values: dict[str, list[ast.expr]] = {}
        self._functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
        self._inside: frozenset[str] = outer._inside if outer else frozenset()

    def bind(self, name: str, values: Iterable[ast.expr], *, instead: bool = False) -> None:
        """Say that *name* may stand for these expressions, too; *instead*: for nothing else."""
        if instead:
            self._values[name] = []
        self._values.setdefault(name, []).extend(values)

    def of(self, name: str) -> list[ast.expr] | None:
        """Give what *name* may stand for; None: nobody knows."""
        if name in self._values:
            return self._values[name]
        if self._outer:
            return self._outer.of(name)
        foreign = self._foreign(name)
        return list(foreign.values) if foreign is not None and foreign.values else None

    def member(self, node: ast.Attribute) -> list[ast.expr]:
        """Give what an attribute of an imported module may stand for."""
        foreign = self._foreign(dotted(node))
        return list(foreign.values) if foreign is not None else []

    def define(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Say that a function of that name is defined here."""
        self._functions.setdefault(function.name, function)

    def returned(self, call: ast.Call) -> tuple[list[ast.expr], Names]:
        """Give what a call of a known function may return, and the names to read it by."""
        for name in self._called(call.func):
            function, home = self._function(name), self
            foreign = self._foreign(name) if function is None else None
            if foreign is not None:
                function, home = foreign.function, foreign.names
                call = closed_call(call, self)
            if function is None or name in self._inside:
                continue
            inner = Names(home)
            inner._inside = self._inside | {name}
            parameters = [argument.arg for argument in function.args.args]
            defaults = function.args.defaults
            inner._values |= {
                name: [value] for name, value in zip(parameters[-len(defaults) :], defaults, strict=False)
            }
            inner._values |= {name: [value] for name, value in zip(parameters, call.args, strict=False)}
            inner._values |= {keyword.arg: [keyword.value] for keyword in call.keywords if keyword.arg}
            assigned, found = _body_of(function)
            inner._values |= assigned
            return found, inner
        return [], self

    def _called(self, function: ast.expr) -> list[str]:
        if isinstance(function, ast.Attribute):
            return [name] if (name := dotted(function)) else []
        if not isinstance(function, ast.Name):
            return []
        others = [value.id for value in self.of(function.id) or [] if isinstance(value, ast.Name)]
        return [function.id, *others]

    def _function(self, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        if name in self._functions:
            return self._functions[name]
        return self._outer._function(name) if self._outer else None

    def _foreign(self, name: str) -> Foreign | None:
        scope: Names = self
        first = name.split(".", 1)[0]
        while first not in scope._values and scope._outer is not None:
            scope = scope._outer
        if not name or first in scope._values or scope.beyond is None:
            return None
        return scope.beyond.find(name)


def dotted(node: ast.expr) -> str:
    """Give a name with its attributes as it is written; empty: the expression is none."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def closed(node: ast.expr, names: Names, depth: int = 0) -> ast.expr:  # noqa: PLR0911 (one line a kind)
    """Give an expression as it means the same among other names: what is not known stays so there."""
    if isinstance(node, ast.Constant):
        return node
    if depth > _DEEPEST_CLOSED:
        return _nameless(node)
    pairs = _pairs(node, names)
    if pairs:
        keys, values = zip(*pairs, strict=True)
        return ast.Dict(
            [closed(k, names, depth + 1) for k in keys], [closed(v, names, depth + 1) for v in values]
        )
    found = texts(node, names)
    if found:
        return _one_of([ast.Constant(text) for text in found])
    items = elements(node, names)
    if items is not None and len(items) <= MOST:
        return ast.Tuple([closed(item, names, depth + 1) for item in items], ast.Load())
    if isinstance(node, ast.Name):
        meant = [value for value in names.of(node.id) or [] if not isinstance(value, ast.Name)]
        if meant and len(meant) <= MOST:
            return _one_of([_nameless(value) for value in meant])
    return _nameless(node)


def closed_call(call: ast.Call, names: Names) -> ast.Call:
    """Give a call with its arguments closed."""
    given = [item if isinstance(item, ast.Starred) else closed(item, names) for item in call.args]
    keywords = [ast.keyword(keyword.arg, closed(keyword.value, names)) for keyword in call.keywords]
    return ast.copy_location(ast.Call(call.func, given, keywords), call)


def _one_of(values: Sequence[ast.expr]) -> ast.expr:
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    return ast.IfExp(ast.Constant(value=True), _one_of(values[:half]), _one_of(values[half:]))


def _nameless(node: ast.expr) -> ast.expr:
    """Give an expression whose names nobody takes for others of the same name, but for what it calls."""

    class Hider(ast.NodeTransformer):
        def visit_Name(self, inner: ast.Name) -> ast.expr:
            return ast.copy_location(ast.Name(f"{HOLE}_{inner.id}", inner.ctx), inner)

        def visit_Call(self, inner: ast.Call) -> ast.expr:
            function = inner.func
            self.generic_visit(inner)
            inner.func = function if isinstance(function, ast.Name) else inner.func
            return inner

    hidden = Hider().visit(deepcopy(node))
    return hidden if isinstance(hidden, ast.expr) else node


@lru_cache(maxsize=256)
def _body_of(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
) -> tuple[dict[str, list[ast.expr]], list[ast.expr]]:
    """Give what a function assigns to its names, and what it returns. What grows bit by bit is unknown."""
    assigned: dict[str, list[ast.expr]] = {}
    grown: set[str] = set()
    found: list[ast.expr] = []
    for statement in ast.walk(function):
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            assigned.setdefault(name, []).append(statement.value)
            if mentions(statement.value, name):
                grown.add(name)
        elif isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            grown.add(statement.target.id)
        elif isinstance(statement, ast.Return) and statement.value is not None:
            found.append(statement.value)
    return assigned | {name: [ast.Name(HOLE)] for name in grown}, found


def texts(node: ast.expr, names: Names, depth: int = 0) -> list[str]:
    """Give the texts that an expression can give, with HOLE for what is unknown; empty: it gives none."""
    if depth > _DEEPEST:
        return [HOLE]
    found = _texts(node, names, depth + 1)
    return found if len(found) <= MOST else [HOLE]


def mentions(node: ast.expr, name: str) -> bool:
    """Say whether an expression uses a name."""
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node))


def replaced(node: ast.expr, name: str, by: ast.expr) -> ast.expr:
    """Give an expression with another one in the place of a name."""

    class Replacer(ast.NodeTransformer):
        def visit_Name(self, inner: ast.Name) -> ast.expr:
            return by if inner.id == name else inner

    changed = Replacer().visit(deepcopy(node))
    return changed if isinstance(changed, ast.expr) else node


def elements(node: ast.expr, names: Names, depth: int = 0) -> list[ast.expr] | None:  # noqa: PLR0911 (one line a kind)
    """Give the elements of a constant collection; None where they are not known."""
    if depth > _DEEPEST:
        return None
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [item for item in node.elts if not isinstance(item, ast.Starred)]
    if isinstance(node, ast.Dict):
        return [key for key in node.keys if key is not None]
    if isinstance(node, ast.Name):
        values = names.of(node.id)
        if values is None:
            return None
        found = [elements(value, names, depth + 1) for value in values if value is not node]
        return None if None in found else [item for items in found if items for item in items]
    if isinstance(node, ast.Attribute):
        parts = [elements(value, names, depth + 1) for value in names.member(node)]
        return None if None in parts or not parts else [item for items in parts if items for item in items]
    if isinstance(node, ast.Call) and (returns := names.returned(node))[0]:
        several = [elements(value, returns[1], depth + 1) for value in returns[0]]
        return None if None in several else [item for items in several if items for item in items]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
        collects = node.func.id in {"reversed", "sorted", "list", "tuple", "set"}
        return elements(node.args[0], names, depth + 1) if collects else None
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"values", "items"}
    ):
        pairs = _pairs(node.func.value, names)
        if node.func.attr == "values":
            return [value for _, value in pairs] or None
        return [ast.Tuple([key, value], ast.Load()) for key, value in pairs] or None
    return None


def _pairs(node: ast.expr, names: Names) -> list[tuple[ast.expr, ast.expr]]:
    found = (
        [node]
        if isinstance(node, ast.Dict)
        else (names.of(node.id) or [])
        if isinstance(node, ast.Name)
        else []
    )
    return [
        (key, value)
        for one in found
        if isinstance(one, ast.Dict)
        for key, value in zip(one.keys, one.values, strict=True)
        if key is not None
    ]


def _texts(node: ast.expr, names: Names, depth: int) -> list[str]:  # noqa: PLR0911 (one line a kind)
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.Name):
        values = names.of(node.id)
        if values is None:
            return []
        return _either([value for value in values if value is not node], names, depth)
    if isinstance(node, ast.Attribute):
        return _either(names.member(node), names, depth)
    if isinstance(node, ast.JoinedStr):
        return joined([_part(part, names, depth) for part in node.values])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = texts(node.left, names, depth), texts(node.right, names, depth)
        return joined([left or [HOLE], right or [HOLE]]) if left or right else []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return unique(
            t for left in texts(node.left, names, depth) for t in _percent(left, node.right, names, depth)
        )
    if isinstance(node, ast.NamedExpr):
        return texts(node.value, names, depth)
    if isinstance(node, ast.IfExp):
        return _either([node.body, node.orelse], names, depth)
    if isinstance(node, ast.Subscript):
        items = [value for _, value in _pairs(node.value, names)] or elements(node.value, names, depth) or []
        return unique(text for item in items for text in texts(item, names, depth))
    if isinstance(node, ast.Call):
        return _called(node, names, depth)
    return []


def _either(values: list[ast.expr], names: Names, depth: int) -> list[str]:
    """Give the texts of several possible values; where some give text, the others are unknown parts."""
    found = [texts(value, names, depth) for value in values if not _is_nothing(value)]
    if not any(found):
        return []
    return unique(text for one in found for text in (one or [HOLE]))


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not isinstance(node.value, str)


def _called(node: ast.Call, names: Names, depth: int) -> list[str]:  # noqa: PLR0911 (one line a kind)
    returned, inner = names.returned(node)
    if returned:
        return _either(returned, inner, depth)
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in {"text", "dedent", "cleandoc", "DDL", "quoted_name", "str"} and node.args:
        return texts(node.args[0], names, depth)
    if not isinstance(function, ast.Attribute):
        return []
    if name == "f" and node.args:  # op.f("name")
        return texts(node.args[0], names, depth)
    if name == "format":
        fields = {str(k): texts(a, names, depth) or [HOLE] for k, a in enumerate(node.args)}
        fields |= {k.arg: texts(k.value, names, depth) or [HOLE] for k in node.keywords if k.arg}
        return unique(t for left in texts(function.value, names, depth) for t in formatted(left, fields))
    if name == "join" and len(node.args) == 1:
        items = elements(node.args[0], names, depth)
        glue = texts(function.value, names, depth)
        if items is None or not glue:
            return [HOLE]
        parts = [texts(item, names, depth) or [HOLE] for item in items]
        return [glue[0].join(choice) for choice in choices(parts)]
    if name == "get" and node.args and (pairs := _pairs(function.value, names)):
        return _either([*(value for _, value in pairs), *node.args[1:]], names, depth)
    if name in {"substitute", "safe_substitute"} and isinstance(function.value, ast.Call):
        given = {k.arg: texts(k.value, names, depth) or [HOLE] for k in node.keywords if k.arg}
        templates = texts(function.value.args[0], names, depth) if function.value.args else []
        return unique(t for left in templates for t in substituted(left, given))
    if name == "replace" and len(node.args) == 2:
        return _replaced(node, names, depth)
    return texts(function.value, names, depth) if name in _SAME else []


def _replaced(node: ast.Call, names: Names, depth: int) -> list[str]:
    assert isinstance(node.func, ast.Attribute)  # noqa: S101
    old = texts(node.args[0], names, depth)
    new = texts(node.args[1], names, depth) or [HOLE]
    return [
        text.replace(old[0], new[0]) if old and old[0] else HOLE
        for text in texts(node.func.value, names, depth)
    ]


def _part(part: ast.expr, names: Names, depth: int) -> list[str]:
    value = part.value if isinstance(part, ast.FormattedValue) else part
    if isinstance(value, ast.Constant) and not isinstance(value.value, str):
        return [str(value.value)]
    return texts(value, names, depth) or [HOLE]


def _percent(left: str, right: ast.expr, names: Names, depth: int) -> list[str]:
    if isinstance(right, ast.Dict):
        keyed = {
            k.value: texts(v, names, depth) or [HOLE]
            for k, v in zip(right.keys, right.values, strict=True)
            if isinstance(k, ast.Constant)
        }
        return filled(left, lambda m, _i: keyed.get(m[1], [HOLE]))
    items = list(right.elts) if isinstance(right, ast.Tuple) else [right]
    parts = [texts(item, names, depth) or [HOLE] for item in items]
    return filled(left, lambda _m, index: parts[index] if index < len(parts) else [HOLE])
