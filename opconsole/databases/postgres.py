"""PostgreSQL: its catalogues, and its sessions by their application name.

A client that was killed leaves its backend at work until the server notices, so a migration is only over when
no session of its name remains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opconsole.databases.address import address_of
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
    import psycopg
    from psycopg.rows import TupleRow

OUR_NAME = "opconsole"
"""The application name of our own sessions, which only look."""

CONNECT_LIMIT = 10
"""Seconds for making a connection."""

ANSWER_LIMIT = 60
"""Seconds for each of our own statements."""

LIBPQ_DRIVERS = frozenset({"", "psycopg", "psycopg2", "psycopg2cffi", "psycopg_async", "pygresql"})
"""Drivers that take PGAPPNAME and PGOPTIONS from their variables, for they are made of libpq."""


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """One database of a PostgreSQL server."""

    url: str = field(repr=False)
    identity: str
    surroundings: Mapping[str, str] = field(repr=False)
    """The variables of the program that migrates: PGUSER and the like complete the URL, as they do there."""

    @property
    def kind(self) -> str:
        """Name what it is."""
        return "PostgreSQL"

    @property
    def commits(self) -> Commits:
        """Changes of the schema are part of the transaction."""
        return Commits.WHOLE

    @property
    def caution(self) -> str:
        """Say where the sessions cannot be told from others for sure."""
        if self._takes_names:
            return ""
        return (
            "its sessions take no name and no timeouts from us (the driver, or application_name in the URL): "
            "what of the migration is still at work is waited for, and is not ended"
        )

    def check(self) -> None:
        """See that it can be asked."""
        with self._asking() as connection:
            connection.execute("SELECT 1")

    def fingerprint(self) -> str:
        """Give a digest of all schemas that are not the server's own."""
        with self._asking() as connection:
            connection.execute("SET default_transaction_isolation = 'repeatable read'")
            # With nothing on the path every name in an answer is written with its schema.
            connection.execute("SET search_path = pg_catalog")
            with connection.transaction():
                return digest_rows(
                    (what, *row)
                    for what, query in schema_queries("postgres_schema")
                    for row in connection.execute(query.encode())
                )

    def count(self, table: str, column: str | None, limit: float) -> int | None:
        """Count rows or values in a transaction that can only read."""
        schema, _, name = table.rpartition(".")
        with self._asking() as connection:
            connection.execute("SET default_transaction_read_only = on")
            # Each of the statements below has a number of seconds, which the server holds them to.
            connection.execute(
                "SELECT set_config('statement_timeout', %s, false)", (f"{round(limit * 1000)}",)
            )
            found = connection.execute(_TABLE, {"name": name, "schema": schema}).fetchone()
            if found is None:
                return None
            what = "*"
            if column is not None:
                known = connection.execute(_COLUMN, (found[0], column)).fetchone()
                if known is None:
                    return None
                what = known[0]
            # Both names were quoted by the server.
            return int(_one(connection.execute(_COUNT.format(what=what, table=found[1]).encode()))[0])

    def mark(self) -> str:
        """Give the server's time."""
        with self._asking() as connection:
            return str(_one(connection.execute("SELECT clock_timestamp()::text"))[0])

    def variables(self, marks: Marks, rules: SessionRules, own: Mapping[str, str]) -> Mapping[str, str]:
        """Name the sessions and hold them to the rules; options that the user has set go last, and so win."""
        if not self._takes_names:
            return {}
        wanted = [
            f"-c {name}={round(seconds * 1000)}"
            for name, seconds in (
                ("client_connection_check_interval", rules.client_check if self._can_check(rules) else 0),
                ("lock_timeout", rules.lock_timeout),
                ("statement_timeout", rules.statement_timeout),
            )
            if seconds > 0
        ]
        options = " ".join([*wanted, own.get("PGOPTIONS", "")]).strip()
        return {"PGAPPNAME": marks.name, **({"PGOPTIONS": options} if options else {})}

    def at_work(self, marks: Marks) -> Sequence[Work]:
        """List the sessions of the migration's name.

        Where a driver or a URL does not take the name, those of its user that began since and are in a
        transaction.
        """
        with self._asking() as connection:
            rows = connection.execute(
                _AT_WORK, {"name": marks.name, "unnamed": not self._takes_names, "since": marks.since or None}
            )
            return tuple(Work(int(row[0]), str(row[1]), float(row[2]), bool(row[3])) for row in rows)

    def end(self, work: Sequence[Work]) -> None:
        """Terminate the named sessions."""
        with self._asking() as connection:
            for one in work:
                if one.named:
                    connection.execute("SELECT pg_terminate_backend(%s)", (one.id,))

    @property
    def _takes_names(self) -> bool:
        address = address_of(self.url)
        return address.driver in LIBPQ_DRIVERS and "application_name" not in address.query

    def _can_check(self, rules: SessionRules) -> bool:
        """Say whether the server knows the setting and its system lets it look (Linux, from 14 on)."""
        if rules.client_check <= 0:
            return False
        with self._asking() as connection:
            if connection.info.server_version < 140000:
                return False
            import psycopg  # noqa: PLC0415 (an optional library)

            try:
                connection.execute("SET client_connection_check_interval = '1s'")
            except psycopg.Error:
                return False
            return True

    @contextmanager
    def _asking(self) -> Iterator[psycopg.Connection[TupleRow]]:
        try:
            import psycopg  # noqa: PLC0415 (an optional library, and slow to load)
        except ImportError as error:
            raise DriverMissingError("PostgreSQL", "postgres") from error
        try:
            with psycopg.connect(self._conninfo(), autocommit=True) as connection:
                yield connection
        except psycopg.Error as error:
            text = " ".join(str(error).split())
            for secret in self._secrets():
                text = text.replace(secret, "***")
            passing = isinstance(error, psycopg.OperationalError)
            raise DatabaseError(f"{self.identity} cannot be asked: {text}", retryable=passing) from error

    def _conninfo(self) -> str:
        """Give what libpq wants to know, from the URL as SQLAlchemy reads it and the program's variables."""
        from psycopg import pq  # noqa: PLC0415 (as above)
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415 (as above)
        from sqlalchemy.engine import make_url  # noqa: PLC0415 (slow to load)

        known: dict[str, str] = {}
        allowed = set()
        for option in pq.Conninfo.get_defaults():
            keyword, variable = option.keyword.decode(), (option.envvar or b"").decode()
            allowed.add(keyword)
            if variable and variable in self.surroundings:
                known[keyword] = self.surroundings[variable]
        url = make_url(self.url)
        said = url.translate_connect_args(database="dbname", username="user")
        known.update({name: str(value) for name, value in said.items() if value is not None})
        for name, value in url.query.items():
            if name in allowed:
                known[name] = value if isinstance(value, str) else ",".join(value)
        known |= {
            "application_name": OUR_NAME,
            "connect_timeout": str(CONNECT_LIMIT),
            "options": f"-c statement_timeout={ANSWER_LIMIT * 1000} -c lock_timeout={ANSWER_LIMIT * 500}",
        }
        return make_conninfo("", **known)

    def _secrets(self) -> list[str]:
        from sqlalchemy.engine import make_url  # noqa: PLC0415 (slow to load)

        password = make_url(self.url).password
        return [secret for secret in (self.url, password, self.surroundings.get("PGPASSWORD")) if secret]


