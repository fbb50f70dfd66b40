"""A bucket that goes with its stack."""

from __future__ import annotations

from guardrails.cloud.settings import Risk, is_risk
from guardrails.findings import Severity
from guardrails.operations import Operation
from guardrails.rules.base import Blocks, Rule, cloudformation


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return is_risk(operation, Risk.BUCKET_NOT_RETAINED)


RULE = Rule(
    name="bucket-not-retained",
    pattern="BUCKET WITHOUT DELETIONPOLICY",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="This bucket is deleted together with its stack or its place in the template",
    fix="Set DeletionPolicy: Retain and UpdateReplacePolicy: Retain.",
    source="CloudFormation: DeletionPolicy",
    operation=hits,
    bad=(
        *cloudformation(
            "Resources:\n  Data:\n    Type: AWS::S3::Bucket\n",
            "Resources:\n  Data:\n    Type: AWS::S3::Bucket\n    DeletionPolicy: Delete\n",
            '{"Resources": {"Data": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Ref": "Name"}}}}}',  # noqa: E501
            'Resources:\n  Data:\n    Type: "AWS::S3::Bucket"\n    Properties:\n      BucketName: !Sub "${AWS::StackName}-data"\n',  # noqa: E501
            "service: x\nresources:\n  Resources:\n    Data:\n      Type: AWS::S3::Bucket\n",
        ),
    ),
    good=(
        *cloudformation(
            "Resources:\n  Data:\n    Type: AWS::S3::Bucket\n    DeletionPolicy: Retain\n",
            "Resources:\n  Data:\n    Type: AWS::S3::Bucket\n    DeletionPolicy: RetainExceptOnCreate\n",
            '{"Resources": {"Data": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"}}}',
            "Resources:\n  P:\n    Type: AWS::S3::BucketPolicy\n# AWS::S3::Bucket\n",
            '{"Resources": {\n\t"Data": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"}}}',
        ),
    ),
)
