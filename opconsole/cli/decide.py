"""Deciding from the command line: approve, reject, decide, verify, retry, cancel, and rolling back."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping

from guardrails.environments import UnknownEnvironmentError, resolve_environment
from guardrails.gates import Tier
from guardrails.sanitise import sanitise
from opconsole.cli.asking import approval_prompt, ask_about, ask_on_terminal, interactive
from opconsole.cli.output import CommandContext, ExitStatus
from opconsole.client import Client
from opconsole.journal.records import Approval, ApprovalState, RequestKind, Run
from opconsole.reading import UnclearIdError
from queues.echo import append_tasks, create_queue


def approve(
    context: CommandContext,
    task: str,
    plan: str | None,
    reason: str | None,
    environment: str | None,
) -> int:
    """Approve what waits, by the digest of its plan."""
    client = Client.open(context.workspace())
    try:
        run = client.reading.find_run(task)
        approval = _waiting(client, run)
        if approval is None:
            context.warn(f"{run.task} is {run.state.value}: it waits for nobody's approval")
            return ExitStatus.FAILED
        if plan is None:
            if not interactive(context):
                context.warn(f"the plan must be named: --plan {approval.digest}")
                return ExitStatus.USAGE
            kind, payload = asyncio.run(ask_about(run, approval, ask_on_terminal, context.say))
            return _tell(context, client, kind, payload)
        missing = _missing(approval, reason, environment)
        if missing:
            context.say(approval_prompt(run, approval))
            context.warn(f"this approval (tier {approval.tier}) also needs {missing}")
            return ExitStatus.USAGE
        payload = {"run": run.id, "plan": _full(plan, approval), "reason": reason, "environment": environment}
        return _tell(context, client, RequestKind.APPROVE, payload)
    except UnclearIdError as unclear:
        context.warn(str(unclear))
        return ExitStatus.USAGE
    finally:
        client.close()


def reject(context: CommandContext, task: str, reason: str) -> int:
    """Reject what waits."""
    return _about_run(context, RequestKind.REJECT, task, {"reason": reason})


def decide(context: CommandContext, task: str, verb: str, reason: str) -> int:
    """Answer for a run that is stuck: revert, override or abort."""
    return _about_run(context, RequestKind.DECIDE, task, {"verb": verb, "reason": reason})


def verify(context: CommandContext, task: str, reason: str) -> int:
    """Record the manual verification of a production run."""
    return _about_run(context, RequestKind.VERIFY, task, {"reason": reason})


def cancel(context: CommandContext, task: str) -> int:
    """Stop a run."""
    return _about_run(context, RequestKind.CANCEL, task, {})


def retry(context: CommandContext, task: str) -> int:
    """Run a finished task again, as a new attempt."""
    return _about_run(context, RequestKind.RETRY, task, {})


def start(context: CommandContext, project: str) -> int:
    """Let a worker run a project's queue."""
    return _about_project(context, RequestKind.START, project)


def pause(context: CommandContext, project: str) -> int:
    """Let a worker start nothing more of a project's queue."""
    return _about_project(context, RequestKind.PAUSE, project)


def rollback(context: CommandContext, project: str, environment: str, to: str | None) -> int:
    """Add a rollback task to the project's queue."""
    workspace = context.workspace()
    try:
        name = resolve_environment(environment, workspace.environments(project))
    except UnknownEnvironmentError as unknown:
        context.warn(str(unknown))
        return ExitStatus.USAGE
    task = f"ROLLBACK-{name.upper()}-{secrets.token_hex(3).upper()}"
    entry: dict[str, object] = {
        "id": task,
        "description": f"Roll {name} back to {to or 'the previous release'}",
        "status": "pending",
        "agent_type": "rollback",
        "environment": name,
    }
    if to is not None:
        entry["version"] = to.removeprefix("v")
    path = workspace.queue_path(project)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        create_queue(path, project)
    append_tasks(path, [entry])
    if context.json:
        context.document({"task": task, "project": project, "environment": name, "version": to})
    context.say(f"added {task} to {path.name}; it runs with: opconsole run --project {project}")
    return ExitStatus.DONE


def _about_run(
    context: CommandContext,
    kind: RequestKind,
    task: str,
    payload: Mapping[str, object],
) -> int:
    client = Client.open(context.workspace())
    try:
        run = client.reading.find_run(task)
        return _tell(context, client, kind, {**payload, "run": run.id, **_cap(client, kind, run)})
    except UnclearIdError as unclear:
        context.warn(str(unclear))
        return ExitStatus.USAGE
    finally:
        client.close()


def _cap(client: Client, kind: RequestKind, run: Run) -> dict[str, object]:
    """Give the task's own cap of attempts, which only its queue entry knows."""
    if kind is not RequestKind.RETRY:
        return {}
    task = client.reading.task(run.project, run.task)
    return {"max_iterations": task.max_iterations if task else None}


def _about_project(context: CommandContext, kind: RequestKind, project: str) -> int:
    workspace = context.workspace()
    workspace.project(project)
    client = Client.open(workspace)
    try:
        return _tell(context, client, kind, {"project": project})
    finally:
        client.close()


def _tell(context: CommandContext, client: Client, kind: RequestKind, payload: Mapping[str, object]) -> int:
    answer = asyncio.run(client.ask(kind, payload))
    if context.json:
        context.document({"granted": answer.granted, "message": answer.text})
    if answer.granted:
        context.say(sanitise(answer.text))
        return ExitStatus.DONE
    context.warn(sanitise(answer.text))
    return ExitStatus.FAILED


def _waiting(client: Client, run: Run) -> Approval | None:
    approvals = client.reader.approvals_of(run.id)
    return next((one for one in approvals if one.state is ApprovalState.WAITING), None)


def _missing(approval: Approval, reason: str | None, environment: str | None) -> str:
    if approval.tier < Tier.REASONED:
        return ""
    wanted = [] if reason else ["--reason TEXT"]
    wanted += [] if environment else ["--environment NAME"]
    return " and ".join(wanted)


def _full(plan: str, approval: Approval) -> str:
    """Give the whole digest for a beginning of it of 12 characters or more."""
    plain = plan.removeprefix("sha256:")
    whole = approval.digest.removeprefix("sha256:")
    return approval.digest if len(plain) >= 12 and whole.startswith(plain) else f"sha256:{plain}"
