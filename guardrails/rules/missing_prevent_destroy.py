"""A resource that holds data and that any plan may destroy."""

from __future__ import annotations

from guardrails.cloud.settings import Risk, is_risk
from guardrails.findings import Severity
from guardrails.operations import Operation
from guardrails.rules.base import Blocks, Rule, terraform


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return is_risk(operation, Risk.NO_PREVENT_DESTROY)


RULE = Rule(
    name="missing-prevent-destroy",
    pattern="NO PREVENT_DESTROY",
    severity=Severity.LOW,
    blocks=Blocks.NEVER,
    message="Nothing keeps a plan from destroying this resource with its data",
    fix="Add lifecycle { prevent_destroy = true }.",
    source="Terraform: the lifecycle meta-argument",
    operation=hits,
    bad=(
        *terraform(
            'resource "aws_s3_bucket" "x" {\n  bucket = "data"\n}\n',
            'resource "aws_db_instance" "x" {\n  lifecycle {\n    prevent_destroy = false\n  }\n}\n',
            'resource "aws_dynamodb_table" "x" {}\n',
        ),
    ),
    good=(
        *terraform(
            'resource "aws_s3_bucket" "x" {\n  bucket = "data"\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
            'resource "aws_s3_bucket_policy" "x" {}\n',
            'data "aws_s3_bucket" "x" {\n  bucket = "data"\n}\n',
        ),
    ),
)
