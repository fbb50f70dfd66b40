"""Opening the journal and bringing its schema up to date."""

from __future__ import annotations

import shutil
import stat
from importlib.resources import files
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import OperationalError

from opconsole.journal import upgrade
from opconsole.journal.backup import backup_before_upgrade
from opconsole.journal.database import FileIdentity, begin, reading_engine, writing_engine
from opconsole.journal.errors import (
    JournalDamagedError,
    JournalError,
    JournalMissingError,
    JournalNewerError,
    JournalOutdatedError,
    JournalUnreadableError,
)
from opconsole.journal.hosting import HostLock
from opconsole.journal.location import JournalPlace
from opconsole.journal.reader import JournalReader
from opconsole.journal.schema import metadata, queues
from opconsole.journal.upgrade import HEAD, SCRIPTS, migrate, open_database

CONSTRAINTS = ("get_pk_constraint", "get_foreign_keys", "get_unique_constraints", "get_indexes")


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return ScriptDirectory.from_config(config)


def _set_revision(place: JournalPlace, revision: str) -> None:
    engine = writing_engine(place.database)
    with engine.connect() as connection, begin(connection):
        connection.execute(text("UPDATE alembic_version SET version_num = :new"), {"new": revision})
    engine.dispose()


def test_the_migrated_schema_is_the_one_of_the_code(place: JournalPlace, reader: JournalReader) -> None:
    engine = open_database(place, host=False)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_every_constraint_has_the_name_the_code_gives_it(place: JournalPlace, reader: JournalReader) -> None:
    # Autogenerate does not compare these, and later migrations need the names.
    migrated, made = open_database(place, host=False), create_engine("sqlite://")
    metadata.create_all(made)
    for name in metadata.tables:
        with migrated.connect() as one, made.connect() as other:
            for question in CONSTRAINTS:
                answers = [getattr(inspect(connection), question)(name) for connection in (one, other)]
                assert _sorted(answers[0]) == _sorted(answers[1]), (name, question)
    migrated.dispose()
    made.dispose()


def _sorted(answer: object) -> list[str]:
    return sorted(repr(item) for item in answer) if isinstance(answer, list) else [repr(answer)]


def test_the_chain_has_one_head_and_the_code_knows_it() -> None:
    assert _scripts().get_heads() == [HEAD]


def test_the_chain_can_be_taken_back_and_forth() -> None:
    from alembic import command  # noqa: PLC0415

    engine = create_engine("sqlite://")
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with engine.begin() as connection:
        migrate(connection)
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        migrate(connection)
        assert set(inspect(connection).get_table_names()) == {"alembic_version", *metadata.tables}
    engine.dispose()


def test_the_scripts_are_part_of_the_package() -> None:
    folder = files("opconsole.journal") / "alembic"
    assert (folder / "env.py").is_file()
    assert (folder / "script.py.mako").is_file()
    assert (folder / "versions" / f"{HEAD}.py").is_file()


def test_opening_again_changes_nothing(place: JournalPlace, reader: JournalReader) -> None:
    identity = FileIdentity.of(place.database)
    open_database(place, host=True).dispose()
    identity.check()


def test_the_engine_reads_and_cannot_write(place: JournalPlace, reader: JournalReader) -> None:
    engine = open_database(place, host=False)
    with engine.connect() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.execute(queues.delete())
    engine.dispose()


def test_every_connection_keeps_the_journals_rules(place: JournalPlace, reader: JournalReader) -> None:
    for engine in (open_database(place, host=False), writing_engine(place.database)):
        with engine.connect() as connection:
            values = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
        engine.dispose()
        assert values == ["wal", 2, 1]


def test_only_the_owner_may_read_the_journal(place: JournalPlace, reader: JournalReader) -> None:
    assert stat.S_IMODE(place.database.stat().st_mode) == 0o600


def test_without_the_lock_nothing_is_created(place: JournalPlace) -> None:
    with pytest.raises(JournalError, match="not held by this process"):
        open_database(place, host=True)
    with pytest.raises(JournalMissingError):
        open_database(place, host=False)
    assert not place.database.exists()


@pytest.mark.parametrize("host", [False, True])
def test_a_damaged_journal_is_refused_by_name_and_left_as_it_is(
    place: JournalPlace, reader: JournalReader, *, host: bool
) -> None:
    reader.engine.dispose()
    for log in place.database.parent.glob("journal.sqlite3-*"):
        log.unlink()
    damaged = b"no database " * 400
    place.database.write_bytes(damaged)
    with pytest.raises(JournalDamagedError, match=r"journal\.sqlite3: the journal is damaged.*backup"):
        open_database(place, host=host)
    assert place.database.read_bytes() == damaged


@pytest.mark.parametrize("host", [False, True])
def test_a_journal_that_cannot_be_opened_is_told_with_what_to_look_at(
    place: JournalPlace, reader: JournalReader, *, host: bool
) -> None:
    reader.engine.dispose()
    for file in place.database.parent.glob("journal.sqlite3*"):
        file.unlink()
    place.database.mkdir()
    with pytest.raises(JournalUnreadableError, match=r"cannot be read now: unable to open.*df .*ballast"):
        open_database(place, host=host)


