"""DELETE with a WHERE: rows are gone, which is allowed and said."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Condition, Operation, Thing, Verb
from guardrails.rules.base import Blocks, Rule, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return (
        operation.verb is Verb.DELETE
        and operation.thing is Thing.ROWS
        and operation.condition is Condition.SOME
    )


RULE = Rule(
    name="delete-where",
    pattern="DELETE with WHERE",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="DELETE removes the rows that its WHERE matches",
    fix="Check the WHERE by a SELECT first; keep a copy of the rows.",
    source="policy-facts, SQL rules of the guide",
    operation=hits,
    bad=(
        *sql(
            "DELETE FROM sessions WHERE created_at < NOW() - INTERVAL '30 days';",
            "DELETE FROM a WHERE CURRENT OF c",
            "MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE",
        ),
        *upgrade(
            "op.execute('DELETE FROM a WHERE id = 1')",
            "op.get_bind().execute(sa.text('DELETE FROM a WHERE id = :i'), {'i': 1})",
            "t = sa.table('a')\nop.execute(sa.delete(t).where(t.c.x == 1))",
        ),
    ),
    good=(*sql("SELECT 1 FROM a WHERE deleted", "UPDATE a SET deleted = true WHERE id = 1"),),
)
