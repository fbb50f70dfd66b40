"""From a URL to the database that it means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from opconsole.databases.address import address_of, database_identity, sqlite_file
from opconsole.databases.base import Database
from opconsole.databases.mysql import MysqlDatabase
from opconsole.databases.other import OtherDatabase
from opconsole.databases.postgres import PostgresDatabase
from opconsole.databases.sqlite import SqliteDatabase


def open_database(url: str, base: Path | None = None, variables: Mapping[str, str] | None = None) -> Database:
    """Give the database that *url* means; nothing is connected to yet.

    *base* is where a relative SQLite path begins; *variables* are those of the program that migrates, from
    which libpq and the like take what the URL leaves open. Raises ValueError for what is no URL.
    """
    address, identity = address_of(url), database_identity(url, base)
    if address.scheme == "postgresql":
        return PostgresDatabase(url, identity, dict(variables or {}))
    if address.scheme in ("mysql", "mariadb"):
        return MysqlDatabase(url, identity)
    file = sqlite_file(identity)
    return SqliteDatabase(file) if file is not None else OtherDatabase(address.scheme)
