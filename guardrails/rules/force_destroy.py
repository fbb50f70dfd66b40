"""A bucket that is destroyed together with everything in it."""

from __future__ import annotations

from guardrails.cloud.settings import Risk, is_risk
from guardrails.findings import Severity
from guardrails.operations import Operation
from guardrails.rules.base import Blocks, Rule, javascript, python, terraform


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return is_risk(operation, Risk.FORCE_DESTROY)


RULE = Rule(
    name="force-destroy",
    pattern="BUCKET DESTROYED WITH ITS OBJECTS",
    severity=Severity.HIGH,
    blocks=Blocks.NEVER,
    message="Destroying this bucket also deletes every object in it",
    fix="Leave force_destroy off: a bucket that still holds objects then refuses to go.",
    source="Terraform, Pulumi and CDK: force_destroy, autoDeleteObjects",
    operation=hits,
    bad=(
        *python(
            "bucket = s3.Bucket(self, 'x', removal_policy=RemovalPolicy.DESTROY, auto_delete_objects=True)",
            "aws.s3.Bucket('x', force_destroy=True)",
        ),
        *javascript(
            "new s3.Bucket(this, 'x', { removalPolicy: RemovalPolicy.DESTROY, autoDeleteObjects: true })",
            "new aws.s3.Bucket('x', { forceDestroy: true })",
        ),
        *terraform(
            'resource "aws_s3_bucket" "x" {\n  force_destroy = true\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
            'variable "gone" {\n  default = true\n}\nresource "aws_s3_bucket" "x" {\n  force_destroy = var.gone\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
            'resource "aws_s3_bucket" "x" {\n  force_destroy = "true"\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
            'module "bucket" {\n  source        = "terraform-aws-modules/s3-bucket/aws"\n  force_destroy = true\n}\n',  # noqa: E501
            'locals {\n  gone = true\n}\nresource "aws_s3_bucket" "x" {\n  force_destroy = local.gone\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
        ),
    ),
    good=(
        *python(
            "s3.Bucket(self, 'x', auto_delete_objects=False)",
            "# force_destroy=True",
        ),
        *javascript(
            "new s3.Bucket(this, 'x', { autoDeleteObjects: false })",
            "log('forceDestroy: true')",
        ),
        *terraform(
            'resource "aws_s3_bucket" "x" {\n  force_destroy = false\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
            'resource "aws_s3_bucket" "x" {\n  # force_destroy = true\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
            'resource "aws_s3_bucket" "x" {\n  force_destroy = var.environment == "dev"\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
            'resource "aws_iam_user" "x" {\n  force_destroy = true\n}\n',
            'resource "aws_s3_bucket" "x" {\n  bucket = "force_destroy = true"\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
        ),
    ),
)
