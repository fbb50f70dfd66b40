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
    if isinstance(node, ast.Name):
        for value in names.of(node.id) or []:
            if not (isinstance(value, ast.Name) and value.id == node.id):
                yield from built(value, names, depth + 1)
        return
    if isinstance(node, ast.IfExp):
        yield from built(node.body, names, depth + 1)
        yield from built(node.orelse, names, depth + 1)
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
