"""Telling: what leaves for people when a run enters a state, put into the outbox with the change itself."""

from __future__ import annotations

from guardrails.environments import GateKind
from opconsole.host import Host
from opconsole.journal import ops
from opconsole.journal.records import Run
from opconsole.journal.writer import Op
from opconsole.notices import break_glass, notice_of, notice_ops
from opconsole.run_report import TOLD
from queues.states import RunState


def told_of_entering(host: Host, run: Run, state: RunState, reason: str) -> tuple[Op, ...]:
    """Give what tells people that a run has come to *state* by itself."""
    now = host.clock.now()
    notice = notice_of(run, state, reason, _gate(host, run), now)
    notices = notice_ops(host.workspace.settings.notifications, notice, now)
    return (*notices, *report_of_entering(host, run, state))


def report_of_entering(host: Host, run: Run, state: RunState) -> tuple[Op, ...]:
    """Give what has the run's report written into the workspace, where *state* is worth one."""
    return (ops.send("report", run.project, {"run": run.id}, host.clock.now()),) if state in TOLD else ()


def told_of_break_glass(host: Host, run: Run, by: str, reason: str) -> tuple[Op, ...]:
    """Give what tells people that one person approved what wants two."""
    now = host.clock.now()
    return notice_ops(host.workspace.settings.notifications, break_glass(run, by, reason, now), now)


def _gate(host: Host, run: Run) -> GateKind:
    project = host.workspace.settings.projects.get(run.project)
    environment = project.environments.get(run.environment) if project else None
    return environment.gate if environment else GateKind.PRODUCTION  # unknown is told rather too loudly