def _one(rows: psycopg.Cursor[TupleRow]) -> TupleRow:
    row = rows.fetchone()
    if row is None:
        raise LookupError("a query that always has one row had none")
    return row


_AT_WORK = """
SELECT pid,
       coalesce(state, 'unknown') || coalesce(', waits for ' || lower(wait_event_type), ''),
       coalesce(extract(epoch FROM clock_timestamp() - coalesce(state_change, backend_start)), 0)::float8,
       application_name = %(name)s
FROM pg_catalog.pg_stat_activity
WHERE pid <> pg_catalog.pg_backend_pid()
  AND (application_name = %(name)s
       OR (%(unnamed)s AND usename = current_user AND datname = current_database()
           AND backend_start >= %(since)s::timestamptz AND xact_start IS NOT NULL
           AND backend_type = 'client backend'))
ORDER BY pid
"""

_TABLE = """
SELECT c.oid, c.oid::pg_catalog.regclass::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE lower(c.relname) = lower(%(name)s) AND c.relkind IN ('r', 'p')
  AND (CASE WHEN %(schema)s = '' THEN pg_catalog.pg_table_is_visible(c.oid)
       ELSE lower(n.nspname) = lower(%(schema)s) END)
ORDER BY c.relname = %(name)s DESC LIMIT 1
"""
_COLUMN = """
SELECT pg_catalog.quote_ident(attname) FROM pg_catalog.pg_attribute
WHERE attrelid = %s AND lower(attname) = lower(%s) AND attnum > 0 AND NOT attisdropped
"""
_COUNT = "SELECT count({what}) FROM {table}"
"""Filled in with names that are quoted."""
