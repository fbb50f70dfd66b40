"""The commands that look at migrations: what they show, and that nothing is changed by looking."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from typing import Any

import pytest

ENV_PY = """\
import os
from alembic import context
from sqlalchemy import create_engine

url = os.environ["DATABASE_URL"]
if context.is_offline_mode():
    print("-- with the token " + os.environ["API_TOKEN"])
    context.configure(url=url, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(url)
    with engine.connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()
"""
MIGRATION = '''\
"""Make {table}."""
from alembic import op
import sqlalchemy as sa

revision = "{revision}"
down_revision = {below}


def upgrade():
    op.create_table("{table}", sa.Column("id", sa.Integer, primary_key=True))


def downgrade():
    {down}
'''


@pytest.fixture
def shop(desk: Any) -> Any:
    """The workspace with two migrations, and an empty database in staging."""
    folder = desk.root / "shop"
    (folder / "alembic" / "versions").mkdir(parents=True)
    (folder / "alembic.ini").write_text(
        "[alembic]\nscript_location = %(here)s/alembic\npath_separator = os\n"
    )
    (folder / "alembic" / "env.py").write_text(ENV_PY)
    for revision, below, table, down in (
        ("aaaa1", None, "users", 'op.drop_table("users")'),
        ("bbbb2", "aaaa1", "orders", "pass"),
    ):
        text = MIGRATION.format(revision=revision, below=repr(below), table=table, down=down)
        (folder / "alembic" / "versions" / f"{revision}.py").write_text(text)
    desk.environ["SHOP_TOKEN"] = "h1dden-word"
    desk.settings(
        f"""
[projects.shop]
path = "shop"
venv = "{sys.prefix}"
[projects.shop.variables]
API_TOKEN = "env:SHOP_TOKEN"
[projects.shop.migrations]
path = "alembic/versions"
dialect = "sqlite"
[projects.shop.environments.staging]
target = {{type = "releases", path = "deployed/staging"}}
database = {{url = "sqlite:///{desk.root}/staging.db"}}
[projects.shop.environments.production]
target = {{type = "releases", path = "deployed/production"}}
"""
    )
    return desk


def test_where_the_database_stands_and_what_would_run_is_shown(shop: Any) -> None:
    found = shop.give("migrations", "show", "shop", "stage", "--json").document
    assert (found["environment"], found["revision"], found["head"]) == ("staging", "base", "bbbb2")
    assert [(one["revision"], one["reversible"]) for one in found["migrations"]] == [
        ("aaaa1", True),
        ("bbbb2", False),
    ]
    text = shop.give("migrations", "show", "shop", "staging").out
    assert "stands at base" in text
    assert "Make orders." in text
    assert not (shop.root / "staging.db").exists()


def test_a_database_at_the_head_has_nothing_to_run(shop: Any) -> None:
    with closing(sqlite3.connect(shop.root / "staging.db")) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('bbbb2')")
        database.commit()
    assert "there is nothing to run" in shop.give("migrations", "show", "shop", "staging").out
    refused = shop.give("migrations", "sql", "shop", "staging", "--back")
    assert refused.status == 1
    assert "bbbb2 cannot be taken back" in refused.err


def test_the_sql_is_alembics_own_with_secrets_masked_and_nothing_is_run(shop: Any) -> None:
    found = shop.give("migrations", "sql", "shop", "staging", "--to", "aaaa", "--json").document
    assert (found["from"], found["to"]) == ("base", "aaaa1")
    assert "CREATE TABLE users" in found["sql"]
    assert "orders" not in found["sql"]
    assert "h1dden-word" not in found["sql"]
    shown = shop.give("migrations", "sql", "shop", "staging")
    assert "CREATE TABLE orders" in shown.out
    assert "nothing was run" in shown.err
    assert not (shop.root / "staging.db").exists()


def test_an_env_py_that_has_no_offline_mode_is_named_with_what_it_said(shop: Any) -> None:
    (shop.root / "shop" / "alembic" / "env.py").write_text("raise RuntimeError('only online')")
    refused = shop.give("migrations", "sql", "shop", "staging")
    assert refused.status == 1
    assert "only online" in refused.err
    assert "offline mode" in refused.err


def test_all_migrations_of_all_projects_are_validated_without_any_database(shop: Any) -> None:
    blocked = shop.give("migrations", "validate", "--json")
    assert blocked.status == 4
    [project] = blocked.document
    assert (project["project"], project["environment"], project["verdict"]) == ("shop", "production", "block")
    assert {one["rule"] for file in project["files"] for one in file["findings"]} >= {
        "irreversible-downgrade"
    }
    allowed = shop.give("migrations", "validate", "shop", "--environment", "staging")
    assert allowed.status == 0, allowed.err
    assert "shop, 2 migrations, staging" in allowed.out


def test_what_is_unknown_is_named_with_what_is_allowed(shop: Any) -> None:
    assert "allowed: staging, production" in shop.give("migrations", "show", "shop", "nowhere").err
    assert "allowed: shop" in shop.give("migrations", "show", "nothing", "staging").err
    without = shop.give("migrations", "show", "shop", "production")
    assert without.status == 1
    assert "no database is configured for production of shop" in without.err
