"""What an environment's gate will ask of an entry, in words, as far as it is known before the pre-flight."""

from __future__ import annotations

from collections.abc import Mapping

from guardrails.environments import resolve_environment
from guardrails.gates import Action, GateFacts, decide
from opconsole.reading import Reading


def gate_words(reading: Reading, project: str, entry: Mapping[str, object]) -> str:
    """Say what will be asked before a task goes on, and what becomes of a failure; empty where it never runs.

    The environment of *entry* is one of the project's.
    """
    kind = str(entry.get("agent_type") or entry.get("agent"))
    action = _ACTIONS.get(str(entry.get("action") or kind) if kind == "migration" else kind)
    if action is None:
        return ""
    place = entry.get("environment")
    if action is Action.PROVISION or not isinstance(place, str):
        return "asks for approval: provisioning always needs approval"
    workspace = reading.workspace
    environment = resolve_environment(place, workspace.environments(project))
    gate = workspace.gate(project, environment)
    before = reading.reader is not None and reading.reader.succeeded_before(project, environment, kind)
    asked = workspace.environment(project, environment).requires_approval
    decision = decide(gate, action, GateFacts(succeeded_before=before, requires_approval=asked))
    if not decision.approval and entry.get("requires_approval"):
        decision = decide(gate, action, GateFacts(succeeded_before=before, requires_approval=True))
    back = "back by itself after a failure" if gate.auto_rollback else "after a failure a person decides"
    if action not in (Action.DEPLOY, Action.MIGRATE):
        back = ""
    asks = f"asks for approval: {', '.join(decision.reasons)}" if decision.approval else "asks nobody"
    return f"{asks}; {back}" if back else asks


_ACTIONS = {
    "deployment": Action.DEPLOY,
    "migration": Action.MIGRATE,
    "run": Action.MIGRATE,
    "validate": Action.VALIDATE,
    "downgrade": Action.DOWNGRADE,
    "rollback": Action.ROLLBACK,
    "provisioning": Action.PROVISION,
}
