"""A foreign key without NOT VALID: writes to both tables wait until every row has been looked up."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Trait, Verb
from guardrails.rules.base import Blocks, Rule, on_live_table, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.verb is Verb.ADD
        and operation.thing is Thing.FOREIGN_KEY
        and on_live_table(operation)
        and not operation.has(Trait.NOT_VALID, Trait.USING_INDEX)
    )


RULE = Rule(
    name="foreign-key-not-valid",
    pattern="ADD FOREIGN KEY",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="ADD FOREIGN KEY holds a SHARE ROW EXCLUSIVE lock on both tables until every row has been checked",  # noqa: E501
    fix="ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT in a migration of its own; in Alembic: op.create_foreign_key(…, postgresql_not_valid=True)",  # noqa: E501
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES c (d)",
            "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c",
            "ALTER TABLE a ADD COLUMN b int DEFAULT 1 REFERENCES c (d)",
        ),
        *upgrade(
            "op.create_foreign_key('f', 'a', 'c', ['b'], ['d'])",
            "with op.batch_alter_table('a') as batch:\n    batch.create_foreign_key('f', 'c', ['b'], ['d'])",
            "op.add_column('a', sa.Column('b', sa.Integer, sa.ForeignKey('c.d')))",
        ),
    ),
    good=(
        *sql(
            "ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES c (d) NOT VALID",
            "CREATE TABLE a (b int REFERENCES c (d))",
            "CREATE TABLE a (b int); ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c",
            "ALTER TABLE a ADD COLUMN b int REFERENCES c (d)",
        ),
        *upgrade(
            "op.create_table('a')\nop.create_foreign_key('f', 'a', 'c', ['b'], ['d'])",
            "op.create_foreign_key('f', 'a', 'c', ['b'], ['d'], postgresql_not_valid=True)",
        ),
    ),
)
