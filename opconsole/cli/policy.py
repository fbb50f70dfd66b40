"""Deciding about what a change of the settings loosens, and the switch that freezes everything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from opconsole.cli.output import CommandContext, ExitStatus, UsageError, interactive, plain
from opconsole.clock import iso
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import PolicyRow, RequestKind
from opconsole.signing import SigningError
from opconsole.standing_rules import waiting_policy, wants_signature
from opconsole.views import TaskView

if TYPE_CHECKING:
    from opconsole.client import Client

PREFIX = "p-"
"""How the id of a policy begins; no run's and no task's of ours does."""
_SHOWN = 5
"""Loosened rules that a warning names; the rest is counted."""


def approve_policy(
    context: CommandContext, policy_id: str, plan: str | None, reason: str | None, key: str | None
) -> int:
    """Approve what a policy loosens, by its digest."""
    with closing(_client(context)) as client:
        policy = _known(client.reader, policy_id)
        if plan is None or not (reason or "").strip():
            for line in policy_lines(policy):
                context.say(line)
            words = f"approve {policy.id} --plan {policy.digest} --reason …"
            context.warn(f"this also needs --plan DIGEST and --reason TEXT:\n  {context.command(words)}")
            return ExitStatus.USAGE
        why = (reason or "").strip()
        payload = {"policy": policy.id, "plan": _full(plan, policy.digest), "reason": why}
        if wants_signature(client.reader, client.workspace):
            from opconsole.signing_client import sign_policy  # noqa: PLC0415 (loads all that judges)

            ask = interactive(context)
            try:
                signature = sign_policy(
                    client.place.id, policy, why, key=key, environ=context.environ, ask=ask
                )
            except SigningError as error:
                context.warn(str(error))
                return ExitStatus.FAILED
            payload["signature"] = signature
        return _told(context, client, RequestKind.APPROVE, payload)


def reject_policy(context: CommandContext, policy_id: str, reason: str) -> int:
    """Reject what a policy loosens: it stays as it was."""
    with closing(_client(context)) as client:
        policy = _known(client.reader, policy_id)
        return _told(context, client, RequestKind.REJECT, {"policy": policy.id, "reason": reason})


def freeze(context: CommandContext, reason: str, *, on: bool) -> int:
    """Freeze everything, or end that."""
    if not reason.strip():
        raise UsageError("--reason: found nothing; allowed: why, in a few words")
    kind = RequestKind.FREEZE if on else RequestKind.UNFREEZE
    with closing(_client(context)) as client:
        return _told(context, client, kind, {"reason": reason})


def warn_of_policy(context: CommandContext, reader: JournalReader | None) -> PolicyRow | None:
    """Say that not all of the settings holds yet; give the policy that waits, None where none does."""
    policy = waiting_policy(reader)
    if policy is not None:
        context.warn("the settings loosen the policy; that waits for approval, and what was before holds:")
        for one in policy.loosens[:_SHOWN]:
            context.warn(f"  waits: {plain(one)}")
        if len(policy.loosens) > _SHOWN:
            context.warn(f"  and {len(policy.loosens) - _SHOWN} more")
        context.warn(f"  {context.command('approvals')} shows how to approve it")
    return policy


def out_of_force(policy: PolicyRow, tasks: Iterable[TaskView], project: str) -> list[TaskView]:
    """Give the project's tasks that nothing runs because their environment waits to be approved itself."""
    known = policy.in_force.get("environments")
    places = known if isinstance(known, Mapping) else {}
    return [
        task
        for task in tasks
        if task.project == project
        and task.run is None
        and task.state == "ready"
        and f"{project}:{task.environment}" not in places
    ]


def policy_lines(policy: PolicyRow) -> list[str]:
    """Give what a person should know of a policy that waits."""
    lines = [f"The settings loosen the policy; seen at {iso(policy.seen_at)} by {policy.seen_by}:"]
    lines += [f"  waits: {one}" for one in policy.loosens]
    lines += [f"  holds already: {one}" for one in policy.changes]
    return [plain(line) for line in [*lines, f"Policy: {policy.digest}"]]


def policy_json(policy: PolicyRow) -> dict[str, object]:
    """Give a policy that waits, as `approvals` lists it."""
    return {
        "id": policy.id,
        "project": None,
        "environment": None,
        "task": None,
        "kind": "policy",
        "version": None,
        "state": policy.state.value,
        "purpose": "policy",
        "digest": policy.digest,
        "requested_at": iso(policy.seen_at),
        "requested_by": policy.seen_by,
        "expires_at": None,
        "tier": 2,
        "why": list(policy.loosens),
        "reason": "the settings loosen the policy",
    }


def _known(reader: JournalReader, policy_id: str) -> PolicyRow:
    policy = reader.policy_of(policy_id)
    if policy is None:
        raise UsageError(f"{plain(policy_id)} is no policy on record; opconsole approvals lists what waits")
    return policy


def _full(given: str, digest: str) -> str:
    short = given.removeprefix("sha256:")
    whole = digest.removeprefix("sha256:")
    return digest if len(short) >= 12 and whole.startswith(short) else f"sha256:{short}"


def _client(context: CommandContext) -> Client:
    from opconsole.client import Client  # noqa: PLC0415 (whoever only looks does without)

    return Client.open(context.workspace())


def _told(context: CommandContext, client: Client, kind: RequestKind, payload: Mapping[str, object]) -> int:
    answer = asyncio.run(client.ask(kind, payload))
    if context.json:
        context.document({"granted": answer.granted, "message": answer.text})
    tell = context.say if answer.granted else context.warn
    tell(plain(answer.text))
    return ExitStatus.DONE if answer.granted else ExitStatus.FAILED
