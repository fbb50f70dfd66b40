"""Who may decide and when: the part of the settings about approvals, signers and freeze windows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StrictStr, model_validator

from guardrails.approving import SENIOR_OVER
from guardrails.freezing import Dated, Weekly, Window
from opconsole.settings.errors import Wrong, custom_error
from opconsole.settings.targets import Section
from opconsole.settings.types import Flag, Line, Names, Place, Positive, Seconds, Wait


class Day(StrEnum):
    """A day of the week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


def _hour(text: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00", text):
        raise custom_error("this is no time of day", allowed="for example 16:30; 24:00 is the day's end")
    return text


def _moment(text: str) -> str:
    wrong = custom_error(
        "this is no day, or no time of a day", allowed="for example 2026-12-20 or 2026-12-20T18:00"
    )
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d)?", text):
        raise wrong
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise wrong from None
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise custom_error(
            "this time zone is not known", allowed="for example UTC or Europe/Berlin"
        ) from None
    return name


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Hour = Annotated[StrictStr, AfterValidator(_hour)]
"""A time of day, ``HH:MM``."""
LocalMoment = Annotated[StrictStr, AfterValidator(_moment)]
"""A day, or a time of a day, in the window's zone."""
Zone = Annotated[StrictStr, AfterValidator(_zone)]
"""A time zone by its name."""
Dollars = Annotated[float, Field(strict=True, ge=0, le=1_000_000_000, allow_inf_nan=False)]
"""Dollars a month."""


class Freeze(Section):
    """``[[approvals.freezes]]``: a window in which no effect begins: days of every week, or once."""

    name: Line
    """What it is called in the reason of a run that waits for its end."""
    days: Annotated[tuple[Day, ...], BeforeValidator(_listed)] = ()
    """Days of every week on which it begins. Default: it is dated, by since and until."""
    begin: Hour = "00:00"
    """When it begins on these days."""
    end: Hour = "24:00"
    """When it ends; not after begin: on the next day."""
    since: LocalMoment | None = None
    """When a dated window begins. Default: it recurs, on its days."""
    until: LocalMoment | None = None
    """When a dated window ends; that moment is not part of it. Default: it recurs, on its days."""
    zone: Zone = "UTC"
    """The time zone of all of these."""
    projects: Names = ()
    """The projects that it holds for; empty: all."""
    environments: Names = ()
    """The environments that it holds for; empty: those with the gate of production."""

    @model_validator(mode="after")
    def _recurs_or_is_dated(self) -> Self:
        dated = self.since is not None and self.until is not None
        if bool(self.days) == dated or (self.days and (self.since or self.until)):
            raise custom_error("a window recurs or is dated", allowed="either days, or since and until")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise custom_error("the window ends before it begins", allowed="until after since")
        if self.begin == "24:00":
            raise custom_error("a window cannot begin at the day's end", allowed="00:00 to 23:59")
        return self

    @property
    def window(self) -> Window:
        """The window itself."""
        zone = ZoneInfo(self.zone)
        if self.since is not None and self.until is not None:
            since, until = (
                datetime.fromisoformat(one).replace(tzinfo=zone) for one in (self.since, self.until)
            )
            return Dated(self.name, since.astimezone(UTC), until.astimezone(zone))
        days = frozenset(list(Day).index(day) for day in self.days)
        end = None if self.end == "24:00" else time.fromisoformat(self.end)
        return Weekly(self.name, days, time.fromisoformat(self.begin), end, zone)


class ApprovalRules(Section):
    """``[projects.P.approvals]``: who decides there, also as ``[projects.P.environments.E.approvals]``."""

    approvers: Names | None = None
    """Who may approve. Default: the table above's, which for an environment is its project's."""
    quorum: Positive | None = None
    """How many different people must approve. Default: as above."""
    four_eyes: Flag | None = None
    """Whether whoever asked for a run is kept from approving it. Default: as above."""
    seniors: Names | None = None
    """Who counts as senior. Default: as above."""
    wait: Wait | None = None
    """Seconds after a request in which nobody may approve it. Default: as above."""
    expires_after: Seconds | None = None
    """Seconds after which an unanswered request counts as rejected. Default: as above."""


class Approvals(Section):
    """``[approvals]``: how deciding feels, and who may."""

    guard: Wait = 0.5
    """Seconds for which a dialog that just opened takes no confirming key, against accidents."""
    countdown: Wait = 3
    """Seconds from confirming a decision of the third tier to its sending, in which it can be taken back."""
    break_glass_wait: Wait = 300
    """Seconds that a decision waits that should have had a second person and has none."""
    approvers: Names = ()
    """Who may approve; empty: whoever operates the console."""
    quorum: Positive = 1
    """How many different people must approve."""
    four_eyes: Flag = False
    """True: whoever asked for a run cannot approve it."""
    seniors: Names = ()
    """Who counts as senior; they may approve, too. Empty: every approver is one."""
    senior_over: Dollars = SENIOR_OVER
    """Dollars a month from which on a second, senior person approves what is to be provisioned."""
    wait: Wait = 0
    """Seconds after a request in which nobody may approve it."""
    expires_after: Seconds | None = None
    """Seconds after which an unanswered request counts as rejected. Default: never."""
    allowed_signers: Place | None = None
    """File of SSH keys and their names, as ``ssh-keygen`` reads it; approvals must be signed then.
    Default: names are labels that prove nothing, and are shown as advisory."""
    revoked_keys: Place | None = None
    """File of SSH public keys that sign nothing any more, a line each. Default: none is revoked."""
    freezes: Annotated[tuple[Freeze, ...], BeforeValidator(_listed)] = ()
    """Windows in which no effect begins."""

    @model_validator(mode="after")
    def _revoked_keys_are_those_of_signers(self) -> Self:
        if self.revoked_keys is not None and self.allowed_signers is None:
            raise custom_error(
                "revoked_keys says nothing without signers", allowed="allowed_signers beside it, or neither"
            )
        return self


def frozen_nowhere(freezes: Sequence[Freeze], projects: Sequence[str], places: Sequence[str]) -> list[Wrong]:
    """Find names in freezes that are no project's and no environment's: that would freeze nothing."""
    return [
        Wrong(
            ("approvals", "freezes", number, field, at),
            name,
            ", ".join(dict.fromkeys(known)) or "none is configured",
            f"there is no such {word}",
        )
        for number, freeze in enumerate(freezes)
        for field, word, named, known in (
            ("projects", "project", freeze.projects, projects),
            ("environments", "environment", freeze.environments, places),
        )
        for at, name in enumerate(named)
        if name not in known
    ]
