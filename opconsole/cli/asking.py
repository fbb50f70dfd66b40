"""Asking a person on a plain terminal: the guide's prompts, then what the tier asks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping

from guardrails.gates import Tier
from guardrails.sanitise import sanitise
from opconsole.journal.records import Approval, Purpose, RequestKind, Run
from opconsole.prompts import DeploymentPrompt, Preflight, RollbackPrompt, deployment_prompt, rollback_prompt
from opconsole.provisioning.telling import is_provisioning, prompt, sentences
from queues.tasks import TaskKind

AskLine = Callable[[str], Awaitable[str]]
"""Shows a question and gives the line that a person answered; raises EOFError when there is no more input."""


def approval_prompt(run: Run, approval: Approval) -> str:
    """Give the guide's prompt for what waits; of provisioning, for which it has none, one like them."""
    if is_provisioning(approval.plan):
        return "\n".join(
            sanitise(line, single_line=True) for line in prompt(approval.plan, run.preflight).splitlines()
        )
    migrations = approval.plan.get("migrations")
    if approval.purpose is Purpose.REVERT or run.kind == TaskKind.ROLLBACK.value:
        version = approval.plan.get("version")
        to = version.get("to") if isinstance(version, Mapping) else None
        files = migrations.get("files") if isinstance(migrations, Mapping) else None
        return rollback_prompt(
            RollbackPrompt(
                environment=run.environment,
                target_version=to if isinstance(to, str) else None,
                steps_back=len(files) if isinstance(files, list) else 0,
                revision=_text(migrations, "from"),
            )
        )
    return deployment_prompt(
        DeploymentPrompt(
            environment=run.environment,
            version=run.version or "HEAD",
            project=run.project,
            migrations_path=_text(migrations, "path"),
            production="production always needs approval" in approval.why,
            preflight=tuple(Preflight(passed, text) for passed, text in run.preflight),
        )
    )


def plan_lines(run: Run, approval: Approval) -> list[str]:
    """Give what a person should know beyond the guide's prompt: steps, migrations, findings, digest."""
    plan = approval.plan
    version = None if is_provisioning(plan) else plan.get("version")
    lines = [f"Task: {run.task} ({run.id}), asked for by {approval.requested_by}"]
    if isinstance(version, Mapping):
        lines.append(f"Version: {version.get('from') or 'nothing'} → {version.get('to')}")
    lines += [f"{label}: {text}" if label else f"  {text}" for label, text in sentences(plan)]
    steps = plan.get("steps")
    if isinstance(steps, list):
        lines.append("Steps: " + ", ".join(str(step.get("name")) for step in steps))
    migrations = plan.get("migrations")
    files = migrations.get("files") if isinstance(migrations, Mapping) else None
    lines += [
        f"Migration: {file.get('revision')} {file.get('description') or file.get('path')}"
        for file in (files if isinstance(files, list) else [])
    ]
    findings = plan.get("findings")
    lines += [
        f"Finding: {one.get('verdict')} {one.get('rule')} {one.get('path')}:{one.get('line')}"
        for one in (findings if isinstance(findings, list) else [])
    ]
    lines += [f"Why: {reason}" for reason in approval.why]
    lines.append(f"Plan: {approval.digest}")
    return [sanitise(line, single_line=True) for line in lines]


async def ask_about(
    run: Run, approval: Approval, ask: AskLine, say: Callable[[str], None]
) -> tuple[RequestKind, dict[str, object]]:
    """Ask about one approval and give the request that the answers amount to."""
    answer = (await ask(approval_prompt(run, approval) + " ")).strip().lower()
    while answer not in {"y", "yes", "n", "no"}:
        if answer == "?":
            _say_plan(run, approval, say)
        answer = (await ask("Please answer Y or N (? shows the plan): ")).strip().lower()
    if answer.startswith("n"):
        reason = await _until_given(ask, "Reason for rejecting: ")
        return RequestKind.REJECT, {"run": run.id, "reason": reason}
    # The guide's prompt stands as the guide has it; what we add to it follows.
    _say_plan(run, approval, say)
    payload: dict[str, object] = {"run": run.id, "plan": approval.digest}
    if approval.tier >= Tier.REASONED:
        payload["reason"] = await _until_given(ask, "Reason: ")
        payload["environment"] = (await ask(f"Type the environment's name ({run.environment}): ")).strip()
    return RequestKind.APPROVE, payload


def _say_plan(run: Run, approval: Approval, say: Callable[[str], None]) -> None:
    for line in plan_lines(run, approval):
        say(line)


async def ask_decision(
    run: Run, ask: AskLine, say: Callable[[str], None], known: Iterable[str] = ()
) -> tuple[RequestKind, dict[str, object]]:
    """Ask for revert, override or abort of a run that is stuck; *known* is laid out before."""
    say(sanitise(f"{run.task} is {run.state.value}: {run.reason}", single_line=True))
    for line in known:
        say(sanitise(line, single_line=True))
    verbs = {"r": "revert", "o": "override", "a": "abort"}
    answer = (await ask("[R]evert, [O]verride or [A]bort? ")).strip().lower()
    while answer[:1] not in verbs or answer not in {*verbs, *verbs.values()}:
        answer = (await ask("Please answer R, O or A: ")).strip().lower()
    reason = await _until_given(ask, "Reason: ")
    return RequestKind.DECIDE, {"run": run.id, "verb": verbs[answer[0]], "reason": reason}


async def ask_on_terminal(question: str) -> str:
    """Ask on this process's terminal without blocking the event loop."""
    sys.stdout.write(question)
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    descriptor = sys.stdin.fileno()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()  # a terminal hands out whole lines, so reading one does not block
    finally:
        loop.remove_reader(descriptor)
    line = sys.stdin.readline()
    if not line:
        raise EOFError("no more input")
    return line


async def _until_given(ask: AskLine, question: str) -> str:
    while True:
        answer = (await ask(question)).strip()
        if answer:
            return answer


def _text(value: object, name: str) -> str | None:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else None
