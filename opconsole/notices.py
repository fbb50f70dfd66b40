"""Notices: what people are told of, how urgent it is, to which channels it goes, and in which words.

All of it is decided from values. `opconsole.notifying` sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from string import Template

from guardrails.environments import GateKind
from guardrails.sanitise import sanitise
from opconsole.clock import iso
from opconsole.journal import ops
from opconsole.journal.records import Run
from opconsole.journal.writer import Op
from opconsole.settings.notifications import (
    POLICY,
    Channel,
    Happening,
    Notifications,
    Priority,
    hours,
)
from queues.states import RunState

LONGEST = 2000
"""Characters of a notice at most; many channels cut longer ones themselves, in the middle of a word."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people are told."""

    event: Happening
    priority: Priority
    project: str
    environment: str
    task: str
    run: str
    version: str
    reason: str
    at: str
    """When it happened, ISO 8601 in UTC."""

    def payload(self, channel: str) -> dict[str, str]:
        """Give it as it waits in the outbox for one channel."""
        return {"channel": channel} | {one.name: str(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_payload(cls, payload: Mapping[str, object]) -> Notice:
        """Read what `payload` gave. Raises KeyError or ValueError."""
        values = {one.name: str(payload[one.name]) for one in fields(cls)}
        event, priority = Happening(values.pop("event")), Priority(values.pop("priority"))
        return cls(event=event, priority=priority, **values)


def notice_of(run: Run, state: RunState, reason: str, gate: GateKind, now: datetime) -> Notice | None:
    """Say what people are told of a run that enters *state*; None where nobody needs to hear of it."""
    found = _HAPPENINGS.get(state)
    if found is None:
        return None
    happening, priority = found
    if happening is Happening.APPROVAL_WAITING and gate is not GateKind.PRODUCTION:
        priority = Priority.P2
    return _notice(run, happening, priority, reason, now)


def break_glass(run: Run, by: str, reason: str, now: datetime) -> Notice:
    """Tell that somebody approved alone what wants two persons."""
    told = f"{by} approved it alone: {reason}"
    return _notice(run, Happening.BREAK_GLASS, Priority.P0, told, now)


def notice_ops(settings: Notifications, notice: Notice | None, now: datetime) -> tuple[Op, ...]:
    """Give what puts a notice into the outbox, once for each channel that is told."""
    if notice is None:
        return ()
    return tuple(
        ops.send("notify", notice.project, notice.payload(name), now)
        for name, channel in settings.channels.items()
        if is_told(name, channel, notice)
    )


def is_told(name: str, channel: Channel, notice: Notice) -> bool:
    """Say whether a channel is told of it: by event, priority, project and environment."""
    events = channel.events or POLICY.get(name) or tuple(Happening)
    if channel.events is None and name in POLICY and notice.event is Happening.APPROVAL_WAITING:
        urgent = notice.priority <= Priority.P1  # the policy tells ops of production's alone
    else:
        urgent = True
    return (
        urgent
        and notice.event in events
        and notice.priority <= channel.least
        and (not channel.projects or notice.project in channel.projects)
        and (not channel.environments or notice.environment in channel.environments)
    )


def quiet_for(channel: Channel, notice: Notice, local: datetime) -> float:
    """Give the seconds until the channel's quiet hours end; 0 outside them, and for P0 always.

    *local* is the present time by the worker's own clock and zone.
    """
    if channel.quiet is None or notice.priority is Priority.P0:
        return 0.0
    begin, end = hours(channel.quiet)
    clock = local.time()
    inside = begin <= clock < end if begin < end else clock >= begin or clock < end
    if not inside:
        return 0.0
    ends = local.replace(hour=end.hour, minute=end.minute, second=0, microsecond=0)
    if ends <= local:
        ends += timedelta(days=1)
    return (ends - local).total_seconds()


def title_of(notice: Notice) -> str:
    """Give the one line that a phone shows."""
    where = f"{notice.project} {notice.environment}".strip()
    return sanitise(f"[{notice.priority}] {where}: {_TITLES[notice.event]}", single_line=True, limit=200)


def body_of(notice: Notice, templates: Mapping[Happening, str]) -> str:
    """Give the text, plain and without anything that a terminal or a chat would take for more."""
    values = {one.name: str(getattr(notice, one.name)) for one in fields(notice)}
    values = {name: sanitise(value, single_line=True, limit=600) for name, value in values.items()}
    values["version"] = values["version"] or "(no version)"
    text = Template(templates.get(notice.event) or _BODIES[notice.event]).safe_substitute(values)
    return sanitise(text, limit=LONGEST)


def _notice(run: Run, event: Happening, priority: Priority, reason: str, now: datetime) -> Notice:
    return Notice(
        event=event,
        priority=priority,
        project=run.project,
        environment=run.environment,
        task=run.task,
        run=run.id,
        version=run.version or "",
        reason=reason,
        at=iso(now) or "",
    )


_HAPPENINGS: Mapping[RunState, tuple[Happening, Priority]] = {
    RunState.WAITING: (Happening.APPROVAL_WAITING, Priority.P1),
    RunState.FAILED: (Happening.DEPLOYMENT_FAILED, Priority.P0),
    RunState.HALTED: (Happening.DEPLOYMENT_FAILED, Priority.P0),
    RunState.INTERRUPTED: (Happening.DEPLOYMENT_FAILED, Priority.P0),
    RunState.BLOCKED: (Happening.VIOLATION_BLOCKED, Priority.P0),
    RunState.ROLLED_BACK: (Happening.ROLLED_BACK, Priority.P1),
    RunState.SUCCEEDED: (Happening.SUCCEEDED, Priority.P3),
}
_TITLES = {
    Happening.APPROVAL_WAITING: "an approval waits",
    Happening.DEPLOYMENT_FAILED: "a run failed",
    Happening.VIOLATION_BLOCKED: "blocked by the guardrails",
    Happening.ROLLED_BACK: "rolled back",
    Happening.BREAK_GLASS: "break-glass approval",
    Happening.SUCCEEDED: "succeeded",
}
_BODIES = {
    Happening.APPROVAL_WAITING: (
        "$task, version $version, wants to go on in $environment of $project.\n$reason\n"
        "See and decide: opconsole approvals\nRun $run, $at"
    ),
    Happening.DEPLOYMENT_FAILED: (
        "$task, version $version, in $environment of $project: $reason\n"
        "What happened: opconsole report $run\nRun $run, $at"
    ),
    Happening.VIOLATION_BLOCKED: (
        "$task, version $version, for $environment of $project was stopped before it changed anything:\n"
        "$reason\n"
        "The findings: opconsole report $run\nRun $run, $at"
    ),
    Happening.ROLLED_BACK: (
        "$task, version $version, in $environment of $project was taken back: $reason\n"
        "What happened: opconsole report $run\nRun $run, $at"
    ),
    Happening.BREAK_GLASS: "$task, version $version, for $environment of $project: $reason\nRun $run, $at",
    Happening.SUCCEEDED: "$task, version $version, in $environment of $project: $reason\nRun $run, $at",
}
