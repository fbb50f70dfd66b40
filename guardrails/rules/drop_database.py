"""DROP DATABASE: everything is gone."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Verb
from guardrails.rules.base import Blocks, Rule, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.verb is Verb.DROP and operation.thing is Thing.DATABASE


RULE = Rule(
    name="drop-database",
    pattern="DROP DATABASE",
    severity=Severity.CRITICAL,
    blocks=Blocks.PRODUCTION,
    message="DROP DATABASE causes irreversible data loss",
    fix="Take a backup and drop databases by hand, never from a deployment.",
    source="policy-facts, SQL rules of the guide",
    operation=hits,
    bad=(
        *sql("DROP DATABASE app", "DROP DATABASE IF EXISTS app WITH (FORCE)"),
        *sql("DROP SCHEMA app", dialect="mysql"),
        *upgrade("op.execute('DROP DATABASE app')"),
    ),
    good=(
        *sql(
            "-- DROP DATABASE app\nSELECT 1",
            "CREATE DATABASE app",
            "COMMENT ON DATABASE app IS 'DROP DATABASE app'",
            "ALTER DATABASE app SET timezone = 'UTC'",
        ),
    ),
)
