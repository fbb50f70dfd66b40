"""check_paths: which files are read, what is never silent, and what an exemption takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from guardrails.check import check_migrations, check_paths, check_sources
from guardrails.environments import GateKind
from guardrails.findings import Report, Verdict

GUIDE_VALID = """\
def upgrade():
    op.add_column('users', sa.Column('email', sa.String(255)))

def downgrade():
    op.drop_column('users', 'email')  # Reversible
"""
GUIDE_INVALID = """\
def upgrade():
    op.execute('DELETE FROM temp_data')

def downgrade():
    pass  # Not reversible!
"""


def check(*paths: Path, gate: GateKind = GateKind.PRODUCTION, **options: object) -> Report:
    return check_paths(paths, environment=gate.value, gate=gate, **options)  # type: ignore[arg-type]


def rules(report: Report) -> list[str]:
    return [finding.rule for finding in report.findings]


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_the_guide_s_valid_migration_does_not_block_and_its_invalid_one_does(tmp_path: Path) -> None:
    write(tmp_path, good__py=GUIDE_VALID, bad__py=GUIDE_INVALID)
    assert rules(check(tmp_path / "good.py")) == ["missing-description"]
    assert check(tmp_path / "good.py").verdict is Verdict.WARN
    assert rules(check(tmp_path / "bad.py")) == [
        "missing-description",
        "delete-all",
        "irreversible-downgrade",
    ]
    assert check(tmp_path / "bad.py").verdict is Verdict.BLOCK
    assert check(tmp_path / "bad.py", gate=GateKind.STAGING).verdict is Verdict.WARN


def test_the_json_is_the_contract_s(tmp_path: Path) -> None:
    write(tmp_path, a__sql="SELECT 1;\nDROP TABLE old_users;")
    assert check(tmp_path, root=tmp_path).to_json() == {
        "verdict": "block",
        "environment": "production",
        "files": [
            {
                "path": "a.sql",
                "verdict": "block",
                "coverage": {"statements": 2, "analysed": 2},
                "findings": [
                    {
                        "rule": "drop-table",
                        "severity": "critical",
                        "verdict": "block",
                        "line": 2,
                        "column": 1,
                        "direction": None,
                        "layer": "source",
                        "statement": "DROP TABLE old_users",
                        "message": "DROP TABLE causes irreversible data loss",
                        "fix": check(tmp_path).findings[0].fix,
                        "reason": None,
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("DROP TABLE a; -- safety-exception: drop-table: moved to b", Verdict.EXEMPT),
        ("-- safety-exception drop-table: moved to b\nDROP TABLE a;", Verdict.EXEMPT),
        ("/* safety-exception: drop-table: moved to b */ DROP TABLE a;", Verdict.EXEMPT),
        ("DROP TABLE a; -- safety-exception: drop-table:", Verdict.BLOCK),
        ("DROP TABLE a; -- safety-exception", Verdict.BLOCK),
        ("DROP TABLE a; -- safety-exception: truncate: other rule", Verdict.BLOCK),
        ("SELECT 'safety-exception: drop-table: x'; DROP TABLE a;", Verdict.BLOCK),
        ("SELECT 1; -- safety-exception: drop-table: other line\nDROP TABLE a;", Verdict.BLOCK),
    ],
)
def test_an_exemption_takes_a_rule_a_reason_and_a_comment_beside_the_statement(
    tmp_path: Path, text: str, verdict: Verdict
) -> None:
    report = check(write(tmp_path, a__sql=text))
    (finding,) = [f for f in report.findings if f.rule == "drop-table"]
    assert finding.verdict is verdict
    assert (finding.reason == "moved to b") is (verdict is Verdict.EXEMPT)
    assert report.verdict is (Verdict.WARN if verdict is Verdict.EXEMPT else Verdict.BLOCK)


def test_an_incomplete_mark_is_reported(tmp_path: Path) -> None:
    report = check(write(tmp_path, a__sql="SELECT 1; -- safety-exception: no-such-rule: x"))
    assert rules(report) == ["bad-exemption"]


@pytest.mark.parametrize(
    "body",
    [
        "op.drop_table('a')  # safety-exception: drop-table: unused since 1.2",
        "# safety-exception: drop-table: unused since 1.2\n    op.drop_table('a')",
        "# safety-exception: drop-table: unused since 1.2\n    op.execute(\n        'DROP TABLE a'\n    )",
        "op.execute('''DROP TABLE a -- safety-exception: drop-table: unused since 1.2\n''')",
    ],
)
def test_python_is_exempted_by_its_own_comments_and_by_those_of_its_sql(tmp_path: Path, body: str) -> None:
    text = f"'''Gone.'''\nrevision = '1'\ndown_revision = None\ndef upgrade():\n    {body}\ndef downgrade():\n    op.x()\n"  # noqa: E501
    found = [f for f in check(write(tmp_path, a__py=text)).findings if f.rule == "drop-table"]
    assert [(f.verdict, f.reason) for f in found] == [(Verdict.EXEMPT, "unused since 1.2")]


@pytest.mark.parametrize(
    ("name", "data", "rule"),
    [
        ("a.sql", b"\xff\xfa\x00DROP", "unreadable"),
        ("a.sql", b"SELECT 1\0", "unreadable"),
        ("a.py", b"# coding: no-such\n", "unreadable"),
        ("a.py", b"def f(:\n", "unparsable"),
        ("a.py", b"x = " + b"(" * 2000 + b")" * 2000, "unparsable"),
        ("a.js", bytes(range(256)), "unreadable"),
    ],
)
def test_what_cannot_be_read_or_parsed_blocks_production_and_warns_elsewhere(
    tmp_path: Path, name: str, data: bytes, rule: str
) -> None:
    (tmp_path / name).write_bytes(data)
    assert rules(check(tmp_path)) == [rule]
    assert check(tmp_path).verdict is Verdict.BLOCK
    assert check(tmp_path, gate=GateKind.DEVELOPMENT).verdict is Verdict.WARN


def test_links_out_of_the_project_and_odd_files_are_unreadable(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    write(tmp_path, secret__sql="SELECT 1")
    (inside / "a.sql").symlink_to(tmp_path / "secret.sql")
    (inside / "b.sql").symlink_to("b.sql")
    os.mkfifo(inside / "c.sql")
    report = check(inside, root=inside)
    assert [(f.path, f.rule) for f in report.findings] == [(f"{n}.sql", "unreadable") for n in "abc"]


def test_utf_16_with_its_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_bytes("DROP TABLE a".encode("utf-16"))
    assert rules(check(tmp_path)) == ["drop-table"]


def test_ten_megabytes_are_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        a__sql="INSERT INTO a VALUES (1);\n" * 2000 + "SELECT '" + "x" * 10_000_000 + "'; DROP TABLE a;",
    )
    assert rules(check(tmp_path)) == ["drop-table"]


def test_folders_of_others_and_tests_are_skipped_and_a_named_file_is_not(tmp_path: Path) -> None:
    for folder in (".git", "node_modules", ".venv", "tests", "src", "extra"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, a__sql="DROP TABLE a")
    paths = [file.path for file in check(tmp_path, root=tmp_path, exclude=["extra"]).files]
    assert paths == ["src/a.sql"]
    assert rules(check(tmp_path / "tests" / "a.sql")) == ["drop-table"]


def test_a_script_is_known_by_its_first_line(tmp_path: Path) -> None:
    write(tmp_path, clean="#!/usr/bin/env bash\naws s3 rb s3://x\n", notes="aws s3 rb s3://x\n")
    report = check(tmp_path, root=tmp_path, gate=GateKind.DEVELOPMENT)
    assert [(f.path, f.rule, f.verdict) for f in report.findings] == [
        ("clean", "delete-bucket", Verdict.BLOCK)
    ]


def test_a_project_may_do_without_downgrades_and_it_is_shown(tmp_path: Path) -> None:
    text = "'''Add.'''\nrevision = '1'\ndown_revision = None\ndef upgrade():\n    op.execute('SELECT 1')\n"
    report = check(write(tmp_path, a__py=text), downgrade_required=False)
    assert [(f.rule, f.severity.value, f.verdict.value) for f in report.findings] == [
        ("missing-downgrade", "low", "warn")
    ]


def test_s3_in_a_downgrade_warns(tmp_path: Path) -> None:
    text = "'''Add.'''\nrevision = '1'\ndown_revision = None\ndef upgrade():\n    pass\ndef downgrade():\n    s3.delete_bucket(Bucket='x')\n"  # noqa: E501
    (finding,) = check(write(tmp_path, a__py=text)).findings
    assert (finding.rule, finding.verdict, finding.direction) == ("delete-bucket", Verdict.WARN, "downgrade")


def test_of_migrations_in_sources_only_s3_is_reported(tmp_path: Path) -> None:
    write(tmp_path, a__py=GUIDE_INVALID, b__py="s3.delete_bucket(Bucket='x')", c__sql="DROP TABLE a")
    report = check_sources(tmp_path, environment="staging", gate=GateKind.STAGING)
    assert [(f.path, f.rule, f.verdict) for f in report.findings] == [
        ("b.py", "delete-bucket", Verdict.BLOCK)
    ]


def test_sources_are_scanned_for_what_infrastructure_would_destroy(tmp_path: Path) -> None:
    write(tmp_path, a__tf='resource "aws_s3_bucket" "x" {\n  force_destroy = true\n}\n')
    report = check_sources(tmp_path, environment="production", gate=GateKind.PRODUCTION)
    assert {(f.path, f.rule, f.verdict) for f in report.findings} == {
        ("a.tf", "force-destroy", Verdict.WARN),
        ("a.tf", "missing-prevent-destroy", Verdict.WARN),
    }


def test_required_elements_speak_of_every_unapplied_file(tmp_path: Path) -> None:
    write(tmp_path, a__py=GUIDE_INVALID)
    result = check_migrations(tmp_path, environment="production", gate=GateKind.PRODUCTION)
    assert (result.elements.upgrade, result.elements.downgrade, result.elements.reversible) == (
        True,
        True,
        False,
    )


def test_the_same_input_gives_the_same_report(tmp_path: Path) -> None:
    write(tmp_path, b__sql="DROP TABLE a; TRUNCATE b", a__sql="TRUNCATE c", c__py=GUIDE_INVALID)
    assert check(tmp_path).to_json() == check(tmp_path).to_json()
    assert [Path(file.path).name for file in check(tmp_path).files] == ["a.sql", "b.sql", "c.py"]


def test_the_guardrails_load_neither_screens_nor_databases_and_sqlglot_only_when_needed(
    tmp_path: Path,
) -> None:
    write(tmp_path, a__sql="SELECT 1")
    code = (
        "import sys, io, pathlib; from opconsole.cli.check import run_check\n"
        f"assert run_check([pathlib.Path({str(tmp_path)!r})], 'prod', 'postgres', 'json', io.StringIO(), io.StringIO()) == 0\n"  # noqa: E501
        "print([m for m in ('textual', 'sqlalchemy', 'pydantic', 'rich', 'sqlglot') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_a_reader_and_the_rules_are_loaded_only_with_a_file_that_needs_them(tmp_path: Path) -> None:
    write(tmp_path, a__py="print('hello')\n", b__sql="SELECT 1", c__js="log(1)")
    code = (
        "import sys; from pathlib import Path; from opconsole.cli.check import main\n"
        f"assert main(['--no-cache', {str(tmp_path / 'a.py')!r}]) == 0\n"
        "print([m for m in sorted(sys.modules) if m.startswith((\n"
        "    'guardrails.sql', 'guardrails.migrations.read', 'guardrails.s3.javascript',\n"
        "    'guardrails.rules.drop', 'guardrails.judge',\n"
        "    'guardrails.cloud.cloudformation', 'guardrails.cloud.terraform', 'tree_sitter', 'yaml'))])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_migration_is_known_however_its_letters_are_written(tmp_path: Path) -> None:
    text = "from alembic import op\ndef ｕpgrade():\n    op.drop_table('a')\n"
    assert "drop-table" in {f.rule for f in check(write(tmp_path, a__py=text)).findings}
