"""Signing in the session of the person who approves: over which text, and with which key."""

from __future__ import annotations

from collections.abc import Mapping

from guardrails.approving import Subject, Verdict
from opconsole.asked import asked_of
from opconsole.journal.records import Approval, PolicyRow, Run
from opconsole.policy_deciding import policy_subject
from opconsole.signing import find_key, sign, statement


def sign_approval(
    journal: str,
    run: Run,
    approval: Approval,
    reason: str,
    *,
    key: str | None,
    environ: Mapping[str, str],
    ask: bool,
) -> str:
    """Sign the approval of a plan. Blocks. With *ask* ssh-keygen has the terminal. Raises SigningError."""
    return _signed(journal, asked_of(approval, run).subject, reason, key, environ, ask=ask)


def sign_policy(
    journal: str, policy: PolicyRow, reason: str, *, key: str | None, environ: Mapping[str, str], ask: bool
) -> str:
    """Sign the approval of a change of policy. Blocks. Raises SigningError."""
    return _signed(journal, policy_subject(policy), reason, key, environ, ask=ask)


def _signed(
    journal: str, subject: Subject, reason: str, key: str | None, environ: Mapping[str, str], *, ask: bool
) -> str:
    text = statement(journal, subject, Verdict.APPROVE, reason.strip())
    return sign(text, find_key(key, environ), environ=environ, ask=ask)
