"""A file that cannot be parsed is never taken for a harmless one."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.rules.base import Blocks, Rule

RULE = Rule(
    name="unparsable",
    pattern="UNPARSABLE",
    severity=Severity.HIGH,
    blocks=Blocks.PRODUCTION,
    message="The file cannot be parsed",
    fix="Correct its syntax, or exclude it.",
    source="policy-facts, SQL rules",
)
