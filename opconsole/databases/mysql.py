"""MySQL and MariaDB: their information schema, and the sessions that began with a migration.

Their sessions carry no name that a variable could set, and every change of the schema is committed by itself.
So a statement of the migration's user, in its database, that began with the migration is waited for, and is
never ended by us: it may be the service's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opconsole.databases.base import (
    Commits,
    DatabaseError,
    DriverMissingError,
    Marks,
    SessionRules,
    Work,
    digest_rows,
)
from opconsole.databases.schema_queries import schema_queries

if TYPE_CHECKING:
    from pymysql.connections import Connection  # type: ignore[import-untyped]  # it has no types

CONNECT_LIMIT = 10
"""Seconds for making a connection."""

ANSWER_LIMIT = 60
"""Seconds for each of our own statements."""


@dataclass(frozen=True, slots=True)
class MysqlDatabase:
    """One database of a MySQL or MariaDB server."""

    url: str = field(repr=False)
    identity: str

    @property
    def kind(self) -> str:
        """Name what it is."""
        return "MySQL"

    @property
    def commits(self) -> Commits:
        """Each change of the schema commits, with all that was done before it."""
        return Commits.MIDWAY

    @property
    def caution(self) -> str:
        """Say what a failure leaves."""
        return "each change of the schema commits by itself: a migration that fails may leave half done work"

    def check(self) -> None:
        """See that it can be asked."""
        self._rows("SELECT 1")

    def fingerprint(self) -> str:
        """Give a digest of the database's schema."""
        with self._asking() as connection:
            known = {
                str(row[0]).upper()
                for row in _rows(
                    connection,
                    "SELECT table_name FROM information_schema.tables "
                    "WHERE LOWER(table_schema) = 'information_schema'",
                )
            }
            described: list[Sequence[object]] = []
            for what, query in schema_queries("mysql_schema"):
                if what in known:
                    described += [(what, *row) for row in _rows(connection, query)]
            return digest_rows(described)

    def count(self, table: str, column: str | None, limit: float) -> int | None:
        """Count rows or values in a transaction that can only read."""
        with self._asking() as connection:
            _limit(connection, limit)
            _rows(connection, "SET SESSION TRANSACTION READ ONLY")
            found = _rows(connection, _TABLE, (table.rpartition(".")[2],))
            if not found:
                return None
            what = "*"
            if column is not None:
                known = _rows(connection, _COLUMN, (found[0][0], column))
                if not known:
                    return None
                what = _quoted(known[0][0])
            counted = _rows(connection, _COUNT.format(what=what, table=_quoted(found[0][0])))
            return int(str(counted[0][0]))

    def mark(self) -> str:
        """Give the number of our own session: later ones have greater numbers."""
        return str(self._rows("SELECT CONNECTION_ID()")[0][0])

    def variables(self, marks: Marks, rules: SessionRules, own: Mapping[str, str]) -> Mapping[str, str]:
        """Give no variables: these clients take none."""
        del marks, rules, own
        return {}

    def at_work(self, marks: Marks) -> Sequence[Work]:
        """List the user's sessions in this database that began since and are at a statement."""
        rows = self._rows(_AT_WORK, (int(marks.since or 0),))
        return tuple(Work(int(str(row[0])), str(row[1]), float(str(row[2])), named=False) for row in rows)

    def end(self, work: Sequence[Work]) -> None:
        """End nothing: these sessions may be somebody else's."""
        del work

    def _rows(self, query: str, arguments: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        with self._asking() as connection:
            return _rows(connection, query, arguments)

    @contextmanager
    def _asking(self) -> Iterator[Connection]:
        try:
            import pymysql  # type: ignore[import-untyped]  # noqa: PLC0415 (an optional library)
        except ImportError as error:
            raise DriverMissingError("MySQL or MariaDB", "mysql") from error
        from sqlalchemy.engine import make_url  # noqa: PLC0415 (slow to load)

        url = make_url(self.url)
        query = {name: value for name, value in url.query.items() if isinstance(value, str)}
        try:
            with pymysql.connect(
                host=url.host or "localhost",
                port=url.port or 3306,
                user=url.username,
                password=url.password or "",
                database=url.database,
                unix_socket=query.get("unix_socket"),
                ssl_ca=query.get("ssl_ca"),
                ssl_cert=query.get("ssl_cert"),
                ssl_key=query.get("ssl_key"),
                read_default_file=query.get("read_default_file"),
                connect_timeout=CONNECT_LIMIT,
                read_timeout=ANSWER_LIMIT,
                autocommit=True,
                program_name="opconsole",
            ) as connection:
                yield connection
        except (pymysql.Error, OSError) as error:
            text = " ".join(str(error).split())
            if url.password:
                text = text.replace(str(url.password), "***")
            passing = isinstance(error, pymysql.OperationalError | OSError)
            raise DatabaseError(f"{self.identity} cannot be asked: {text}", retryable=passing) from error


def _rows(connection: Connection, query: str, arguments: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, arguments or None)
        return list(cursor.fetchall())


_AT_WORK = """
SELECT id, CONCAT_WS(', ', LOWER(command), NULLIF(LOWER(state), '')), time
FROM information_schema.processlist
WHERE id > %s AND id <> CONNECTION_ID() AND db = DATABASE() AND user = SUBSTRING_INDEX(USER(), '@', 1)
  AND command NOT IN ('Sleep', 'Daemon', 'Killed')
ORDER BY id
"""
_TABLE = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = DATABASE() AND LOWER(table_name) = LOWER(%s)
"""
_COLUMN = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = %s AND LOWER(column_name) = LOWER(%s)
"""


def _limit(connection: Connection, seconds: float) -> None:
    """Hold the session's questions to a time: MariaDB counts seconds, MySQL milliseconds."""
    if "mariadb" in str(_rows(connection, "SELECT VERSION()")[0][0]).lower():
        _rows(connection, "SET SESSION max_statement_time = %s", (round(seconds, 3),))
    else:
        _rows(connection, "SET SESSION max_execution_time = %s", (max(1, round(seconds * 1000)),))


def _quoted(name: object) -> str:
    return "`" + str(name).replace("`", "``") + "`"


_COUNT = "SELECT COUNT({what}) FROM {table}"
"""Filled in with names that are quoted."""
