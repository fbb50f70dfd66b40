"""One deleted object, which is allowed and said."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Verb
from guardrails.rules.base import Blocks, Rule, javascript, python, shell


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.verb is Verb.DELETE and operation.thing is Thing.OBJECT


RULE = Rule(
    name="delete-object",
    pattern="S3 OBJECT DELETION",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="One object is deleted",
    fix="Keep versioning on, so that it can come back.",
    source="policy-facts, S3 rules of the guide",
    operation=hits,
    bad=(
        *python(
            "s3.delete_object(Bucket='temp', Key='file.txt')  # Single object OK",
            "s3.Object('b', 'k').delete()",
        ),
        *javascript("client.send(new DeleteObjectCommand({}))", "s3.deleteObject({})"),
        *shell("aws s3 rm s3://x/y", "aws s3api delete-object --bucket x --key y"),
    ),
    good=(
        *python("# s3.delete_object()", "s3.put_object(Bucket='x', Key='y')"),
        *javascript("s3.getObject({})"),
        *shell("aws s3 cp a s3://x/y"),
    ),
)
