"""What a SQLite file tells of its schema."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from opconsole.databases import DatabaseError, Marks, open_database


def run(path, *statements):
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def test_a_schema_that_comes_back_has_its_fingerprint_back(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/app.db")
    missing = database.fingerprint()
    assert not (tmp_path / "app.db").exists()
    run(tmp_path / "app.db", "CREATE TABLE a (id INTEGER PRIMARY KEY)")
    before = database.fingerprint()
    run(tmp_path / "app.db", "CREATE INDEX i ON a (id)")
    assert len({missing, before, database.fingerprint()}) == 3
    run(tmp_path / "app.db", "DROP INDEX i")
    assert database.fingerprint() == before


def test_rows_statistics_and_the_version_table_change_no_fingerprint(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/a%20b.db")
    run(tmp_path / "a b.db", "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    before = database.fingerprint()
    run(tmp_path / "a b.db", "INSERT INTO t VALUES (1)", "ANALYZE")
    run(tmp_path / "a b.db", "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
    assert database.fingerprint() == before


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "app.db").write_text("no database, but long enough to be read as a header" * 20)
    with pytest.raises(DatabaseError, match=r"app\.db cannot be read"):
        open_database(f"sqlite:///{tmp_path}/app.db").check()


@pytest.mark.parametrize("url", ["mssql+pyodbc://u:p@db/app", "oracle://db/app", "sqlite:///:memory:"])
def test_what_nobody_can_look_into_has_no_fingerprint(url):
    database = open_database(url)
    database.check()
    assert database.fingerprint() is None
    assert database.at_work(Marks("opconsole r-1 migrate")) == ()
