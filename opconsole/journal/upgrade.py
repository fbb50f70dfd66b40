"""Opening the journal, and bringing its schema up to date by Alembic while nobody else hosts the engine."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from opconsole import __version__
from opconsole.journal.backup import backup_before_upgrade
from opconsole.journal.database import (
    FileIdentity,
    begin,
    connect_patiently,
    reading_engine,
    writing_engine,
)
from opconsole.journal.errors import (
    JournalDamagedError,
    JournalError,
    JournalMissingError,
    JournalNewerError,
    JournalOutdatedError,
    JournalUnreadableError,
)
from opconsole.journal.hosting import holder, host_alive
from opconsole.journal.location import JournalPlace

HEAD = "0003_votes_and_policies"
"""The revision this opconsole works with; a constant, so that opening a journal need not import Alembic."""


def open_database(place: JournalPlace, *, host: bool) -> Engine:
    """Open the journal for reading; writing goes through `JournalWriter` and `write_once`.

    With *host* the caller holds the host's lock, and the journal is created or upgraded where needed. Raises
    `JournalMissingError`, `JournalOutdatedError` (without *host*), `JournalNewerError` or
    `JournalDamagedError`.
    """
    if host:
        _require_lock(place)
        if not place.database.exists() or _found(place) != HEAD:
            _upgrade(place)
    FileIdentity.of(place.database)
    _check(place, _found(place))
    return reading_engine(place.database)


def migrate(connection: Connection, revision: str = "head") -> None:
    """Run the Alembic chain on *connection*, inside the transaction that it is in.

    Raises `JournalError`, after which the transaction must be rolled back.
    """
    # Imported here: Alembic takes a third of a second, and nearly every start finds the schema up to date.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except (CommandError, SQLAlchemyError) as error:
        raise JournalError(
            f"the journal's schema could not be brought up to date, nothing was changed: {error}"
        ) from error


SCRIPTS = Path(__file__).with_name("alembic")


def _require_lock(place: JournalPlace) -> None:
    who = holder(place)
    if not host_alive(place) or who is None or who.pid != os.getpid():
        raise JournalError(f"{place.host_lock} is not held by this process: take it before opening as host")


_UNREADABLE = ("unable to open database file", "disk I/O error", "database or disk is full")
"""What SQLite says of a file that it cannot get at."""


def _found(place: JournalPlace) -> str | None:
    """Give the journal's revision; None for one without any table."""
    engine = reading_engine(place.database)
    try:
        with connect_patiently(engine) as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            rows = connection.execute(text("SELECT version_num FROM alembic_version")).all()
            return str(rows[0][0]) if rows else None
    except OperationalError as error:
        if not any(word in str(error.orig) for word in _UNREADABLE):
            raise  # locked, for one: whoever asks may try again
        raise JournalUnreadableError(
            f"{place.database}: the journal cannot be read now: {error.orig}; nothing was changed. Is it "
            f"a file, and is the disk full (df {place.root})? To make room {place.ballast} may be "
            "deleted: it is made anew"
        ) from error
    except DatabaseError as error:
        raise JournalDamagedError(
            f"{place.database}: the journal is damaged: {error.orig}; nothing was changed. Keep a copy, then "
            "put a backup back: the manual's page on the service, under Backup and restore, says how"
        ) from error
    finally:
        engine.dispose()


def _upgrade(place: JournalPlace) -> None:
    found = _found(place) if place.database.exists() else None
    _refuse_newer(place, found)
    if found is not None:
        try:
            backup_before_upgrade(place, found)
        except JournalError as error:
            raise JournalError(f"the journal keeps its schema {found}: {error}") from error
    engine = writing_engine(place.database, create=True)
    try:
        with connect_patiently(engine) as connection, begin(connection):
            migrate(connection)
    finally:
        engine.dispose()
    place.database.chmod(0o600)


def _check(place: JournalPlace, found: str | None) -> None:
    _refuse_newer(place, found)
    if found is None:
        raise JournalMissingError(
            f"{place.root}: the journal is empty; `opconsole run` or the console begins it"
        )
    if found != HEAD:
        raise JournalOutdatedError(
            f"{place.root}: the journal has schema {found}, opconsole {__version__} works with {HEAD}; stop "
            "the older worker, and the next start of a worker or of `opconsole run` upgrades it"
        )


def _refuse_newer(place: JournalPlace, found: str | None) -> None:
    if found is not None and _number(found) > _number(HEAD):
        raise JournalNewerError(
            f"{place.root}: the journal has schema {ascii(found)[:80]}, opconsole {__version__} knows up to "
            f"{HEAD}; upgrade opconsole, or put back a backup from before"
        )


def _number(revision: str) -> int:
    # Revisions are numbered, so that an older opconsole can tell a newer one without having its files.
    number = re.match(r"(\d{4})_", revision)
    return int(number[1]) if number else 10_000
