"""SET NOT NULL on a table with rows: every row is read under the strongest lock."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Trait, Verb
from guardrails.rules.base import Blocks, Rule, downgrade, on_live_table, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.verb is Verb.ALTER
        and operation.thing is Thing.NOT_NULL
        and on_live_table(operation)
        and not operation.has(Trait.PROVED)
    )


RULE = Rule(
    name="set-not-null",
    pattern="SET NOT NULL",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="SET NOT NULL holds an ACCESS EXCLUSIVE lock until every row has been checked",
    fix="ADD CONSTRAINT … CHECK (x IS NOT NULL) NOT VALID, VALIDATE it in a migration of its own, then SET NOT NULL, which then reads no row",  # noqa: E501
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "ALTER TABLE a ALTER COLUMN b SET NOT NULL",
            "ALTER TABLE a ALTER b SET NOT NULL, ADD c int",
            "ALTER TABLE a ADD CONSTRAINT n NOT NULL b",
        ),
        *upgrade(
            "op.alter_column('a', 'b', nullable=False)",
            "op.alter_column('a', 'b', existing_type=sa.Integer(), nullable=False)",
            "with op.batch_alter_table('a') as batch:\n    batch.alter_column('b', nullable=False)",
        ),
    ),
    good=(
        *sql(
            "ALTER TABLE a ALTER COLUMN b DROP NOT NULL",
            "ALTER TABLE a ADD CONSTRAINT c CHECK (b IS NOT NULL) NOT VALID",
            "ALTER TABLE a VALIDATE CONSTRAINT c; ALTER TABLE a ALTER COLUMN b SET NOT NULL",
            "CREATE TABLE a (b int); ALTER TABLE a ALTER b SET NOT NULL",
        ),
        *upgrade(
            "op.alter_column('a', 'b', nullable=True)",
            "op.alter_column('a', 'b', server_default='1')",
            "op.alter_column('a', 'b', existing_nullable=False, server_default='1')",
            "op.create_table('a')\nop.alter_column('a', 'b', nullable=False)",
        ),
        *downgrade(
            "op.alter_column('a', 'b', nullable=False)", upgrade="op.alter_column('a', 'b', nullable=True)"
        ),
    ),
)
