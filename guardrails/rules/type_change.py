"""A changed type: Postgres may write the whole table anew while nobody can use it."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Trait, Verb
from guardrails.rules.base import Blocks, Rule, downgrade, on_live_table, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.verb is Verb.ALTER
        and operation.thing is Thing.COLUMN_TYPE
        and on_live_table(operation)
        and not operation.has(Trait.WIDENS)
    )


RULE = Rule(
    name="type-change",
    pattern="ALTER COLUMN TYPE",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="Changing a column's type holds an ACCESS EXCLUSIVE lock while the table and its indexes are written anew, unless it only widens",  # noqa: E501
    fix="Add a new column, fill it in batches, switch the code over, and drop the old one in a later release",
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "ALTER TABLE a ALTER COLUMN b TYPE bigint",
            "ALTER TABLE a ALTER b SET DATA TYPE jsonb USING b::jsonb",
        ),
        *upgrade(
            "op.alter_column('a', 'b', type_=sa.BigInteger())",
            "op.alter_column('a', 'b', existing_type=sa.Integer(), type_=sa.BigInteger())",
            "op.alter_column('a', 'b', existing_type=sa.String(50), type_=sa.String(20))",
            "with op.batch_alter_table('a') as batch:\n    batch.alter_column('b', existing_type=sa.Text(), type_=sa.JSON())",  # noqa: E501
        ),
    ),
    good=(
        *sql(
            "ALTER TABLE a ALTER COLUMN b SET DEFAULT 1",
            "CREATE TABLE a (b int); ALTER TABLE a ALTER b TYPE bigint",
            "ALTER TYPE t RENAME TO u",
        ),
        *upgrade(
            "op.alter_column('a', 'b', existing_type=sa.String(50), type_=sa.String(100))",
            "op.alter_column('a', 'b', existing_type=sa.VARCHAR(length=50), type_=sa.Text())",
            "op.alter_column('a', 'b', existing_type=sa.Integer(), nullable=True)",
            "op.create_table('a')\nop.alter_column('a', 'b', type_=sa.BigInteger())",
        ),
        *downgrade("op.alter_column('a', 'b', type_=sa.Integer())", upgrade="op.execute('SELECT 1')"),
    ),
)
