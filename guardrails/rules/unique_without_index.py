"""A unique constraint or primary key that builds its index under the lock."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Trait, Verb
from guardrails.rules.base import Blocks, Rule, on_live_table, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.verb is Verb.ADD
        and operation.thing is Thing.UNIQUE
        and on_live_table(operation)
        and not operation.has(Trait.NOT_VALID, Trait.USING_INDEX)
    )


RULE = Rule(
    name="unique-without-index",
    pattern="ADD UNIQUE",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="ADD UNIQUE or PRIMARY KEY holds an ACCESS EXCLUSIVE lock while its index is built",
    fix="CREATE UNIQUE INDEX CONCURRENTLY first, then ADD CONSTRAINT … UNIQUE USING INDEX",
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "ALTER TABLE a ADD CONSTRAINT u UNIQUE (b)",
            "ALTER TABLE a ADD PRIMARY KEY (b)",
            "ALTER TABLE a ADD COLUMN b int UNIQUE",
            "ALTER TABLE a ADD UNIQUE (b, c), ADD d int",
        ),
        *upgrade(
            "op.create_unique_constraint('u', 'a', ['b'])",
            "with op.batch_alter_table('a', schema=None) as batch:\n    batch.create_unique_constraint('u', ['b'])",  # noqa: E501
            "op.create_primary_key('p', 'a', ['b'])",
            "op.add_column('a', sa.Column('b', sa.Integer, unique=True))",
        ),
    ),
    good=(
        *sql(
            "ALTER TABLE a ADD CONSTRAINT u UNIQUE USING INDEX i",
            "CREATE TABLE a (b int UNIQUE)",
            "CREATE TABLE a (b int); ALTER TABLE a ADD UNIQUE (b)",
            "CREATE TABLE a (b int); ALTER TABLE ONLY a ADD CONSTRAINT p PRIMARY KEY (b)",
        ),
        *upgrade(
            "op.create_table('a')\nop.create_unique_constraint('u', 'a', ['b'])",
        ),
    ),
)
