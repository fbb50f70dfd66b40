"""A constraint dropped without its name: Alembic fails when it runs."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Trait
from guardrails.rules.base import Blocks, Rule, downgrade, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.has(Trait.UNNAMED)


RULE = Rule(
    name="unnamed-constraint",
    pattern="drop_constraint(None)",
    severity=Severity.HIGH,
    blocks=Blocks.NEVER,
    message="A constraint cannot be dropped without its name: this fails as soon as it runs, before any lock is taken",  # noqa: E501
    fix="Name the constraint, where it is created too; a naming_convention in the metadata does that for all",
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *upgrade(
            "op.drop_constraint(None, 'a', type_='foreignkey')",
            "with op.batch_alter_table('a') as batch:\n    batch.drop_constraint(None, type_='unique')",
        ),
        *downgrade("op.drop_constraint(None, 'a', type_='foreignkey')", upgrade="op.execute('SELECT 1')"),
    ),
    good=(
        *sql(
            "ALTER TABLE a DROP CONSTRAINT c",
        ),
        *upgrade(
            "op.drop_constraint('c', 'a', type_='foreignkey')",
            "op.drop_constraint(op.f('c'), 'a')",
            "op.create_unique_constraint(None, 'a', ['b'])",
        ),
    ),
)
