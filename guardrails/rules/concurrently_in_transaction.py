"""CONCURRENTLY inside a transaction: Postgres refuses to run it."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Trait
from guardrails.rules.base import Blocks, Rule, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.has(Trait.CONCURRENT)
        and operation.has(Trait.IN_TRANSACTION)
        and operation.dialect == "postgres"
    )


RULE = Rule(
    name="concurrently-in-transaction",
    pattern="CONCURRENTLY",
    severity=Severity.HIGH,
    blocks=Blocks.NEVER,
    message="CONCURRENTLY cannot run inside a transaction: the statement fails, and the lock that it was to spare is not the question any more",  # noqa: E501
    fix="Put it outside: no BEGIN in the script; in Alembic: with op.get_context().autocommit_block():",
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "BEGIN; CREATE INDEX CONCURRENTLY i ON a (b); COMMIT;",
            "START TRANSACTION; DROP INDEX CONCURRENTLY i; COMMIT",
            "BEGIN; REINDEX INDEX CONCURRENTLY i; COMMIT",
            "BEGIN; ALTER TABLE a DETACH PARTITION b CONCURRENTLY; COMMIT",
            "DO $$ BEGIN CREATE INDEX CONCURRENTLY i ON a (b); END $$",
        ),
        *upgrade(
            "op.create_index('i', 'a', ['b'], postgresql_concurrently=True)",
            "op.execute('CREATE INDEX CONCURRENTLY i ON a (b)')",
            "with op.get_context().autocommit_block():\n    pass\nop.execute('DROP INDEX CONCURRENTLY i')",
        ),
    ),
    good=(
        *sql(
            "CREATE INDEX CONCURRENTLY i ON a (b)",
            "BEGIN; SELECT 1; COMMIT; CREATE INDEX CONCURRENTLY i ON a (b)",
            "BEGIN; REFRESH MATERIALIZED VIEW CONCURRENTLY v; COMMIT",
            "BEGIN; ROLLBACK; REINDEX TABLE CONCURRENTLY a",
        ),
        *upgrade(
            "with op.get_context().autocommit_block():\n    op.create_index('i', 'a', ['b'], postgresql_concurrently=True)",  # noqa: E501
            "op.execute('COMMIT')\nop.execute('CREATE INDEX CONCURRENTLY i ON a (b)')",
            "c = op.get_bind().execution_options(isolation_level='AUTOCOMMIT')\nc.execute(sa.text('CREATE INDEX CONCURRENTLY i ON a (b)'))",  # noqa: E501
            "op.execute('REFRESH MATERIALIZED VIEW CONCURRENTLY v')",
        ),
    ),
)
