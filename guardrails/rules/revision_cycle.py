"""Revisions that follow each other in a circle: none can run."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.rules.base import Blocks, Rule

RULE = Rule(
    name="revision-cycle",
    pattern="cycle",
    severity=Severity.HIGH,
    blocks=Blocks.NEVER,
    message="The revisions follow each other in a circle",
    fix="Correct down_revision in one of them.",
    source="the project's own",
)
