"""Understands SQLAlchemy Core expressions that a migration executes, such as ``table.delete().where(…)``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import Enum

from guardrails.migrations.strings import Names
from guardrails.operations import Condition, Thing, Verb
from guardrails.sql.words import Act

_HARMLESS = frozenset(
    """insert select union union_all exists values literal_column func CreateTable CreateIndex
    CreateSequence CreateSchema AddConstraint DropConstraint DropIndex DropSequence SetTableComment
    SetColumnComment CreateView DropView CreateColumn merge join Sequence next_value""".split()  # noqa: SIM905
)


class Built(Enum):
    """What else an expression can turn out to be."""

    HARMLESS = "harmless"
    UNKNOWN = "unknown"


def built(node: ast.expr, names: Names, depth: int = 0) -> Iterator[Act | Built]:
    """Say what executing an expression does, once for each value that it may have."""
    if depth > 10:
        yield Built.UNKNOWN
        return
    alternatives = _alternatives(node, names)
    if alternatives is not None:
        values, inner = alternatives
        for value in values:
            yield from built(value, inner, depth + 1)
        return
    steps = chain(node)
    limited = Condition.SOME if "where" in steps else Condition.NONE
    if "delete" in steps:
        yield Act(Verb.DELETE, Thing.ROWS, condition=limited)
    elif "update" in steps:
        yield Act(Verb.UPDATE, Thing.ROWS, condition=limited)
    elif "DropTable" in steps:
        yield Act(Verb.DROP, Thing.TABLE)
    elif "DropSchema" in steps:
        yield Act(Verb.DROP, Thing.SCHEMA)
    elif _HARMLESS & set(steps):
        yield Built.HARMLESS
    elif (grown := _grown(node, names, depth)) is not None:
        yield from grown
    else:
        yield Built.UNKNOWN


def _alternatives(node: ast.expr, names: Names) -> tuple[list[ast.expr], Names] | None:
    """Give what a name, a choice or a call of a known function may stand for; None: it is none of these."""
    if isinstance(node, ast.Name):
        values = names.of(node.id) or []
        return [v for v in values if not (isinstance(v, ast.Name) and v.id == node.id)], names
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse], names
    if isinstance(node, ast.NamedExpr):
        return [node.value], names
    if isinstance(node, ast.Call):
        returned, inner = names.returned(node)
        return (returned, inner) if returned else None
    return None


def chain(node: ast.expr) -> list[str]:
    """Give the names of the calls of a chain, the outermost first."""
    steps = []
    while True:
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                steps.append(node.func.attr)
                node = node.func.value
            else:
                steps.append(getattr(node.func, "id", ""))
                return steps
        elif isinstance(node, ast.Attribute | ast.Await):
            node = node.value
        else:
            return steps


def _grown(node: ast.expr, names: Names, depth: int) -> Iterator[Act | Built] | None:
    """Follow ``statement.where(…)`` to what *statement* was built from."""
    limited = "where" in chain(node)
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    if not isinstance(node, ast.Name) or not names.of(node.id):
        return None
    found = built(node, names, depth + 1)
    if not limited:
        return found
    return (Act(f.verb, f.thing, f.names, Condition.SOME) if isinstance(f, Act) else f for f in found)
