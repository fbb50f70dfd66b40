"""Create the register of clinicians.

Revision: 0001, after none
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    clinicians = op.create_table(
        "clinicians",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("licence_number", sa.String(40), nullable=False, unique=True),
    )
    op.bulk_insert(
        clinicians,
        [
            {"id": 1, "name": "Ana Ruiz", "licence_number": "MD-10442"},
            {"id": 2, "name": "Jonas Weber", "licence_number": "RN-20817"},
            {"id": 3, "name": "Priya Nair", "licence_number": "NP-30955"},
        ],
    )


def downgrade() -> None:
    op.drop_table("clinicians")
