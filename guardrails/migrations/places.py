"""Says what a call calls, with which arguments, and where in a migration file its SQL stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from guardrails.migrations.strings import Names
from guardrails.operations import Place


def called(node: ast.expr) -> str:
    """Give the name of what a call calls; empty: it is no call, or what it calls has no name."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def arguments(node: ast.Call) -> dict[str, ast.expr]:
    """Give a call's arguments by keyword."""
    return {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}


def parameters(
    node: ast.Call, function: ast.FunctionDef | ast.AsyncFunctionDef
) -> tuple[list[tuple[str, ast.expr]], list[tuple[str, ast.expr]]]:
    """Give what a call gives to the parameters of a function, and the defaults of those left out."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    plain = [name for name in names if name not in {"self", "cls"}]
    given = list(zip(plain, node.args, strict=False))
    given += [(keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg]
    bound = {name for name, _ in given}
    defaults = list(
        zip(names[len(names) - len(function.args.defaults) :], function.args.defaults, strict=False)
    )
    only = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    defaults += [(argument.arg, default) for argument, default in only if default is not None]
    return given, [(name, default) for name, default in defaults if name not in bound]


def bodies(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Give each list of statements inside of a statement."""
    for name in ("body", "orelse", "finalbody"):
        inner = getattr(statement, name, None)
        if isinstance(inner, list) and not isinstance(statement, ast.ClassDef):
            yield inner
    for handler in getattr(statement, "handlers", []):
        yield handler.body
    for case in getattr(statement, "cases", []):
        yield case.body


def is_connection(node: ast.expr, names: Names) -> bool:
    """Say whether an expression is a connection or a session."""
    if isinstance(node, ast.Name):
        values = names.of(node.id) or []
        return any(called(value) in {"get_bind", "Session", "connect", "begin"} for value in values)
    return called(node) == "get_bind"


def autocommit_block(statement: ast.With | ast.AsyncWith) -> ast.expr | None:
    """Give the expression that makes a ``with`` run outside of the migration's transaction."""
    return next(
        (i.context_expr for i in statement.items if called(i.context_expr) == "autocommit_block"), None
    )


def is_autocommit(node: ast.Call) -> bool:
    """Say whether execution options take a connection out of its transaction."""
    level = arguments(node).get("isolation_level")
    return isinstance(level, ast.Constant) and level.value == "AUTOCOMMIT"


def literal_of(node: ast.expr) -> ast.expr | None:
    """Give the string literal that an argument is, inside text() too; None: it is put together elsewhere."""
    while isinstance(node, ast.Call):
        inner = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr != "text" else None
        if called(node) in {"text", "dedent", "DDL"} and node.args:
            node = node.args[0]
        elif inner is not None:
            node = inner
        else:
            return None
    return node if isinstance(node, ast.Constant | ast.JoinedStr) else None


def place_in(node: ast.Call, literal: ast.expr | None, place: Place) -> Place:
    """Give the place in the file of a place in the SQL of a call."""
    end = node.end_lineno or node.lineno
    if literal is None:
        return Place(node.lineno, node.col_offset + 1, end)
    line = min(literal.lineno + place.line - 1, literal.end_lineno or end)
    column = node.col_offset + 1 if line == node.lineno else place.column
    return Place(line, column, max(line, min(end, line + place.last_line - place.line)), node.lineno)
