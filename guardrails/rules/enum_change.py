"""A changed enumeration: values cannot be taken back, renamed ones break running code."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Trait, Verb
from guardrails.rules.base import Blocks, Rule, downgrade, is_forward, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.thing is Thing.ENUM_VALUE
        and is_forward(operation)
        and operation.dialect == "postgres"
        and (operation.verb is Verb.RENAME or operation.has(Trait.IN_TRANSACTION))
    )


RULE = Rule(
    name="enum-change",
    pattern="ALTER TYPE",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="A value added to an enumeration cannot be used in the same transaction nor ever be removed, and a renamed one breaks the running code; the type is locked until the transaction ends",  # noqa: E501
    fix="ADD VALUE outside of a transaction (in Alembic: with op.get_context().autocommit_block():), and use it in a later migration",  # noqa: E501
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "ALTER TYPE t RENAME VALUE 'x' TO 'y'",
            "BEGIN; ALTER TYPE t ADD VALUE 'x'; COMMIT",
        ),
        *upgrade(
            "op.execute(\"ALTER TYPE t ADD VALUE 'x'\")",
            "op.execute(\"ALTER TYPE app.t ADD VALUE IF NOT EXISTS 'x' AFTER 'y'\")",
        ),
    ),
    good=(
        *sql(
            "ALTER TYPE t ADD VALUE 'x'",
            "ALTER TYPE t ADD ATTRIBUTE x int",
            "CREATE TYPE t AS ENUM ('x')",
            "ALTER TYPE t RENAME TO u",
        ),
        *upgrade(
            "with op.get_context().autocommit_block():\n    op.execute(\"ALTER TYPE t ADD VALUE 'x'\")",
        ),
        *downgrade("op.execute(\"ALTER TYPE t RENAME VALUE 'y' TO 'x'\")", upgrade="op.execute('SELECT 1')"),
    ),
)
