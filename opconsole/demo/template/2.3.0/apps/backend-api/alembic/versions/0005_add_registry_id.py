"""Keep a clinician's number in the national registry.

Revision: 0005, after 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("clinicians") as table:
        table.add_column(sa.Column("registry_id", sa.String(40), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("clinicians") as table:
        table.drop_column("registry_id")
