"""Say which state issued a clinician's licence.

Revision: 0002, after 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("clinicians") as table:
        table.add_column(sa.Column("licence_state", sa.String(2), nullable=False, server_default="CA"))


def downgrade() -> None:
    with op.batch_alter_table("clinicians") as table:
        table.drop_column("licence_state")
