"""Gates: the guide's table of what an environment lets happen by itself and what a person must approve.

Everything here is a pure function of the journal's facts. Source: the guide's *Environment Gates* table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from guardrails.environments import GateKind


class Action(StrEnum):
    """What a run is about to do to an environment."""

    DEPLOY = "deploy"
    MIGRATE = "migrate"
    VALIDATE = "validate"
    DOWNGRADE = "downgrade"
    ROLLBACK = "rollback"
    PROVISION = "provision"


class Asks(StrEnum):
    """When a gate wants a person's approval."""

    NEVER = "never"
    FIRST_TIME = "first-time"
    ALWAYS = "always"


class Tier(IntEnum):
    """How much a decision takes: a key, a plan with reason and name, or a second person as well."""

    CONFIRM = 1
    REASONED = 2
    SECOND_PERSON = 3


class OnFailure(StrEnum):
    """What follows when an effect of a run has failed."""

    ROLL_BACK = "roll-back"
    HALT = "halt"


@dataclass(frozen=True, slots=True)
class Gate:
    """The policy of one environment."""

    kind: GateKind
    approval: Asks
    auto_rollback: bool
    expires_after: float | None = None
    """Seconds after which an unanswered approval request counts as rejected; None: never."""


GATES: Mapping[GateKind, Gate] = {
    GateKind.DEVELOPMENT: Gate(GateKind.DEVELOPMENT, approval=Asks.NEVER, auto_rollback=True),
    GateKind.STAGING: Gate(GateKind.STAGING, approval=Asks.FIRST_TIME, auto_rollback=True),
    GateKind.PRODUCTION: Gate(GateKind.PRODUCTION, approval=Asks.ALWAYS, auto_rollback=False),
}
"""The default policy. A workspace may tighten it; production's row cannot be loosened."""


@dataclass(frozen=True, slots=True)
class GateFacts:
    """What the journal and the plan know that bears on the gate."""

    succeeded_before: bool
    """A successful run of this kind (deployment, or migration) of the project is on record there."""
    requires_approval: bool = False
    """The task itself asks for an approval. This can only tighten."""
    exempted_critical: bool = False
    """A finding that would block is exempted by a mark in the source."""
    irreversible: bool = False
    """Something on the way cannot be taken back, or data would be lost."""
    senior: bool = False
    """It costs so much, or nobody knows how much, that a second, senior approver is wanted."""


@dataclass(frozen=True, slots=True)
class GateDecision:
    """Whether a person must approve, by which tier, and why."""

    approval: bool
    tier: Tier
    reasons: tuple[str, ...] = ()


def decide(gate: Gate, action: Action, facts: GateFacts) -> GateDecision:
    """Say whether *action* needs a person's approval at this gate.

    >>> decide(GATES[GateKind.STAGING], Action.DEPLOY, GateFacts(succeeded_before=True)).approval
    False
    """
    if action is Action.VALIDATE:
        return GateDecision(approval=False, tier=Tier.CONFIRM)
    reasons = tuple(_reasons(gate, action, facts))
    return GateDecision(approval=bool(reasons), tier=_tier(gate, facts), reasons=reasons)


def on_failure(gate: Gate, *, way_back: bool) -> OnFailure:
    """Say what follows a failed effect: roll back where the gate does that by itself and a way back exists.

    *way_back* is true when a predecessor exists and every migration on the way can be reversed.
    """
    return OnFailure.ROLL_BACK if gate.auto_rollback and way_back else OnFailure.HALT


def _reasons(gate: Gate, action: Action, facts: GateFacts) -> list[str]:
    reasons = []
    if action is Action.PROVISION:
        reasons.append("provisioning always needs approval")
    if gate.approval is Asks.ALWAYS:
        reasons.append(f"{gate.kind.value} always needs approval")
    elif gate.approval is Asks.FIRST_TIME and not facts.succeeded_before and action is not Action.ROLLBACK:
        reasons.append(f"first time in {gate.kind.value}")
    if action is Action.DOWNGRADE and not reasons:
        reasons.append("a downgrade needs approval")
    if facts.requires_approval:
        reasons.append("the task requires approval")
    if facts.exempted_critical and gate.kind is GateKind.PRODUCTION:
        reasons.append("a blocking finding is exempted")
    if facts.senior:
        reasons.append("its cost wants a second, senior approver")
    return reasons


def _tier(gate: Gate, facts: GateFacts) -> Tier:
    if facts.irreversible or facts.senior or (facts.exempted_critical and gate.kind is GateKind.PRODUCTION):
        return Tier.SECOND_PERSON
    return Tier.CONFIRM if gate.kind is GateKind.DEVELOPMENT else Tier.REASONED
