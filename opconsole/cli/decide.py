"""Deciding from the command line: approve, reject, decide, verify, retry, cancel, and rolling back."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from guardrails.environments import UnknownEnvironmentError, resolve_environment
from guardrails.gates import Tier
from guardrails.sanitise import sanitise
from opconsole.cli.advice import approve_words, goes_on_with, starts_with
from opconsole.cli.asking import ask_about, ask_on_terminal, plan_lines
from opconsole.cli.output import CommandContext, ExitStatus, UsageError, interactive, plain
from opconsole.cli.policy import PREFIX as POLICY
from opconsole.cli.policy import approve_policy, reject_policy
from opconsole.cli.report import stuck_lines
from opconsole.client import Client
from opconsole.journal.records import Approval, ApprovalState, RequestKind, Run
from opconsole.queue_adding import add_entries
from opconsole.reading import Reading, UnclearIdError, open_reading
from opconsole.signing import SigningError
from opconsole.signing_client import sign_approval
from opconsole.standing_rules import wants_signature
from queues.states import RunState


def approve(
    context: CommandContext,
    task: str,
    plan: str | None,
    reason: str | None,
    environment: str | None,
    *,
    key: str | None = None,
) -> int:
    """Approve what waits, by the digest of its plan; *key* signs it where approvals are signed."""
    if task.startswith(POLICY):
        return approve_policy(context, task, plan, reason, key)
    client = Client.open(context.workspace())
    try:
        return _approve(context, client, task, _Options(plan, reason, environment, key))
    except UnclearIdError as unclear:
        context.warn(str(unclear))
        return ExitStatus.USAGE
    except SigningError as error:
        context.warn(str(error))
        return ExitStatus.FAILED
    finally:
        client.close()


@dataclass(frozen=True, slots=True)
class _Options:
    plan: str | None
    reason: str | None
    environment: str | None
    key: str | None


def _approve(context: CommandContext, client: Client, task: str, options: _Options) -> int:
    plan, reason, environment = options.plan, options.reason, options.environment
    run = client.reading.find_run(task)
    approval = _waiting(client, run)
    if approval is None:
        return _waits_no_more(context, client, run, plan)
    if plan is None and interactive(context):
        kind, answers = asyncio.run(ask_about(run, approval, ask_on_terminal, context.say))
        if kind is RequestKind.APPROVE:
            answers |= _signature(context, client, (run, approval), answers, options.key)
        return _tell(context, client, kind, answers, run)
    missing = _missing(approval, plan, reason, environment)
    if missing or plan is None:
        for line in plan_lines(run, approval):
            context.say(line)
        whole = context.command(approve_words(task, run, approval))
        context.warn(f"this approval (tier {approval.tier}) also needs {missing}:\n  {whole}")
        return ExitStatus.USAGE
    if environment is not None and environment != run.environment:
        raise UsageError(f"--environment: found {environment!a}; allowed: {run.environment}")
    payload: dict[str, object] = {
        "run": run.id,
        "plan": _full(plan, approval),
        "reason": reason,
        "environment": environment,
    }
    payload |= _signature(context, client, (run, approval), payload, options.key)
    return _tell(context, client, RequestKind.APPROVE, payload, run)


def _signature(
    context: CommandContext,
    client: Client,
    about: tuple[Run, Approval],
    payload: Mapping[str, object],
    key: str | None,
) -> dict[str, object]:
    """Sign an approval where the policy wants that; ssh-keygen may ask on a terminal."""
    if not wants_signature(client.reader, client.workspace):
        return {}
    reason, ask = str(payload.get("reason") or ""), interactive(context)
    signature = sign_approval(client.place.id, *about, reason, key=key, environ=context.environ, ask=ask)
    return {"signature": signature}


def reject(context: CommandContext, task: str, reason: str) -> int:
    """Reject what waits."""
    if task.startswith(POLICY):
        return reject_policy(context, task, reason)
    return _about_run(context, RequestKind.REJECT, task, {"reason": reason})


def decide(context: CommandContext, task: str, verb: str, reason: str) -> int:
    """Answer for a run that is stuck: revert, override or abort; at a terminal, what is known comes first."""
    if interactive(context):
        _lay_out(context, task)
    return _about_run(context, RequestKind.DECIDE, task, {"verb": verb, "reason": reason})


def _lay_out(context: CommandContext, task: str) -> None:
    with closing(open_reading(context.workspace())) as reading:
        try:
            view = reading.run(reading.find_run(task).id)
        except UnclearIdError:
            return  # it is said when it is asked
        for line in stuck_lines(view) if view is not None else ():
            context.say(line)


def unlock(
    context: CommandContext, project: str, environment: str, reason: str, *, foreign: str | None = None
) -> int:
    """Vouch that nothing works any more on the run that holds an environment; *foreign* names another's."""
    if not reason.strip():
        raise UsageError("--reason: found nothing; allowed: why, in a few words")
    workspace = context.workspace()
    try:
        name = workspace.place(project, environment)
    except UnknownEnvironmentError as unknown:
        context.warn(str(unknown))
        return ExitStatus.USAGE
    client = Client.open(workspace)
    try:
        asked = {"project": project, "environment": name, "reason": reason}
        if foreign is not None:
            asked["foreign"] = foreign
        return _tell(context, client, RequestKind.UNLOCK, asked)
    finally:
        client.close()


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


