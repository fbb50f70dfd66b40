"""A safety-exception mark that exempts nothing: no reason, or no such rule."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.rules.base import Blocks, Rule

RULE = Rule(
    name="bad-exemption",
    pattern="safety-exception",
    severity=Severity.LOW,
    blocks=Blocks.NEVER,
    message="The safety-exception mark is not complete, so nothing is exempt",
    fix="Write: safety-exception: <rule>: <reason>",
    source="the project's own",
)
