"""ALTER TABLE without a timeout: while it waits for its lock, everybody waits behind it."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Trait
from guardrails.rules.base import Blocks, Rule, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.has(Trait.NO_TIMEOUT) and operation.dialect == "postgres"


RULE = Rule(
    name="missing-timeout",
    pattern="LOCK TIMEOUT",
    severity=Severity.LOW,
    blocks=Blocks.NEVER,
    message="ALTER TABLE waits for its ACCESS EXCLUSIVE lock as long as it takes, and every query on the table queues behind it",  # noqa: E501
    fix="SET lock_timeout = '2s' (and a statement_timeout) at the script's beginning, and try again when it fails; in Alembic env.py sets it for all",  # noqa: E501
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "ALTER TABLE a ADD COLUMN b int",
            "ALTER TABLE a ALTER b SET NOT NULL; SET lock_timeout = '2s'",
        ),
    ),
    good=(
        *sql(
            "SET lock_timeout = '2s'; ALTER TABLE a ADD COLUMN b int",
            "SET LOCAL statement_timeout TO 5000; ALTER TABLE a ADD b int",
            "SELECT set_config('lock_timeout', '2s', false); ALTER TABLE a ADD b int",
            "CREATE TABLE a (b int); ALTER TABLE a ADD c int",
            "ALTER TABLE a VALIDATE CONSTRAINT c",
        ),
        *sql("ALTER TABLE a ADD b int", dialect="mysql"),
        *upgrade(
            "op.add_column('a', sa.Column('b', sa.Integer))",
            "op.execute('ALTER TABLE a ADD COLUMN b int')",
        ),
    ),
)
