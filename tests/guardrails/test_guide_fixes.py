"""What the guide offers in place of a blocked migration is let through in production."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrails.check import check_migrations
from guardrails.environments import GateKind
from guardrails.findings import Verdict

HEAD = '''\
"""Set old_users aside."""
from alembic import op
import sqlalchemy as sa

revision = "1"
down_revision = None

'''
DROP = """\
def upgrade():
    op.execute("DROP TABLE old_users;")

def downgrade():
    op.create_table("old_users")
"""
RENAME = """\
def upgrade():
    # Mark table as deprecated, schedule for cleanup later
    op.execute("ALTER TABLE old_users RENAME TO _deprecated_old_users")

def downgrade():
    op.execute("ALTER TABLE _deprecated_old_users RENAME TO old_users")
"""
ONE_WAY = "def upgrade():\n    op.add_column('users', sa.Column('email', sa.String(255)))\n"
BOTH_WAYS = (
    ONE_WAY
    + """
def downgrade():
    # Reverse the changes from upgrade()
    op.drop_column('users', 'email')
"""
)


def verdict(folder: Path, body: str) -> Verdict:
    (folder / "1_old_users.py").write_text(HEAD + body)
    found = check_migrations(folder, environment="production", gate=GateKind.PRODUCTION, root=folder)
    return found.report.verdict


@pytest.mark.parametrize(("blocked", "fixed"), [(DROP, RENAME), (ONE_WAY, BOTH_WAYS)])
def test_the_fixes_that_the_guide_offers_are_accepted(tmp_path: Path, blocked: str, fixed: str) -> None:
    assert verdict(tmp_path, blocked) is Verdict.BLOCK
    assert verdict(tmp_path, fixed) in (Verdict.PASS, Verdict.WARN)
