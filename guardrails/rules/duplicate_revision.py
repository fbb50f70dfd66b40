"""Two files with one revision: which one runs is an accident."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.rules.base import Blocks, Rule

RULE = Rule(
    name="duplicate-revision",
    pattern="duplicate revision",
    severity=Severity.HIGH,
    blocks=Blocks.NEVER,
    message="Another file has the same revision",
    fix="Give one of them a new revision.",
    source="the project's own",
)
