"""A migration that does not say what it is for."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.migrations.model import MigrationFile
from guardrails.rules.base import Blocks, Rule, migration, upgrade


def hits(migration: MigrationFile) -> bool:
    """Say whether the rule applies."""
    return not migration.description


RULE = Rule(
    name="missing-description",
    pattern="description",
    severity=Severity.LOW,
    blocks=Blocks.NEVER,
    message="The migration has no description",
    fix="Begin the file with a docstring that says what changes.",
    source="policy-facts, migration rules",
    migration=hits,
    bad=(*migration("revision = '1'\ndown_revision = None\ndef upgrade():\n    pass\n"),),
    good=(*upgrade("pass"),),
)
