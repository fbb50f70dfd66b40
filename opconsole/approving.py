"""Approving: a person's yes or no to what waits, judged by who they are and what the rules want.

A vote is a row of its own. What it grants is decided by `guardrails.approving.judge` alone; here its facts
are gathered, and the signature is proved where the settings want one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from guardrails.approving import (
    Asked,
    Deciders,
    Granted,
    Needs,
    Refused,
    Verdict,
    Vote,
    judge,
    objection,
    same_person,
)
from guardrails.gates import Tier
from opconsole.answers import (
    FollowUp,
    Grant,
    RefusedError,
    Then,
    check_approver,
    event_of,
    given_reason,
    leave,
    reason_of,
    run_of,
    text_of,
)
from opconsole.asked import asked_of, unfrozen, vote_of
from opconsole.drift import drift_of, drifted
from opconsole.freezing import paused
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.deciding_ops import insert_vote
from opconsole.journal.records import Approval, ApprovalState, Purpose, RequestRow, Run, VoteRow
from opconsole.journal.writer import AuditOp, Op
from opconsole.plans import digest
from opconsole.signing import SignatureRefusedError, statement, verify
from opconsole.telling import told_of_break_glass
from queues.states import RunState


async def approve(host: Host, request: RequestRow) -> Grant:
    """Judge an approval: it grants what waits, or counts towards it."""
    approval, run = await waiting(host, request)
    _check_plan(approval, request)
    if approval.purpose is Purpose.GO_AHEAD:
        changed = await drift_of(host, run, approval)
        if changed:
            raise drifted(host, run, approval, changed, request.created_by)
    if approval.purpose is Purpose.FREEZE and (stop := await paused(host)) is not None:
        raise RefusedError(f"{stop}; that is not overridden for one run: opconsole unfreeze --reason …")
    _check_typed(approval, run, request)
    asked, who = asked_of(approval, run), deciders_of(host, approval, run)
    row = await cast_vote(host, asked, who, request)
    before = await votes_on(host, asked)
    return await _counted(host, _Ballot(approval, run, asked, who, row), before)


async def reject(host: Host, request: RequestRow) -> Grant:
    """Judge a rejection. It needs no signature: to stop is never harder than to go on."""
    approval, run = await waiting(host, request)
    check_approver(host, run, request.created_by)
    now, by, reason = host.clock.decides(), request.created_by, reason_of(request)
    vote = VoteRow(approval.id, by, by, now, Verdict.REJECT.value, reason)
    writes = (insert_vote(vote), *no_ops(host, approval, run, No(ApprovalState.REJECTED, by, reason)))
    return Grant(f"rejected {run.task}: {reason}", writes, (FollowUp(Then.SETTLE, run.key),))


async def expire(host: Host) -> list[FollowUp]:
    """Reject what has waited longer than its gate allows."""
    now = host.clock.decides()
    follow_ups: list[FollowUp] = []
    for approval in await host.read(host.reader.waiting_approvals):
        run = await host.read(host.reader.run, approval.run)
        if run is not None and approval.expires_at is not None and approval.expires_at <= now:
            no = No(ApprovalState.EXPIRED, "nobody", "no answer came in time")
            await host.journal.commit(*no_ops(host, approval, run, no))
            follow_ups.append(FollowUp(Then.SETTLE, run.key))
    return follow_ups


@dataclass(frozen=True, slots=True)
class No:
    """An answer that ends what was asked."""

    state: ApprovalState
    by: str
    reason: str


def no_ops(host: Host, approval: Approval, run: Run, answer: No) -> tuple[Op | AuditOp, ...]:
    """Give the writes of a rejection: of the run, or only of taking its effects back."""
    now = host.clock.now()
    if approval.purpose is Purpose.REVERT:
        after, text = RunState.HALTED, f"{run.reason}; {answer.by} rejected that: {answer.reason}"
    else:
        after, text = RunState.REJECTED, f"{answer.state.value} by {answer.by}: {answer.reason}"
    return (
        ops.decide_approval(approval, answer.state, now, answer.by, answer.reason),
        ops.audit(now, answer.by, answer.state.value, run.id, digest=approval.digest, reason=answer.reason),
        *leave(host, run, after, text),
    )


async def waiting(host: Host, request: RequestRow) -> tuple[Approval, Run]:
    """Give the approval that a request is about, which must wait for an answer still."""
    run = await run_of(host, request)
    now = host.clock.decides()
    for approval in await host.read(host.reader.approvals_of, run.id):
        if approval.state is ApprovalState.WAITING:
            if approval.expires_at is not None and approval.expires_at <= now:
                raise RefusedError(f"the request for {run.task} has expired, which is a rejection")
            return approval, run
    raise RefusedError(f"{run.task} is {run.state.value}: it waits for nobody's approval")


# -- what is asked, of whom ------------------------------------------------------------------------------


def deciders_of(host: Host, approval: Approval, run: Run) -> Deciders:
    """Give who may decide about it. Not to wait for a freeze takes one person: the plan was approved."""
    who = host.workspace.deciders(run.project, run.environment)
    if approval.purpose is Purpose.FREEZE:
        return unfrozen(who)
    return who


async def votes_on(host: Host, asked: Asked) -> list[Vote]:
    """Give the votes that were cast on what is asked."""
    rows = await host.read(host.reader.votes_of, asked.subject.approval)
    return [vote_of(asked.subject, row) for row in rows]


# -- one vote --------------------------------------------------------------------------------------------


async def cast_vote(host: Host, asked: Asked, who: Deciders, request: RequestRow) -> VoteRow:
    """Make the vote of an approving request; who gave it is what its signature proves, where there is one."""
    now, name, reason = host.clock.decides(), request.created_by, given_reason(request)
    row = VoteRow(asked.subject.approval, name, name, now, Verdict.APPROVE.value, reason)
    if who.signed:
        row = await _proved(host, asked, who, row, text_of(request, "signature"))
    why_not = objection(asked, who, vote_of(asked.subject, row))
    if why_not:
        raise RefusedError(why_not)
    return row


async def _proved(host: Host, asked: Asked, who: Deciders, row: VoteRow, signature: str) -> VoteRow:
    if not signature:
        raise RefusedError(
            "this approval must be signed: opconsole approve … --key FILE signs it with ssh-keygen, "
            "and the approval dialog does the same"
        )
    text = statement(host.place.id, asked.subject, Verdict.APPROVE, row.reason)
    try:
        signer = await asyncio.to_thread(
            verify,
            text,
            signature + "\n",
            host.in_force.signers,
            environ=host.environ,
            folder=host.place.runs.parent / "signatures",
            at=_set_back(host),
        )
    except SignatureRefusedError as refused:
        raise RefusedError(f"the signature is refused: {refused}") from refused
    if who.four_eyes and any(same_person(name, asked.requested_by) for name in signer.names):
        raise RefusedError(
            f"four eyes are wanted: the key is {signer.names[0]}'s, and {asked.requested_by} asked for it"
        )
    people = {*who.approvers, *who.seniors} if who.approvers else set(signer.names)
    known = [name for name in signer.names if name in people]
    # Always the key's first name: one key is one person, however many names it has.
    by = known[0] if known else signer.names[0]
    return replace(row, by=by, signature=signature, key=signer.key, verified=True)


def _set_back(host: Host) -> datetime | None:
    """Give the time that decides where the machine's clock is behind it: a key that expired stays so."""
    now = host.clock.decides()
    return now if now - host.clock.now() > timedelta(seconds=60) else None


