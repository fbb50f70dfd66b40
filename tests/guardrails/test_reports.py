"""The guide's two reports, character for character: exactly its input gives exactly its output."""

from __future__ import annotations

from pathlib import Path

from guardrails.check import check_migrations, check_paths
from guardrails.environments import GateKind
from guardrails.reports import check_report, migration_failure, violations_report

SQL_VIOLATION = """\
🚫 DEPLOYMENT SAFETY VIOLATIONS DETECTED
============================================================
🔴 CRITICAL (1):
  migration_001.py:15
    Pattern: DROP TABLE
    Reason: DROP TABLE causes irreversible data loss
    Code: DROP TABLE old_users;
============================================================
ACTION REQUIRED: Fix violations before deployment"""

NOT_REVERSIBLE = """\
🚫 MIGRATION VALIDATION FAILED
============================================================
Required Elements:
  upgrade():     ✅
  downgrade():   ❌
  reversible:    ❌

❌ Errors (1):
  - Missing downgrade() function - REQUIRED for production
============================================================
🚫 Migration BLOCKED - fix errors before deployment"""

MIGRATION_001 = '''"""Remove old users

Revision ID: 001
"""

from alembic import op

revision = "001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.execute("DROP TABLE old_users;")


def downgrade():
    op.execute("CREATE TABLE old_users (id int)")
'''

WITHOUT_DOWNGRADE = '''"""Add an email."""

import sqlalchemy as sa
from alembic import op

revision = "001"
down_revision = None


def upgrade():
    op.add_column("users", sa.Column("email", sa.String(255)))
'''


def test_a_sql_violation_is_reported_as_the_guide_prints_it(tmp_path: Path) -> None:
    (tmp_path / "migration_001.py").write_text(MIGRATION_001)
    report = check_paths([tmp_path], environment="production", gate=GateKind.PRODUCTION, root=tmp_path)
    assert violations_report(report.findings) == SQL_VIOLATION


def test_a_missing_semicolon_does_not_change_the_guide_s_report(tmp_path: Path) -> None:
    (tmp_path / "migration_001.py").write_text(MIGRATION_001.replace("users;", "users"))
    report = check_paths([tmp_path], environment="production", gate=GateKind.PRODUCTION, root=tmp_path)
    assert violations_report(report.findings) == SQL_VIOLATION


def test_a_missing_downgrade_is_reported_as_the_guide_prints_it(tmp_path: Path) -> None:
    (tmp_path / "001.py").write_text(WITHOUT_DOWNGRADE)
    result = check_migrations(tmp_path, environment="production", gate=GateKind.PRODUCTION, root=tmp_path)
    assert migration_failure(result) == NOT_REVERSIBLE


def test_nothing_is_reported_where_nothing_blocks(tmp_path: Path) -> None:
    (tmp_path / "001.py").write_text(WITHOUT_DOWNGRADE)
    result = check_migrations(tmp_path, environment="staging", gate=GateKind.STAGING, root=tmp_path)
    assert migration_failure(result) is None


def test_several_findings_are_grouped_by_severity_the_worst_first(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("TRUNCATE a; no sql at all; DROP TABLE b; UPDATE c SET d = 1")
    report = check_paths([tmp_path], environment="production", gate=GateKind.PRODUCTION, root=tmp_path)
    text = violations_report(report.findings)
    assert "🔴 CRITICAL (2):\n  a.sql:1\n    Pattern: TRUNCATE TABLE\n" in text
    assert text.index("🔴 CRITICAL (2):") < text.index("🟠 HIGH (1):")
    assert "UPDATE" not in text
    assert "a.sql:1:42: warning: update-all" in check_report(report)


def test_a_hostile_name_and_statement_cannot_command_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J\n.sql").write_text('DROP TABLE "x\x1b[31m\x07";')
    report = check_paths([tmp_path], environment="production", gate=GateKind.PRODUCTION, root=tmp_path)
    text = check_report(report)
    assert "\x1b" not in text
    assert "\x07" not in text
