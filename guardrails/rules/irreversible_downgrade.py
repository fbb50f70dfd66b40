"""A downgrade() that does nothing, or only raises, takes nothing back."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.migrations.model import MigrationFile
from guardrails.rules.base import Blocks, Rule, downgrade, migration


def hits(migration: MigrationFile) -> bool:
    """Say whether the rule applies."""
    return migration.has_downgrade and not migration.reversible


RULE = Rule(
    name="irreversible-downgrade",
    pattern="downgrade()",
    severity=Severity.CRITICAL,
    blocks=Blocks.PRODUCTION,
    message="downgrade() reverses nothing - a reversible one is REQUIRED for production",
    fix="Reverse in downgrade() what upgrade() does.",
    source="policy-facts, migration rules",
    migration=hits,
    bad=(
        *downgrade(
            "pass",
            "raise NotImplementedError",
            "'Nothing.'",
            "...",
            "return",
            "return None",
            "pass\nraise RuntimeError('no')",
            "raise RuntimeError\nop.drop_table('a')",
        ),
    ),
    good=(
        *downgrade("op.drop_column('a', 'b')", "if x:\n    raise ValueError\nop.drop_table('a')"),
        *migration(
            "revision = '3'\ndown_revision = ('1', '2')\ndef upgrade():\n    pass\ndef downgrade():\n    pass\n"  # noqa: E501
        ),
    ),
)
