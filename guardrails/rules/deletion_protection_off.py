"""A database that anybody with the right may delete by one call."""

from __future__ import annotations

from guardrails.cloud.settings import Risk, is_risk
from guardrails.findings import Severity
from guardrails.operations import Operation
from guardrails.rules.base import Blocks, Rule, cloudformation, terraform


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return is_risk(operation, Risk.NO_PROTECTION)


RULE = Rule(
    name="deletion-protection-off",
    pattern="DELETION PROTECTION OFF",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="Deletion protection is off",
    fix="Turn deletion protection on, and off only in the change that means to delete.",
    source="Terraform AWS provider and CloudFormation: deletion protection",
    operation=hits,
    bad=(
        *terraform(
            'resource "aws_db_instance" "x" {\n  deletion_protection = false\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
            'resource "aws_dynamodb_table" "x" {\n  deletion_protection_enabled = false\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
        ),
        *cloudformation(
            "Resources:\n  Db:\n    Type: AWS::RDS::DBInstance\n    DeletionPolicy: Snapshot\n    Properties:\n      DeletionProtection: false\n",  # noqa: E501
        ),
    ),
    good=(
        *terraform(
            'resource "aws_db_instance" "x" {\n  deletion_protection = true\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
            'resource "aws_lb" "x" {\n  deletion_protection = false\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
        ),
        *cloudformation(
            "Resources:\n  Db:\n    Type: AWS::RDS::DBInstance\n    DeletionPolicy: Snapshot\n    Properties:\n      DeletionProtection: !Ref Protected\n",  # noqa: E501
        ),
    ),
)
