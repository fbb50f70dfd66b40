"""The settings of being told: channels, what goes to each, quiet hours, templates, a terminal's signs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from enum import StrEnum
from string import Template
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from opconsole.desktop_sign import DesktopSign
from opconsole.settings.errors import custom_error
from opconsole.settings.secrets import SecretRef
from opconsole.settings.targets import Section
from opconsole.settings.types import ONLY_REFERENCES, EnvironmentName, Flag, ProjectName, SettingsValue


class Happening(StrEnum):
    """What somebody may want to be told of."""

    APPROVAL_WAITING = "approval-waiting"  # a plan waits for a person
    DEPLOYMENT_FAILED = "deployment-failed"  # failed, halted or interrupted, whatever the task was
    VIOLATION_BLOCKED = "violation-blocked"  # the guardrails stopped it
    ROLLED_BACK = "rolled-back"  # it failed, and the previous release is back
    BREAK_GLASS = "break-glass"  # somebody approved alone what wants two persons
    SUCCEEDED = "succeeded"


class Priority(StrEnum):
    """How urgent it is, the most urgent first."""

    P0 = "P0"  # now, whatever the hour
    P1 = "P1"  # soon
    P2 = "P2"  # today
    P3 = "P3"  # to know


POLICY: Mapping[str, tuple[Happening, ...]] = {
    "ops": (Happening.APPROVAL_WAITING,),
    "incident": (Happening.DEPLOYMENT_FAILED, Happening.BREAK_GLASS),
    "pager": (Happening.DEPLOYMENT_FAILED, Happening.BREAK_GLASS),
    "security": (Happening.VIOLATION_BLOCKED,),
    "deployments": (Happening.ROLLED_BACK,),
}
"""What the default policy tells whom, by the channel's name."""

FIELDS = frozenset({"project", "environment", "task", "version", "run", "event", "priority", "reason", "at"})
"""What a template may name as ``$field``."""

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


def hours(text: str) -> tuple[time, time]:
    """Read quiet hours such as ``22:00-07:00``; raises ValueError."""
    match = _HOURS.fullmatch(text)
    if match is None or match[1] + match[2] == match[3] + match[4]:
        raise ValueError(text)
    return time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))


def _quiet(text: str) -> str:
    try:
        hours(text)
    except ValueError:
        raise custom_error("these are no hours of a day", allowed='for example "22:00-07:00"') from None
    return text


def _template(text: str) -> str:
    template = Template(text)
    unknown = sorted(set(template.get_identifiers()) - FIELDS) if template.is_valid() else ["$"]
    if unknown or not text.strip():
        shown = f"${unknown[0]} means nothing here" if unknown and unknown != ["$"] else "this is no template"
        raise custom_error(shown, allowed="text with " + ", ".join(f"${name}" for name in sorted(FIELDS)))
    return text


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


TemplateText = Annotated[StrictStr, AfterValidator(_template)]
ChannelName = Annotated[StrictStr, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
Happenings = Annotated[tuple[Happening, ...], Field(min_length=1), BeforeValidator(_listed)]
Projects = Annotated[tuple[ProjectName, ...], BeforeValidator(_listed)]
Environments = Annotated[tuple[EnvironmentName, ...], BeforeValidator(_listed)]


class Channel(Section):
    """``[notifications.channels.NAME]``: somewhere that people are told."""

    url: SettingsValue
    """Where the channel's Apprise URL is kept; it holds tokens, so it does not stand here itself."""
    events: Happenings | None = None
    """What is told there. Default: what the policy tells a channel of that name; others hear of all."""
    least: Priority = Priority.P3
    """The least urgent priority that is told there."""
    projects: Projects = ()
    """Only these projects; empty: all."""
    environments: Environments = ()
    """Only these environments, by their full names; empty: all."""
    quiet: Annotated[StrictStr, AfterValidator(_quiet)] | None = None
    """Hours of the worker's clock in which only P0 is told; the rest comes when they end. Default: none."""

    @field_validator("url")
    @classmethod
    def _a_url_is_a_secret(cls, value: str | SecretRef, _: ValidationInfo) -> SecretRef:
        if isinstance(value, str):
            raise custom_error("a channel's URL is a secret and does not stand here", allowed=ONLY_REFERENCES)
        return value


class Notifications(Section):
    """``[notifications]``: who is told of what, and how a terminal calls whoever sits before it."""

    bell: Flag = False
    """True: the console rings the terminal's bell when an approval begins to wait or a run fails."""
    desktop: DesktopSign = DesktopSign.OFF
    """Control sequence by which the console asks the terminal for a desktop notification."""
    channels: Mapping[ChannelName, Channel] = Field(default_factory=dict)
    """Where people are told. The policy knows the names ops, incident, pager, security and deployments."""
    templates: Mapping[Happening, TemplateText] = Field(default_factory=dict)
    """Texts in place of our own, by event; ``$project``, ``$task`` and the like are filled in."""
