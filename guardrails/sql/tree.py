"""Understands a statement by sqlglot's syntax tree. This module alone loads sqlglot."""

from __future__ import annotations

import logging

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from guardrails.operations import Condition, Thing, Verb
from guardrails.sql.words import Act, is_mysql

# sqlglot warns of every statement that it does not know; here such a statement is read by its words.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

_UNDERSTOOD = (exp.Query, exp.DDL, exp.DML, exp.Drop, exp.Alter, exp.TruncateTable, exp.Merge, exp.Set)


def from_tree(text: str, dialect: str) -> list[Act] | None:
    """Give what the statement does; None where sqlglot cannot read it, or reads it as opaque."""
    try:
        trees = sqlglot.parse(text, read=_dialect(dialect))
        if len(trees) != 1 or not isinstance(trees[0], _UNDERSTOOD):
            return None
        tree = trees[0]
        if tree.find(exp.Command) is not None:
            return None
        return list(_acts(tree, dialect))
    except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return None  # sqlglot gave up, or broke: the words decide


def _dialect(name: str) -> str:
    return {"mariadb": "mysql", "postgresql": "postgres", "mssql": "tsql"}.get(name, name)


def _acts(tree: exp.Expr, dialect: str) -> list[Act]:
    acts = []
    for node in tree.walk():
        if isinstance(node, exp.Drop):
            acts += _drop(node, dialect)
        elif isinstance(node, exp.TruncateTable):
            acts.append(Act(Verb.TRUNCATE, Thing.TABLE, _tables(node)))
        elif isinstance(node, exp.Delete):
            acts.append(Act(Verb.DELETE, Thing.ROWS, _tables(node)[:1], _condition(node)))
        elif isinstance(node, exp.Update) and not isinstance(node.parent, exp.When):
            acts.append(Act(Verb.UPDATE, Thing.ROWS, _tables(node)[:1], _condition(node)))
        elif isinstance(node, exp.When) and _deletes(node):
            acts.append(Act(Verb.DELETE, Thing.ROWS))
    return acts


def _drop(node: exp.Drop, dialect: str) -> list[Act]:
    kind = str(node.args.get("kind") or "").upper()
    if kind == "COLUMN":
        alter = node.find_ancestor(exp.Alter)
        table = _name(alter.this) if alter is not None and isinstance(alter.this, exp.Table) else ""
        column = next((c.name.lower() for c in node.find_all(exp.Column)), "")
        column = column or next((i.name.lower() for i in node.find_all(exp.Identifier)), "")
        return [Act(Verb.DROP, Thing.COLUMN, (f"{table}.{column}",))]
    if kind == "TABLE" and not node.args.get("temporary"):
        return [Act(Verb.DROP, Thing.TABLE, _tables(node))]
    if kind == "DATABASE" or (kind == "SCHEMA" and is_mysql(dialect)):
        return [Act(Verb.DROP, Thing.DATABASE, _tables(node))]
    return [Act(Verb.DROP, Thing.SCHEMA, _tables(node))] if kind == "SCHEMA" else []


def _tables(node: exp.Expr) -> tuple[str, ...]:
    return tuple(_name(table) for table in node.find_all(exp.Table))


def _name(table: exp.Table) -> str:
    return ".".join(part.name.lower() for part in table.parts if part.name)


def _deletes(node: exp.When) -> bool:
    then = node.args.get("then")
    return isinstance(then, exp.Expr) and then.name.upper() == "DELETE"


def _condition(node: exp.Expr) -> Condition:
    where = node.args.get("where")
    if where is None:
        return Condition.NONE
    return Condition.ALWAYS_TRUE if _truth(where.this) is True else Condition.SOME


def _truth(node: exp.Expr | None) -> bool | None:  # noqa: PLR0911 (one line a kind)
    """Give the truth of a condition that is the same for every row; None where rows differ."""
    if isinstance(node, exp.Paren):
        return _truth(node.this)
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Literal):
        return None if node.is_string else node.name.strip("0.") != ""
    if isinstance(node, exp.Not):
        inner = _truth(node.this)
        return None if inner is None else not inner
    if isinstance(node, exp.And | exp.Or):
        decides = isinstance(node, exp.Or)
        sides = [_truth(node.left), _truth(node.right)]
        if decides in sides:
            return decides
        return None if None in sides else not decides
    if isinstance(node, exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE | exp.Is):
        return _compared(node)
    return None


def _compared(node: exp.Binary) -> bool | None:
    left, right = node.left.unnest(), node.right.unnest()
    equal = isinstance(node, exp.EQ | exp.GTE | exp.LTE | exp.Is)
    if left == right and not isinstance(left, exp.Parameter | exp.Placeholder | exp.Func):
        return equal
    if isinstance(left, exp.Literal) and isinstance(right, exp.Literal):
        if isinstance(node, exp.EQ | exp.NEQ):
            return isinstance(node, exp.NEQ)
        if not left.is_string and not right.is_string:
            smaller = float(left.name) < float(right.name)
            return smaller == isinstance(node, exp.LT | exp.LTE)
    return None
