"""DROP TABLE and op.drop_table: the table and all its rows are gone."""

from __future__ import annotations

from guardrails.findings import Severity
from guardrails.operations import Operation, Thing, Verb
from guardrails.rules.base import Blocks, Rule, downgrade, migration, sql, upgrade


def hits(operation: Operation) -> bool:
    """Say whether the rule applies."""
    return operation.verb is Verb.DROP and operation.thing is Thing.TABLE


RULE = Rule(
    name="drop-table",
    pattern="DROP TABLE",
    severity=Severity.CRITICAL,
    blocks=Blocks.PRODUCTION,
    message="DROP TABLE causes irreversible data loss",
    fix="Rename it now, drop it in a later release once nothing reads it: ALTER TABLE x RENAME TO _deprecated_x",  # noqa: E501
    source="policy-facts, SQL rules of the guide",
    operation=hits,
    bad=(
        *sql(
            "DROP TABLE old_users;",
            "drop /* x */ table if exists a, b cascade",
            "DO $$ BEGIN DROP TABLE a; END $$",
            "DO $$ BEGIN IF true THEN EXECUTE 'DROP TABLE ' || quote_ident('a'); END IF; END $$",
            "DO $x$ DECLARE s text := 'DROP TABLE a'; BEGIN EXECUTE s; END $x$",
            "SELECT 1;\nDROP\nTABLE a",
        ),
        *sql(
            "/*!40000 DROP TABLE IF EXISTS `a` */;",
            "# note\nDROP TABLE a",
            "PREPARE s FROM 'DROP TABLE a'",
            dialect="mysql",
        ),
        *sql("CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END; DROP TABLE a;", dialect="sqlite"),
        *upgrade(
            "op.drop_table('a')",
            "op.execute('DROP TABLE a')",
            "op.execute(sa.text('DROP ' 'TABLE a'))",
            "for t in ('a', 'b'):\n    op.drop_table(t)",
            "bind = op.get_bind()\nbind.execute(sa.text(f'DROP TABLE {bind.name}'))",
            "getattr(op, 'drop_table')('a')",
            "names = ['a', 'b']\nfor n in names:\n    op.execute('DROP TABLE %s' % n)",
            "op.get_bind().exec_driver_sql('DROP TABLE a')",
            "if True:\n    pass\nelse:\n    op.drop_table('a')",
            "drop = op.drop_table\ndrop('a')",
        ),
        *migration(
            "from alembic.op import drop_table as gone\nrevision = '1'\ndown_revision = None\ndef upgrade():\n    gone('a')\ndef downgrade():\n    raise NotImplementedError\n",  # noqa: E501
            "revision = '1'\ndown_revision = None\ndef upgrade(tool, tables, tester):\n    tool.drop_table('a')\n",  # noqa: E501
            "import alembic.op as o\nrevision = '1'\ndown_revision = None\ndef gone(name):\n    o.execute('DROP TABLE ' + name)\ndef upgrade():\n    gone('a')\n",  # noqa: E501
        ),
    ),
    good=(
        *sql(
            "-- DROP TABLE a\nSELECT 1",
            "/* DROP TABLE a; /* nested */ DROP TABLE b; */ SELECT 1",
            "SELECT 'DROP TABLE a; DROP TABLE b'",
            "COMMENT ON TABLE a IS 'DROP TABLE a'",
            "DROP INDEX a",
            "DROP INDEX a, b",
            "DROP VIEW table_view",
            'SELECT "DROP TABLE a" FROM b',
            "INSERT INTO log VALUES ($$DROP TABLE a$$)",
            "SELECT E'it\\'s; DROP TABLE a'",
            "CREATE FUNCTION f() RETURNS void AS $$ BEGIN DROP TABLE a; END $$ LANGUAGE plpgsql",
            "COPY a FROM stdin;\nDROP TABLE x;\n\\.\n",
            "ALTER TABLE drop_table ADD COLUMN c int",
        ),
        *sql("DROP TEMPORARY TABLE a", dialect="mysql"),
        *upgrade(
            "op.create_table('a')",
            "print('DROP TABLE a')",
            "# op.drop_table('a')\nop.execute('SELECT 1')",
            "op.execute(\"INSERT INTO t VALUES ('DROP TABLE a')\")",
        ),
        *downgrade("op.drop_table('a')", upgrade="op.create_table('a')"),
    ),
)
