"""Deciding about a change of policy that loosens: by the people and the rules of the policy before it."""

from __future__ import annotations

from dataclasses import replace

from guardrails.approving import (
    Asked,
    Deciders,
    Needs,
    Refused,
    Subject,
    Verdict,
    Vote,
    judge,
    objection,
)
from guardrails.gates import Tier
from opconsole.answers import FollowUp, Grant, RefusedError, Then, reason_of, text_of
from opconsole.approving import cast_vote, votes_on
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.deciding_ops import decide_policy, insert_vote
from opconsole.journal.records import PolicyRow, PolicyState, RequestRow, VoteRow
from opconsole.journal.writer import AuditOp, Op
from opconsole.policy import compare
from opconsole.policy_watch import place_in
from opconsole.workspace import AWS

POLICY = "policy"
"""What stands for a run in the subject of such a vote."""


def policy_subject(policy: PolicyRow) -> Subject:
    """Give what a vote on a change of policy is about."""
    return Subject(policy.id, policy.digest, POLICY, 0, "", POLICY)


async def approve_policy(host: Host, request: RequestRow) -> Grant:
    """Judge an approval of what a policy loosens; every environment that it is about must grant it."""
    policy = await _waiting(host, request)
    if text_of(request, "plan") != policy.digest:
        raise RefusedError(f"the policy is not the one you name: it is {policy.digest}; look at it again")
    reason_of(request)
    asked, places = _asked(policy), _deciders(host, policy)
    row = await cast_vote(host, asked, _strictest(places), request)
    before = await votes_on(host, asked)
    vote = Vote(asked.subject, row.by, row.at, Verdict.APPROVE, row.reason, row.verified)
    needs: dict[str, None] = {}
    for who in places:
        why_not = objection(asked, who, vote)
        if why_not:
            raise RefusedError(why_not)
        outcome = judge(asked, who, [*before, vote], row.at)
        if isinstance(outcome, Refused):
            raise RefusedError(outcome.why)
        if isinstance(outcome, Needs):
            needs |= dict.fromkeys(outcome.missing)
    if needs:
        return _counted(host, policy, row, before, tuple(needs))
    return _granted(host, policy, row, [one.by for one in [*before, vote]])


async def reject_policy(host: Host, request: RequestRow) -> Grant:
    """Judge a rejection: the policy stays as it was before, whatever the settings say."""
    policy = await _waiting(host, request)
    reason, by, now = reason_of(request), request.created_by, host.clock.now()
    for who in _deciders(host, policy):
        if who.approvers and by not in (*who.approvers, *who.seniors):
            raise RefusedError(f"{by} may not decide about the policy; allowed: {', '.join(who.approvers)}")
    writes = (
        insert_vote(VoteRow(policy.id, by, by, now, Verdict.REJECT.value, reason)),
        decide_policy(policy, now, by, reason, approved=False),
        ops.audit(now, by, "policy-rejected", policy.id, digest=policy.digest, reason=reason),
    )
    return Grant(f"rejected the change of policy {policy.id}: {reason}; set the settings back", writes)


def _counted(
    host: Host, policy: PolicyRow, row: VoteRow, before: list[Vote], needs: tuple[str, ...]
) -> Grant:
    missing = " and ".join(needs)
    if any(one.by == row.by for one in before):
        raise RefusedError(f"{row.by} approved already; it still needs {missing}")
    writes = (
        insert_vote(row),
        ops.audit(
            host.clock.now(),
            row.by,
            "vote",
            policy.id,
            digest=policy.digest,
            reason=row.reason,
            signed=row.verified,
            key=row.key,
            needs=list(needs),
        ),
    )
    return Grant(f"{row.by} approved the change of policy; it still needs {missing}", writes)


def _granted(host: Host, policy: PolicyRow, row: VoteRow, by: list[str]) -> Grant:
    now, names = host.clock.now(), ", ".join(dict.fromkeys(by))
    writes: list[Op | AuditOp] = [
        insert_vote(row),
        decide_policy(policy, now, names, row.reason, approved=True),
        ops.audit(
            now,
            row.by,
            "policy-approved",
            policy.id,
            digest=policy.digest,
            reason=row.reason,
            by=list(dict.fromkeys(by)),
            signed=row.verified,
            key=row.key,
            loosens=list(policy.loosens),
        ),
    ]
    projects = list(host.in_force.configured.settings.projects)
    follow_ups = tuple(FollowUp(Then.RELOAD, project) for project in projects)
    return Grant(
        f"the policy {policy.id} is in force; what waits for approval is asked anew under it",
        tuple(writes),
        follow_ups,
        policy=replace(
            policy,
            in_force=policy.document,
            state=PolicyState.IN_FORCE,
            decided_at=now,
            decided_by=names,
            reason=row.reason,
        ),
    )


async def _waiting(host: Host, request: RequestRow) -> PolicyRow:
    named = text_of(request, "policy")
    policy = await host.read(host.reader.policy_of, named)
    if policy is None:
        raise RefusedError(f"there is no policy {named!a}; opconsole approvals lists what waits")
    if policy.state is not PolicyState.WAITING:
        raise RefusedError(f"the policy {policy.id} is {policy.state.value}: it waits for nobody's approval")
    return policy


def _asked(policy: PolicyRow) -> Asked:
    return Asked(policy_subject(policy), Tier.REASONED, policy.seen_by, policy.seen_at)


def _deciders(host: Host, policy: PolicyRow) -> list[Deciders]:
    """Give who decides about it: for each environment that it is about, by the policy before it."""
    workspace = host.workspace
    known = [
        (project, place)
        for project in workspace.settings.projects
        for place in workspace.environments(project)
    ]
    about = compare(policy.in_force, policy.document, place_in(workspace)).places
    aws = [(project, AWS) for project in workspace.settings.projects]
    found = [pair for pair in dict.fromkeys([*known, *aws]) if ":".join(pair) in about] if about else known
    # One that is new and reaches into another has no rules yet: everybody's hold then.
    return [workspace.deciders(*pair) for pair in found or known] or [Deciders()]


def _strictest(places: list[Deciders]) -> Deciders:
    """Give rules that a vote is first looked at by; each environment's own follow."""
    return replace(places[0], signed=any(who.signed for who in places))
