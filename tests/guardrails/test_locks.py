"""Lock rules in context: fresh and temporary tables, transactions, what comes before and after."""

from __future__ import annotations

import textwrap

import pytest

from guardrails.environments import GateKind
from guardrails.files import Written
from guardrails.findings import Verdict
from guardrails.rules import all_rules
from guardrails.scan import Scan, scan_text

HEAD = (
    '"""Change."""\nimport sqlalchemy as sa\nfrom alembic import op\nrevision = "1"\ndown_revision = None\n'
)


def migration(body: str, before: str = "", dialect: str = "postgres") -> list[str]:
    up = textwrap.indent(body, "    ")
    text = f"{HEAD}{before}\ndef upgrade():\n{up}\n\ndef downgrade():\n    op.execute('SELECT 1')\n"
    found = scan_text(text, Written.PYTHON, "x.py", Scan(GateKind.PRODUCTION, dialect)).report.findings
    return [finding.rule for finding in found]


def script(text: str, dialect: str = "postgres") -> list[str]:
    found = scan_text(text, Written.SQL, "x.sql", Scan(GateKind.PRODUCTION, dialect)).report.findings
    return [finding.rule for finding in found if finding.rule != "missing-timeout"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CREATE TEMP TABLE t (a int); DROP TABLE t", []),
        ("CREATE TEMPORARY TABLE t AS SELECT 1; TRUNCATE t; DELETE FROM t; DROP TABLE t", []),
        ("DROP TABLE pg_temp.t", []),
        ("CREATE TEMP TABLE t (a int); DROP TABLE public.t", ["drop-table"]),
        ("CREATE TEMP TABLE t (a int); DROP TABLE t, u", ["drop-table"]),
        ("DROP TABLE t; CREATE TEMP TABLE t (a int)", ["drop-table"]),
        ("CREATE TEMP TABLE t (a int); DROP TABLE t; DROP TABLE t", ["drop-table"]),
        (
            "BEGIN; CREATE TEMP TABLE t (a int) ON COMMIT DROP; COMMIT; DROP TABLE t",
            ["drop-table"],
        ),
        ("CREATE TABLE t (a int); DROP TABLE t", ["drop-table"]),
    ],
)
def test_only_a_temporary_table_of_the_same_script_goes_without_harm(text: str, expected: list[str]) -> None:
    assert script(text) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("op.batch_alter_table('a').drop_column('b')", ["drop-column"]),
        ("op.execute('CREATE TEMP TABLE t AS SELECT 1')\nop.execute('DROP TABLE t')", []),
        ("op.create_table('a')\nop.create_index('i', 'b', ['c'])", ["index-not-concurrent"]),
        ("for t in ('a', 'b'):\n    op.create_table(t)\n    op.create_index('i' + t, t, ['c'])", []),
        ("make()\nop.create_index('i', 'a', ['b'])", []),
        ("op.create_table('a', schema='s')\nop.execute('CREATE INDEX i ON s.a (b)')", []),
        ("op.create_table('a')\nop.rename_table('a', 'b')\nop.create_index('i', 'b', ['c'])", []),
        ("op.execute('COMMIT')\nop.execute(\"ALTER TYPE t ADD VALUE 'x'\")", []),
        ("op.drop_constraint(None, 'a', type_='unique')", ["unnamed-constraint"]),
        (
            "op.alter_column('a', 'b', existing_type=sa.String(9), type_=sa.String(99), existing_nullable=False, nullable=False)",  # noqa: E501
            [],
        ),
    ],
)
def test_what_stands_before_decides_in_migrations(body: str, expected: list[str]) -> None:
    assert migration(body, "def make():\n    op.create_table('a')\n") == expected


@pytest.mark.parametrize("dialect", ["mysql", "sqlite", "oracle"])
def test_other_databases_hear_nothing_of_postgres_locks(dialect: str) -> None:
    body = "op.create_index('i', 'a', ['b'])\nop.alter_column('a', 'c', type_=sa.Text())"
    assert migration(body, dialect=dialect) == []
    assert script("CREATE INDEX i ON a (b); ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0)", dialect) == []


def test_a_script_is_told_once_of_its_missing_timeout() -> None:
    text = "ALTER TABLE a ADD b int; ALTER TABLE a ADD c int"
    found = scan_text(text, Written.SQL, "x.sql", Scan(GateKind.PRODUCTION)).report.findings
    assert [finding.rule for finding in found] == ["missing-timeout"]


@pytest.mark.parametrize(
    "rule", [r for r in all_rules() if "locks and compatibility" in r.source], ids=lambda r: r.name
)
def test_a_lock_rule_warns_names_a_lock_and_says_the_safe_way(rule: object) -> None:
    assert rule.verdict(GateKind.PRODUCTION) is Verdict.WARN  # type: ignore[attr-defined]
    assert "lock" in rule.message  # type: ignore[attr-defined]
    assert len(rule.fix) > 30  # type: ignore[attr-defined]
