"""What answers to requests are made of: a grant or a refusal, the writes it brings, and what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from opconsole.attempt import AT_WORK, echo_payload, held_on
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.records import PolicyRow, RequestRow, Run
from opconsole.journal.writer import AuditOp, Op
from opconsole.telling import report_of_entering
from queues.states import RunState


class RefusedError(Exception):
    """The rules do not allow it; the message says why and what to do.

    *writes* is what the journal says all the same, and *follow_ups* what the engine does: of a plan that
    changed, for example, that it is asked anew.
    """

    def __init__(
        self, text: str, writes: Sequence[Op | AuditOp] = (), follow_ups: Sequence[FollowUp] = ()
    ) -> None:
        super().__init__(text)
        self.writes = tuple(writes)
        self.follow_ups = tuple(follow_ups)


class Then(StrEnum):
    """What the engine does once an answer is in the journal."""

    RESUME = "resume"
    SETTLE = "settle"
    CANCEL = "cancel"
    RETRY = "retry"
    START = "start"
    PAUSE = "pause"
    RELOAD = "reload"
    PRUNE = "prune"


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A follow-up, and the task or project it is about."""

    then: Then
    subject: str
    max_attempts: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request."""

    granted: bool
    text: str
    follow_ups: tuple[FollowUp, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """A request that the rules allow, with everything it changes in the journal."""

    text: str
    writes: tuple[Op | AuditOp, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    policy: PolicyRow | None = None
    """The policy that is in force from now on, where it is another one."""


async def run_of(host: Host, request: RequestRow) -> Run:
    """Give the run that a request names."""
    run_id = text_of(request, "run")
    run = await host.read(host.reader.run, run_id)
    if run is None:
        raise RefusedError(f"there is no run {run_id!a}; opconsole history lists them")
    return run


def text_of(request: RequestRow, name: str) -> str:
    """Give a text of the request's payload, without outer white space; empty where there is none."""
    payload: Mapping[str, object] = request.payload
    value = payload.get(name, "")
    return value.strip() if isinstance(value, str) else ""


_DOTS = frozenset({"…", "..."})


def given_reason(request: RequestRow) -> str:
    """Give the reason; empty where there is none: the dots that our own messages print for one are none."""
    reason = text_of(request, "reason")
    return "" if reason in _DOTS else reason


def reason_of(request: RequestRow) -> str:
    """Give the reason, which must be there."""
    reason = given_reason(request)
    if not reason:
        raise RefusedError("a reason is needed; give one with --reason")
    return reason


def approvers_of(host: Host, run: Run) -> tuple[str, ...]:
    """Give who may decide about a run; empty: whoever operates the console."""
    return host.workspace.approvers(run.project, run.environment)


def check_approver(host: Host, run: Run, by: str, *, named: Sequence[str] = ()) -> None:
    """Refuse somebody who may not decide about a run.

    *named* are the approvers that the task itself names. A queue file is not trusted, so its names only
    narrow down those of the settings.
    """
    check_may_decide(host, run.project, run.environment, by)
    if named and by not in named:
        raise RefusedError(f"{by} may not approve {run.task}: it names {', '.join(named)}")


def check_may_decide(host: Host, project: str, environment: str, by: str) -> None:
    """Refuse somebody whom the settings do not name for an environment."""
    allowed = host.workspace.approvers(project, environment)
    if allowed and by not in allowed:
        raise RefusedError(
            f"{by} may not decide for {project} in {environment}; allowed: {', '.join(allowed)}"
        )


def leave(host: Host, run: Run, state: RunState, reason: str, **fields: object) -> tuple[Op | AuditOp, ...]:
    """Give the writes that bring a run into another state, tell of it, and free what a final run held."""
    now = host.clock.now()
    fields = {**fields, "state": state, "reason": reason}
    if state.final:
        fields["finished_at"] = now
    if state not in AT_WORK:
        fields["cancel_at"] = None
    writes: list[Op | AuditOp] = [
        ops.update_run(run.id, run.epoch, **fields),
        event_of(host, run, "run", state=state.value, reason=reason),
        ops.send("echo", run.project, echo_payload(run, state, reason, stamp(now)), now),
    ]
    writes += report_of_entering(host, run, state)
    writes += held_on(run, state)
    if state.final:
        writes.append(ops.skip_pending(run.id, now))
    return tuple(writes)


def event_of(host: Host, run: Run, name: str, *, state: str | None = None, **detail: object) -> Op:
    """Give the event that something happened to a run."""
    told: dict[str, object] = {"environment": run.environment, **detail}
    return ops.event(
        host.clock.now(),
        name,
        run.project,
        task=run.task,
        run=run.id,
        state=state or run.state.value,
        detail=told,
    )


def stamp(moment: datetime) -> str:
    """Write a moment as queue files have it."""
    return moment.isoformat(timespec="seconds")
