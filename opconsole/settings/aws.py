"""How AWS is reached, and where the record of what was provisioned is kept: a part of the settings."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StrictStr

from opconsole.settings.errors import custom_error
from opconsole.settings.targets import Section
from opconsole.settings.types import Line, Place, WebAddress

PLACE = "aws"
"""The environment in which provisioning runs, where no environment of the settings has that name."""


def _shaped(pattern: str, message: str, allowed: str) -> AfterValidator:
    def check(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise custom_error(message, allowed=allowed)
        return text

    return AfterValidator(check)


AwsRegion = Annotated[
    StrictStr, _shaped(r"[a-z]{2}(-[a-z]+)+-[0-9]", "this is no AWS region", "for example eu-central-1")
]
AwsAccount = Annotated[
    StrictStr, _shaped(r"[0-9]{12}", "this is no AWS account", "its twelve digits, in quotes")
]
"""The twelve digits of an AWS account, as text."""
AwsRole = Annotated[
    StrictStr,
    _shaped(
        r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+",
        "this is no role's ARN",
        "for example arn:aws:iam::123456789012:role/provisioner",
    ),
]


class AwsSection(Section):
    """``[aws]``: where and as whom AWS resources are provisioned; ``[projects.P.aws]`` stands over it."""

    region: AwsRegion = "us-east-1"
    """The region of the resources."""
    profile: Line | None = None
    """A profile of AWS's own configuration files. Default: the credentials of the worker's environment."""
    role: AwsRole | None = None
    """ARN of a role to assume."""
    account: AwsAccount | None = None
    """The account that it must be, checked with STS before anything else is asked. Default: any."""
    repository: Place = "infrastructure"
    """The git repository that keeps templates, cases and decisions, relative to the workspace."""
    prices: Place | None = None
    """A table of prices of your own, relative to the workspace. Default: opconsole's own."""
    endpoint: WebAddress | None = None
    """Another address for all of AWS's services: a stand-in for trying things out."""


def aws_over(common: AwsSection, own: AwsSection | None) -> AwsSection:
    """Give how AWS is reached for a project: its own section, key by key over the workspace's."""
    said = own.model_dump(exclude_unset=True) if own else {}
    return AwsSection.model_validate({**common.model_dump(exclude_unset=True), **said})
