"""Forget the renewals: the national registry has them.

Revision: 0006, after 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM clinicians WHERE expires_on < '2020-01-01'")
    op.drop_index("ix_renewals_clinician_id", "renewals")
    # This is the mistake that the guardrails are there to find: what was in it comes back with no downgrade.
    op.drop_table("renewals")


def downgrade() -> None:
    op.create_table(
        "renewals",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("clinician_id", sa.Integer, sa.ForeignKey("clinicians.id"), nullable=False),
        sa.Column("renewed_on", sa.Date, nullable=False),
    )
    op.create_index("ix_renewals_clinician_id", "renewals", ["clinician_id"])
