"""Say when a clinician's licence expires.

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("clinicians") as table:
        table.add_column(sa.Column("expires_on", sa.Date, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("clinicians") as table:
        table.drop_column("expires_on")
