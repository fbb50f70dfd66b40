"""A down_revision that no file has: Alembic cannot load the chain."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.rules.base import Blocks, Rule

RULE = Rule(
    name="missing-parent",
    pattern="missing parent",
    severity=Severity.HIGH,
    blocks=Blocks.NEVER,
    message="down_revision names a revision that does not exist",
    fix="Restore the missing file or correct down_revision.",
    source="the project's own",
)
