"""What the journal says of the rules that hold now: whether approvals are signed, who froze everything."""

from __future__ import annotations

from collections.abc import Mapping

from opconsole.clock import iso
from opconsole.journal.deciding_ops import EVERYTHING
from opconsole.journal.reader import JournalReader
from opconsole.journal.records import PolicyRow, PolicyState
from opconsole.workspace import Workspace


def wants_signature(reader: JournalReader, workspace: Workspace) -> bool:
    """Say whether approvals must be signed: by the policy in force, else by the settings."""
    policy = reader.policy()
    rules = policy.in_force.get("approvals") if policy is not None else None
    if isinstance(rules, Mapping):
        return bool(rules.get("signed"))
    return workspace.settings.approvals.allowed_signers is not None


def frozen_words(reader: JournalReader | None) -> str:
    """Say who froze everything, since when and why; empty while nobody did. The text is a person's."""
    switch = reader.switch(EVERYTHING) if reader is not None else None
    if switch is None:
        return ""
    return f"everything is frozen by {switch.changed_by} since {iso(switch.changed_at)}: {switch.reason}"


def waiting_policy(reader: JournalReader | None) -> PolicyRow | None:
    """Give the policy that waits for approval; None where none does."""
    policy = reader.policy() if reader is not None else None
    return policy if policy is not None and policy.state is PolicyState.WAITING else None
