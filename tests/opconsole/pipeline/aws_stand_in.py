"""Completes moto, the stand-in for AWS: what its CloudFormation leaves out of buckets is put in here.

moto makes a bucket of a template without its versioning and public access block, knows no bucket policy, and
takes no parameter group of the same template; it leaves a database unprotected, and forgets template
and outputs of a stack that a change set makes.
"""

from __future__ import annotations

import json
from typing import Any

from moto.cloudformation.models import ChangeSet
from moto.core.common_models import CloudFormationModel
from moto.rds.models import DBInstance
from moto.s3.models import FakeBucket, s3_backends


class BucketPolicy(CloudFormationModel):
    """AWS::S3::BucketPolicy."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket

    @property
    def physical_resource_id(self) -> str:
        return f"{self.bucket}-policy"

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::S3::BucketPolicy"

    @classmethod
    def create_from_cloudformation_json(  # type: ignore[override]
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **more: Any
    ) -> BucketPolicy:
        del resource_name, region_name, more
        properties = cloudformation_json["Properties"]
        bucket = s3_backends[account_id]["aws"].get_bucket(properties["Bucket"])
        bucket.policy = json.dumps(properties["PolicyDocument"]).encode()
        return cls(properties["Bucket"])


_made = FakeBucket.create_from_cloudformation_json


def _create(
    resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **more: Any
) -> Any:
    bucket = _made(resource_name, cloudformation_json, account_id, region_name, **more)
    properties = cloudformation_json["Properties"]
    backend = s3_backends[account_id]["aws"]
    backend.put_bucket_versioning(bucket.name, properties["VersioningConfiguration"]["Status"])
    block = {key: str(value).lower() for key, value in properties["PublicAccessBlockConfiguration"].items()}
    backend.put_public_access_block(bucket.name, block)
    return bucket


_made_database = DBInstance.create_from_cloudformation_json


def _create_database(
    resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **more: Any
) -> Any:
    properties = cloudformation_json["Properties"]
    group = properties["DBParameterGroupName"]
    properties = {**properties, "DBParameterGroupName": getattr(group, "name", group)}
    database = _made_database(
        resource_name, {**cloudformation_json, "Properties": properties}, account_id, region_name, **more
    )
    database.deletion_protection = properties["DeletionProtection"]
    return database


_applied = ChangeSet.apply


def _apply(change_set: ChangeSet) -> None:
    _applied(change_set)
    stack = change_set.stack
    stack.template, stack.template_dict = change_set.template, change_set.template_dict
    stack.output_map = stack._create_output_map()


def complete() -> None:
    """Put it in; harmless when done twice."""
    FakeBucket.create_from_cloudformation_json = staticmethod(_create)
    ChangeSet.apply = _apply  # type: ignore[method-assign]
    DBInstance.create_from_cloudformation_json = staticmethod(_create_database)
