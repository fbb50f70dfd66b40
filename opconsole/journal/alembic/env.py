"""Alembic's way into the journal: the connection comes from `opconsole.journal.upgrade` alone."""

from __future__ import annotations

from alembic import context

from opconsole.journal.schema import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("the journal is upgraded by opconsole itself, never by the alembic command")

# SQLite's DDL is transactional once BEGIN is really issued, as the journal's connections do.
context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
