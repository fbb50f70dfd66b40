"""What MySQL and MariaDB tell of their schema and their sessions."""

from __future__ import annotations

import sys
from contextlib import closing

import pytest

from opconsole.databases import DatabaseError, DriverMissingError, Marks, open_database

CHANGES = {
    "a column": ("ALTER TABLE t ADD c int", "ALTER TABLE t DROP c"),
    "a type": ("ALTER TABLE t MODIFY b varchar(9)", "ALTER TABLE t MODIFY b varchar(8)"),
    "a default": ("ALTER TABLE t ALTER b SET DEFAULT 'x'", "ALTER TABLE t MODIFY b varchar(8)"),
    "an index": ("CREATE INDEX i ON t (b)", "DROP INDEX i ON t"),
    "a check": ("ALTER TABLE t ADD CONSTRAINT k CHECK (id > 0)", "ALTER TABLE t DROP CONSTRAINT k"),
    "a foreign key": (
        "CREATE TABLE u (t int, CONSTRAINT f FOREIGN KEY (t) REFERENCES t (id) ON DELETE CASCADE)",
        "DROP TABLE u",
    ),
    "a view": ("CREATE VIEW v AS SELECT id FROM t", "DROP VIEW v"),
    "a function": ("CREATE FUNCTION f(a int) RETURNS int DETERMINISTIC RETURN a", "DROP FUNCTION f"),
    "a trigger": ("CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.b = 'x'", "DROP TRIGGER g"),
}


@pytest.fixture
def url(mysql, ask_mysql):
    made = mysql()
    ask_mysql(made, "CREATE TABLE t (id int PRIMARY KEY, b varchar(8))")
    return made


@pytest.mark.parametrize(("there", "back"), CHANGES.values(), ids=CHANGES)
def test_every_change_of_the_schema_changes_its_fingerprint_until_it_is_taken_back(
    url, ask_mysql, there, back
):
    database = open_database(url)
    before = database.fingerprint()
    ask_mysql(url, there)
    assert database.fingerprint() != before
    ask_mysql(url, back)
    assert database.fingerprint() == before


def test_rows_and_the_version_table_change_no_fingerprint(url, ask_mysql):
    database = open_database(url)
    before = database.fingerprint()
    ask_mysql(url, "INSERT INTO t VALUES (1, 'x')")
    ask_mysql(url, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    assert database.fingerprint() == before


def test_sessions_that_began_since_count_while_they_are_at_a_statement_and_are_never_ended(url, mysql_server):
    import pymysql  # noqa: PLC0415 (only where there is a server)

    database = open_database(url)
    since = database.mark()
    name = url.partition("?")[0].rpartition("/")[2]
    with closing(
        pymysql.connect(unix_socket=mysql_server, user="app", password="h1dden-word", database=name)
    ) as later:
        assert database.at_work(Marks("a name", since)) == ()
        later._execute_command(3, b"SELECT SLEEP(1)")  # sent, and its answer not waited for
        [work] = database.at_work(Marks("a name", since))
        assert (work.id, work.named) == (later.thread_id(), False)
        database.end([work])
        later._read_query_result()
        assert database.at_work(Marks("a name", since)) == ()


def test_an_error_names_the_database_and_never_the_password():
    database = open_database("mysql+pymysql://ana:s3cr3t-word@127.0.0.1:1/app")
    with pytest.raises(DatabaseError, match=r"mysql://127\.0\.0\.1:1/app cannot be asked") as caught:
        database.check()
    assert "s3cr3t-word" not in str(caught.value)
    assert "s3cr3t-word" not in repr(database)


def test_a_missing_library_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(DriverMissingError, match=r"pip install 'opconsole\[mysql\]'"):
        open_database("mysql://localhost/app").check()
