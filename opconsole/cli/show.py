"""The commands that look at the whole workspace: ``status`` and ``approvals``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import closing

from opconsole.cli.advice import approve_words
from opconsole.cli.output import CommandContext, ExitStatus, counted, plain, table
from opconsole.cli.policy import policy_json, policy_lines, warn_of_policy
from opconsole.cli.shapes import approval_json, environment_json, vote_words
from opconsole.clock import iso
from opconsole.journal.records import Purpose, Run
from opconsole.probing import Probed, probe_all
from opconsole.reading import Reading, open_reading
from opconsole.seen import Health
from opconsole.standing_rules import frozen_words, waiting_policy
from opconsole.view_making import is_unverified
from opconsole.views import EnvironmentView, HeldView, Snapshot
from opconsole.workspace import Workspace
from queues.states import RunState


def show_status(context: CommandContext, *, probe: bool) -> int:
    """Show what every environment runs and whether it is healthy; what runs; what waits."""
    workspace = context.workspace()
    with closing(open_reading(workspace)) as reading:
        views = reading.environments()
        snapshot = None if context.json else reading.snapshot()
        frozen = frozen_words(reading.reader)
        unverified = [_unverified_run(workspace, reading, view) for view in views]
        stuck = reading.reader.stuck_outbox() if reading.reader else []
    for command in [context.command("journal outbox")] if stuck else []:
        context.warn(f"{counted(len(stuck), 'message')} could not be delivered; `{command}` says why")
    probed = [Probed(Health.UNKNOWN, "not asked")] * len(views)
    if probe:
        probed = asyncio.run(probe_all(workspace, views, context.environ))
    pairs = list(zip(views, probed, strict=True))
    if context.json:
        context.document(
            [
                {
                    **environment_json(view, one.health.value, one.detail),
                    "unverified": run.task if run else None,
                }
                for (view, one), run in zip(pairs, unverified, strict=True)
            ]
        )
        return ExitStatus.DONE
    rows = [
        (
            view.project,
            view.environment,
            plain(view.version or "-"),
            plain(view.release or "-"),
            plain(view.revision or "-"),
            context.state(one.health.value),
            _moment(iso(view.deployed_at)),
            plain(view.deployed_by or "-"),
            plain(view.running or "-"),
            plain(view.waiting or "-"),
        )
        for view, one in pairs
    ]
    headings = [
        "PROJECT",
        "ENVIRONMENT",
        "VERSION",
        "RELEASE",
        "REVISION",
        "HEALTH",
        "DEPLOYED",
        "BY",
        "RUNNING",
        "WAITING",
    ]
    context.say(table(headings, rows, context.width) if rows else _NO_ENVIRONMENTS)
    for view, one in pairs:
        if one.health is Health.UNHEALTHY:
            context.say(f"{view.project} {view.environment}: {plain(one.detail)}")
    _say_held(context, views)
    for run in unverified:
        if run is not None:
            command = context.command(f"verify {run.id} --reason …")
            context.say(plain(f"{run.project} {run.environment}: {run.task} is not verified yet: {command}"))
    if frozen:
        context.warn(plain(f"{frozen}; no effect begins"))
    if snapshot is not None:
        _say_snapshot(context, workspace, snapshot)
    warn_of_missing_folders(context, workspace)
    return ExitStatus.DONE


def _say_snapshot(context: CommandContext, workspace: Workspace, snapshot: Snapshot) -> None:
    alive = "a worker is alive" if snapshot.worker_alive else "no worker is alive"
    context.say(
        f"{snapshot.running} running, {snapshot.waiting} waiting for a person, "
        f"{snapshot.failed_today} failed today; {alive}"
    )
    if snapshot.settings_changed:
        stop, begin = context.command("worker --stop"), context.command("worker")
        context.warn(
            "the settings changed after the worker began, and it goes by what it read then: "
            f"`{stop}`, then `{begin}` or the console begins one that reads them"
        )
    for queue in snapshot.queues:
        if queue.faults and queue.file.exists():
            faults = counted(len(queue.faults), "fault")
            context.warn(f"{plain(str(queue.file))}: {faults}; see `{context.command('queue validate')}`")
    with closing(open_reading(workspace)) as reading:
        warn_of_policy(context, reading.reader)


def _say_held(context: CommandContext, views: Iterable[EnvironmentView]) -> None:
    for view in views:
        if view.held is not None:
            context.say(plain(_held_line(context, view, view.held)))


def _held_line(context: CommandContext, view: EnvironmentView, held: HeldView) -> str:
    """Say which run holds an environment, since when, and what to do where it is not simply at work."""
    place, since = f"{view.project} {view.environment}", _moment(iso(held.since))
    line = f"{place}: held by {held.task} ({held.run}) since {since}"
    if held.suspect:
        unlock = context.command(f"unlock {place} --reason …")
        return f"{line}; suspect: {held.executor} is not heard of; a worker goes on with it, or {unlock}"
    if held.state in {RunState.HALTED, RunState.INTERRUPTED}:
        decide = context.command(f"decide {held.run} revert|override|abort --reason …")
        return f"{line}, {held.state}: {decide}"
    return f"{line}, {held.state}" + (f" by {held.executor}" if held.executor else "")


def show_approvals(context: CommandContext) -> int:
    """List what waits for a person's approval, oldest first."""
    with closing(open_reading(context.workspace())) as reading:
        waiting = reading.waiting_approvals()
        policy = waiting_policy(reading.reader)
        votes = {
            approval.id: tuple(reading.reader.votes_of(approval.id)) if reading.reader else ()
            for approval, _ in waiting
        }
    if context.json:
        found = [approval_json(approval, run, votes[approval.id]) for approval, run in waiting]
        context.document(found + ([policy_json(policy)] if policy else []))
        return ExitStatus.DONE
    if policy is not None:
        for line in policy_lines(policy):
            context.say(line)
        words = f"approve {policy.id} --plan {policy.digest} --reason …"
        context.say(f"{policy.id}: {context.command(words)}")
    if not waiting and policy is not None:
        return ExitStatus.DONE
    if not waiting:
        context.say("Nothing waits for an approval.")
        return ExitStatus.DONE
    rows = [
        (
            plain(run.project),
            plain(run.task),
            _ACTIONS.get(approval.purpose) or plain(run.action),
            plain(run.environment),
            plain(run.version or "-"),
            str(approval.tier),
            _moment(iso(approval.requested_at)),
            _moment(iso(approval.expires_at)) if approval.expires_at else "never",
            plain("; ".join(approval.why)),
        )
        for approval, run in waiting
    ]
    headings = ["PROJECT", "TASK", "ACTION", "ENVIRONMENT", "VERSION", "TIER", "REQUESTED", "EXPIRES", "WHY"]
    context.say(table(headings, rows, context.width))
    for approval, run in waiting:
        context.say(f"{plain(str(run.key))}: {context.command(approve_words(run.id, run, approval))}")
        for vote in votes[approval.id]:
            context.say(f"  {vote_words(vote)}")
    return ExitStatus.DONE


