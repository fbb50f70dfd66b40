"""CloudFormation templates for the resources that can be provisioned, with the safe defaults written out.

A template is a value: equal resources give equal templates. Everything that holds data is retained when its
stack goes; encryption, private access and TLS are not a choice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from opconsole.provisioning.resources import (
    BucketProperties,
    DatabaseProperties,
    FunctionProperties,
    PolicyProperties,
    Resource,
)

Template = Mapping[str, object]

MAIN = "Main"
"""The logical id of the resource that was asked for."""


def template_of(resource: Resource, *, project: str, task: str) -> Template:
    """Give the template for a resource; *project* and *task* become its tags."""
    tags = {"Project": project, "ManagedBy": "opconsole", "Task": task, "Name": resource.name}
    properties = resource.properties
    if isinstance(properties, BucketProperties):
        resources, outputs = _bucket(resource, properties, tags)
    elif isinstance(properties, DatabaseProperties):
        resources, outputs = _database(resource, properties, tags)
    elif isinstance(properties, FunctionProperties):
        resources, outputs = _function(resource, properties, tags)
    elif isinstance(properties, PolicyProperties):
        resources, outputs = _policy(resource, properties)
    else:
        raise TypeError(f"there is no template for {type(properties).__name__}")
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{resource.type.words} for {project}: {resource.purpose}"[:1000],
        "Resources": resources,
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }


def template_text(template: Template) -> str:
    """Write a template as it is sent, linted, shown and committed."""
    return json.dumps(template, indent=2, ensure_ascii=False) + "\n"


def stack_name(resource: Resource) -> str:
    """Name the stack of a resource: one stack a resource."""
    return f"opconsole-{resource.name}"


_Parts = tuple[dict[str, object], dict[str, object]]


def _bucket(resource: Resource, properties: BucketProperties, tags: Mapping[str, str]) -> _Parts:
    encryption: dict[str, object] = {"SSEAlgorithm": "AES256"}
    if properties.kms_key is not None:
        encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": properties.kms_key}
    rule = {"ServerSideEncryptionByDefault": encryption, "BucketKeyEnabled": properties.kms_key is not None}
    # Bucket names are shared by all of AWS: a made-up one gets the account, or somebody may have it already.
    name: object = (
        resource.name if resource.exact_name else {"Fn::Sub": f"{resource.name}-${{AWS::AccountId}}"}
    )
    bucket = {
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "BucketName": name,
            "BucketEncryption": {"ServerSideEncryptionConfiguration": [rule]},
            "PublicAccessBlockConfiguration": dict.fromkeys(
                ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
            ),
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "VersioningConfiguration": {"Status": "Enabled"},
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": "old-versions",
                        "Status": "Enabled",
                        "NoncurrentVersionExpiration": {"NoncurrentDays": properties.noncurrent_days},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                    }
                ]
            },
            "Tags": _tags(tags),
        },
    }
    arn = {"Fn::GetAtt": [MAIN, "Arn"]}
    policy = {
        "Type": "AWS::S3::BucketPolicy",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "Bucket": {"Ref": MAIN},
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "TlsOnly",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": [arn, {"Fn::Sub": f"${{{MAIN}.Arn}}/*"}],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            },
        },
    }
    return {MAIN: bucket, "TlsOnly": policy}, {"BucketName": {"Ref": MAIN}, "BucketArn": arn}


_VERSIONS = {"postgres": "17.6", "mysql": "8.4.9", "mariadb": "11.4.13"}
_TLS = {
    "postgres": {"rds.force_ssl": "1"},
    "mysql": {"require_secure_transport": "ON"},
    "mariadb": {"require_secure_transport": "ON"},
}
_LOGS = {
    "postgres": ["postgresql", "upgrade"],
    "mysql": ["error", "slowquery"],
    "mariadb": ["error", "slowquery"],
}


def _database(resource: Resource, properties: DatabaseProperties, tags: Mapping[str, str]) -> _Parts:
    engine, version = properties.engine, properties.version or _VERSIONS[properties.engine]
    major = version.partition(".")[0] if engine == "postgres" else ".".join(version.split(".")[:2])
    parameters = {
        "Type": "AWS::RDS::DBParameterGroup",
        "Properties": {
            "Description": f"TLS only, for {resource.name}",
            "Family": f"{engine}{major}",
            "Parameters": _TLS[engine],
            "Tags": _tags(tags),
        },
    }
    settings: dict[str, object] = {
        "DBInstanceIdentifier": resource.name,
        "Engine": engine,
        "EngineVersion": version,
        "DBInstanceClass": properties.instance_class,
        "AllocatedStorage": str(properties.storage_gb),
        "StorageType": "gp3",
        "StorageEncrypted": True,
        "MultiAZ": properties.multi_az,
        "PubliclyAccessible": False,
        "DeletionProtection": True,
        "DeleteAutomatedBackups": False,
        "BackupRetentionPeriod": properties.backup_days,
        "CopyTagsToSnapshot": True,
        "AutoMinorVersionUpgrade": True,
        "MasterUsername": "operator",
        # The password is made and rotated by Secrets Manager: nobody here ever sees it.
        "ManageMasterUserPassword": True,
        "DBParameterGroupName": {"Ref": "Parameters"},
        "EnableCloudwatchLogsExports": _LOGS[engine],
        "Tags": _tags(tags),
    }
    if properties.subnet_group is not None:
        settings["DBSubnetGroupName"] = properties.subnet_group
    if properties.security_groups:
        settings["VPCSecurityGroups"] = list(properties.security_groups)
    instance = {
        "Type": "AWS::RDS::DBInstance",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": settings,
    }
    outputs: dict[str, object] = {
        "Identifier": {"Ref": MAIN},
        "Address": {"Fn::GetAtt": [MAIN, "Endpoint.Address"]},
        "Port": {"Fn::GetAtt": [MAIN, "Endpoint.Port"]},
    }
    return {MAIN: instance, "Parameters": parameters}, outputs


def _function(resource: Resource, properties: FunctionProperties, tags: Mapping[str, str]) -> _Parts:
    log = {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "LogGroupName": f"/aws/lambda/{resource.name}",
            "RetentionInDays": properties.log_days,
            "Tags": _tags(tags),
        },
    }
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            "Policies": [
                {
                    "PolicyName": "own-log",
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                                "Resource": {"Fn::GetAtt": ["Log", "Arn"]},
                            }
                        ],
                    },
                }
            ],
            "Tags": _tags(tags),
        },
    }
    function = {
        "Type": "AWS::Lambda::Function",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "FunctionName": resource.name,
            "Runtime": properties.runtime,
            "Handler": properties.handler,
            "Code": {"S3Bucket": properties.code_bucket, "S3Key": properties.code_key},
            "MemorySize": properties.memory_mb,
            "Timeout": properties.timeout_s,
            "Architectures": [properties.architecture],
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "LoggingConfig": {"LogGroup": {"Ref": "Log"}},
            "Tags": _tags(tags),
        },
    }
    outputs: dict[str, object] = {"FunctionName": {"Ref": MAIN}, "FunctionArn": {"Fn::GetAtt": [MAIN, "Arn"]}}
    return {MAIN: function, "Role": role, "Log": log}, outputs


def _policy(resource: Resource, properties: PolicyProperties) -> _Parts:
    statements = [
        {"Effect": one.effect, "Action": list(one.actions), "Resource": list(one.resources)}
        for one in properties.statements
    ]
    settings: dict[str, object] = {
        "ManagedPolicyName": resource.name,
        "Description": resource.purpose,
        "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
    }
    if properties.roles:
        settings["Roles"] = list(properties.roles)
    if properties.groups:
        settings["Groups"] = list(properties.groups)
    policy = {
        "Type": "AWS::IAM::ManagedPolicy",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": settings,
    }
    return {MAIN: policy}, {"PolicyArn": {"Ref": MAIN}}


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
