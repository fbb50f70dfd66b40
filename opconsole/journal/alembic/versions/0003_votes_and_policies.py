"""Votes on approvals, the policies that were seen, and the switch that freezes everything."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_votes_and_policies"
down_revision = "0002_leases"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; what was decided before stands in the approvals themselves."""
    op.create_table(
        "votes",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("approval", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=256), nullable=False),
        sa.Column("asked_by", sa.String(length=256), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text()),
        sa.Column("key", sa.String(length=128)),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_votes")),
    )
    op.create_index(op.f("ix_votes_approval"), "votes", ["approval"])
    op.create_table(
        "policies",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("in_force", sa.JSON(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("loosens", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("seen_at", sa.String(length=32), nullable=False),
        sa.Column("seen_by", sa.String(length=256), nullable=False),
        sa.Column("decided_at", sa.String(length=32)),
        sa.Column("decided_by", sa.String(length=256)),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_policies")),
        sa.UniqueConstraint("id", name=op.f("uq_policies_id")),
    )
    op.create_table(
        "switches",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("on", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.String(length=32), nullable=False),
        sa.Column("changed_by", sa.String(length=256), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_switches")),
    )


def downgrade() -> None:
    """Take the tables away, with all that stands in them."""
    op.drop_table("switches")
    op.drop_table("policies")
    op.drop_index(op.f("ix_votes_approval"), table_name="votes")
    op.drop_table("votes")
