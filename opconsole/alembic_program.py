"""Alembic, run as the project's own program: its argument lists, and what its output and database tell.

Nothing here imports Alembic or the project: the project's interpreter and its `env.py` do the work, in the
folder of its `alembic.ini`, which is what relative paths in that file are relative to.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import posixpath
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote

from opconsole.steps import NO_VARIABLES, StepContext, StepFailed, describe_result
from opconsole.trees import UnsafeTreeError, inside

BASE = "base"
"""What Alembic calls the state before the first migration."""

_REVISION = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_@+:.-]{0,127}")
_CURRENT_LINE = re.compile(r"Rev: ([0-9A-Za-z_][0-9A-Za-z_.-]*)((?: \([a-z ]+\))*)")
_PLAIN_LINE = re.compile(r"([0-9A-Za-z_][0-9A-Za-z_.-]*)((?: \([a-z ]+\))*)")
_HEADER = "Current revision(s) for "


class AlembicConfigError(Exception):
    """No usable alembic.ini; says where it was looked for and what to do next."""


def current_argv(config: Path) -> tuple[str, ...]:
    """Ask which revisions the database is at. Run it, as all of these, in the folder of *config*."""
    # Verbose, because only then does an empty answer differ from no answer, and a line that env.py prints
    # cannot be mistaken for a revision.
    return (*_alembic(config), "current", "--verbose")


def upgrade_argv(config: Path, revision: str) -> tuple[str, ...]:
    """Migrate forward to *revision*."""
    return (*_alembic(config), "upgrade", check_revision(revision))


def downgrade_argv(config: Path, revision: str) -> tuple[str, ...]:
    """Migrate back to *revision* (BASE: before all migrations)."""
    return (*_alembic(config), "downgrade", check_revision(revision))


def check_revision(revision: str) -> str:
    """Give *revision* back if it is safe as an argument; else raise ValueError."""
    if not _REVISION.fullmatch(revision):
        raise ValueError(
            f"{revision[:200]!a} is not a revision; allowed: an id, 'base', 'head' or 'heads' "
            "(letters, digits and _ @ + : . - after the first)"
        )
    return revision


def parse_current(output: str) -> frozenset[str] | None:
    """Read what `alembic current` printed: the revisions, none at base, or None where nothing tells.

    Knows the verbose form and the plain one; lines that are neither (log noise) are passed over. The plain
    form says nothing at base, so there only marked revisions (``(head)`` and the like) or 12 hexadecimal
    digits, as Alembic makes them, count.
    """
    lines = output.split("\n")
    verbose = [match[1] for line in lines if (match := _CURRENT_LINE.fullmatch(line.rstrip()))]
    if verbose or any(line.startswith(_HEADER) for line in lines):
        return frozenset(verbose)
    plain = [
        match[1]
        for line in lines
        if (match := _PLAIN_LINE.fullmatch(line.rstrip()))
        and (match[2] or re.fullmatch("[0-9a-f]{12}", match[1]))
    ]
    return frozenset(plain) or None


async def current_revision(
    context: StepContext,
    config: Path,
    *,
    variables: Mapping[str, str] = NO_VARIABLES,
    limit: float | None = None,
) -> frozenset[str]:
    """Ask the project's Alembic which revisions its database is at; empty means base, before all of them.

    Raises StepFailed if Alembic fails or its answer cannot be read: base is never guessed.
    """
    result, output = await context.capture(
        current_argv(config), cwd=config.parent, variables=variables, limit=limit
    )
    if not result.ok:
        raise StepFailed(
            f"alembic could not tell the database's revision ({describe_result(result)}); "
            "the log shows what it printed"
        )
    revisions = parse_current(output)
    if revisions is None:
        raise StepFailed(
            "alembic ended well but did not say at which revision the database is; "
            f"look at `alembic current --verbose` in {config.parent} (is env.py printing nothing and "
            "running its migrations online?)"
        )
    return revisions


def find_config(root: Path, migrations_path: str, configured: str | None = None) -> Path:
    """Give the project's alembic.ini: the configured one, else the nearest above the migrations.

    All paths are relative to *root*. Raises trees.UnsafeTreeError for one that leaves it, also by a link,
    and AlembicConfigError where there is none.
    """
    if configured is not None:
        config = inside(root, configured)
        if not config.is_file():
            raise AlembicConfigError(
                f"there is no {configured} in the project; "
                "set `alembic_ini` to the file, relative to the project"
            )
        return _checked_config(config)
    migrations = inside(root, migrations_path)
    if not migrations.is_dir():
        raise AlembicConfigError(
            f"there is no folder {migrations_path} in the project; set the task's or the project's "
            "`migrations_path` to the folder with the migration files"
        )
    base = Path(os.path.realpath(root))
    folder = migrations
    while folder.is_relative_to(base):
        if (folder / "alembic.ini").is_file():
            return _checked_config(inside(base, str((folder / "alembic.ini").relative_to(base))))
        folder = folder.parent
    raise AlembicConfigError(
        f"there is no alembic.ini in {migrations_path} or any folder above it in the project; "
        "add one, or set `alembic_ini`"
    )


def database_identity(url: str, base: Path | None = None) -> str:
    """Name the database that *url* means, without user, password or driver, for comparing and showing.

    A relative SQLite path is taken from *base* (for Alembic: the folder of its alembic.ini). The same
    database written differently (default port, driver, ``postgres://``) has one identity. Raises
    ValueError, without the URL in it, for what is none.
    """
    match = _URL.fullmatch(url.strip())
    if match is None:
        raise ValueError("not a database URL; allowed: scheme://user:password@host:port/name")
    scheme = _SCHEMES.get(name := match["scheme"].partition("+")[0].lower(), name)
    query = dict(parse_qsl(match["query"] or ""))
    if scheme == "sqlite":
        return f"sqlite:{_sqlite_name(match['rest'], base)}"
    authority, _, database = match["rest"].rpartition("@")[2].partition("/")
    host, port = _host_and_port(authority)
    host = query.get("host", unquote(host)) or "localhost"
    port = query.get("port", port) or _PORTS.get(scheme, "")
    database = query.get("dbname", unquote(database))
    host = host if host.startswith("/") else host.lower()  # a socket's folder, or a name
    return f"{scheme}://{host}{f':{port}' if port else ''}/{database}"


async def schema_fingerprint(url: str, base: Path | None = None) -> str | None:
    """Give a digest of the database's schema, or None where it cannot be told (anything but SQLite, now).

    A SQLite file that does not exist has the fingerprint of an empty schema, and is not made. Raises
    StepFailed if the file cannot be read.
    """
    identity = database_identity(url, base)
    if not identity.startswith("sqlite:/"):
        return None
    return await asyncio.to_thread(_sqlite_fingerprint, Path(identity.removeprefix("sqlite:")))


# As SQLAlchemy reads it: a password ends at the first "@" and may hold "/" and "?". Where more "@" follow,
# everything before the last one is dropped too: no part of a password may be taken for a host and be shown.
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][\w+]*)://(?:[^:/@?]*(?::[^@]*)?@)?(?P<rest>[^?]*)(?:\?(?P<query>.*))?", re.DOTALL
)
_SCHEMES = {"postgres": "postgresql"}
_PORTS = {"postgresql": "5432", "mysql": "3306", "mariadb": "3306", "mssql": "1433", "oracle": "1521"}


def _alembic(config: Path) -> tuple[str, ...]:
    return ("python", "-m", "alembic", "-c", _checked_config(config).name)


def _checked_config(config: Path) -> Path:
    if config.name.startswith("-"):
        raise AlembicConfigError(f"{config.name!a} would be taken for an option; rename the file")
    return config


def _sqlite_name(rest: str, base: Path | None) -> str:
    path = unquote(rest.removeprefix("/"))
    if path in ("", ":memory:"):
        return ":memory:"
    path = path.removeprefix("file:")
    if base is None and not posixpath.isabs(path):
        raise ValueError("a relative SQLite path; write it absolute, or say what it is relative to")
    return os.path.realpath(posixpath.join(os.fspath(base or "/"), path))


def _host_and_port(authority: str) -> tuple[str, str]:
    if authority.startswith("["):
        host, _, rest = authority[1:].partition("]")
        return f"[{host}]", rest.removeprefix(":")
    host, _, port = authority.partition(":")
    return host, port


def _sqlite_fingerprint(path: Path) -> str:
    rows: list[tuple[str, str, str, str | None]] = []
    if path.exists():
        try:
            # mode=ro: asking must never make, convert or lock for writing what the project owns.
            with closing(
                sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=10)
            ) as database:
                rows = database.execute(
                    "SELECT type, name, tbl_name, sql FROM sqlite_master "
                    "WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' ORDER BY type, name, tbl_name"
                ).fetchall()
        except sqlite3.Error as error:
            busy = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
            raise StepFailed(f"the schema of {path} cannot be read: {error}", retryable=busy) from error
    digest = hashlib.sha256(b"opconsole schema 1\n")
    for row in rows:
        digest.update(repr(row).encode() + b"\n")
    return f"sha256:{digest.hexdigest()}"


__all__ = [
    "BASE",
    "AlembicConfigError",
    "UnsafeTreeError",
    "check_revision",
    "current_argv",
    "current_revision",
    "database_identity",
    "downgrade_argv",
    "find_config",
    "parse_current",
    "schema_fingerprint",
    "upgrade_argv",
]