@dataclass(frozen=True, slots=True)
class _Ballot:
    approval: Approval
    run: Run
    asked: Asked
    who: Deciders
    vote: VoteRow


async def _counted(host: Host, ballot: _Ballot, before: Sequence[Vote]) -> Grant:
    """Count a vote with those before it, and give what follows from all of them."""
    now, run, row = host.clock.decides(), ballot.run, ballot.vote
    vote = vote_of(ballot.asked.subject, row)
    outcome = judge(ballot.asked, ballot.who, [*before, vote], now)
    if isinstance(outcome, Refused):
        raise RefusedError(outcome.why)
    voted = insert_vote(row)
    if isinstance(outcome, Needs):
        if outcome == judge(ballot.asked, ballot.who, before, now):
            raise RefusedError(f"{row.by} approved already; it still needs {outcome}")
        text = f"{row.by} approved {run.task} for {run.environment}; it still needs {outcome}"
        facts: dict[str, Any] = {
            "digest": ballot.approval.digest,
            "reason": row.reason,
            "signed": row.verified,
        }
        writes = (
            voted,
            ops.audit(now, row.by, "vote", run.id, key=row.key, needs=list(outcome.missing), **facts),
            event_of(host, run, "vote", by=row.by, needs=list(outcome.missing), **facts),
        )
        return Grant(text, writes)
    return _granted(host, ballot, outcome)


def _granted(host: Host, ballot: _Ballot, outcome: Granted) -> Grant:
    now, run, approval, row = host.clock.now(), ballot.run, ballot.approval, ballot.vote
    by = ", ".join(outcome.by)
    writes: list[Op | AuditOp] = [
        insert_vote(row),
        ops.decide_approval(approval, ApprovalState.APPROVED, now, by, row.reason or None),
        ops.audit(
            now,
            row.by,
            "freeze-overridden" if approval.purpose is Purpose.FREEZE else "approved",
            run.id,
            digest=approval.digest,
            purpose=approval.purpose,
            reason=row.reason,
            by=list(outcome.by),
            signed=row.verified,
            key=row.key,
        ),
        event_of(
            host, run, "approved", by=by, reason=row.reason, digest=approval.digest, signed=row.verified
        ),
    ]
    if outcome.break_glass:
        text = f"{by} approved {run.task} for {run.environment} alone, without a second person: {row.reason}"
        writes += [
            ops.audit(now, row.by, "break-glass", run.id, digest=approval.digest, reason=row.reason),
            *told_of_break_glass(host, run, by, row.reason),
            event_of(host, run, "alert", priority="P0", text=text),
        ]
    what = "overrode the freeze for" if approval.purpose is Purpose.FREEZE else "approved"
    return Grant(f"{what} {run.task} for {run.environment}", tuple(writes), (FollowUp(Then.RESUME, run.key),))


def _check_plan(approval: Approval, request: RequestRow) -> None:
    if digest(approval.plan) != approval.digest:
        raise RefusedError(
            "the plan on record is not the one that its digest names: the journal was edited; "
            "cancel the run and try it again"
        )
    if approval.digest != text_of(request, "plan"):
        raise RefusedError(
            f"the plan is not the one you name: it is {approval.digest}; look at it again, then decide"
        )


def _check_typed(approval: Approval, run: Run, request: RequestRow) -> None:
    """Hold an approval to what its tier asks of a person."""
    if approval.tier < Tier.REASONED:
        return
    if not given_reason(request):
        raise RefusedError("this approval needs a reason; give one with --reason")
    typed = text_of(request, "environment")
    if typed != run.environment:
        raise RefusedError(
            f"this approval needs the environment's name typed out; found {typed!a}, "
            f"expected {run.environment!a} (--environment {run.environment})"
        )
