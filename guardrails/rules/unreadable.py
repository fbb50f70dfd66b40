"""A file that cannot be read is never taken for a harmless one."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.rules.base import Blocks, Rule

RULE = Rule(
    name="unreadable",
    pattern="UNREADABLE",
    severity=Severity.HIGH,
    blocks=Blocks.PRODUCTION,
    message="The file cannot be read",
    fix="Make it readable UTF-8 text inside the project, or exclude it.",
    source="policy-facts, SQL rules",
)
