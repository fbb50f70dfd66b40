"""Works out, without running it, what text an expression of a migration can give."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import lru_cache
from itertools import product

from guardrails.sql.words import HOLE

_MOST = 64
"""How many values of one expression are followed; beyond that it counts as unknown."""
_DEEPEST = 40
_FORM = re.compile(r"%(?:\((\w+)\))?[-#0 +]*\d*(?:\.\d+)?([a-zA-Z%])")
_FIELD = re.compile(r"\{\{|\}\}|\{[^{}]*\}")
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


class Names:
    """What the names of a scope can stand for: expressions, not values."""

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
        return self._outer.of(name) if self._outer else None

    def define(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Say that a function of that name is defined here."""
        self._functions.setdefault(function.name, function)

    def returned(self, call: ast.Call) -> tuple[list[ast.expr], Names]:
        """Give what a call of a known function may return, and the names to read it by."""
        for name in self._called(call.func):
            function = self._function(name)
            if function is None or name in self._inside:
                continue
            inner = Names(self)
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
        if not isinstance(function, ast.Name):
            return []
        others = [value.id for value in self.of(function.id) or [] if isinstance(value, ast.Name)]
        return [function.id, *others]

    def _function(self, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        if name in self._functions:
            return self._functions[name]
        return self._outer._function(name) if self._outer else None


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
    return found if len(found) <= _MOST else [HOLE]


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
    if isinstance(node, ast.JoinedStr):
        return _joined([_part(part, names, depth) for part in node.values])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = texts(node.left, names, depth), texts(node.right, names, depth)
        return _joined([left or [HOLE], right or [HOLE]]) if left or right else []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _unique(
            t for left in texts(node.left, names, depth) for t in _percent(left, node.right, names, depth)
        )
    if isinstance(node, ast.NamedExpr):
        return texts(node.value, names, depth)
    if isinstance(node, ast.IfExp):
        return _either([node.body, node.orelse], names, depth)
    if isinstance(node, ast.Subscript):
        items = [value for _, value in _pairs(node.value, names)] or elements(node.value, names, depth) or []
        return _unique(text for item in items for text in texts(item, names, depth))
    if isinstance(node, ast.Call):
        return _called(node, names, depth)
    return []


def _either(values: list[ast.expr], names: Names, depth: int) -> list[str]:
    """Give the texts of several possible values; where some give text, the others are unknown parts."""
    found = [texts(value, names, depth) for value in values if not _is_nothing(value)]
    if not any(found):
        return []
    return _unique(text for one in found for text in (one or [HOLE]))


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
        filled = {str(k): texts(a, names, depth) or [HOLE] for k, a in enumerate(node.args)}
        filled |= {k.arg: texts(k.value, names, depth) or [HOLE] for k in node.keywords if k.arg}
        return _unique(t for left in texts(function.value, names, depth) for t in _format(left, filled))
    if name == "join" and len(node.args) == 1:
        items = elements(node.args[0], names, depth)
        glue = texts(function.value, names, depth)
        if items is None or not glue:
            return [HOLE]
        parts = [texts(item, names, depth) or [HOLE] for item in items]
        return [glue[0].join(choice) for choice in _choices(parts)]
    if name == "get" and node.args and (pairs := _pairs(function.value, names)):
        return _either([*(value for _, value in pairs), *node.args[1:]], names, depth)
    if name in {"substitute", "safe_substitute"} and isinstance(function.value, ast.Call):
        given = {k.arg: texts(k.value, names, depth) or [HOLE] for k in node.keywords if k.arg}
        templates = texts(function.value.args[0], names, depth) if function.value.args else []
        return _unique(t for left in templates for t in _substituted(left, given))
    if name == "replace" and len(node.args) == 2:
        return _replaced(node, names, depth)
    return texts(function.value, names, depth) if name in _SAME else []


def _substituted(left: str, given: Mapping[str, list[str]]) -> list[str]:
    pieces = re.split(r"\$\{?(\w+)\}?", left)
    return _joined([given.get(p, [HOLE]) if i % 2 else [p] for i, p in enumerate(pieces)])


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
        return _filled(left, lambda m, _i: keyed.get(m[1], [HOLE]))
    items = list(right.elts) if isinstance(right, ast.Tuple) else [right]
    parts = [texts(item, names, depth) or [HOLE] for item in items]
    return _filled(left, lambda _m, index: parts[index] if index < len(parts) else [HOLE])


def _filled(left: str, choose: object) -> list[str]:
    parts: list[list[str]] = []
    position = index = 0
    for match in _FORM.finditer(left):
        parts.append([left[position : match.start()]])
        if match[2] == "%":
            parts.append(["%"])
        else:
            parts.append(choose(match, index))  # type: ignore[operator]
            index += 1
        position = match.end()
    return _joined([*parts, [left[position:]]])


def _format(left: str, filled: Mapping[str, list[str]]) -> list[str]:
    parts: list[list[str]] = []
    position = index = 0
    for match in _FIELD.finditer(left):
        parts.append([left[position : match.start()]])
        body = match[0]
        if body in {"{{", "}}"}:
            parts.append([body[0]])
        else:
            name = re.split(r"[!:.\[]", body[1:-1])[0]
            parts.append(filled.get(name or str(index), [HOLE]))
            index += not name
        position = match.end()
    return _joined([*parts, [left[position:]]])


def _joined(parts: list[list[str]]) -> list[str]:
    return ["".join(choice) for choice in _choices(parts)]


def _choices(parts: list[list[str]]) -> list[tuple[str, ...]]:
    count = 1
    for part in parts:
        count *= max(1, len(part))
    if count > _MOST:
        parts = [part if len(part) == 1 else [HOLE] for part in parts]
    return list(product(*parts))


def _unique(found: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(found))