def test_a_newer_journal_is_refused_by_name(place: JournalPlace, reader: JournalReader) -> None:
    _set_revision(place, "0099_from_the_future")
    for host in (False, True):
        with pytest.raises(JournalNewerError, match=f"0099_from_the_future.*{HEAD}.*upgrade opconsole"):
            open_database(place, host=host)


def test_an_older_journal_is_left_to_the_host(place: JournalPlace, lock: HostLock) -> None:
    engine = writing_engine(place.database, create=True)
    with engine.connect() as connection, begin(connection):
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('0000_before')"))
    engine.dispose()
    with pytest.raises(JournalOutdatedError, match=f"0000_before.*{HEAD}"):
        open_database(place, host=False)


LATER = """
from alembic import op
import sqlalchemy as sa

revision, down_revision = "0999_later", "{head}"


def upgrade():
    op.create_table("later", sa.Column("id", sa.Integer, primary_key=True))
"""


@pytest.fixture
def old_journal(
    place: JournalPlace, lock: HostLock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> JournalPlace:
    """A journal of the first revision with a queue in it, before an opconsole that has one revision more."""
    engine = writing_engine(place.database, create=True)
    with engine.connect() as connection, begin(connection):
        migrate(connection, "0001_initial")
        connection.execute(text("INSERT INTO queues VALUES ('p', 1, NULL, '2026-03-01T12:00:00', 'ana')"))
    engine.dispose()
    scripts = tmp_path / "alembic"
    shutil.copytree(SCRIPTS, scripts)
    (scripts / "versions" / "0999_later.py").write_text(LATER.format(head=HEAD))
    monkeypatch.setattr(upgrade, "SCRIPTS", scripts)
    monkeypatch.setattr(upgrade, "HEAD", "0999_later")
    return place


def test_a_journal_of_the_first_revision_is_upgraded_with_all_it_holds_and_copied_before(
    old_journal: JournalPlace,
) -> None:
    engine = open_database(old_journal, host=True)
    with engine.connect() as connection:
        assert inspect(connection).has_table("later")
    assert list(JournalReader(engine).queues()) == ["p"]
    engine.dispose()
    (copy,) = (old_journal.root / "backups").iterdir()
    assert copy.name.endswith("-schema-0001_initial.sqlite3")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    kept = reading_engine(copy)
    with kept.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0001_initial"
        assert connection.execute(text("SELECT project FROM queues")).scalar() == "p"
    kept.dispose()


def test_a_journal_that_cannot_be_copied_is_not_upgraded(old_journal: JournalPlace) -> None:
    (old_journal.root / "backups").write_text("in the way")
    with pytest.raises(JournalError, match=r"keeps its schema 0001_initial: .*backups cannot be made"):
        open_database(old_journal, host=True)
    with pytest.raises(JournalOutdatedError, match=r"0001_initial.*0999_later"):
        open_database(old_journal, host=False)


def test_an_upgrade_needs_the_hosts_lock(old_journal: JournalPlace, lock: HostLock) -> None:
    lock.release()
    with pytest.raises(JournalError, match="not held by this process"):
        open_database(old_journal, host=True)


def test_of_the_copies_before_upgrades_the_newest_few_stay(old_journal: JournalPlace) -> None:
    for revision in ("0001_a", "0002_b", "0003_c", "0004_d"):
        backup_before_upgrade(old_journal, revision)
    kept = sorted(path.name.partition("-schema-")[2] for path in (old_journal.root / "backups").iterdir())
    assert kept == ["0002_b.sqlite3", "0003_c.sqlite3", "0004_d.sqlite3"]


def test_an_upgrade_that_fails_leaves_the_journal_as_it_was(place: JournalPlace, lock: HostLock) -> None:
    engine = writing_engine(place.database, create=True)
    with engine.connect() as connection, begin(connection):
        connection.execute(text("CREATE TABLE steps (foreign_one INTEGER)"))
    engine.dispose()
    with pytest.raises(JournalError, match=r"nothing was changed.*already exists"):
        open_database(place, host=True)
    engine = writing_engine(place.database)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["steps"]
    engine.dispose()


def test_alembics_own_command_is_refused(tmp_path: Path) -> None:
    from alembic import command  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with pytest.raises(SystemExit, match="by opconsole itself"):
        command.upgrade(config, "head")


def test_a_journal_that_was_replaced_is_noticed(place: JournalPlace, reader: JournalReader) -> None:
    identity = FileIdentity.of(place.database)
    place.database.rename(place.root / "elsewhere")
    with pytest.raises(JournalMissingError, match="gone"):
        identity.check()
    (place.root / "other").touch()
    (place.root / "other").rename(place.database)
    with pytest.raises(JournalError, match="replaced"):
        identity.check()
