"""Reading back: whether a resource is what was asked for, by asking its own service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from opconsole.provisioning.aws import Aws, AwsError
from opconsole.provisioning.resources import (
    BucketProperties,
    DatabaseProperties,
    FunctionProperties,
    PolicyProperties,
    Resource,
)

Check = tuple[bool, str]
"""Whether it holds, and what it is, for people."""


def read_back(aws: Aws, resource: Resource, outputs: Mapping[str, str]) -> list[Check]:
    """Ask for everything about the resource that was promised. Blocks. Raises AwsError."""
    properties = resource.properties
    if isinstance(properties, BucketProperties):
        return _bucket(aws, _output(outputs, "BucketName"), properties)
    if isinstance(properties, DatabaseProperties):
        return _database(aws, _output(outputs, "Identifier"), properties)
    if isinstance(properties, FunctionProperties):
        return _function(aws, _output(outputs, "FunctionName"), properties)
    if isinstance(properties, PolicyProperties):
        return _policy(aws, _output(outputs, "PolicyArn"), properties)
    raise TypeError(f"nothing is known to read back of {type(properties).__name__}")


def _output(outputs: Mapping[str, str], name: str) -> str:
    try:
        return outputs[name]
    except KeyError:
        raise AwsError(f"the stack tells no output {name}; look at it in AWS") from None


def _bucket(aws: Aws, name: str, properties: BucketProperties) -> list[Check]:
    rules = aws.ask("s3", "get_bucket_encryption", Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    algorithms = {rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules}
    wanted = "aws:kms" if properties.kms_key else "AES256"
    block = aws.ask("s3", "get_public_access_block", Bucket=name)["PublicAccessBlockConfiguration"]
    versions = aws.ask("s3", "get_bucket_versioning", Bucket=name).get("Status")
    policy = json.loads(aws.ask("s3", "get_bucket_policy", Bucket=name)["Policy"])
    return [
        (algorithms == {wanted}, f"encrypted with {wanted}"),
        (len(block) == 4 and all(block.values()), "public access is blocked"),
        (versions == "Enabled", "versioned"),
        (any(map(_tls_only, policy.get("Statement", []))), "takes TLS only"),
    ]


def _tls_only(statement: Mapping[str, Any]) -> bool:
    condition = statement.get("Condition", {}).get("Bool", {})
    return statement.get("Effect") == "Deny" and str(condition.get("aws:SecureTransport")).lower() == "false"


def _database(aws: Aws, name: str, properties: DatabaseProperties) -> list[Check]:
    found = aws.ask("rds", "describe_db_instances", DBInstanceIdentifier=name)["DBInstances"][0]
    return [
        (found.get("StorageEncrypted") is True, "encrypted"),
        (found.get("PubliclyAccessible") is False, "not public"),
        (found.get("DeletionProtection") is True, "protected from deletion"),
        (found.get("BackupRetentionPeriod", 0) >= properties.backup_days, "backed up"),
        (
            found.get("MultiAZ") is properties.multi_az,
            f"in {'two zones' if properties.multi_az else 'one zone'}",
        ),
        (found.get("Engine") == properties.engine, properties.engine),
    ]


def _function(aws: Aws, name: str, properties: FunctionProperties) -> list[Check]:
    found = aws.ask("lambda", "get_function_configuration", FunctionName=name)
    return [
        (found.get("Runtime") == properties.runtime, properties.runtime),
        (found.get("MemorySize") == properties.memory_mb, f"{properties.memory_mb} MB"),
        (found.get("Timeout") == properties.timeout_s, f"ends after {properties.timeout_s} s"),
    ]


def _policy(aws: Aws, arn: str, properties: PolicyProperties) -> list[Check]:
    version = aws.ask("iam", "get_policy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
    answer = aws.ask("iam", "get_policy_version", PolicyArn=arn, VersionId=version)
    document: Any = answer["PolicyVersion"]["Document"]
    found = json.loads(document) if isinstance(document, str) else document
    wanted = [(one.effect, set(one.actions), set(one.resources)) for one in properties.statements]
    told = [(one["Effect"], _set(one["Action"]), _set(one["Resource"])) for one in found["Statement"]]
    checks = [(told == wanted, "allows what was asked for, and nothing else")]
    checks += [(_attached(aws, arn, role), f"attached to role {role}") for role in properties.roles]
    return checks


def _attached(aws: Aws, arn: str, role: str) -> bool:
    found = aws.ask("iam", "list_attached_role_policies", RoleName=role)["AttachedPolicies"]
    return any(one["PolicyArn"] == arn for one in found)


def _set(value: object) -> set[str]:
    return {str(one) for one in value} if isinstance(value, list) else {str(value)}
