"""DELETE without a WHERE that limits it: all rows are gone."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Condition, Operation, Thing, Verb
from guardrails.rules.base import Blocks, Rule, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.verb is Verb.DELETE
        and operation.thing is Thing.ROWS
        and operation.condition is not Condition.SOME
    )


RULE = Rule(
    name="delete-all",
    pattern="DELETE without WHERE",
    severity=Severity.CRITICAL,
    blocks=Blocks.PRODUCTION,
    message="DELETE without WHERE deletes all rows",
    fix="Add a WHERE that names the rows, and delete in batches.",
    source="policy-facts, SQL rules of the guide",
    operation=hits,
    bad=(
        *sql(
            "DELETE FROM a;",
            "DELETE FROM a WHERE true",
            "DELETE FROM a WHERE 1=1",
            "DELETE FROM a WHERE (1 = 1 OR id = 3)",
            "WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone",
            "DELETE FROM a USING b",
            "EXPLAIN ANALYZE DELETE FROM a",
            "DELETE FROM a WHERE 'x' = 'x'",
            "DELETE FROM a -- WHERE id = 1",
        ),
        *upgrade(
            "op.execute('DELETE FROM temp_data')",
            "t = sa.table('a')\nop.execute(t.delete())",
            "op.get_bind().execute(sa.delete(sa.table('a')))",
            "session = Session(op.get_bind())\nsession.query(User).delete()",
        ),
    ),
    good=(
        *sql(
            "DELETE FROM a WHERE id = 1",
            "DELETE FROM a WHERE CURRENT OF c",
            "DELETE FROM a USING b WHERE a.id = b.id",
            "CREATE TABLE a (b int REFERENCES c ON DELETE CASCADE)",
            "GRANT DELETE ON a TO b",
            "EXPLAIN DELETE FROM a",
            "SELECT 'DELETE FROM a'",
            "CREATE RULE r AS ON DELETE TO a DO INSTEAD NOTHING",
            "DELETE FROM a WHERE false",
        ),
        *upgrade("t = sa.table('a', sa.column('id'))\nop.execute(t.delete().where(t.c.id == 1))"),
    ),
)
