"""A safety-exception mark whose last day has passed: what it exempted counts again."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.rules.base import Blocks, Rule

RULE = Rule(
    name="expired-exemption",
    pattern="safety-exception",
    severity=Severity.MEDIUM,
    blocks=Blocks.NEVER,
    message="The safety-exception mark has expired, so nothing is exempt",
    fix="Remove it with what it was about, or agree on a new end date.",
    source="the project's own",
)
