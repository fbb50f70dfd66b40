"""Run credentialmate's migrations against the database that DATABASE_URL names."""

from __future__ import annotations

import os
import sqlite3
from logging.config import fileConfig

from alembic import context
from sqlalchemy import Connection, create_engine, event

if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)


def run() -> None:
    """Migrate: either really, or as the SQL that would be run (``--sql``)."""
    url = os.environ["DATABASE_URL"]
    if context.is_offline_mode():
        context.configure(url=url, literal_binds=True, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
        return
    engine = create_engine(url, connect_args={"timeout": 10})
    # Python's sqlite3 runs DDL outside of transactions unless told otherwise. With these two a migration
    # that fails in its middle leaves nothing behind.
    event.listen(engine, "connect", leave_transactions_to_us)
    event.listen(engine, "begin", begin)
    with engine.connect() as connection:
        context.configure(connection=connection, render_as_batch=True, transactional_ddl=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


def leave_transactions_to_us(connection: sqlite3.Connection, _record: object) -> None:
    """Stop sqlite3 from beginning and ending transactions by itself."""
    connection.isolation_level = None


def begin(connection: Connection) -> None:
    """Begin a transaction that DDL takes part in."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


run()
