"""A new column that is NOT NULL without a default: it fails where the table has rows."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Trait, Verb
from guardrails.rules.base import Blocks, Rule, downgrade, is_forward, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.verb is Verb.CREATE
        and operation.thing is Thing.COLUMN
        and operation.has(Trait.NOT_NULL)
        and is_forward(operation)
        and not operation.has(Trait.FRESH)
        and operation.dialect not in {"mysql", "mariadb"}
    )


RULE = Rule(
    name="not-null-without-default",
    pattern="ADD COLUMN NOT NULL",
    severity=Severity.HIGH,
    blocks=Blocks.NEVER,
    message="ADD COLUMN … NOT NULL without a default takes an ACCESS EXCLUSIVE lock and fails as soon as the table has a row",  # noqa: E501
    fix="Give it a server default, or add it as nullable, fill it in batches, and set NOT NULL in a later release",  # noqa: E501
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "ALTER TABLE a ADD COLUMN b int NOT NULL",
            "ALTER TABLE a ADD b varchar(10) NOT NULL, ADD c int",
        ),
        *upgrade(
            "op.add_column('a', sa.Column('b', sa.Integer, nullable=False))",
            "op.add_column('a', sa.Column('b', sa.Integer, nullable=False, default=0))",
            "with op.batch_alter_table('a') as batch:\n    batch.add_column(sa.Column('b', sa.Integer(), nullable=False))",  # noqa: E501
            "new = sa.Column('b', sa.Integer, nullable=False, server_default=None)\nop.add_column('a', new)",
        ),
    ),
    good=(
        *sql(
            "ALTER TABLE a ADD COLUMN b int NOT NULL DEFAULT 0",
            "ALTER TABLE a ADD COLUMN b int",
            "ALTER TABLE a ADD COLUMN b serial NOT NULL",
            "ALTER TABLE a ADD COLUMN b int NOT NULL GENERATED ALWAYS AS (1) STORED",
            "CREATE TABLE a (b int); ALTER TABLE a ADD c int NOT NULL",
            "ALTER TABLE a ADD COLUMN b int CHECK (b IS NOT NULL)",
        ),
        *upgrade(
            "op.add_column('a', sa.Column('b', sa.Integer, nullable=False, server_default='0'))",
            "op.add_column('a', sa.Column('b', sa.Integer, nullable=True))",
            "op.add_column('a', sa.Column('b', sa.Integer))",
            "op.create_table('a')\nop.add_column('a', sa.Column('b', sa.Integer, nullable=False))",
            "op.add_column('a', sa.Column('b', sa.Integer, sa.Identity(), nullable=False))",
        ),
        *downgrade(
            "op.add_column('a', sa.Column('b', sa.Integer, nullable=False))",
            upgrade="op.drop_column('a', 'b')",
        ),
    ),
)
