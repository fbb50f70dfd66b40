"""The journal as it began: queues, runs and their steps, what is asked and decided, and the audit chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; moments are ISO 8601 text in UTC."""
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.String(length=80), nullable=False),
        sa.Column("hash", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=128), nullable=False),
        sa.Column("task", sa.String(length=128)),
        sa.Column("run", sa.String(length=32)),
        sa.Column("step", sa.String(length=64)),
        sa.Column("state", sa.String(length=16)),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_run"), "events", ["run"])
    op.create_table(
        "outbox",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=128), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("done_at", sa.String(length=32)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_done_at"), "outbox", ["done_at"])
    op.create_table(
        "queues",
        sa.Column("project", sa.String(length=128), nullable=False),
        sa.Column("started", sa.Boolean(), nullable=False),
        sa.Column("max_attempts", sa.Integer()),
        sa.Column("changed_at", sa.String(length=32), nullable=False),
        sa.Column("changed_by", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("project", name=op.f("pk_queues")),
    )
    op.create_table(
        "requests",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.Column("answered_at", sa.String(length=32)),
        sa.Column("granted", sa.Boolean()),
        sa.Column("answer", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_requests")),
        sa.UniqueConstraint("id", name=op.f("uq_requests_id")),
    )
    op.create_index(op.f("ix_requests_answered_at"), "requests", ["answered_at"])
    op.create_table(
        "runs",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=128), nullable=False),
        sa.Column("task", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("environment", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64)),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("executor", sa.JSON(), nullable=False),
        sa.Column("requested_by", sa.String(length=256), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("started_at", sa.String(length=32)),
        sa.Column("finished_at", sa.String(length=32)),
        sa.Column("commit_id", sa.String(length=80)),
        sa.Column("source_digest", sa.String(length=80)),
        sa.Column("artifact_digest", sa.String(length=80)),
        sa.Column("release", sa.String(length=128)),
        sa.Column("previous_release", sa.String(length=128)),
        sa.Column("previous_version", sa.String(length=64)),
        sa.Column("revision_before", sa.String(length=256)),
        sa.Column("revision_after", sa.String(length=256)),
        sa.Column("preflight", sa.JSON(), nullable=False),
        sa.Column("report", sa.JSON()),
        sa.Column("plan", sa.JSON()),
        sa.Column("plan_digest", sa.String(length=80)),
        sa.Column("overridden", sa.Boolean(), nullable=False),
        sa.Column("verified_at", sa.String(length=32)),
        sa.Column("verified_by", sa.String(length=256)),
        sa.Column("verified_reason", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_runs")),
        sa.UniqueConstraint("id", name=op.f("uq_runs_id")),
        sa.UniqueConstraint("project", "task", "attempt", name=op.f("uq_runs_project_task_attempt")),
    )
    op.create_index(op.f("ix_runs_project_environment_state"), "runs", ["project", "environment", "state"])
    op.create_index(op.f("ix_runs_state"), "runs", ["state"])
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_at", sa.String(length=32), nullable=False),
        sa.Column("requested_by", sa.String(length=256), nullable=False),
        sa.Column("expires_at", sa.String(length=32)),
        sa.Column("decided_at", sa.String(length=32)),
        sa.Column("decided_by", sa.String(length=256)),
        sa.Column("reason", sa.Text()),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_approvals_run_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index(op.f("ix_approvals_run"), "approvals", ["run"])
    op.create_index(op.f("ix_approvals_state"), "approvals", ["state"])
    op.create_table(
        "artifacts",
        sa.Column("project", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("commit_id", sa.String(length=80), nullable=False),
        sa.Column("source_digest", sa.String(length=80), nullable=False),
        sa.Column("artifact_digest", sa.String(length=80), nullable=False),
        sa.Column("built_at", sa.String(length=32), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_artifacts_run_runs")),
        sa.PrimaryKeyConstraint("project", "version", "commit_id", name=op.f("pk_artifacts")),
    )
    op.create_table(
        "locks",
        sa.Column("project", sa.String(length=128), nullable=False),
        sa.Column("environment", sa.String(length=64), nullable=False),
        sa.Column("run", sa.String(length=32)),
        sa.Column("epoch", sa.Integer()),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("executor", sa.JSON()),
        sa.Column("acquired_at", sa.String(length=32)),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_locks_run_runs")),
        sa.PrimaryKeyConstraint("project", "environment", name=op.f("pk_locks")),
    )
    op.create_table(
        "releases",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project", sa.String(length=128), nullable=False),
        sa.Column("environment", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("commit_id", sa.String(length=80), nullable=False),
        sa.Column("source_digest", sa.String(length=80), nullable=False),
        sa.Column("artifact_digest", sa.String(length=80), nullable=False),
        sa.Column("migrations_path", sa.Text()),
        sa.Column("revision", sa.String(length=256)),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("placed_at", sa.String(length=32), nullable=False),
        sa.Column("placed_by", sa.String(length=256), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_releases_run_runs")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_releases")),
        sa.UniqueConstraint(
            "project", "environment", "name", name=op.f("uq_releases_project_environment_name")
        ),
    )
    op.create_index(
        op.f("ix_releases_project_environment_current"), "releases", ["project", "environment", "current"]
    )
    op.create_table(
        "steps",
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("argv", sa.JSON()),
        sa.Column("started_at", sa.String(length=32)),
        sa.Column("finished_at", sa.String(length=32)),
        sa.Column("status", sa.Integer()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_steps_run_runs")),
        sa.PrimaryKeyConstraint("run", "position", name=op.f("pk_steps")),
    )


def downgrade() -> None:
    """Take the tables away, and with them all that the journal knows."""
    op.drop_table("steps")
    op.drop_index(op.f("ix_releases_project_environment_current"), table_name="releases")
    op.drop_table("releases")
    op.drop_table("locks")
    op.drop_table("artifacts")
    op.drop_index(op.f("ix_approvals_state"), table_name="approvals")
    op.drop_index(op.f("ix_approvals_run"), table_name="approvals")
    op.drop_table("approvals")
    op.drop_index(op.f("ix_runs_state"), table_name="runs")
    op.drop_index(op.f("ix_runs_project_environment_state"), table_name="runs")
    op.drop_table("runs")
    op.drop_index(op.f("ix_requests_answered_at"), table_name="requests")
    op.drop_table("requests")
    op.drop_table("queues")
    op.drop_index(op.f("ix_outbox_done_at"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_index(op.f("ix_events_run"), table_name="events")
    op.drop_table("events")
    op.drop_table("audit")
