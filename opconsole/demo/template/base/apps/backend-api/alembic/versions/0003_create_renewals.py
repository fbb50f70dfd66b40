"""Record the renewals of licences, found by clinician.

Revision: 0003, after 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "renewals",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("clinician_id", sa.Integer, sa.ForeignKey("clinicians.id"), nullable=False),
        sa.Column("renewed_on", sa.Date, nullable=False),
    )
    op.create_index("ix_renewals_clinician_id", "renewals", ["clinician_id"])


def downgrade() -> None:
    op.drop_index("ix_renewals_clinician_id", "renewals")
    op.drop_table("renewals")
