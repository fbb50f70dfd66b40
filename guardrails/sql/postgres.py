"""Understands a statement by Postgres' own parser, where the extra ``postgres`` (postgast) is installed.

This module alone loads postgast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from guardrails.operations import Condition, Thing, Verb
from guardrails.sql.words import Act


@cache
def available() -> bool:
    """Say whether Postgres' parser can be asked."""
    return _parser() is not None


def from_postgres(text: str) -> list[Act] | None:
    """Give what the statement does; None where Postgres' grammar refuses it, or the parser is not there."""
    parser = _parser()
    if parser is None:
        return None
    parse, refusal = parser
    try:
        statements = parse(text).stmts
        if len(statements) != 1:
            return None
        return [act for node in _nodes(statements[0].stmt) for act in _acts(node)]
    except (refusal, RecursionError, ValueError, UnicodeError):
        return None  # no Postgres, or bind parameters of a driver: the other readers decide


def stricter(one: list[Act] | None, other: list[Act] | None) -> list[Act] | None:
    """Give what two readers saw together: the worse, where they differ over whose rows are meant."""
    if one is None or other is None:
        return other if one is None else one
    acts = [*one]
    for act in other:
        same = [i for i, known in enumerate(acts) if (known.verb, known.thing) == (act.verb, act.thing)]
        if not same:
            acts.append(act)
        elif act.condition is not Condition.SOME and all(acts[i].condition is Condition.SOME for i in same):
            acts[same[0]] = act
    return acts


@cache
def _parser() -> tuple[Callable[[str], Any], type[Exception]] | None:
    try:
        module = import_module("postgast")
    except (ImportError, OSError):  # not installed, or its library does not fit this machine
        return None
    return module.parse, module.PgQueryError


def _nodes(message: Any) -> Iterator[Any]:
    """Give every message below one, each before what it holds; wrappers are opened."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for inner in value if isinstance(value, Sequence) or hasattr(value, "append") else (value,):
            yield from _nodes(inner)


def _acts(node: Any) -> Iterator[Act]:
    name = node.DESCRIPTOR.name
    if name == "DeleteStmt":
        yield Act(Verb.DELETE, Thing.ROWS, (_name(node.relation),), _condition(node))
    elif name == "UpdateStmt":
        yield Act(Verb.UPDATE, Thing.ROWS, (_name(node.relation),), _condition(node))
    elif name == "TruncateStmt":
        names = tuple(_name(inner.range_var) for inner in node.relations)
        yield Act(Verb.TRUNCATE, Thing.TABLE, names)
    elif name == "DropStmt":
        yield from _drop(node)
    elif name == "DropdbStmt":
        yield Act(Verb.DROP, Thing.DATABASE, (node.dbname.lower(),))
    elif name == "DropOwnedStmt":
        yield Act(Verb.DROP, Thing.SCHEMA)
    elif name == "AlterTableStmt":
        for wrapped in node.cmds:
            command = wrapped.alter_table_cmd
            if _enum(command, "subtype") == "AT_DropColumn" and _enum(node, "objtype") == "OBJECT_TABLE":
                yield Act(Verb.DROP, Thing.COLUMN, (f"{_name(node.relation)}.{command.name.lower()}",))
    elif name == "MergeWhenClause" and _enum(node, "command_type") == "CMD_DELETE":
        yield Act(Verb.DELETE, Thing.ROWS)


def _drop(node: Any) -> Iterator[Act]:
    thing = {"OBJECT_TABLE": Thing.TABLE, "OBJECT_SCHEMA": Thing.SCHEMA}.get(_enum(node, "remove_type"))
    if thing is not None:
        parts = [
            [inner.string.sval for inner in wrapped.list.items] or [wrapped.string.sval]
            for wrapped in node.objects
        ]
        yield Act(Verb.DROP, thing, tuple(".".join(part).lower() for part in parts))


def _name(relation: Any) -> str:
    parts = (relation.catalogname, relation.schemaname, relation.relname)
    return ".".join(part.lower() for part in parts if part)


def _enum(message: Any, field: str) -> str:
    values = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return str(values[getattr(message, field)].name)


def _condition(node: Any) -> Condition:
    if not node.HasField("where_clause"):
        return Condition.NONE
    return Condition.ALWAYS_TRUE if _truth(node.where_clause) is True else Condition.SOME


def _truth(wrapped: Any) -> bool | None:  # noqa: PLR0911 (one line a kind)
    """Give the truth of a condition that is the same for every row; None where rows differ."""
    kind = wrapped.WhichOneof("node")
    node = getattr(wrapped, kind) if kind else wrapped
    if kind == "a_const":
        return bool(node.boolval.boolval) if node.WhichOneof("val") == "boolval" else None
    if kind == "type_cast":
        return _truth(node.arg)
    if kind == "bool_expr":
        sides = [_truth(inner) for inner in node.args]
        operator = _enum(node, "boolop")
        if operator == "NOT_EXPR":
            return None if sides[0] is None else not sides[0]
        decides = operator == "OR_EXPR"
        if decides in sides:
            return decides
        return None if None in sides else not decides
    if kind == "a_expr" and _enum(node, "kind") == "AEXPR_OP" and len(node.name) == 1:
        return _compared(node)
    return None


def _compared(node: Any) -> bool | None:
    operator = node.name[0].string.sval
    left, right = node.lexpr, node.rexpr
    if operator not in {"=", "<>", ">=", "<=", "<", ">"} or left.WhichOneof("node") != right.WhichOneof(
        "node"
    ):
        return None
    kind = left.WhichOneof("node")
    if kind != right.WhichOneof("node"):
        return None
    equals = operator in {"=", ">=", "<="}
    if kind == "column_ref":
        return equals if _written(left) == _written(right) else None
    return _constants(operator, left, right) if kind == "a_const" else None


def _constants(operator: str, left: Any, right: Any) -> bool | None:
    if _written(left) == _written(right):
        return operator in {"=", ">=", "<="}
    if operator in {"=", "<>"}:
        return operator == "<>"
    if left.a_const.WhichOneof("val") == right.a_const.WhichOneof("val") == "ival":
        return bool((left.a_const.ival.ival < right.a_const.ival.ival) == (operator in {"<", "<="}))
    return None


def _written(wrapped: Any) -> bytes:
    """Give a message without the places where its parts stood."""
    copy = type(wrapped)()
    copy.CopyFrom(wrapped)
    for node in _nodes(copy):
        if "location" in node.DESCRIPTOR.fields_by_name:
            node.ClearField("location")
    return bytes(copy.SerializeToString(deterministic=True))
