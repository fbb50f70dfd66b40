"""VALIDATE in the transaction that added the constraint: the first lock is held during the whole check."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Trait
from guardrails.rules.base import Blocks, Rule, on_live_table, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.has(Trait.AFTER_ADDING) and on_live_table(operation)


RULE = Rule(
    name="validate-in-transaction",
    pattern="VALIDATE CONSTRAINT",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="VALIDATE CONSTRAINT in the transaction that added the constraint keeps that ACCESS EXCLUSIVE or SHARE ROW EXCLUSIVE lock until every row has been checked",  # noqa: E501
    fix="Validate in a migration, or transaction, of its own",
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "BEGIN; ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0) NOT VALID; ALTER TABLE a VALIDATE CONSTRAINT c; COMMIT",  # noqa: E501
        ),
        *upgrade(
            "op.execute('ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0) NOT VALID')\nop.execute('ALTER TABLE a VALIDATE CONSTRAINT c')",  # noqa: E501
            "op.create_foreign_key('f', 'a', 'c', ['b'], ['d'], postgresql_not_valid=True)\nop.execute('ALTER TABLE a VALIDATE CONSTRAINT f')",  # noqa: E501
        ),
    ),
    good=(
        *sql(
            "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0) NOT VALID; ALTER TABLE a VALIDATE CONSTRAINT c",
            "BEGIN; ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0) NOT VALID; COMMIT; ALTER TABLE a VALIDATE CONSTRAINT c",  # noqa: E501
        ),
        *upgrade(
            "op.execute('ALTER TABLE a VALIDATE CONSTRAINT c')",
        ),
    ),
)
