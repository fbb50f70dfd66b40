"""TRUNCATE: all rows of the table are gone."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Verb
from guardrails.rules.base import Blocks, Rule, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.verb is Verb.TRUNCATE


RULE = Rule(
    name="truncate",
    pattern="TRUNCATE TABLE",
    severity=Severity.CRITICAL,
    blocks=Blocks.PRODUCTION,
    message="TRUNCATE causes irreversible data deletion",
    fix="Delete what is not needed in batches, with a WHERE, after a backup.",
    source="policy-facts, SQL rules of the guide",
    operation=hits,
    bad=(
        *sql(
            "TRUNCATE TABLE a",
            "truncate a, b restart identity cascade",
            "DO $$ BEGIN EXECUTE 'TRUNCATE a'; END $$",
        ),
        *upgrade("op.execute('TRUNCATE a')", "conn = op.get_bind()\nconn.execute(sa.text('TRUNCATE\\n a'))"),
    ),
    good=(
        *sql(
            "SELECT date_trunc('day', now())",
            "CREATE TRIGGER t BEFORE TRUNCATE ON a EXECUTE FUNCTION f()",
            "GRANT TRUNCATE ON a TO b",
            "SELECT truncate FROM a",
            "-- TRUNCATE a\nSELECT 1",
        ),
        *sql("SELECT TRUNCATE(1.5, 1)", dialect="mysql"),
    ),
)
