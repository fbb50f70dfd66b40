"""DROP SCHEMA and DROP OWNED: every table in it is gone."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Verb
from guardrails.rules.base import Blocks, Rule, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.verb is Verb.DROP and operation.thing is Thing.SCHEMA


RULE = Rule(
    name="drop-schema",
    pattern="DROP SCHEMA",
    severity=Severity.CRITICAL,
    blocks=Blocks.NEVER,
    message="DROP SCHEMA or DROP OWNED can take every table in it along",
    fix="Drop what is empty, without CASCADE, and by hand.",
    source="the project's own",
    operation=hits,
    bad=(
        *sql("DROP SCHEMA app CASCADE", "DROP OWNED BY app"),
        *upgrade("op.execute('DROP SCHEMA app')"),
    ),
    good=(*sql("CREATE SCHEMA app", "ALTER SCHEMA a RENAME TO b", "SELECT 'DROP SCHEMA a'"),),
)
