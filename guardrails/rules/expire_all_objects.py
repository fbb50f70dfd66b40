"""A lifecycle rule by which every object of a bucket expires."""

from __future__ import annotations

from guardrails.cloud.settings import Risk, is_risk
from guardrails.findings import Severity
from guardrails.operations import Operation
from guardrails.rules.base import Blocks, Rule, cloudformation, javascript, python, shell, terraform


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return is_risk(operation, Risk.EXPIRES_ALL)


RULE = Rule(
    name="expire-all-objects",
    pattern="EVERY OBJECT EXPIRES",
    severity=Severity.HIGH,
    blocks=Blocks.NEVER,
    message="Every object of the bucket expires",
    fix="Limit the rule by a prefix or tag, and keep versioning on.",
    source="S3: lifecycle configuration",
    operation=hits,
    bad=(
        *python(
            's3.put_bucket_lifecycle_configuration(Bucket=\'b\', LifecycleConfiguration={"Rules": [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 7}}]})',  # noqa: E501
            's3.put_bucket_lifecycle_configuration(Bucket=\'b\', LifecycleConfiguration={"Rules": [{"Status": "Enabled", "Prefix": "", "Expiration": {"Days": 1}}]})',  # noqa: E501
            "RULES = [{'Status': 'Enabled', 'Filter': {}, 'Expiration': {'Date': d}}]\ns3.put_bucket_lifecycle_configuration(Bucket='b', LifecycleConfiguration={'Rules': RULES})",  # noqa: E501
        ),
        *javascript(
            "s3.putBucketLifecycleConfiguration({Bucket: 'b', LifecycleConfiguration: {Rules: [{Status: 'Enabled', Filter: {Prefix: ''}, Expiration: {Days: 1}}]}})",  # noqa: E501
            "c.send(new PutBucketLifecycleConfigurationCommand({Bucket: b, LifecycleConfiguration: {Rules: [{ID: 'x', Status: 'Enabled', Expiration: {Days: 30}}]}}))",  # noqa: E501
        ),
        *shell(
            'aws s3api put-bucket-lifecycle-configuration --bucket b --lifecycle-configuration \'{"Rules": [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 7}}]}\'',  # noqa: E501
        ),
        *terraform(
            'resource "aws_s3_bucket_lifecycle_configuration" "x" {\n  bucket = "b"\n  rule {\n    id     = "x"\n    status = "Enabled"\n    expiration {\n      days = 1\n    }\n  }\n}\n',  # noqa: E501
            'resource "aws_s3_bucket_lifecycle_configuration" "x" {\n  bucket = "b"\n  rule {\n    id     = "x"\n    status = "Enabled"\n    filter {}\n    expiration {\n      days = 30\n    }\n  }\n}\n',  # noqa: E501
            'resource "aws_s3_bucket_lifecycle_configuration" "x" {\n  bucket = "b"\n  rule {\n    id     = "x"\n    status = "Enabled"\n    filter {\n      prefix = ""\n    }\n    expiration {\n      days = 30\n    }\n  }\n}\n',  # noqa: E501
            'resource "aws_s3_bucket" "x" {\n  lifecycle_rule {\n    enabled = true\n    expiration {\n      days = 1\n    }\n  }\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
        ),
        *cloudformation(
            "Resources:\n  Data:\n    Type: AWS::S3::Bucket\n    DeletionPolicy: Retain\n    Properties:\n      LifecycleConfiguration:\n        Rules:\n          - Status: Enabled\n            ExpirationInDays: 3\n",  # noqa: E501
        ),
    ),
    good=(
        *python(
            's3.put_bucket_lifecycle_configuration(Bucket=\'b\', LifecycleConfiguration={"Rules": [{"Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 7}}]})',  # noqa: E501
            's3.put_bucket_lifecycle_configuration(Bucket=\'b\', LifecycleConfiguration={"Rules": [{"Status": "Disabled", "Filter": {}, "Expiration": {"Days": 7}}]})',  # noqa: E501
            's3.put_bucket_lifecycle_configuration(Bucket=\'b\', LifecycleConfiguration={"Rules": [{"Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 7}}]})',  # noqa: E501
            's3.put_bucket_lifecycle_configuration(Bucket=\'b\', LifecycleConfiguration={"Rules": [{"Status": "Enabled", "Filter": {"Prefix": prefix}, "Expiration": {"Days": 7}}]})',  # noqa: E501
            's3.put_bucket_lifecycle_configuration(Bucket=\'b\', LifecycleConfiguration={"Rules": [{"Status": "Enabled", "Filter": {}, "Expiration": {"ExpiredObjectDeleteMarker": True}}]})',  # noqa: E501
            "s3.put_bucket_lifecycle_configuration(Bucket='b', LifecycleConfiguration=rules)",
        ),
        *javascript(
            "s3.putBucketLifecycleConfiguration({LifecycleConfiguration: {Rules: [{Status: 'Enabled', Filter: {Prefix: 'tmp/'}, Expiration: {Days: 1}}]}})",  # noqa: E501
        ),
        *shell(
            "aws s3api put-bucket-lifecycle-configuration --bucket b --lifecycle-configuration file://rules.json",
        ),
        *terraform(
            'resource "aws_s3_bucket_lifecycle_configuration" "x" {\n  bucket = "b"\n  rule {\n    id     = "x"\n    status = "Enabled"\n    filter {\n      prefix = "tmp/"\n    }\n    expiration {\n      days = 1\n    }\n  }\n}\n',  # noqa: E501
            'resource "aws_s3_bucket_lifecycle_configuration" "x" {\n  bucket = "b"\n  rule {\n    id     = "x"\n    status = "Enabled"\n    filter {\n      tag {\n        key   = "a"\n        value = "b"\n      }\n    }\n    expiration {\n      days = 1\n    }\n  }\n}\n',  # noqa: E501
            'resource "aws_s3_bucket_lifecycle_configuration" "x" {\n  bucket = "b"\n  rule {\n    id     = "x"\n    status = "Enabled"\n    filter {}\n    noncurrent_version_expiration {\n      noncurrent_days = 1\n    }\n  }\n}\n',  # noqa: E501
            'resource "aws_s3_bucket_lifecycle_configuration" "x" {\n  bucket = "b"\n  rule {\n    id     = "x"\n    status = "Enabled"\n    filter {}\n    transition {\n      days = 1\n    }\n  }\n}\n',  # noqa: E501
        ),
        *cloudformation(
            "Resources:\n  Data:\n    Type: AWS::S3::Bucket\n    DeletionPolicy: Retain\n    Properties:\n      LifecycleConfiguration:\n        Rules:\n          - Status: Enabled\n            Prefix: tmp/\n            ExpirationInDays: 3\n",  # noqa: E501
            "Resources:\n  Data:\n    Type: AWS::S3::Bucket\n    DeletionPolicy: Retain\n    Properties:\n      LifecycleConfiguration:\n        Rules:\n          - Status: Enabled\n            Prefix: !Ref Prefix\n            ExpirationInDays: 3\n",  # noqa: E501
        ),
    ),
)
