"""Code that runs SQL, and nobody can say which."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Verb
from guardrails.rules.base import Blocks, Rule, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.verb is Verb.UNKNOWN


RULE = Rule(
    name="unanalysable",
    pattern="UNANALYSABLE",
    severity=Severity.HIGH,
    blocks=Blocks.PRODUCTION,
    message="What this does cannot be told from the source",
    fix="Write the statement out, or mark it with a safety-exception and a reason.",
    source="policy-facts: what cannot be analysed blocks in production",
    operation=hits,
    bad=(
        *sql(
            "this is no sql",
            "DO $$ BEGIN EXECUTE v; END $$",
            "SELECT 'never ends",
            "\\i other.sql",
            "DO $$ begin x = 1 $$ LANGUAGE plpython3u",
        ),
        *upgrade(
            "op.execute(open('x.sql').read())",
            "import os\nop.execute(os.environ['X'])",
            "op.execute(f'{x} TABLE a')",
        ),
    ),
    good=(
        *sql(
            "VACUUM a",
            "ALTER TABLE a VALIDATE CONSTRAINT c",
            "ALTER TYPE t ADD VALUE 'x'",
            "CREATE DOMAIN d AS int",
            "REINDEX TABLE a",
            "BEGIN; COMMIT;",
            "\\set x 1",
            "CREATE INDEX CONCURRENTLY i ON a (b)",
            "ALTER TABLE a DETACH PARTITION b",
            "DO $$ BEGIN PERFORM f(); x := 1; RAISE NOTICE 'x'; END $$",
            "",
        ),
        *upgrade(
            "op.execute(f'ALTER TABLE {x} ADD COLUMN y int')",
            "op.bulk_insert(t, [])",
            "op.execute(sa.insert(t).values(x=1))",
            "op.alter_column('a', 'b', nullable=True)",
        ),
    ),
)
