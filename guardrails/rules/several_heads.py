"""Two revisions that nothing follows: `upgrade head` fails."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.rules.base import Blocks, Rule

RULE = Rule(
    name="several-heads",
    pattern="several heads",
    severity=Severity.HIGH,
    blocks=Blocks.NEVER,
    message="Several revisions claim to be the head",
    fix="Merge them: alembic merge heads",
    source="the project's own",
)
