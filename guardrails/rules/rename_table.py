"""A renamed table: the code that runs now looks for the old name."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Trait, Verb
from guardrails.rules.base import Blocks, Rule, downgrade, is_forward, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.verb is Verb.RENAME
        and operation.thing is Thing.TABLE
        and is_forward(operation)
        and not operation.has(Trait.FRESH)
        and not is_put_aside(operation)
    )


def is_put_aside(operation: Operation) -> bool:
    """Say whether the table is only put aside, which is the safe way to drop it."""
    new = operation.names[-1].rsplit(".", 1)[-1] if operation.names else ""
    return new.startswith("_deprecated")


RULE = Rule(
    name="rename-table",
    pattern="RENAME TABLE",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="Renaming a table takes a short ACCESS EXCLUSIVE lock, and breaks the running code, which still uses the old name",  # noqa: E501
    fix="Leave the name as it is, or put a view of the old name in its place in the same transaction",
    source="the project's own, locks and compatibility",
    operation=hits,
    bad=(
        *sql(
            "ALTER TABLE a RENAME TO b",
            "ALTER TABLE IF EXISTS app.a RENAME TO b",
        ),
        *sql("RENAME TABLE a TO b", dialect="mysql"),
        *upgrade(
            "op.rename_table('a', 'b')",
            "op.execute('ALTER TABLE a RENAME TO b')",
        ),
    ),
    good=(
        *sql(
            "ALTER TABLE a RENAME TO _deprecated_a",
            "ALTER TABLE a RENAME CONSTRAINT b TO c",
            "ALTER INDEX a RENAME TO b",
            "CREATE TABLE a (b int); ALTER TABLE a RENAME TO c",
            "ALTER TYPE a RENAME TO b",
        ),
        *upgrade(
            "op.create_table('a')\nop.rename_table('a', 'b')",
        ),
        *downgrade("op.rename_table('b', 'a')", upgrade="op.rename_table('a', '_deprecated_a')"),
    ),
)
