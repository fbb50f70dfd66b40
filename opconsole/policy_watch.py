"""Looks at the policy when a host begins: records it, audits each change, and says what is in force."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from opconsole.clock import iso
from opconsole.ids import new_policy_id
from opconsole.journal import ops
from opconsole.journal.deciding_ops import put_policy
from opconsole.journal.records import PolicyRow, PolicyState
from opconsole.journal.transaction import AuditOp, Op
from opconsole.plans import digest
from opconsole.policy import compare, policy_document
from opconsole.policy_settings import settings_by
from opconsole.settings import SETTINGS_FILE
from opconsole.signing import Signers, read_lines
from opconsole.workspace import Workspace

Writes = Sequence[Op | AuditOp]


@dataclass(frozen=True, slots=True)
class InForce:
    """What everything is judged by."""

    configured: Workspace
    """The workspace as its settings have it."""
    workspace: Workspace
    """The same, with what waits for approval as it was before."""
    signers: Signers
    """Whose signatures count."""
    policy: PolicyRow

    def after(self, policy: PolicyRow) -> InForce:
        """Give what is in force once *policy* was decided."""
        return in_force(self.configured, policy, self.signers.revoked)


def in_force(configured: Workspace, policy: PolicyRow, revoked: Sequence[str]) -> InForce:
    """Give what is in force by *policy*; keys that are *revoked* now sign nothing, whatever it says."""
    known = policy.in_force
    settings = configured.settings
    if digest(known) != digest(policy.document):
        settings = settings_by(settings, known)
    keys = tuple(dict.fromkeys((*_texts(known.get("revoked")), *revoked)))
    signers = Signers(_texts(known.get("signers")), keys)
    return InForce(configured, replace(configured, settings=settings), signers, policy)


async def look_at_policy(
    configured: Workspace, known: PolicyRow | None, *, now: datetime, by: str
) -> tuple[InForce, Writes]:
    """Compare the policy with the one *known*; give what is in force, and what the journal should say."""
    signers, fault = await asyncio.to_thread(_signers, configured, known)
    document = policy_document(configured.settings, signers)
    seen = digest(document)
    if known is not None and known.digest == seen:
        return in_force(configured, known, signers.revoked), ()
    if known is None:
        row = PolicyRow(new_policy_id(), seen, document, document, (), (), PolicyState.IN_FORCE, now, by)
    else:
        found = await asyncio.to_thread(compare, known.in_force, document, place_in(configured))
        whole = {**document, **{name: _with_gone(name, found.merged, document) for name in _REMEMBERED}}
        row = PolicyRow(
            new_policy_id(),
            seen,
            whole,
            found.merged if found.loosens else whole,
            found.changes,
            found.loosens,
            PolicyState.WAITING if found.loosens else PolicyState.IN_FORCE,
            now,
            by,
        )
    edited = await asyncio.to_thread(_edited, configured.root / SETTINGS_FILE)
    return in_force(configured, row, signers.revoked), _writes(row, known, {**edited, **fault})


def place_in(workspace: Workspace) -> Callable[[str], str]:
    """Give what tells where a path of the settings leads, however it is written. That blocks."""
    return lambda path: os.path.realpath(workspace.path(path))


def _writes(row: PolicyRow, known: PolicyRow | None, facts: Mapping[str, object]) -> Writes:
    first = known is None
    told: list[Op | AuditOp] = [*put_policy(row)]
    told.append(
        ops.audit(
            row.seen_at,
            row.seen_by,
            "policy-first-seen" if first else "policy-changed",
            row.id,
            digest=row.digest,
            before=known.digest if known else None,
            changes=list(row.changes),
            waits=list(row.loosens),
            **facts,
        )
    )
    if row.loosens:
        text = f"the settings loosen the policy; that waits for approval: opconsole approve {row.id}"
        detail = {"priority": "P1", "text": text, "policy": row.id, "loosens": list(row.loosens)}
        told.append(ops.event(row.seen_at, "alert", "", detail=detail))
    return told


def _signers(workspace: Workspace, known: PolicyRow | None) -> tuple[Signers, dict[str, object]]:
    """Read the files of keys. One that cannot be read changes nothing: the keys known before stay."""
    rules = workspace.settings.approvals
    before = known.in_force if known else {}
    found, faults = [], []
    for name, file in (("signers", rules.allowed_signers), ("revoked", rules.revoked_keys)):
        try:
            found.append(read_lines(workspace.path(file)) if file is not None else ())
        except (OSError, ValueError) as error:
            found.append(_texts(before.get(name)))
            faults.append(f"{file}: {error}")
    return Signers(*found), {"faults": faults} if faults else {}


def _edited(settings: Path) -> dict[str, object]:
    """Say whose file it is and when it was written: as far as that is known, who changed the policy."""
    try:
        facts = settings.stat()
    except OSError:
        return {}
    try:
        owner = pwd.getpwuid(facts.st_uid).pw_name
    except KeyError:
        owner = f"uid {facts.st_uid}"
    return {"file": os.fspath(settings), "owner": owner, "written": iso(_when(facts.st_mtime))}


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _with_gone(name: str, merged: Mapping[str, object], document: Mapping[str, object]) -> dict[str, object]:
    """Give a part of the policy with what the settings no longer have: it cannot come back looser."""
    held, now = merged.get(name), document.get(name)
    return {**(held if isinstance(held, Mapping) else {}), **(now if isinstance(now, Mapping) else {})}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, (list, tuple)) else ()


_REMEMBERED = ("environments", "provisioning")
"""The parts of a policy that keep what was taken out of the settings."""
