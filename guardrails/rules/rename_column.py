"""A renamed column: the code that runs now reads the old name."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Trait, Verb
from guardrails.rules.base import Blocks, Rule, downgrade, is_forward, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.verb is Verb.RENAME
        and operation.thing is Thing.COLUMN
        and is_forward(operation)
        and not operation.has(Trait.FRESH)
    )


RULE = Rule(
    name="rename-column",
    pattern="RENAME COLUMN",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="Renaming a column takes a short ACCESS EXCLUSIVE lock, and breaks the running code, which still uses the old name",  # noqa: E501
    fix="Add a new column, write to both, fill it in batches, and drop the old one in a later release",
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "ALTER TABLE a RENAME COLUMN b TO c",
            "ALTER TABLE a RENAME b TO c",
        ),
        *sql("ALTER TABLE a CHANGE b c int", dialect="mysql"),
        *upgrade(
            "op.alter_column('a', 'b', new_column_name='c')",
            "with op.batch_alter_table('a') as batch:\n    batch.alter_column('b', new_column_name='c')",
        ),
    ),
    good=(
        *sql(
            "ALTER TABLE a RENAME CONSTRAINT b TO c",
            "CREATE TABLE a (b int); ALTER TABLE a RENAME b TO c",
            "ALTER TABLE a ALTER b SET DEFAULT 1",
        ),
        *sql("ALTER TABLE a CHANGE b b bigint", dialect="mysql"),
        *upgrade(
            "op.create_table('a')\nop.alter_column('a', 'b', new_column_name='c')",
            "op.alter_column('a', 'b', new_column_name='b', nullable=True)",
        ),
        *downgrade("op.alter_column('a', 'c', new_column_name='b')", upgrade="op.execute('SELECT 1')"),
    ),
)
