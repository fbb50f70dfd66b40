"""What can be provisioned: S3 buckets, RDS instances, Lambda functions and IAM policies, with safe defaults.

A queue entry names its resource as an object (`type`, `name`, `properties`) or as a text that begins with
what it is ("S3 bucket for user uploads"). What a text does not say is a default, never a guess about safety:
the defaults are the strict ones, and a property that is unknown is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

Gigabytes = Annotated[StrictInt | float, Field(gt=0, le=10_000_000)]
KmsKey = Annotated[
    StrictStr, Field(pattern=r"^(arn:aws[a-z-]*:kms:[a-z0-9:-]+/|alias/)[A-Za-z0-9/_-]+$", max_length=300)
]
Action = Annotated[StrictStr, Field(pattern=r"^[a-z0-9-]+:[A-Za-z0-9*]+$", max_length=128)]
Arn = Annotated[StrictStr, Field(pattern=r"^(arn:aws[a-z-]*:\S+|\*)$", max_length=1024)]


class ResourceType(StrEnum):
    """The kinds of resource that the policy names."""

    S3_BUCKET = "s3_bucket"
    RDS_INSTANCE = "rds_instance"
    LAMBDA_FUNCTION = "lambda_function"
    IAM_POLICY = "iam_policy"

    @property
    def words(self) -> str:
        """What people call it."""
        return _TITLES[self]


class ResourceError(ValueError):
    """A resource that cannot be provisioned as it is asked for; each fault says what to write instead."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(faults))


class Properties(BaseModel):
    """What may be said of a resource: strict, and nothing that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class BucketProperties(Properties):
    """Of an S3 bucket. It is private, encrypted, versioned, and kept when its stack goes."""

    storage_gb: Gigabytes = 100
    """Gigabytes it will hold, for the estimate."""
    transfer_gb: Annotated[StrictInt | float, Field(ge=0, le=10_000_000)] = 200
    """Gigabytes read to the internet each month, for the estimate."""
    noncurrent_days: Annotated[StrictInt, Field(ge=1, le=3650)] = 90
    """Days for which overwritten and deleted objects are kept."""
    kms_key: KmsKey | None = None
    """A KMS key for the encryption. Default: S3's own keys."""


class DatabaseProperties(Properties):
    """Of an RDS instance. It is encrypted, private, takes TLS only, and is protected from deletion."""

    engine: Literal["postgres", "mysql", "mariadb"] = "postgres"
    version: Annotated[StrictStr, Field(pattern=r"^\d{1,2}(\.\d{1,3}){0,2}$")] | None = None
    """Default: a recent one; minor versions are brought up to date by RDS."""
    instance_class: Annotated[StrictStr, Field(pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$")] = "db.t4g.micro"
    storage_gb: Annotated[StrictInt, Field(ge=20, le=65_536)] = 20
    multi_az: StrictBool = False
    backup_days: Annotated[StrictInt, Field(ge=7, le=35)] = 7
    subnet_group: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9._ -]{1,255}$")] | None = None
    """Default: the account's default one."""
    security_groups: tuple[Annotated[StrictStr, Field(pattern=r"^sg-[0-9a-f]{8,17}$")], ...] = ()
    """Default: the VPC's default one."""


class FunctionProperties(Properties):
    """Of a Lambda function. Its code lies in a bucket; its log is kept; it has a role of its own."""

    runtime: Annotated[StrictStr, Field(pattern=r"^[a-z0-9.]{4,32}$")] = "python3.13"
    handler: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9._/-]{1,128}$")] = "main.handler"
    code_bucket: Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    """The bucket with the function's archive."""
    code_key: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9._/=-]{1,512}$")]
    """The archive's key."""
    memory_mb: Annotated[StrictInt, Field(ge=128, le=10_240)] = 256
    timeout_s: Annotated[StrictInt, Field(ge=1, le=900)] = 30
    architecture: Literal["arm64", "x86_64"] = "arm64"
    requests: Annotated[StrictInt, Field(ge=0, le=10**12)] = 1_000_000
    """Calls each month, for the estimate."""
    average_ms: Annotated[StrictInt, Field(ge=1, le=900_000)] = 200
    """Milliseconds of a call, for the estimate."""
    log_days: Literal[30, 60, 90, 180, 365, 731] = 90
    """Days for which its log is kept."""


