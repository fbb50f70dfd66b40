"""Traps of real migrations: what must be seen, left alone, or called unanalysable."""

from __future__ import annotations

import textwrap

import pytest

from guardrails.environments import GateKind
from guardrails.files import Written
from guardrails.scan import Scan, scan_text

HEAD = (
    '"""Change."""\nimport sqlalchemy as sa\nfrom alembic import op\nrevision = "1"\ndown_revision = None\n'
)


def rules(body: str, before: str = "", back: str = "op.execute('SELECT 1')") -> list[str]:
    up, down = textwrap.indent(body, "    "), textwrap.indent(back, "    ")
    text = f"{HEAD}{before}\ndef upgrade():\n{up}\n\ndef downgrade():\n{down}\n"
    return [
        f.rule for f in scan_text(text, Written.PYTHON, "x.py", Scan(GateKind.PRODUCTION)).report.findings
    ]


@pytest.mark.parametrize(
    ("body", "before", "expected"),
    [
        ("import alembic\nalembic.op.drop_table('a')", "", ["drop-table"]),
        (
            "run()",
            "SQL = 'DROP TABLE a; TRUNCATE b'\ndef run():\n    op.execute(SQL)\n",
            ["drop-table", "truncate"],
        ),
        ("op.execute(S['a'])", "S = {'a': 'DROP TABLE a'}\n", ["drop-table"]),
        ("for s in S.values():\n    op.execute(s)", "S = {'a': 'DROP TABLE a'}\n", ["drop-table"]),
        ("for n, s in (('a', 'DROP TABLE a'),):\n    op.execute(s)", "", ["drop-table"]),
        ("[op.drop_table(t) for t in ['a']]", "", ["drop-table"]),
        ("match 1:\n    case 1:\n        op.drop_table('a')", "", ["drop-table"]),
        ("try:\n    pass\nexcept Exception:\n    op.execute('TRUNCATE a')", "", ["truncate"]),
        ("class X:\n    def go(self):\n        op.drop_table('a')\nX().go()", "", ["drop-table"]),
        ("f = lambda: op.drop_table('a')\nf()", "", ["drop-table"]),
        ("globals()['upgrade_x']()", "def upgrade_x():\n    op.drop_table('a')\n", ["drop-table"]),
        ("op.execute(sa.DDL('DROP TABLE a'))", "", ["drop-table"]),
        ("User.__table__.drop(op.get_bind())", "", ["drop-table"]),
        ("s = 'DELETE FROM t'\ns += ' WHERE id = 1'\nop.execute(s)", "", ["delete-where"]),
        ("q = sa.delete(t)\nq = q.where(t.c.x == 1)\nop.execute(q)", "", ["delete-where"]),
        ("op.execute('DELETE FROM t WHERE x IN (%s)' % ','.join(ids))", "", ["delete-where"]),
        ("op.execute(f'DELETE FROM t {where}')", "", ["unanalysable"]),
        ("s = 'SELECT 1'\nif x:\n    s = open('y').read()\nop.execute(s)", "", ["unanalysable"]),
        ("op.execute('SELECT 1' if x else open('y').read())", "", ["unanalysable"]),
        ("getattr(op, name)('a')", "", ["unanalysable"]),
        ("helper(op)", "from .utils import helper\n", ["unanalysable"]),
        ("from app.utils import backfill\nbackfill()", "", ["unanalysable"]),
        ("with open('f.sql') as f:\n    op.execute(f.read())", "", ["unanalysable"]),
        ("sa.Enum(name='x').drop(op.get_bind(), checkfirst=True)", "", []),
        ("op.get_bind().execute(sa.select(t.c.id)).fetchall()", "", []),
        ("for r in op.get_bind().execute(sa.text('SELECT 1')):\n    print(r)", "", []),
        ("s = None\nif x:\n    s = 'SELECT 1'\nop.execute(s)", "", []),
        (
            "with op.get_context().autocommit_block():\n    op.execute('CREATE INDEX CONCURRENTLY i ON a (b)')",  # noqa: E501
            "",
            [],
        ),
        ("names = [c['name'] for c in sa.inspect(op.get_bind()).get_columns('a')]", "", []),
        ("from app.utils import now\nx = now()", "", []),
        ("def unused():\n    op.drop_table('a')", "", []),
    ],
)
def test_what_upgrade_runs_is_seen_and_nothing_else(body: str, before: str, expected: list[str]) -> None:
    assert rules(body, before) == expected


def test_a_downgrade_that_drops_more_than_its_upgrade_made_warns() -> None:
    made = "op.create_table('new')\nop.add_column('a', sa.Column('b', sa.Integer))"
    assert rules(made, back="op.drop_table('new')\nop.drop_column('a', 'b')") == []
    assert rules(made, back="op.drop_table('other')") == ["drop-table"]


def test_positions_point_at_the_statement_inside_a_long_string() -> None:
    text = f"{HEAD}def upgrade():\n    op.execute('''\n    SELECT 1;\n    DROP TABLE a;\n    ''')\n"
    findings = scan_text(text, Written.PYTHON, "x.py", Scan(GateKind.PRODUCTION)).report.findings
    assert [(f.line, f.column) for f in findings if f.rule == "drop-table"] == [(9, 5)]


@pytest.mark.parametrize(
    ("text", "dialect", "expected"),
    [
        ("SELECT 1\nGO\nDROP TABLE a\nGO", "tsql", ["drop-table"]),
        ("SELECT 1\nDROP TABLE a", "tsql", ["drop-table"]),
        ("EXEC sp_executesql N'TRUNCATE TABLE a'", "tsql", ["truncate"]),
        ("EXEC sp_rename 'a', 'b'", "tsql", []),
        ("COPY (DELETE FROM a RETURNING *) TO '/x'", "postgres", ["delete-all"]),
        ("CREATE OR REPLACE TABLE a (b int)", "mysql", ["drop-table"]),
        (".read x.sql\nSELECT 1;", "sqlite", ["unanalysable"]),
        ("ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT DELETE ON TABLES TO x", "postgres", []),
    ],
)
def test_the_habits_of_dialects_are_known(text: str, dialect: str, expected: list[str]) -> None:
    findings = scan_text(text, Written.SQL, "x.sql", Scan(GateKind.PRODUCTION, dialect)).report.findings
    assert [f.rule for f in findings] == expected


def test_a_here_document_that_a_shell_reads_is_code() -> None:
    found = [
        scan_text(text, Written.SHELL, "x.sh", Scan(GateKind.PRODUCTION)).report.findings
        for text in ("bash <<EOF\naws s3 rb s3://x\nEOF", "cat <<EOF\naws s3 rb s3://x\nEOF")
    ]
    assert [[(f.rule, f.line) for f in one] for one in found] == [[("delete-bucket", 2)], []]
