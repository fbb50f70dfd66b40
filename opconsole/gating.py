"""The gate of a run: whether a person must approve its plan, by which tier, and the request for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from guardrails.findings import Severity, Verdict
from guardrails.gates import Action, GateDecision, GateFacts, decide
from opconsole.attempt import Attempt
from opconsole.ids import new_approval_id
from opconsole.journal.records import Approval, ApprovalState, Purpose
from opconsole.plans import Plan


async def decision_for(attempt: Attempt, *, irreversible: bool, senior: bool = False) -> GateDecision:
    """Say whether the run needs an approval, by the journal's facts and what the guardrails found.

    *senior* says that its cost wants a second, senior approver.
    """
    run = attempt.run
    before = await attempt.host.read(
        attempt.host.reader.succeeded_before, run.project, run.environment, run.kind
    )
    facts = GateFacts(
        succeeded_before=before,
        requires_approval=attempt.task.requires_approval or attempt.environment.requires_approval,
        exempted_critical=_exempted_critical(run.report),
        irreversible=irreversible,
        senior=senior,
    )
    return decide(attempt.gate, Action(run.action), facts)


def approval_for(attempt: Attempt, plan: Plan, decision: GateDecision, more: Sequence[str] = ()) -> Approval:
    """Make the request for an approval of exactly this plan; *more* is what else a person should know."""
    now = attempt.host.clock.decides()
    return Approval(
        id=new_approval_id(),
        run=attempt.run.id,
        purpose=Purpose.GO_AHEAD,
        digest=plan.digest,
        plan=plan.document,
        tier=int(decision.tier),
        why=(*decision.reasons, *more),
        state=ApprovalState.WAITING,
        requested_at=now,
        requested_by=attempt.run.requested_by,
        expires_at=_later(now, attempt.gate.expires_after),
    )


def _exempted_critical(report: Mapping[str, object] | None) -> bool:
    files = (report or {}).get("files")
    return isinstance(files, list) and any(
        finding["verdict"] == Verdict.EXEMPT.value and finding["severity"] == Severity.CRITICAL.value
        for file in files
        for finding in file["findings"]
    )


def _later(now: datetime, seconds: float | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=seconds)
