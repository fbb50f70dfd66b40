"""DROP INDEX without CONCURRENTLY: it waits for every query on the table, and all others wait behind it."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Trait, Verb
from guardrails.rules.base import Blocks, Rule, downgrade, on_live_table, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.verb is Verb.DROP
        and operation.thing is Thing.INDEX
        and on_live_table(operation)
        and not operation.has(Trait.CONCURRENT)
    )


RULE = Rule(
    name="drop-index-not-concurrent",
    pattern="DROP INDEX",
    severity=Severity.LOW,
    blocks=Blocks.NEVER,
    message="DROP INDEX takes an ACCESS EXCLUSIVE lock on the table: short to hold, but every query queues behind it while it waits",  # noqa: E501
    fix="DROP INDEX CONCURRENTLY outside of a transaction; in Alembic: with op.get_context().autocommit_block(): op.drop_index(…, postgresql_concurrently=True)",  # noqa: E501
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "DROP INDEX i",
            "DROP INDEX IF EXISTS app.i, j CASCADE",
        ),
        *upgrade(
            "op.drop_index('i', table_name='a')",
            "with op.batch_alter_table('a') as batch:\n    batch.drop_index('i')",
            "op.execute('DROP INDEX IF EXISTS i')",
        ),
    ),
    good=(
        *sql(
            "DROP INDEX CONCURRENTLY i",
            "DROP INDEX CONCURRENTLY IF EXISTS i, j",
            "SELECT 'DROP INDEX i'",
        ),
        *sql("DROP INDEX i ON a", "ALTER TABLE a DROP INDEX i", dialect="mysql"),
        *upgrade(
            "with op.get_context().autocommit_block():\n    op.drop_index('i', 'a', postgresql_concurrently=True)",  # noqa: E501
            "op.create_table('a')\nop.create_index('i', 'a', ['b'])\nop.drop_index('i', table_name='a')",
        ),
        *downgrade("op.drop_index('i', table_name='a')", upgrade="op.execute('SELECT 1')"),
    ),
)
