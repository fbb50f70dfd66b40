"""The journal's own migrations pass the guardrails that every project's have to."""

from __future__ import annotations

import shutil
from pathlib import Path

from guardrails.check import check_migrations
from guardrails.environments import GateKind
from guardrails.findings import Verdict
from opconsole.journal.upgrade import HEAD, SCRIPTS

VERSIONS = SCRIPTS / "versions"
DROP = f'''"""Forget the runs."""

import sqlalchemy as sa
from alembic import op

revision = "0002_forget"
down_revision = "{HEAD}"


def upgrade() -> None:
    op.drop_table("steps")


def downgrade() -> None:
    op.create_table("steps", sa.Column("id", sa.Integer()))
'''


def test_the_journals_migrations_pass_our_own_guardrails_in_production() -> None:
    found = check_migrations(
        VERSIONS, environment="production", gate=GateKind.PRODUCTION, dialect="sqlite", root=SCRIPTS
    )
    assert [finding for finding in found.report.findings if finding.verdict is Verdict.BLOCK] == []
    assert found.elements.upgrade
    assert found.elements.downgrade
    assert found.elements.reversible
    assert {file.path for file in found.report.files} == {
        str(path.relative_to(SCRIPTS)) for path in VERSIONS.glob("*.py")
    }
    for file in found.report.files:
        assert file.coverage.statements == file.coverage.analysed > 0


def test_a_migration_that_drops_a_table_would_be_blocked(tmp_path: Path) -> None:
    folder = tmp_path / "versions"
    shutil.copytree(VERSIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "0002_forget.py").write_text(DROP)
    found = check_migrations(folder, environment="production", gate=GateKind.PRODUCTION, dialect="sqlite")
    blocking = [finding.rule for finding in found.report.findings if finding.verdict is Verdict.BLOCK]
    assert blocking == ["drop-table"]
