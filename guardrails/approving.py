"""Who may decide: says whether the votes of people grant what was asked, as a pure function.

A vote counts only for the very thing it was given for: its approval, plan, run, attempt and environment.
Neither the order of votes nor their repetition matters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from guardrails.gates import Tier

SENIOR_OVER = 500.0
"""Dollars a month from which on a second, senior person approves. Source: the guide's provisioning policy."""


@dataclass(frozen=True, slots=True)
class Needed:
    """How many people must approve, whatever the settings say."""

    approvals: int = 1
    seniors: int = 0
    """How many of them must be senior."""


@dataclass(frozen=True, slots=True)
class Deciders:
    """Who may decide in an environment, and how; the settings' word."""

    approvers: tuple[str, ...] = ()
    """Their names; empty: whoever operates the console."""
    quorum: int = 1
    """How many different people must approve."""
    four_eyes: bool = False
    """Whoever asked for a run cannot approve it."""
    seniors: tuple[str, ...] = ()
    """Who counts as senior; empty: every approver."""
    wait: float = 0
    """Seconds after the request during which nobody may approve yet."""
    break_glass_wait: float = 300
    """Seconds after which one person alone may approve what wants a second one, where there is none."""
    signed: bool = False
    """Only approvals whose signature was verified count."""

    @property
    def alone(self) -> bool:
        """Whether no second person is known who could approve."""
        return not self.seniors and len(self.approvers) < 2


@dataclass(frozen=True, slots=True)
class Subject:
    """What exactly is decided about. A vote for any other subject is no vote."""

    approval: str
    digest: str
    run: str
    attempt: int
    project: str
    environment: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for approval."""

    subject: Subject
    tier: Tier
    requested_by: str
    requested_at: datetime
    expires_at: datetime | None = None
    named: tuple[str, ...] = ()
    """The people whom the task itself names. A queue file is not trusted: they only narrow the approvers."""
    needed: Needed = Needed()


class Verdict(StrEnum):
    """What a vote says."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's answer."""

    subject: Subject
    by: str
    at: datetime
    verdict: Verdict
    reason: str = ""
    verified: bool = False
    """Its signature proves who gave it; else the name is only a label."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The votes suffice."""

    by: tuple[str, ...]
    break_glass: bool = False
    """A second person was wanted, there is none, and one alone approved after the wait."""


@dataclass(frozen=True, slots=True)
class Needs:
    """The votes do not suffice yet; what is missing, in words."""

    missing: tuple[str, ...]

    def __str__(self) -> str:
        return " and ".join(self.missing)


@dataclass(frozen=True, slots=True)
class Refused:
    """It was rejected, or nobody answered in time."""

    why: str


def judge(asked: Asked, who: Deciders, votes: Iterable[Vote], now: datetime) -> Granted | Needs | Refused:
    """Say whether *votes* grant what was asked."""
    answers = list(votes)
    no = sorted(vote.by for vote in answers if rejects(asked, who, vote))
    if no:
        return Refused(f"rejected by {', '.join(dict.fromkeys(no))}")
    counted = {
        _folded(vote.by): vote
        for vote in sorted(answers, key=lambda one: one.at)
        if vote.verdict is Verdict.APPROVE and not objection(asked, who, vote)
    }
    missing = _missing(asked, who, counted)
    by = tuple(sorted(vote.by for vote in counted.values()))
    if not missing:
        return Granted(by)
    if len(counted) >= who.quorum and any(_breaks_glass(asked, who, vote) for vote in counted.values()):
        return Granted(by, break_glass=True)
    if asked.expires_at is not None and now >= asked.expires_at:
        return Refused("no answer came in time")
    return Needs(missing)


def objection(asked: Asked, who: Deciders, vote: Vote) -> str:
    """Say why an approving vote does not count; empty where it does."""
    checks = (_wrong_subject, _wrong_person, _too_little, _too_early, _same_eyes)
    return next((found for check in checks if (found := check(asked, who, vote))), "")


def rejects(asked: Asked, who: Deciders, vote: Vote) -> bool:
    """Say whether a vote rejects what was asked. To stop needs no signature, no reason here and no wait."""
    return (
        vote.verdict is Verdict.REJECT
        and vote.subject == asked.subject
        and (asked.expires_at is None or vote.at < asked.expires_at)
        and _listed(vote.by, who)
    )


def needed_for_cost(dollars_a_month: float | None, senior_over: float = SENIOR_OVER) -> Needed:
    """Say how many must approve a cost; one that is not known counts as a high one.

    >>> needed_for_cost(500)
    Needed(approvals=2, seniors=1)
    """
    known = dollars_a_month is not None and math.isfinite(dollars_a_month) and dollars_a_month >= 0
    if known and dollars_a_month is not None and dollars_a_month < senior_over:
        return Needed()
    return Needed(approvals=2, seniors=1)


