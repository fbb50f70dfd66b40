"""A migration without downgrade() cannot be taken back."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.migrations.model import MigrationFile
from guardrails.rules.base import Blocks, Rule, migration, upgrade


def hits(migration: MigrationFile) -> bool:
    """Say whether the rule applies."""
    return not migration.has_downgrade


RULE = Rule(
    name="missing-downgrade",
    pattern="downgrade()",
    severity=Severity.CRITICAL,
    blocks=Blocks.PRODUCTION,
    message="Missing downgrade() function - REQUIRED for production",
    fix="Add def downgrade() that reverses upgrade().",
    source="policy-facts, migration rules",
    migration=hits,
    bad=(*migration("revision = '1'\ndown_revision = None\ndef upgrade():\n    pass\n"),),
    good=(*upgrade("pass"),),
)
