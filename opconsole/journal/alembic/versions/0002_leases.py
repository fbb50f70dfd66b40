"""Give locks a lease, and let runs say that they are to be cancelled.

Revision ID: 0002_leases
Revises: 0001_initial
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_leases"
down_revision = "0001_initial"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what is held or at work now has neither."""
    op.add_column("locks", sa.Column("lease_until", sa.String(length=32)))
    op.add_column("runs", sa.Column("cancel_at", sa.String(length=32)))
    op.add_column("runs", sa.Column("cancel_by", sa.String(length=256)))
    op.add_column("runs", sa.Column("known", sa.JSON()))


def downgrade() -> None:
    """Take the columns away."""
    op.drop_column("runs", "known")
    op.drop_column("runs", "cancel_by")
    op.drop_column("runs", "cancel_at")
    op.drop_column("locks", "lease_until")