def same_person(one: str, other: str) -> bool:
    """Say whether two names may be one person: ``ada`` and ``ada@example.org`` are taken for one."""
    a, b = _folded(one), _folded(other)
    if a == b:
        return True
    return ("@" in a) != ("@" in b) and a.partition("@")[0] == b.partition("@")[0]


def _wrong_subject(asked: Asked, who: Deciders, vote: Vote) -> str:
    del who
    if vote.subject != asked.subject:
        return f"the approval was given for another {_other(asked.subject, vote.subject)}, not for this one"
    if asked.expires_at is not None and vote.at >= asked.expires_at:
        return "the request has expired, which is a rejection"
    return ""


def _wrong_person(asked: Asked, who: Deciders, vote: Vote) -> str:
    if not _listed(vote.by, who):
        place = f"{asked.subject.project} in {asked.subject.environment}"
        return f"{vote.by} may not decide for {place}; allowed: {', '.join(_people(who))}"
    if asked.named and vote.by not in asked.named:
        return f"{vote.by} may not approve this task: it names {', '.join(asked.named)}"
    return ""


def _too_little(asked: Asked, who: Deciders, vote: Vote) -> str:
    if who.signed and not vote.verified:
        return "this approval must be signed with the key of one of the allowed signers"
    if asked.tier >= Tier.REASONED and not vote.reason.strip():
        return "this approval needs a reason; give one with --reason"
    return ""


def _too_early(asked: Asked, who: Deciders, vote: Vote) -> str:
    left = (asked.requested_at + timedelta(seconds=who.wait) - vote.at).total_seconds()
    return f"this can be approved in {left:.0f} s: the settings want a wait" if left > 0 else ""


def _same_eyes(asked: Asked, who: Deciders, vote: Vote) -> str:
    own = same_person(vote.by, asked.requested_by)
    if own and who.four_eyes:
        return f"four eyes are wanted: {asked.requested_by} asked for it, so another person must approve"
    if not _wants_second(asked):
        return ""
    lone = own and _quorum(asked, who) == 1
    if not who.alone:
        second = f"this needs a second person: {asked.requested_by} asked for it, another must approve"
        return second if lone else ""
    lone = lone or (asked.needed.approvals > 1 and bool(who.approvers))
    if not lone or _breaks_glass(asked, who, vote):
        return ""
    left = (asked.requested_at + timedelta(seconds=who.break_glass_wait) - vote.at).total_seconds()
    return (
        f"there is no second person here, so this can be approved in {left:.0f} s, with a reason; "
        "it will be announced"
    )


def _missing(asked: Asked, who: Deciders, counted: Mapping[str, Vote]) -> tuple[str, ...]:
    missing = []
    lacking = _quorum(asked, who) - len(counted)
    if lacking > 0:
        able = [name for name in _people(who) if not asked.named or name in asked.named]
        left = [name for name in able if _folded(name) not in counted]
        whom = f" of {', '.join(left)}" if left else " by another person" if counted else ""
        missing.append(f"{lacking} {'more ' if counted else ''}approval{'s' * (lacking > 1)}{whom}")
    if asked.needed.seniors and who.seniors:
        seniors = {_folded(name) for name in who.seniors}
        if len(seniors & set(counted)) < asked.needed.seniors:
            missing.append(f"a senior approver: {', '.join(who.seniors)}")
    own = counted and all(same_person(vote.by, asked.requested_by) for vote in counted.values())
    if own and asked.tier >= Tier.SECOND_PERSON:
        missing.append(f"a second person: {asked.requested_by} asked for it")
    return tuple(missing)


def _quorum(asked: Asked, who: Deciders) -> int:
    return max(who.quorum, asked.needed.approvals)


def _wants_second(asked: Asked) -> bool:
    return asked.tier >= Tier.SECOND_PERSON or asked.needed.approvals > 1


def _breaks_glass(asked: Asked, who: Deciders, vote: Vote) -> bool:
    """Say whether one person's vote stands for two: there is no second one, and the wait is over."""
    after = asked.requested_at + timedelta(seconds=who.break_glass_wait)
    return _wants_second(asked) and who.alone and vote.at >= after and bool(vote.reason.strip())


def _people(who: Deciders) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*who.approvers, *who.seniors))) if who.approvers else ()


def _listed(name: str, who: Deciders) -> bool:
    return not who.approvers or name in _people(who)


def _other(wanted: Subject, given: Subject) -> str:
    names = {
        "run": "run",
        "attempt": "attempt",
        "environment": "environment",
        "project": "project",
        "digest": "plan",
        "approval": "request",
    }
    found = [word for name, word in names.items() if getattr(wanted, name) != getattr(given, name)]
    return " and ".join(found)


def _folded(name: str) -> str:
    return name.strip().casefold()
