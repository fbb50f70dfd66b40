"""A safety-exception mark that exempts nothing any more: it may hide what comes later."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.rules.base import Blocks, Rule

RULE = Rule(
    name="unused-exemption",
    pattern="safety-exception",
    severity=Severity.LOW,
    blocks=Blocks.NEVER,
    message="The safety-exception mark exempts nothing",
    fix="Remove it, or put it beside the statement that it is about.",
    source="the project's own",
)
