"""A deleted bucket, blocked in every environment."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Verb
from guardrails.rules.base import Blocks, Rule, javascript, python, shell


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.verb is Verb.DELETE and operation.thing is Thing.BUCKET


RULE = Rule(
    name="delete-bucket",
    pattern="S3 BUCKET DELETION",
    severity=Severity.CRITICAL,
    blocks=Blocks.EVERYWHERE,
    message="Deleting a bucket causes irreversible data loss",
    fix="Empty and delete buckets by hand, after a backup.",
    source="policy-facts, S3 rules of the guide",
    operation=hits,
    bad=(
        *python(
            "s3.delete_bucket(Bucket='production-data')",
            "import boto3\nboto3.resource('s3').Bucket('x').delete()",
            "import boto3\nb = boto3.resource('s3').Bucket('x')\nb.delete()",
            "getattr(s3, 'delete_bucket')(Bucket='x')",
            "await asyncio.to_thread(s3.delete_bucket, Bucket='x')",
            "subprocess.run(['aws', 's3', 'rb', 's3://x'])",
            "os.system('aws s3 rb s3://x --force')",
        ),
        *javascript(
            "await client.send(new DeleteBucketCommand({Bucket: 'x'}))",
            "s3.deleteBucket({Bucket: 'x'}).promise()",
            "import { DeleteBucketCommand as Gone } from '@aws-sdk/client-s3'; c.send(new Gone({}))",
            "execSync('aws s3 rb s3://x')",
            "const d: S3 = s; d?.deleteBucket({})",
            "s3['deleteBucket']({})",
        ),
        *shell(
            "awslocal s3 rb s3://x",
            "aws --profile p s3 rb s3://x --force",
            "if true; then aws s3api delete-bucket --bucket x; fi",
            "FOO=1 sudo aws \\\n  s3 rb s3://x",
            "x=$(aws s3 rb s3://x)",
            "bash -c 'aws s3 rb s3://x'",
        ),
    ),
    good=(
        *python(
            "# s3.delete_bucket(Bucket='x')",
            "'s3.delete_bucket()'",
            "s3.delete_bucket_policy(Bucket='x')",
            "def delete_bucket(): ...",
            "User.objects.all().delete()",
            "print('aws s3 rb s3://x')",
            "s3.create_bucket(Bucket='x')",
        ),
        *javascript(
            "// new DeleteBucketCommand({})",
            "import { DeleteBucketCommand } from '@aws-sdk/client-s3'",
            "console.log('new DeleteBucketCommand()')",
            "/* s3.deleteBucket() */ s3.createBucket({})",
            "const r = /s3.deleteBucket(x)/; x.y()",
            "`s3.deleteBucket()`",
            "new DeleteBucketPolicyCommand({})",
        ),
        *shell(
            "# aws s3 rb s3://x",
            "echo aws s3 rb s3://x",
            "echo 'aws s3 rb s3://x'",
            "aws s3 ls s3://rb",
            "aws s3api delete-bucket-policy --bucket x",
            "cat <<EOF\naws s3 rb s3://x\nEOF",
        ),
    ),
)
