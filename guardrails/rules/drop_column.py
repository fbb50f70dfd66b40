"""A dropped column: its values are gone, and running code may still read it."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Verb
from guardrails.rules.base import Blocks, Rule, downgrade, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.verb is Verb.DROP and operation.thing is Thing.COLUMN


RULE = Rule(
    name="drop-column",
    pattern="DROP COLUMN",
    severity=Severity.HIGH,
    blocks=Blocks.NEVER,
    message="DROP COLUMN loses the values of the column",
    fix="Stop reading it in one release and drop it in the next.",
    source="the project's own",
    operation=hits,
    bad=(
        *sql(
            "ALTER TABLE a DROP COLUMN b",
            "ALTER TABLE a DROP b",
            "ALTER TABLE a ADD c int, DROP COLUMN IF EXISTS b",
        ),
        *upgrade(
            "op.drop_column('a', 'b')", "with op.batch_alter_table('a') as batch:\n    batch.drop_column('b')"
        ),
    ),
    good=(
        *sql(
            "ALTER TABLE a DROP CONSTRAINT b",
            "ALTER TABLE a ALTER COLUMN b DROP NOT NULL",
            "ALTER TABLE a ALTER b DROP DEFAULT",
            "ALTER TABLE a ADD COLUMN b int",
        ),
        *sql("ALTER TABLE a DROP INDEX i", dialect="mysql"),
        *downgrade("op.drop_column('a', 'b')", upgrade="op.add_column('a', sa.Column('b', sa.Integer))"),
    ),
)