class Statement(Properties):
    """One statement of a policy: what it allows, on what."""

    actions: Annotated[tuple[Action, ...], Field(min_length=1)]
    """For example ``s3:GetObject``; a bare ``*`` is refused."""
    resources: Annotated[tuple[Arn, ...], Field(min_length=1)]
    """ARNs; a bare ``*`` is told as a finding."""
    effect: Literal["Allow", "Deny"] = "Allow"


class PolicyProperties(Properties):
    """Of a managed IAM policy."""

    statements: Annotated[tuple[Statement, ...], Field(min_length=1)]
    roles: tuple[Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9+=,.@_-]{1,64}$")], ...] = ()
    """Roles that get it."""
    groups: tuple[Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9+=,.@_-]{1,128}$")], ...] = ()
    """Groups that get it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource that is asked for."""

    type: ResourceType
    name: str
    """Names the stack and, with the account, the resource: a-z, 0-9 and -, at most 40."""
    purpose: str
    """The words it was asked for with, for people and its description."""
    properties: Properties
    exact_name: bool = False
    """The entry named it; else the name was made from the project and the purpose."""

    def to_json(self) -> dict[str, object]:
        """Give what the plan says of it."""
        return {
            "type": self.type.value,
            "name": self.name,
            "purpose": self.purpose,
            "properties": self.properties.model_dump(mode="json", exclude_none=True),
        }


def read_resource(value: object, *, project: str, hints: str = "") -> Resource:
    """Read the `resource` of a queue entry. *hints* is further text (the case's cost) that may tell a size.

    Raises ResourceError with everything that is wrong with it.
    """
    if isinstance(value, str):
        return _from_text(value, project, hints)
    if isinstance(value, Mapping):
        return _from_object(value, project, hints)
    raise ResourceError([f"resource is missing; allowed: {_ALLOWED}"])


def _from_text(text: str, project: str, hints: str) -> Resource:
    kind = _kind_of(text)
    return _made(kind, None, text.strip(), {}, project=project, told=f"{text} {hints}")


def _from_object(value: Mapping[object, object], project: str, hints: str) -> Resource:
    unknown = [str(key)[:60] for key in value if key not in ("type", "name", "purpose", "properties")]
    if unknown:
        raise ResourceError(
            [f"resource has {name!a}; allowed: type, name, purpose, properties" for name in unknown]
        )
    name, purpose, given = value.get("name"), value.get("purpose"), value.get("properties")
    if not isinstance(value.get("type"), str):
        raise ResourceError([f"resource.type is missing; allowed: {', '.join(ResourceType)}"])
    if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ResourceError(
            ["resource.name is not one; allowed: a-z, 0-9 and -, 3 to 40, beginning with a letter"]
        )
    if purpose is not None and not (
        isinstance(purpose, str) and purpose.isprintable() and len(purpose) <= 200
    ):
        raise ResourceError(["resource.purpose must be one line of at most 200 visible characters"])
    if given is not None and not isinstance(given, Mapping):
        raise ResourceError(["resource.properties must be an object"])
    kind = _kind_of(str(value["type"]))
    return _made(
        kind,
        name,
        purpose or name or kind.words,
        given or {},
        project=project,
        told=f"{purpose or ''} {hints}",
    )


def _made(
    kind: ResourceType,
    name: str | None,
    purpose: str,
    given: Mapping[object, object],
    *,
    project: str,
    told: str,
) -> Resource:
    properties = {str(key): given[key] for key in given}
    size = _gigabytes(told)
    if size is not None and "storage_gb" in _MODELS[kind].model_fields:
        properties.setdefault("storage_gb", size)
    try:
        # By JSON's rules, for the entry comes from a JSON file: lists are tuples, numbers stay numbers.
        made = _MODELS[kind].model_validate(_tuples(properties))
    except ValidationError as error:
        raise ResourceError([_fault(kind, one) for one in error.errors(include_url=False)]) from None
    return Resource(
        kind, name or _slug(project, purpose, kind), purpose[:200], made, exact_name=name is not None
    )


