"""The JSON objects of the command line's contract, made from what was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from opconsole.cli.output import plain
from opconsole.clock import iso
from opconsole.history import proof_of
from opconsole.journal.records import Approval, Run, StepRow, VoteRow
from opconsole.run_filter import PastRun
from opconsole.spent import waited, worked
from opconsole.view_making import state_word
from opconsole.views import EnvironmentView, HeldView, RunView, TaskView

JsonObject = dict[str, object]


def task_ids(tasks: Iterable[TaskView]) -> Mapping[str, str]:
    """Give for every task's key the ID that commands take: ``project:ID`` where its own would be unclear."""
    views = list(tasks)
    times = Counter(view.task for view in views)
    return {view.key: view.task if times[view.task] == 1 else view.key for view in views}


def task_json(view: TaskView, task_id: str) -> JsonObject:
    """Give a queue's line."""
    return {
        "id": task_id,
        "project": view.project,
        "environment": view.environment,
        "task": view.task,
        "kind": view.kind,
        "version": view.version,
        "state": view.state,
        "reason": view.reason,
        "waits_for": view.waits_for,
        "gate": view.gate,
        "description": view.description,
        "depends_on": list(view.depends_on),
        "priority": view.priority,
        "run": view.run,
        "attempt": view.attempt,
        "unverified": view.unverified,
        "started_at": iso(view.started_at),
        "finished_at": iso(view.finished_at),
        "duration": seconds_between(view.started_at, view.finished_at),
    }


def run_json(run: Run, *, unverified: bool) -> JsonObject:
    """Give a run, as the history has it."""
    return {
        "id": run.id,
        "project": run.project,
        "environment": run.environment,
        "task": run.task,
        "kind": run.kind,
        "version": run.version,
        "state": state_word(run),
        "reason": run.reason,
        "action": run.action,
        "attempt": run.attempt,
        "requested_by": run.requested_by,
        "created_at": iso(run.created_at),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "duration": seconds_between(run.started_at, run.finished_at),
        "release": run.release,
        "previous_version": run.previous_version,
        "commit": run.commit_id,
        "artifact": run.artifact_digest,
        "revision_before": run.revision_before,
        "revision_after": run.revision_after,
        "digest": run.plan_digest,
        "overridden": run.overridden,
        "unverified": unverified,
        "verified_at": iso(run.verified_at),
        "verified_by": run.verified_by,
    }


def line_json(run: PastRun) -> JsonObject:
    """Give a run of the history: *worked* and *waited* are parts of its duration, in seconds.

    *decisions* are the answers of people that counted; *proof* says whether a name is proved or advisory.
    """
    line = run.line
    return {
        **run_json(line.run, unverified=run.unverified),
        "worked": line.worked,
        "waited": line.waited,
        "decided_by": list(line.deciders),
        "decisions": [
            {
                "by": one.by,
                "at": iso(one.at),
                "verdict": one.verdict,
                "purpose": one.purpose,
                "proof": proof_of(verified=one.verified),
            }
            for one in line.decisions
        ],
    }


def vote_json(vote: VoteRow) -> JsonObject:
    """Give one person's answer; *proof* says whether its name is proved or advisory."""
    return {
        "by": vote.by,
        "at": iso(vote.at),
        "verdict": vote.verdict,
        "reason": vote.reason,
        "proof": proof_of(verified=vote.verified),
        "key": vote.key,
    }


def vote_words(vote: VoteRow) -> str:
    """Tell of a vote in a line."""
    why = f": {plain(vote.reason)}" if vote.reason else ""
    verb = "rejected" if vote.verdict == "reject" else "approved"
    return f"{verb} by {plain(vote.by)} ({proof_of(verified=vote.verified)}) at {iso(vote.at)}{why}"


def approval_json(approval: Approval, run: Run, votes: Iterable[VoteRow] = ()) -> JsonObject:
    """Give what waits for a person; its id is the one that `approve` and `reject` take."""
    return {
        "id": run.id,
        "project": run.project,
        "environment": run.environment,
        "task": run.task,
        "kind": run.kind,
        "version": run.version,
        "state": approval.state.value,
        "purpose": approval.purpose.value,
        "digest": approval.digest,
        "requested_at": iso(approval.requested_at),
        "requested_by": approval.requested_by,
        "expires_at": iso(approval.expires_at),
        "tier": approval.tier,
        "why": list(approval.why),
        "reason": run.reason,
        "votes": [vote_json(vote) for vote in votes],
    }


def environment_json(view: EnvironmentView, health: str, detail: str) -> JsonObject:
    """Give what an environment runs."""
    return {
        "project": view.project,
        "environment": view.environment,
        "gate": view.gate,
        "version": view.version,
        "release": view.release,
        "revision": view.revision,
        "health": health,
        "health_detail": detail,
        "url": view.url,
        "deployed_at": iso(view.deployed_at),
        "deployed_by": view.deployed_by,
        "running": view.running,
        "waiting": view.waiting,
        "held": held_json(view.held) if view.held else None,
    }


def held_json(held: HeldView) -> JsonObject:
    """Give which run holds an environment."""
    return {
        "task": held.task,
        "run": held.run,
        "state": held.state,
        "since": iso(held.since),
        "executor": held.executor or None,
        "lease_until": iso(held.lease_until),
        "suspect": held.suspect,
    }


def report_json(view: RunView, *, unverified: bool) -> JsonObject:
    """Give the whole story of a run."""
    return {
        **run_json(view.run, unverified=unverified),
        "worked": worked(view.steps),
        "waited": waited(view.approvals, view.run.finished_at),
        "preflight": [{"passed": passed, "text": text} for passed, text in view.run.preflight],
        "steps": [step_json(step) for step in view.steps],
        "approvals": [
            {
                **approval_json(one, view.run, view.votes_on(one)),
                "decided_at": iso(one.decided_at),
                "decided_by": one.decided_by,
                "reason": one.reason,
            }
            for one in view.approvals
        ],
        "verified_reason": view.run.verified_reason,
        "known": view.known.to_json() if view.known else None,
        "findings": view.run.report,
        "log": str(view.log),
    }


def step_json(step: StepRow) -> JsonObject:
    """Give a step of a run."""
    return {
        "position": step.position,
        "phase": step.phase.value,
        "name": step.name,
        "title": step.title,
        "kind": step.kind,
        "state": step.state.value,
        "argv": list(step.argv) if step.argv is not None else None,
        "started_at": iso(step.started_at),
        "finished_at": iso(step.finished_at),
        "duration": seconds_between(step.started_at, step.finished_at),
        "status": step.status,
        "detail": step.detail,
    }


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Give a duration in seconds; None while one of its ends is not known."""
    return None if start is None or end is None else round((end - start).total_seconds(), 3)
