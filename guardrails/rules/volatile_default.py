"""A new column whose value differs from row to row: the whole table is written anew."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Trait, Verb
from guardrails.rules.base import Blocks, Rule, on_live_table, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.verb is Verb.CREATE
        and operation.thing is Thing.COLUMN
        and operation.has(Trait.REWRITES)
        and on_live_table(operation)
    )


RULE = Rule(
    name="volatile-default",
    pattern="ADD COLUMN DEFAULT",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="A volatile default, a serial, an identity or a stored column holds an ACCESS EXCLUSIVE lock while every row is written anew",  # noqa: E501
    fix="Add the column without it, set the default for new rows, and fill the old ones in batches",
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "ALTER TABLE a ADD COLUMN b uuid DEFAULT gen_random_uuid()",
            "ALTER TABLE a ADD COLUMN b timestamptz NOT NULL DEFAULT clock_timestamp()",
            "ALTER TABLE a ADD COLUMN b bigserial",
            "ALTER TABLE a ADD COLUMN b int GENERATED ALWAYS AS (c * 2) STORED",
            "ALTER TABLE a ADD b int DEFAULT nextval('s')",
        ),
        *upgrade(
            "op.add_column('a', sa.Column('b', sa.UUID, server_default=sa.text('gen_random_uuid()')))",
            "op.add_column('a', sa.Column('b', sa.Float, server_default=sa.func.random()))",
            "op.add_column('a', sa.Column('b', sa.Integer, sa.Computed('c * 2')))",
        ),
    ),
    good=(
        *sql(
            "ALTER TABLE a ADD COLUMN b timestamptz DEFAULT now()",
            "ALTER TABLE a ADD COLUMN b int DEFAULT 0",
            "ALTER TABLE a ALTER COLUMN b SET DEFAULT gen_random_uuid()",
            "ALTER TABLE a ADD COLUMN b text DEFAULT 'random()'",
            "CREATE TABLE a (b uuid DEFAULT gen_random_uuid())",
        ),
        *upgrade(
            "op.add_column('a', sa.Column('b', sa.DateTime, server_default=sa.func.now()))",
            "op.add_column('a', sa.Column('b', sa.String, server_default='random'))",
            "op.create_table('a')\nop.add_column('a', sa.Column('b', sa.UUID, server_default=sa.text('gen_random_uuid()')))",  # noqa: E501
        ),
    ),
)
