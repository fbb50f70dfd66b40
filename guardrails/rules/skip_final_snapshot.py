"""A database that is destroyed without a last snapshot."""

from __future__ import annotations

from guardrails.cloud.settings import Risk, is_risk
from guardrails.findings import Severity
from guardrails.operations import Operation
from guardrails.rules.base import Blocks, Rule, terraform


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return is_risk(operation, Risk.NO_FINAL_SNAPSHOT)


RULE = Rule(
    name="skip-final-snapshot",
    pattern="NO FINAL SNAPSHOT",
    severity=Severity.HIGH,
    blocks=Blocks.NEVER,
    message="Destroying this database leaves no snapshot to restore it from",
    fix="Set skip_final_snapshot = false and name a final_snapshot_identifier.",
    source="Terraform AWS provider: aws_db_instance",
    operation=hits,
    bad=(
        *terraform(
            'resource "aws_db_instance" "x" {\n  skip_final_snapshot = true\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
            'resource "aws_rds_cluster" "x" {\n  skip_final_snapshot = true\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
            'module "db" {\n  source              = "terraform-aws-modules/rds/aws"\n  skip_final_snapshot = true\n}\n',  # noqa: E501
        ),
    ),
    good=(
        *terraform(
            'resource "aws_db_instance" "x" {\n  skip_final_snapshot = false\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
            'resource "aws_db_instance" "x" {\n  skip_final_snapshot = var.skip\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n',  # noqa: E501
            "# skip_final_snapshot = true\n",
        ),
    ),
)
