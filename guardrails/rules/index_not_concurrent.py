"""CREATE INDEX without CONCURRENTLY: nobody can write to the table while it is built."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Trait, Verb
from guardrails.rules.base import Blocks, Rule, downgrade, on_live_table, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.verb is Verb.CREATE
        and operation.thing is Thing.INDEX
        and on_live_table(operation)
        and not operation.has(Trait.CONCURRENT, Trait.ONLY)
    )


RULE = Rule(
    name="index-not-concurrent",
    pattern="CREATE INDEX",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="CREATE INDEX holds a SHARE lock, and no row can be written, until the whole index is built",
    fix="CREATE INDEX CONCURRENTLY outside of a transaction; in Alembic: with op.get_context().autocommit_block(): op.create_index(…, postgresql_concurrently=True)",  # noqa: E501
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "CREATE INDEX i ON a (b)",
            "create unique index if not exists i on app.a using btree (lower(b))",
            "CREATE TABLE c (d int); CREATE INDEX i ON a (b)",
            "CREATE INDEX ON a (b) WHERE b IS NOT NULL",
            "DO $$ BEGIN CREATE INDEX i ON a (b); END $$",
        ),
        *upgrade(
            "op.create_index('i', 'a', ['b'])",
            "op.create_index(op.f('ix_a_b'), 'a', ['b'], unique=True)",
            "with op.batch_alter_table('a') as batch:\n    batch.create_index('i', ['b'])",
            "op.execute('CREATE INDEX i ON a (b)')",
            "op.create_table('c')\nop.create_index('i', 'a', ['b'])",
            "op.create_index('i', 'a', ['b'], postgresql_concurrently=False)",
            "op.add_column('a', sa.Column('b', sa.Integer, index=True))",
        ),
    ),
    good=(
        *sql(
            "CREATE INDEX CONCURRENTLY i ON a (b)",
            "CREATE TABLE a (b int); CREATE INDEX i ON a (b)",
            "CREATE TABLE IF NOT EXISTS public.a (b int); CREATE INDEX i ON a (b)",
            "CREATE INDEX i ON ONLY a (b)",
            "-- CREATE INDEX i ON a (b)\nSELECT 1",
            "COMMENT ON INDEX i IS 'CREATE INDEX i ON a (b)'",
            "CREATE MATERIALIZED VIEW v AS SELECT 1 AS b; CREATE UNIQUE INDEX i ON v (b)",
            "CREATE TABLE new (b int); ALTER TABLE new RENAME TO a; CREATE INDEX i ON a (b)",
        ),
        *sql("CREATE INDEX i ON a (b)", dialect="mysql"),
        *upgrade(
            "op.create_table('a')\nop.create_index('i', 'a', ['b'])",
            "with op.get_context().autocommit_block():\n    op.create_index('i', 'a', ['b'], postgresql_concurrently=True)",  # noqa: E501
            "for t in TABLES:\n    op.create_table(t)\n    op.create_index('i_' + t, t, ['b'])",
            "op.create_table('a', schema='app')\nop.create_index('i', 'a', ['b'], schema='app')",
        ),
        *downgrade("op.create_index('i', 'a', ['b'])", upgrade="op.drop_index('i')"),
    ),
)