def _fault(kind: ResourceType, error: object) -> str:
    if not isinstance(error, dict):
        return str(error)
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = ", ".join(_MODELS[kind].model_fields)
        return f"resource.properties.{place} is not known of an {kind.words}; allowed: {known}"
    if error["type"] == "missing":
        return f"resource.properties.{place} is missing"
    return f"resource.properties.{place}: {error['msg']}"


def _kind_of(text: str) -> ResourceType:
    plain = text.strip().lower()
    if plain in set(ResourceType):
        return ResourceType(plain)
    found = {kind for kind, pattern in _WORDS.items() if pattern.search(plain)}
    if len(found) == 1:
        return found.pop()
    many = (
        f"names several kinds ({', '.join(sorted(kind.words for kind in found))})" if found else "names none"
    )
    raise ResourceError([f"resource {text.strip()[:80]!a} {many}; allowed: {_ALLOWED}"])


def _gigabytes(text: str) -> int | None:
    """Read the size that a text tells of, in gigabytes; None where it tells of none, or of several."""
    found = {round(float(amount) * {"t": 1024, "g": 1}[unit.lower()]) for amount, unit in _SIZE.findall(text)}
    return found.pop() if len(found) == 1 else None


def _slug(project: str, purpose: str, kind: ResourceType) -> str:
    """Make a name from the project and what the resource is for, the words of its kind left out."""
    words = re.findall(r"[a-z0-9]+", purpose.lower())
    told = [word for word in words if word not in _FILLERS and word != project.lower()]
    base = re.sub(r"[^a-z0-9]+", "-", project.lower()).strip("-")
    parts = [base, *(told or [kind.value.partition("_")[2]])]
    name = "-".join(parts)[:40].rstrip("-")
    return name if name[:1].isalpha() else f"p-{name}"[:40].rstrip("-")


def _tuples(value: object) -> object:
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return {key: _tuples(item) for key, item in value.items()} if isinstance(value, dict) else value


_MODELS: Mapping[ResourceType, type[Properties]] = {
    ResourceType.S3_BUCKET: BucketProperties,
    ResourceType.RDS_INSTANCE: DatabaseProperties,
    ResourceType.LAMBDA_FUNCTION: FunctionProperties,
    ResourceType.IAM_POLICY: PolicyProperties,
}
_TITLES = {
    ResourceType.S3_BUCKET: "S3 bucket",
    ResourceType.RDS_INSTANCE: "RDS instance",
    ResourceType.LAMBDA_FUNCTION: "Lambda function",
    ResourceType.IAM_POLICY: "IAM policy",
}
_ALLOWED = "an S3 bucket, an RDS instance, a Lambda function or an IAM policy, as text or object"
_WORDS = {
    ResourceType.S3_BUCKET: re.compile(r"\bs3\b|\bbucket\b"),
    ResourceType.RDS_INSTANCE: re.compile(r"\brds\b"),
    ResourceType.LAMBDA_FUNCTION: re.compile(r"\blambda\b"),
    ResourceType.IAM_POLICY: re.compile(r"\biam\b"),
}
_FILLERS = frozenset(
    {"a", "an", "the", "new", "for", "of", "to", "with", "and", "in", "on", "gb", "tb", "change"}
    | {
        "aws",
        "s3",
        "bucket",
        "rds",
        "instance",
        "database",
        "lambda",
        "function",
        "iam",
        "policy",
        "policies",
    }
)
_NAME = re.compile(r"[a-z][a-z0-9-]{1,38}[a-z0-9]")
_SIZE = re.compile(r"\b(\d{1,6}(?:\.\d{1,3})?)\s*([TG])i?B\b", re.IGNORECASE)
