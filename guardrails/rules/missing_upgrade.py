"""A migration without upgrade() does nothing, or Alembic fails on it."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.migrations.model import MigrationFile
from guardrails.rules.base import Blocks, Rule, migration, upgrade


def hits(migration: MigrationFile) -> bool:
    """Say whether the rule applies."""
    return not migration.has_upgrade


RULE = Rule(
    name="missing-upgrade",
    pattern="upgrade()",
    severity=Severity.CRITICAL,
    blocks=Blocks.EVERYWHERE,
    message="Missing upgrade() function - REQUIRED",
    fix="Add def upgrade() with the change.",
    source="policy-facts, migration rules",
    migration=hits,
    bad=(*migration("revision = '1'\ndown_revision = None\ndef downgrade():\n    pass\n"),),
    good=(*upgrade("pass"),),
)
