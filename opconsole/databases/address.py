"""Names a database by its URL: for comparing and showing, without user, password or driver."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a database URL that matter to us; its user and password are left where they are."""

    scheme: str
    """``postgresql``, ``sqlite``, ``mysql``, ``mariadb`` and so on, without the driver."""
    driver: str
    """What stands behind the ``+``; empty where nothing does."""
    rest: str
    query: dict[str, str]


def address_of(url: str) -> Address:
    """Take a URL apart. Raises ValueError, without the URL in it, for what is none."""
    match = _URL.fullmatch(url.strip())
    if match is None:
        raise ValueError("not a database URL; allowed: scheme://user:password@host:port/name")
    name, _, driver = match["scheme"].lower().partition("+")
    query = dict(parse_qsl(match["query"] or ""))
    return Address(_SCHEMES.get(name, name), driver, match["rest"], query)


def database_identity(url: str, base: Path | None = None) -> str:
    """Name the database that *url* means, without user, password or driver, for comparing and showing.

    A relative SQLite path is taken from *base* (for Alembic: the folder of its alembic.ini). The same
    database written differently (default port, driver, ``postgres://``) has one identity. Raises
    ValueError, without the URL in it, for what is none.
    """
    address = address_of(url)
    if address.scheme == "sqlite":
        return f"sqlite:{_sqlite_name(address.rest, base)}"
    authority, _, database = address.rest.rpartition("@")[2].partition("/")
    host, port = _host_and_port(authority)
    host = address.query.get("host", unquote(host)) or "localhost"
    port = address.query.get("port", port) or _PORTS.get(address.scheme, "")
    database = address.query.get("dbname", unquote(database))
    host = host if host.startswith("/") else host.lower()  # a socket's folder, or a name
    return f"{address.scheme}://{host}{f':{port}' if port else ''}/{database}"


def sqlite_file(identity: str) -> Path | None:
    """Give the file of a SQLite database by its identity; None for any other, and for one in memory."""
    return Path(identity.removeprefix("sqlite:")) if identity.startswith("sqlite:/") else None


# As SQLAlchemy reads it: a password ends at the first "@" and may hold "/" and "?". Where more "@" follow,
# everything before the last one is dropped too: no part of a password may be taken for a host and be shown.
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][\w+]*)://(?:[^:/@?]*(?::[^@]*)?@)?(?P<rest>[^?]*)(?:\?(?P<query>.*))?", re.DOTALL
)
_SCHEMES = {"postgres": "postgresql"}
_PORTS = {"postgresql": "5432", "mysql": "3306", "mariadb": "3306", "mssql": "1433", "oracle": "1521"}


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