def verification(run: Run | None, *, unverified: bool) -> str:
    """Say behind a state who verified the run, or that nobody has yet; empty where nobody need."""
    if unverified:
        return " (unverified)"
    if run is None or run.verified_at is None:
        return ""
    return f" (verified by {plain(run.verified_by or 'somebody')})"


def warn_of_missing_folders(context: CommandContext, workspace: Workspace) -> None:
    """Name the projects whose folder is not there: nothing of them can be deployed."""
    for name in workspace.settings.projects:
        path = workspace.project_path(name)
        if not path.is_dir():
            context.warn(
                f"{plain(str(path))}: the folder of project {name} does not exist (projects.{name}.path)"
            )


def _unverified_run(workspace: Workspace, reading: Reading, view: EnvironmentView) -> Run | None:
    """Give the newest run that changed an environment, where it waits for its verification."""
    runs = reading.history(view.project, view.environment, _LOOKED_AT)
    last = next((run for run in runs if run.state is RunState.SUCCEEDED), None)
    return last if last is not None and is_unverified(workspace, last) else None


def _moment(text: str | None) -> str:
    return "-" if text is None else f"{text[:10]} {text[11:19]}Z"


_LOOKED_AT = 100  # runs of an environment among which the last success is looked for
_NO_ENVIRONMENTS = "There are no environments yet: describe them in opconsole.toml."
_ACTIONS = {Purpose.REVERT: "roll back", Purpose.FREEZE: "override a freeze"}