def rollback(context: CommandContext, project: str, environment: str, to: str | None, *, yes: bool) -> int:
    """Add a rollback task to the project's queue; a person at a terminal confirms it first."""
    workspace = context.workspace()
    try:
        name = resolve_environment(environment, workspace.environments(project))
    except UnknownEnvironmentError as unknown:
        context.warn(str(unknown))
        return ExitStatus.USAGE
    wanted = to.removeprefix("v") if to is not None else None
    with closing(open_reading(workspace)) as reading:
        serves = _way_is_on_record(reading, project, name, wanted)
        starts = starts_with(context, reading, project)
    if not yes and interactive(context) and not _confirmed(project, name, serves, wanted):
        context.say("nothing was added")
        return ExitStatus.FAILED
    task = f"ROLLBACK-{name.upper()}-{secrets.token_hex(3).upper()}"
    entry: dict[str, object] = {
        "id": task,
        "description": f"Roll {name} back to {to or 'the previous release'}",
        "status": "pending",
        "agent_type": "rollback",
        "environment": name,
    }
    if wanted is not None:
        entry["version"] = wanted
    add_entries(workspace, project, [entry])
    if context.json:
        context.document({"task": task, "project": project, "environment": name, "version": to})
    context.say(f"added {task} to {workspace.queue_path(project).name}; {starts}")
    return ExitStatus.DONE


def _way_is_on_record(reading: Reading, project: str, environment: str, version: str | None) -> str:
    """Give the version that serves now. Raises UsageError where nothing could be rolled back."""
    releases = reading.reader.releases(project, environment) if reading.reader else []
    current = next((release for release in releases if release.current), None)
    if current is None:
        raise UsageError(
            f"nothing is deployed to {environment} by the journal; there is nothing to roll back"
        )
    known = list(dict.fromkeys(one.version for one in releases if one.name != current.name))
    if version is not None and version not in known:
        raise UsageError(
            f"version {plain(version)} was never deployed to {environment}, or is what serves there; "
            f"known: {plain(', '.join(known)) or 'none'}; nothing was added"
        )
    if not any(one.seq < current.seq for one in releases) and version is None:
        others = f"; name a later one with --to: {plain(', '.join(known))}" if known else ""
        raise UsageError(
            f"{environment} has none before {plain(current.version)} on record{others}; nothing was added"
        )
    return current.version


def _confirmed(project: str, environment: str, serves: str, wanted: str | None) -> bool:
    question = (
        f"Roll {project} in {environment} back from {serves} to {wanted or 'the release before'}? [y/N]"
    )
    try:
        answer = asyncio.run(ask_on_terminal(plain(question) + " "))
    except EOFError:
        return False
    return answer.strip().lower() in {"y", "yes"}


def _about_run(
    context: CommandContext,
    kind: RequestKind,
    task: str,
    payload: Mapping[str, object],
) -> int:
    if "reason" in payload and not str(payload["reason"]).strip():
        raise UsageError("--reason: found nothing; allowed: why, in a few words")
    client = Client.open(context.workspace())
    try:
        run = client.reading.find_run(task)
        return _tell(context, client, kind, {**payload, "run": run.id, **_cap(client, kind, run)}, run)
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


def _waits_no_more(context: CommandContext, client: Client, run: Run, plan: str | None) -> int:
    """Say why there is nothing to approve; an approval given twice is no fault."""
    given = client.reader.approvals_of(run.id)
    last = given[-1] if given else None
    if (
        run.state is RunState.WAITING
        and last is not None
        and last.state is ApprovalState.APPROVED
        and (plan is None or _full(plan, last) == last.digest)
    ):
        text = f"{plain(run.task)} was approved already by {plain(last.decided_by or 'somebody')}"
        if context.json:
            context.document({"granted": True, "message": text})
        context.say(f"{text}; {goes_on_with(context, client.reading, run.project)}")
        return ExitStatus.DONE
    text = f"{plain(run.task)} is {run.state.value}: it waits for nobody's approval"
    if context.json:
        context.document({"granted": False, "message": text})
    context.warn(text)
    return ExitStatus.FAILED


def _tell(
    context: CommandContext,
    client: Client,
    kind: RequestKind,
    payload: Mapping[str, object],
    run: Run | None = None,
) -> int:
    answer = asyncio.run(client.ask(kind, payload))
    if context.json:
        context.document({"granted": answer.granted, "message": answer.text})
    if answer.granted:
        context.say(sanitise(answer.text))
        if run is not None and kind in _GO_ON and not client.reading.worker_alive:
            context.say(goes_on_with(context, client.reading, run.project))
        return ExitStatus.DONE
    context.warn(sanitise(answer.text))
    return ExitStatus.FAILED


def _waiting(client: Client, run: Run) -> Approval | None:
    approvals = client.reader.approvals_of(run.id)
    return next((one for one in approvals if one.state is ApprovalState.WAITING), None)


def _missing(approval: Approval, plan: str | None, reason: str | None, environment: str | None) -> str:
    wanted = [] if plan else ["--plan DIGEST"]
    if approval.tier >= Tier.REASONED:
        wanted += [] if (reason or "").strip() else ["--reason TEXT"]
        wanted += [] if environment else ["--environment NAME"]
    return " and ".join(wanted)


def _full(plan: str, approval: Approval) -> str:
    """Give the whole digest for a beginning of it of 12 characters or more."""
    given = plan.removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{12,64}", given):
        raise UsageError(
            f"--plan: found {plan[:100]!a}; allowed: a plan's digest, 12 characters of it or more"
        )
    whole = approval.digest.removeprefix("sha256:")
    return approval.digest if whole.startswith(given) else f"sha256:{given}"


_GO_ON = frozenset({RequestKind.APPROVE, RequestKind.DECIDE, RequestKind.RETRY})
"""What somebody has to act upon afterwards."""
