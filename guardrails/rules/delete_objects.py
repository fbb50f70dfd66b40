"""Many objects deleted at once."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Verb
from guardrails.rules.base import Blocks, Rule, javascript, python, shell


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.verb is Verb.DELETE and operation.thing is Thing.OBJECTS


RULE = Rule(
    name="delete-objects",
    pattern="S3 BULK DELETION",
    severity=Severity.HIGH,
    blocks=Blocks.PRODUCTION,
    message="Bulk deletion causes irreversible loss of objects",
    fix="Delete single objects, or let a lifecycle policy do it, with versioning on.",
    source="policy-facts, S3 rules of the guide",
    operation=hits,
    bad=(
        *python(
            "s3.delete_objects(Bucket='x', Delete={})",
            "bucket = s3.Bucket('x')\nbucket.objects.all().delete()",
            "bucket = s3.Bucket('x')\nbucket.object_versions.delete()",
            "subprocess.check_call(['aws', 's3', 'rm', 's3://x', '--recursive'])",
        ),
        *javascript("client.send(new DeleteObjectsCommand({}))", "s3.deleteObjects({})"),
        *shell(
            "aws s3 rm s3://x --recursive",
            "aws s3 sync a s3://x --delete",
            "awslocal s3 rm --recursive s3://x",
            "aws s3api delete-objects --bucket x --delete file://y",
        ),
    ),
    good=(
        *python("Session.objects.all().delete()", "# s3.delete_objects()", "s3.list_objects(Bucket='x')"),
        *javascript("// s3.deleteObjects({})", "x.deleteObjectsLater({})"),
        *shell(
            "aws s3 rm s3://x/y",
            "aws s3 sync a s3://x",
            "# aws s3 rm --recursive s3://x",
            "aws s3 rm s3://x --recursive --dryrun",
            "rm --recursive s3",
        ),
    ),
)
