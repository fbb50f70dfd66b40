"""What an approval asks, of whom, and what a person's yes would come to now: read from the plan alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from guardrails.approving import (
    Asked,
    Deciders,
    Needed,
    Needs,
    Subject,
    Verdict,
    Vote,
    judge,
    objection,
)
from guardrails.gates import Tier
from opconsole.journal.records import Approval, JsonMap, Purpose, Run, VoteRow
from opconsole.views import RunView


def asked_of(approval: Approval, run: Run) -> Asked:
    """Give what an approval asks."""
    names, needs = approval.plan.get("named_approvers"), approval.plan.get("needs")
    needed = Needed()
    if isinstance(needs, dict):
        needed = Needed(int(needs["approvals"]), int(needs["seniors"]))
    return Asked(
        subject=Subject(approval.id, approval.digest, run.id, run.attempt, run.project, run.environment),
        tier=Tier(approval.tier),
        requested_by=approval.requested_by,
        requested_at=approval.requested_at,
        expires_at=approval.expires_at,
        named=tuple(str(name) for name in names) if isinstance(names, list) else (),
        needed=needed,
    )


def unfrozen(who: Deciders) -> Deciders:
    """Give who may decide not to wait for a freeze: one person, for the plan itself was approved."""
    return replace(who, quorum=1, four_eyes=False, wait=0)


def vote_of(subject: Subject, row: VoteRow) -> Vote:
    """Give a vote on record as what it was a vote on."""
    return Vote(subject, row.by, row.at, Verdict(row.verdict), row.reason, row.verified)


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a person's approval would come to."""

    against: str = ""
    """Why it would be refused now, in a sentence; empty: it would count."""
    lacking: str = ""
    """What would be missing after it; empty: it would grant what is asked, as far as the plan tells."""
    who: tuple[str, ...] = ()
    """Who may decide; empty: whoever operates the console."""


def prospect(view: RunView, approval: Approval, by: str, now: datetime) -> Prospect:
    """Say what an approval by *by* would come to now, given with a reason."""
    who = _deciders(approval)
    if who is None:
        return Prospect()
    if view.signed:  # the key says who approves, and which one will be used nobody knows yet
        return Prospect(who=who.approvers)
    asked = asked_of(approval, view.run)
    mine = Vote(asked.subject, by, now, Verdict.APPROVE, "a reason", verified=True)
    against = objection(asked, who, mine)
    if against:
        return Prospect(against, who=who.approvers)
    others = [vote_of(asked.subject, row) for row in view.votes_on(approval)]
    outcome = judge(asked, who, [*others, mine], now)
    lacking = str(outcome) if isinstance(outcome, Needs) else ""
    if lacking and any(one.by == by and one.verdict is Verdict.APPROVE for one in others):
        return Prospect(f"{by} approved already; it still needs {lacking}", who=who.approvers)
    return Prospect("", lacking, who.approvers)


def _deciders(approval: Approval) -> Deciders | None:
    """Give who may decide, as the plan has it; None where it does not say, as plans of long ago."""
    policy, names = approval.plan.get("policy"), approval.plan.get("approvers")
    if not isinstance(policy, dict) or not isinstance(names, list):
        return None
    wait, glass, quorum = _number(policy, "wait"), _number(policy, "break_glass_wait"), policy.get("quorum")
    if wait is None or glass is None or not isinstance(quorum, int):
        return None
    seniors = policy.get("seniors")
    found = Deciders(
        approvers=tuple(str(name) for name in names),
        quorum=quorum,
        four_eyes=policy.get("four_eyes") is True,
        seniors=tuple(str(name) for name in seniors) if isinstance(seniors, list) else (),
        wait=wait,
        break_glass_wait=glass,
    )
    return unfrozen(found) if approval.purpose is Purpose.FREEZE else found


def _number(of: JsonMap, name: str) -> float | None:
    value = of.get(name)
    return float(value) if isinstance(value, (int, float)) else None
