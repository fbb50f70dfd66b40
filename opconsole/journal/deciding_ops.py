"""What can be written about deciding, as values: votes, policies, and the switch that freezes everything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, insert, update
from sqlalchemy.dialects.sqlite import insert as upsert

from opconsole.journal.records import PolicyRow, PolicyState, VoteRow
from opconsole.journal.schema import policies, switches, votes
from opconsole.journal.writer import Op

EVERYTHING = "freeze-everything"
"""The switch that lets no effect begin anywhere."""

_INSERT_VOTE = insert(votes)
_INSERT_POLICY = insert(policies)
_PASS_POLICIES = (
    update(policies)
    .where(policies.c.state.in_([PolicyState.IN_FORCE.value, PolicyState.WAITING.value]))
    .values(state=PolicyState.PAST.value)
)
_DECIDE_POLICY = (
    update(policies)
    .where((policies.c.id == bindparam("of_id")) & (policies.c.state == PolicyState.WAITING.value))
    .values(
        state=bindparam("new_state"),
        in_force=bindparam("new_in_force", type_=policies.c.in_force.type),
        decided_at=bindparam("new_decided_at", type_=policies.c.decided_at.type),
        decided_by=bindparam("new_decided_by"),
        reason=bindparam("new_reason"),
    )
)
_SET_SWITCH = upsert(switches)
_SET_SWITCH = _SET_SWITCH.on_conflict_do_update(
    index_elements=["name"],
    set_={name: getattr(_SET_SWITCH.excluded, name) for name in ("on", "changed_at", "changed_by", "reason")},
)


def insert_vote(vote: VoteRow) -> Op:
    """Record one person's answer."""
    return Op(
        _INSERT_VOTE,
        {
            "approval": vote.approval,
            "by": vote.by,
            "asked_by": vote.asked_by,
            "at": vote.at,
            "verdict": vote.verdict,
            "reason": vote.reason,
            "signature": vote.signature,
            "key": vote.key,
            "verified": vote.verified,
        },
    )


def put_policy(policy: PolicyRow) -> Sequence[Op]:
    """Record the policy that is seen now; those before it are past."""
    return (
        Op(_PASS_POLICIES, {}),
        Op(
            _INSERT_POLICY,
            {
                "id": policy.id,
                "digest": policy.digest,
                "document": dict(policy.document),
                "in_force": dict(policy.in_force),
                "changes": list(policy.changes),
                "loosens": list(policy.loosens),
                "state": policy.state.value,
                "seen_at": policy.seen_at,
                "seen_by": policy.seen_by,
            },
        ),
    )


def decide_policy(policy: PolicyRow, at: datetime, by: str, reason: str, *, approved: bool) -> Op:
    """Record the answer to what a policy loosens; fails when it was given already."""
    return Op(
        _DECIDE_POLICY,
        {
            "of_id": policy.id,
            "new_state": (PolicyState.IN_FORCE if approved else PolicyState.REJECTED).value,
            "new_in_force": dict(policy.document if approved else policy.in_force),
            "new_decided_at": at,
            "new_decided_by": by,
            "new_reason": reason,
        },
        expect=1,
    )


def set_switch(name: str, *, on: bool, at: datetime, by: str, reason: str) -> Op:
    """Turn a switch."""
    values = {"name": name, "on": on, "changed_at": at, "changed_by": by, "reason": reason}
    return Op(_SET_SWITCH, values)
