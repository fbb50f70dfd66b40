"""The journal's tables: the state of runs, and everything that was asked, decided and done.

Times are text in UTC, so that a person can read them with any SQLite tool; lists and records are JSON.
The Alembic chain beside this file makes the same tables; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, stored as ISO 8601 text with microseconds, which also sorts as text."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Write a moment."""
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Read a moment."""
        return None if value is None else datetime.fromisoformat(value)


def database_time(*shifts: object) -> ColumnElement[str]:
    """Give the database's own time as `Moment` stores it; *shifts* are SQLite's, like ``+30 seconds``.

    Leases are told by it alone, so that the clocks of those who hold and those who look need not agree.
    """
    return func.strftime("%Y-%m-%dT%H:%M:%f000+00:00", "now", *shifts, type_=String)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

queues = Table(
    "queues",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("started", Boolean, nullable=False),
    Column("max_attempts", Integer),  # how many attempts this start may make; NULL: no cap
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", String(256), nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("project", String(128), nullable=False),
    Column("task", String(128), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("action", String(32), nullable=False),
    Column("environment", String(64), nullable=False),
    Column("version", String(64)),
    Column("attempt", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("epoch", Integer, nullable=False),
    Column("executor", JSON, nullable=False),
    Column("requested_by", String(256), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("commit_id", String(80)),
    Column("source_digest", String(80)),
    Column("artifact_digest", String(80)),
    Column("release", String(128)),
    Column("previous_release", String(128)),
    Column("previous_version", String(64)),
    Column("revision_before", String(256)),
    Column("revision_after", String(256)),
    Column("preflight", JSON, nullable=False),
    Column("report", JSON),
    Column("plan", JSON),
    Column("plan_digest", String(80)),
    Column("overridden", Boolean, nullable=False, default=False),
    Column("cancel_at", Moment),  # when a person asked to cancel it, as long as that is under way
    Column("cancel_by", String(256)),
    Column("known", JSON),  # what target and database said when it got stuck
    Column("verified_at", Moment),
    Column("verified_by", String(256)),
    Column("verified_reason", Text),
    UniqueConstraint("project", "task", "attempt"),
    Index(None, "state"),
    Index(None, "project", "environment", "state"),
)

steps = Table(
    "steps",
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("phase", String(16), nullable=False),
    Column("name", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("argv", JSON),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("status", Integer),
    Column("detail", Text, nullable=False, default=""),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False, index=True),
    Column("purpose", String(16), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("plan", JSON, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("why", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("requested_at", Moment, nullable=False),
    Column("requested_by", String(256), nullable=False),
    Column("expires_at", Moment),
    Column("decided_at", Moment),
    Column("decided_by", String(256)),
    Column("reason", Text),
    Index(None, "state"),
)

requests = Table(
    "requests",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("kind", String(32), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(256), nullable=False),
    Column("answered_at", Moment),
    Column("granted", Boolean),
    Column("answer", Text),
    Index(None, "answered_at"),
)

releases = Table(
    "releases",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("project", String(128), nullable=False),
    Column("environment", String(64), nullable=False),
    Column("name", String(128), nullable=False),
    Column("version", String(64), nullable=False),
    Column("commit_id", String(80), nullable=False),
    Column("source_digest", String(80), nullable=False),
    Column("artifact_digest", String(80), nullable=False),
    Column("migrations_path", Text),
    Column("revision", String(256)),  # of the database, when this release last served
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("placed_at", Moment, nullable=False),
    Column("placed_by", String(256), nullable=False),
    Column("current", Boolean, nullable=False),
    UniqueConstraint("project", "environment", "name"),
    Index(None, "project", "environment", "current"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("commit_id", String(80), primary_key=True),
    Column("source_digest", String(80), nullable=False),
    Column("artifact_digest", String(80), nullable=False),
    Column("built_at", Moment, nullable=False),
    Column("run", ForeignKey("runs.id"), nullable=False),
)

locks = Table(
    "locks",
    metadata,
    Column("project", String(128), primary_key=True),
    Column("environment", String(64), primary_key=True),
    Column("run", ForeignKey("runs.id")),  # NULL: free
    Column("epoch", Integer),
    Column("fence", Integer, nullable=False),  # grows with every taking, for ever
    Column("executor", JSON),  # NULL: nobody works on the run, a person decides
    Column("acquired_at", Moment),
    Column("lease_until", Moment),  # by the database's clock; passed: suspect, never free
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("actor", String(256), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("detail", Text, nullable=False),
    Column("prev_hash", String(80), nullable=False),
    Column("hash", String(80), nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("project", String(128), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("done_at", Moment),
    Column("attempts", Integer, nullable=False, default=0),
    Column("error", Text),
    Index(None, "done_at"),
)

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("event", String(32), nullable=False),
    Column("project", String(128), nullable=False),
    Column("task", String(128)),
    Column("run", String(32), index=True),
    Column("step", String(64)),
    Column("state", String(16)),
    Column("detail", JSON, nullable=False),
)

votes = Table(
    "votes",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("approval", String(32), nullable=False, index=True),  # of an approval, or of a change of policy
    Column("by", String(256), nullable=False),
    Column("asked_by", String(256), nullable=False),  # the name of the session that handed it in
    Column("at", Moment, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("signature", Text),
    Column("key", String(128)),  # fingerprint of the key that signed it
    Column("verified", Boolean, nullable=False),
)

policies = Table(
    "policies",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("digest", String(80), nullable=False),  # of what it says, the part that waits included
    Column("document", JSON, nullable=False),
    Column("in_force", JSON, nullable=False),  # what holds: the document less what waits for approval
    Column("changes", JSON, nullable=False),  # sentences: what it changes at once
    Column("loosens", JSON, nullable=False),  # sentences: what waits for approval
    Column("state", String(16), nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("seen_by", String(256), nullable=False),
    Column("decided_at", Moment),
    Column("decided_by", String(256)),
    Column("reason", Text),
)

switches = Table(
    "switches",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("on", Boolean, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", String(256), nullable=False),
    Column("reason", Text, nullable=False),
)
