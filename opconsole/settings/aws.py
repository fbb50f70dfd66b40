"""How AWS is reached, and where the record of what was provisioned is kept: a part of the settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import StrictStr, StringConstraints

from opconsole.settings.targets import Section
from opconsole.settings.types import Line, Place, WebAddress

AwsRegion = Annotated[StrictStr, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
AwsAccount = Annotated[StrictStr, StringConstraints(pattern=r"^[0-9]{12}$")]
"""The twelve digits of an AWS account, as text."""
AwsRole = Annotated[
    StrictStr, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$")
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
