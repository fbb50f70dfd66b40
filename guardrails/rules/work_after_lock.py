"""Long work in a transaction that already holds the strongest lock."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Trait
from guardrails.rules.base import Blocks, Rule, downgrade, on_live_table, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.has(Trait.AFTER_LOCK) and on_live_table(operation)


RULE = Rule(
    name="work-after-lock",
    pattern="WORK UNDER LOCK",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="This runs while the same transaction holds an ACCESS EXCLUSIVE lock: the altered table stays closed until it is done",  # noqa: E501
    fix="Change the schema in one migration, and the rows in the next, in batches",
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "BEGIN; ALTER TABLE a ADD COLUMN b int; UPDATE a SET b = 1 WHERE c = 2; COMMIT",
            "BEGIN; ALTER TABLE a DROP COLUMN b; DELETE FROM c WHERE d < 3; COMMIT",
        ),
        *upgrade(
            "op.add_column('a', sa.Column('b', sa.Integer))\nop.execute('UPDATE a SET b = c')",
            "op.alter_column('a', 'b', nullable=True)\nop.add_column('a', sa.Column('c', sa.Integer))\nop.execute(sa.update(sa.table('a')).values(c=1))",  # noqa: E501
        ),
    ),
    good=(
        *sql(
            "ALTER TABLE a ADD COLUMN b int; UPDATE a SET b = 1 WHERE c = 2",
            "BEGIN; UPDATE a SET b = 1 WHERE c = 2; ALTER TABLE a ADD d int; COMMIT",
            "BEGIN; ALTER TABLE a ADD d int; COMMIT; BEGIN; UPDATE a SET b = 1 WHERE c = 2; COMMIT",
            "BEGIN; CREATE TABLE a (b int); ALTER TABLE a ADD c int; UPDATE a SET c = 1 WHERE b = 2; COMMIT",
        ),
        *upgrade(
            "op.execute('UPDATE a SET b = c WHERE d = 1')\nop.add_column('a', sa.Column('e', sa.Integer))",
            "op.create_table('a')\nop.execute('UPDATE b SET c = 1 WHERE d = 2')",
        ),
        *downgrade(
            "op.drop_column('a', 'b')\nop.execute('UPDATE a SET c = 1 WHERE d = 2')",
            upgrade="op.execute('SELECT 1')",
        ),
    ),
)
