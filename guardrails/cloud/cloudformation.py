"""Reads CloudFormation templates in YAML and JSON: buckets and databases that a deleted stack takes along."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from guardrails.cloud.lifecycle import expires_everything
from guardrails.cloud.settings import Risk, setting
from guardrails.cloud.yamltree import documents, entries, entry, marks, place, value_of
from guardrails.operations import Operation, Reading

if TYPE_CHECKING:
    from yaml.nodes import Node

_BUCKET = "AWS::S3::Bucket"
_DATABASES = frozenset(
    {
        "AWS::RDS::DBInstance",
        "AWS::RDS::DBCluster",
        "AWS::DocDB::DBCluster",
        "AWS::Neptune::DBCluster",
        "AWS::Redshift::Cluster",
    }
)
_LOOKS = re.compile(r"\bResources\b")
_KINDS = re.compile("|".join(re.escape(kind) for kind in (_BUCKET, *sorted(_DATABASES))))
_KEEPS = frozenset({"Retain", "RetainExceptOnCreate", "Snapshot"})


def looks_like_cloudformation(text: str) -> bool:
    """Say whether a YAML or JSON text is a template that has something to judge."""
    return bool(_KINDS.search(text) and _LOOKS.search(text))


def read_cloudformation(text: str) -> Reading:
    """Read a template; raises YamlError for what is neither YAML nor JSON."""
    if text.lstrip()[:1] == "{":
        text = text.replace("\t", " ")  # JSON may be indented by tabs, YAML may not
    operations: list[Operation] = []
    for document in documents(text):
        for template in (document, entry(document, "resources"), entry(document, "Template")):
            for name, resource in entries(entry(template, "Resources")):
                operations += _of(name, resource)
    return Reading(tuple(operations), marks(text), 1, 1)


def _of(name: str, resource: Node) -> Iterator[Operation]:
    kind = value_of(entry(resource, "Type"))
    properties = entry(resource, "Properties")
    if kind == _BUCKET:
        yield from _policy(name, resource, _BUCKET, Risk.BUCKET_NOT_RETAINED)
        lifecycle = entry(properties, "LifecycleConfiguration")
        when = expires_everything(value_of(lifecycle))
        if when and lifecycle is not None:
            note = f"{name}, {when}"
            yield setting(Risk.EXPIRES_ALL, place(lifecycle), "LifecycleConfiguration", name=name, note=note)
    elif isinstance(kind, str) and kind in _DATABASES:
        yield from _policy(name, resource, kind, Risk.DATABASE_NOT_RETAINED)
        protection = entry(properties, "DeletionProtection")
        if protection is not None and value_of(protection) in (False, "false"):
            text = "DeletionProtection: false"
            yield setting(Risk.NO_PROTECTION, place(protection), text, name=name, note=name)


def _policy(name: str, resource: Node, kind: str, risk: Risk) -> Iterator[Operation]:
    policy = entry(resource, "DeletionPolicy")
    told = value_of(policy)
    if policy is not None and not (isinstance(told, str) and told not in _KEEPS):
        return  # kept, or decided by a function
    where = policy if policy is not None else entry(resource, "Type") or resource
    text = f"DeletionPolicy: {told}" if policy is not None else f"{name}: {kind} without DeletionPolicy"
    yield setting(risk, place(where), text, name=name, note=name)
