from __future__ import annotations

from pathlib import Path

import pytest

from opconsole.databases import database_identity


@pytest.mark.parametrize(
    ("url", "identity"),
    [
        ("postgresql+psycopg://user:secret@DB.example.org/app", "postgresql://db.example.org:5432/app"),
        ("postgres://db.example.org:5432/app?sslmode=require", "postgresql://db.example.org:5432/app"),
        ("postgresql:///app", "postgresql://localhost:5432/app"),
        ("postgresql:///app?host=/run/Pg&password=secret", "postgresql:///run/Pg:5432/app"),
        ("postgresql://user:secret@[::1]:5433/app", "postgresql://[::1]:5433/app"),
        ("postgresql://user:sec/re?t@db/app", "postgresql://db:5432/app"),
        ("postgresql://user:sec@ret@db/app", "postgresql://db:5432/app"),
        ("postgresql://user:secr%40et@db/a%20b", "postgresql://db:5432/a b"),
        ("mysql://user:secret@db/app", "mysql://db:3306/app"),
        ("sqlite:////srv/app.db", "sqlite:/srv/app.db"),
        ("sqlite+pysqlite:////srv/x/../app.db?timeout=5", "sqlite:/srv/app.db"),
        ("sqlite:///data/app.db", "sqlite:/srv/data/app.db"),
        ("sqlite://", "sqlite::memory:"),
    ],
)
def test_a_database_is_named_without_its_secrets(url: str, identity: str) -> None:
    assert database_identity(url, Path("/srv")) == identity


def test_what_is_no_url_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="not a database URL") as caught:
        database_identity("user:secret@db/app")
    assert "secret" not in str(caught.value)


def test_a_relative_file_needs_a_base() -> None:
    with pytest.raises(ValueError, match="relative"):
        database_identity("sqlite:///app.db")
