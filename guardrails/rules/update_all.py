"""UPDATE without a WHERE that limits it: every row changes."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Condition, Operation, Verb
from guardrails.rules.base import Blocks, Rule, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.verb is Verb.UPDATE and operation.condition is not Condition.SOME


RULE = Rule(
    name="update-all",
    pattern="UPDATE without WHERE",
    severity=Severity.HIGH,
    blocks=Blocks.NEVER,
    message="UPDATE without WHERE changes every row",
    fix="Add a WHERE, and update in batches.",
    source="policy-facts, SQL rules of the guide",
    operation=hits,
    bad=(
        *sql("UPDATE a SET b = 1", "UPDATE a SET b = 1 WHERE true"),
        *upgrade("op.execute('UPDATE a SET b = 1')", "op.execute(sa.update(sa.table('a')).values(b=1))"),
    ),
    good=(
        *sql(
            "UPDATE a SET b = 1 WHERE id = 2",
            "SELECT * FROM a FOR UPDATE",
            "INSERT INTO a VALUES (1) ON CONFLICT (id) DO UPDATE SET b = 1",
            "CREATE TABLE a (b int REFERENCES c ON UPDATE CASCADE)",
            "CREATE TRIGGER t AFTER UPDATE ON a EXECUTE FUNCTION f()",
        ),
    ),
)
