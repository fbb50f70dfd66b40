"""A check constraint without NOT VALID: nobody can use the table until every row has been checked."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Trait, Verb
from guardrails.rules.base import Blocks, Rule, on_live_table, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.verb is Verb.ADD
        and operation.thing is Thing.CHECK
        and on_live_table(operation)
        and not operation.has(Trait.NOT_VALID, Trait.USING_INDEX)
    )


RULE = Rule(
    name="check-not-valid",
    pattern="ADD CHECK",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="ADD CHECK holds an ACCESS EXCLUSIVE lock until every row has been checked",
    fix="ADD CONSTRAINT … CHECK … NOT VALID, then VALIDATE CONSTRAINT in a migration of its own",
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0)",
            "ALTER TABLE a ADD CHECK (b > 0)",
            "ALTER TABLE a ADD COLUMN b int CHECK (b > 0)",
        ),
        *upgrade(
            "op.create_check_constraint('c', 'a', 'b > 0')",
            "op.execute('ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0)')",
            "with op.batch_alter_table('a') as batch:\n    batch.create_check_constraint('c', 'b > 0')",
        ),
    ),
    good=(
        *sql(
            "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0) NOT VALID",
            "CREATE TABLE a (b int CHECK (b > 0))",
            "CREATE TABLE a (b int); ALTER TABLE a ADD CHECK (b > 0)",
            'ALTER TABLE a ADD COLUMN "check" int',
        ),
        *upgrade(
            "op.create_table('a')\nop.create_check_constraint('c', 'a', 'b > 0')",
            "op.create_check_constraint('c', 'a', 'b > 0', postgresql_not_valid=True)",
        ),
    ),
)
