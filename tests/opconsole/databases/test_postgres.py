"""What PostgreSQL tells of its schema and its sessions."""

from __future__ import annotations

import sys

import psycopg
import pytest

from opconsole.databases import DatabaseError, DriverMissingError, Marks, SessionRules, open_database

RULES = SessionRules(lock_timeout=5, statement_timeout=60, client_check=2)

CHANGES = {
    "a column": ("ALTER TABLE t ADD c int", "ALTER TABLE t DROP c"),
    "a type": ("ALTER TABLE t ALTER b TYPE varchar(9)", "ALTER TABLE t ALTER b TYPE varchar(8)"),
    "a default": ("ALTER TABLE t ALTER b SET DEFAULT 'x'", "ALTER TABLE t ALTER b DROP DEFAULT"),
    "not null": ("ALTER TABLE t ALTER b SET NOT NULL", "ALTER TABLE t ALTER b DROP NOT NULL"),
    "a check": ("ALTER TABLE t ADD CONSTRAINT k CHECK (id > 0) NOT VALID", "ALTER TABLE t DROP CONSTRAINT k"),
    "an index": ("CREATE INDEX i ON t (b)", "DROP INDEX i"),
    "a sequence": ("CREATE SEQUENCE s INCREMENT 2", "DROP SEQUENCE s"),
    "an enum": ("CREATE TYPE e AS ENUM ('a', 'b')", "DROP TYPE e"),
    "a domain": ("CREATE DOMAIN d AS int CHECK (value > 0)", "DROP DOMAIN d"),
    "a view": ("CREATE VIEW v AS SELECT id FROM t", "DROP VIEW v"),
    "a function": (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION f()",
    ),
    "a trigger": (
        "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "DROP TRIGGER g ON t",
    ),
    "a schema": ("CREATE SCHEMA other CREATE TABLE u (id int)", "DROP SCHEMA other CASCADE"),
    "row security": ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "ALTER TABLE t DISABLE ROW LEVEL SECURITY"),
    "a partition": (
        "CREATE TABLE p (id int) PARTITION BY RANGE (id)",
        "DROP TABLE p",
    ),
}


@pytest.fixture
def url(postgres, ask_postgres):
    made = postgres()
    ask_postgres(made, "CREATE TABLE t (id int PRIMARY KEY, b varchar(8))")
    return made


@pytest.mark.parametrize(("there", "back"), CHANGES.values(), ids=CHANGES)
def test_every_change_of_the_schema_changes_its_fingerprint_until_it_is_taken_back(
    url, ask_postgres, there, back
):
    database = open_database(url)
    before = database.fingerprint()
    ask_postgres(url, there)
    assert database.fingerprint() != before
    ask_postgres(url, back)
    assert database.fingerprint() == before


def test_rows_numbers_drawn_statistics_and_the_version_table_change_no_fingerprint(url, ask_postgres):
    ask_postgres(url, "CREATE SEQUENCE s")
    database = open_database(url)
    before = database.fingerprint()
    ask_postgres(url, "INSERT INTO t VALUES (1, 'x')")
    ask_postgres(url, "SELECT nextval('s')")
    ask_postgres(url, "ANALYZE")
    ask_postgres(url, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    assert database.fingerprint() == before


def test_an_index_that_was_broken_off_is_seen(url, ask_postgres):
    database = open_database(url)
    ask_postgres(url, "INSERT INTO t VALUES (1, 'same'), (2, 'same')")
    before = database.fingerprint()
    with pytest.raises(psycopg.errors.UniqueViolation):
        ask_postgres(url, "CREATE UNIQUE INDEX CONCURRENTLY i ON t (b)")
    assert database.fingerprint() != before


def test_sessions_get_their_name_and_rules_and_the_users_own_options_win(url):
    database = open_database(url)
    variables = database.variables(Marks("opconsole r-1 migrate"), RULES, {"PGOPTIONS": "-c lock_timeout=9s"})
    name, options = variables["PGAPPNAME"], variables["PGOPTIONS"]
    plain = url.replace("+psycopg", "")
    with psycopg.connect(plain, application_name=name, options=options) as connection:
        shown = [
            connection.execute(f"SHOW {setting}".encode()).fetchone()[0]
            for setting in ("lock_timeout", "statement_timeout", "client_connection_check_interval")
        ]
        assert shown == ["9s", "1min", "2s"]
        [work] = database.at_work(Marks(name))
        assert work.named
        database.end([work])
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
        # A connection that is gone cannot end its transaction; leaving the block would try.
        connection.close()
    assert database.at_work(Marks(name)) == ()


def test_rules_of_nought_set_nothing(url):
    rules = SessionRules(lock_timeout=0, statement_timeout=0, client_check=0)
    assert open_database(url).variables(Marks("a name"), rules, {}) == {"PGAPPNAME": "a name"}


@pytest.mark.parametrize("how", ["driver", "url"])
def test_where_no_name_is_taken_sessions_of_the_user_that_began_since_count(url, how):
    plain = url.replace("+psycopg", "")
    odd = (
        plain.replace("postgresql:", "postgresql+asyncpg:")
        if how == "driver"
        else f"{url}&application_name=mine"
    )
    database = open_database(odd)
    assert database.variables(Marks("a name"), RULES, {}) == {}
    with psycopg.connect(plain) as earlier, psycopg.connect(plain) as idle:
        earlier.execute("SELECT 1")
        since = database.mark()
        with psycopg.connect(plain) as later:
            later.execute("SELECT 1")
            [work] = database.at_work(Marks("a name", since))
            assert (work.id, work.named) == (later.info.backend_pid, False)
            database.end([work])
            assert later.execute("SELECT 2").fetchone() == (2,)
        assert database.at_work(Marks("a name", since)) == ()
        assert idle.info.backend_pid


def test_the_programs_own_variables_complete_the_url(url):
    host = url.partition("host=")[2]
    database = open_database(
        "postgresql:///?", None, {"PGHOST": host, "PGUSER": "postgres", "PGDATABASE": "nobody"}
    )
    with pytest.raises(DatabaseError, match='"nobody" does not exist'):
        database.check()


def test_an_error_names_the_database_and_never_the_password():
    database = open_database("postgresql+psycopg2://ana:s3cr3t-word@127.0.0.1:1/app?connect_timeout=1")
    with pytest.raises(DatabaseError, match=r"postgresql://127\.0\.0\.1:1/app cannot be asked") as caught:
        database.check()
    assert "s3cr3t-word" not in str(caught.value)
    assert "s3cr3t-word" not in repr(database)


def test_a_missing_library_is_named_with_what_to_install(url, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DriverMissingError, match=r"pip install 'opconsole\[postgres\]'"):
        open_database(url).check()
