"""A database that goes with its stack."""

from __future__ import annotations

from guardrails.cloud.settings import Risk, is_risk
from guardrails.findings import Severity
from guardrails.operations import Operation
from guardrails.rules.base import Blocks, Rule, cloudformation


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return is_risk(operation, Risk.DATABASE_NOT_RETAINED)


RULE = Rule(
    name="database-not-retained",
    pattern="DATABASE WITHOUT DELETIONPOLICY",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="What becomes of this database with its stack is not said, or it is deleted",
    fix="Set DeletionPolicy: Snapshot or Retain, and UpdateReplacePolicy likewise.",
    source="CloudFormation: DeletionPolicy",
    operation=hits,
    bad=(
        *cloudformation(
            "Resources:\n  Db:\n    Type: AWS::RDS::DBInstance\n",
            "Resources:\n  Db:\n    Type: AWS::RDS::DBInstance\n    DeletionPolicy: Delete\n",
            "Resources:\n  Db:\n    Type: AWS::RDS::DBCluster\n    Properties:\n      MasterUserPassword: !GetAtt Secret.Value\n",  # noqa: E501
        ),
    ),
    good=(
        *cloudformation(
            "Resources:\n  Db:\n    Type: AWS::RDS::DBInstance\n    DeletionPolicy: Snapshot\n",
            "Resources:\n  Db:\n    Type: AWS::RDS::DBInstance\n    DeletionPolicy: Retain\n",
            "Resources:\n  Db:\n    Type: AWS::RDS::DBInstance\n    DeletionPolicy: !If [IsProd, Retain, Delete]\n",  # noqa: E501
        ),
    ),
)
