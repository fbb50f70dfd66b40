"""The text of check, whole, for several files, severities and verdicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from guardrails.findings import (
    BASELINE,
    Coverage,
    Direction,
    FileReport,
    Finding,
    Report,
    Severity,
    Verdict,
)
from guardrails.github import github_report
from guardrails.reports import check_report

DROP = Finding(
    rule="drop-table",
    severity=Severity.CRITICAL,
    verdict=Verdict.BLOCK,
    path="migrations/001.py",
    line=15,
    column=5,
    message="DROP TABLE causes irreversible data loss",
    fix="Rename it now.",
    statement="DROP TABLE old_users",
    direction=Direction.UPGRADE,
    code="DROP TABLE old_users;",
)
TRUNCATE = replace(
    DROP,
    rule="truncate",
    path="sql/b.sql",
    line=2,
    column=1,
    message="TRUNCATE causes irreversible data deletion",
    fix="Delete in batches.",
    statement="TRUNCATE a",
    direction=None,
    code="TRUNCATE a;",
)
UNKNOWN = replace(
    TRUNCATE,
    rule="unanalysable",
    severity=Severity.HIGH,
    line=7,
    message="What this does cannot be told",
    fix="Write it out.",
    statement="no sql",
    code="",
)
UPDATE = replace(
    UNKNOWN,
    rule="update-all",
    verdict=Verdict.WARN,
    line=9,
    column=3,
    message="UPDATE changes every row",
    fix="Add a WHERE.",
    statement="UPDATE c SET d = 1",
)
BACK = replace(DROP, verdict=Verdict.WARN, line=20, direction=Direction.DOWNGRADE)
MARKED = replace(TRUNCATE, verdict=Verdict.EXEMPT, line=30, reason="it is empty")
OLD = replace(TRUNCATE, verdict=Verdict.EXEMPT, line=40, reason=BASELINE)
OLDER = replace(OLD, path="migrations/001.py")

SEVERAL = Report(
    "production",
    (
        FileReport("migrations/001.py", (DROP, BACK, OLDER), Coverage(4, 4)),
        FileReport("sql/b.sql", (TRUNCATE, UNKNOWN, UPDATE, MARKED, OLD), Coverage(9, 8)),
        FileReport("sql/c.sql", (), Coverage(1, 1)),
    ),
    ("stale baseline entry 12ab: sql/c.sql has no truncate like it any more (TRUNCATE z)",),
)

TEXT = """\
🚫 DEPLOYMENT SAFETY VIOLATIONS DETECTED
============================================================
🔴 CRITICAL (2):
  migrations/001.py:15
    Pattern: DROP TABLE
    Reason: DROP TABLE causes irreversible data loss
    Code: DROP TABLE old_users;
  sql/b.sql:2
    Pattern: TRUNCATE TABLE
    Reason: TRUNCATE causes irreversible data deletion
    Code: TRUNCATE a;
🟠 HIGH (1):
  sql/b.sql:7
    Pattern: UNANALYSABLE
    Reason: What this does cannot be told
    Code: no sql
============================================================
ACTION REQUIRED: Fix violations before deployment

The safe way (more: opconsole check --explain RULE):
  drop-table: Rename it now.
  truncate: Delete in batches.
  unanalysable: Write it out.

migrations/001.py:20:5: warning: drop-table (critical in downgrade()): DROP TABLE causes irreversible data loss
    DROP TABLE old_users
sql/b.sql:9:3: warning: update-all (high): UPDATE changes every row
    UPDATE c SET d = 1
sql/b.sql:30:1: exempt: truncate (critical): TRUNCATE causes irreversible data deletion [exempt: it is empty]
    TRUNCATE a

note: 2 findings of the baseline in 2 files (--format json lists them)
note: stale baseline entry 12ab: sql/c.sql has no truncate like it any more (TRUNCATE z)

BLOCK for production: 3 files, 13 of 14 statements analysed, 8 findings"""  # noqa: E501

GITHUB = """\
::error file=migrations/001.py,line=15,col=5,title=drop-table (critical)::DROP TABLE causes irreversible data loss%0ADROP TABLE old_users%0AFix: Rename it now.
::error file=sql/b.sql,line=2,col=1,title=truncate (critical)::TRUNCATE causes irreversible data deletion%0ATRUNCATE a%0AFix: Delete in batches.
::error file=sql/b.sql,line=7,col=1,title=unanalysable (high)::What this does cannot be told%0Ano sql%0AFix: Write it out.
::warning file=migrations/001.py,line=20,col=5,title=drop-table (critical)::DROP TABLE causes irreversible data loss (in downgrade())%0ADROP TABLE old_users%0AFix: Rename it now.
::warning file=sql/b.sql,line=9,col=3,title=update-all (high)::UPDATE changes every row%0AUPDATE c SET d = 1%0AFix: Add a WHERE.
::notice file=migrations/001.py,line=40,col=1,title=truncate (critical)::TRUNCATE causes irreversible data deletion%0ATRUNCATE a%0AExempt: baseline
::notice file=sql/b.sql,line=30,col=1,title=truncate (critical)::TRUNCATE causes irreversible data deletion%0ATRUNCATE a%0AExempt: it is empty
::notice file=sql/b.sql,line=40,col=1,title=truncate (critical)::TRUNCATE causes irreversible data deletion%0ATRUNCATE a%0AExempt: baseline
::notice title=opconsole check::stale baseline entry 12ab: sql/c.sql has no truncate like it any more (TRUNCATE z)
opconsole check: BLOCK, 3 files, 3 blocking, 2 warnings, 3 exempt"""  # noqa: E501


def test_several_findings_severities_and_files_make_one_report() -> None:
    assert check_report(SEVERAL) == TEXT


def test_what_only_warns_needs_no_banner() -> None:
    report = Report("staging", (FileReport("sql/b.sql", (UPDATE,), Coverage(1, 1)),))
    assert check_report(report) == (
        "sql/b.sql:9:3: warning: update-all (high): UPDATE changes every row\n"
        "    UPDATE c SET d = 1\n\n"
        "WARN for staging: 1 file, 1 of 1 statement analysed, 1 finding"
    )


def test_nothing_found_is_one_line() -> None:
    report = Report("production", (FileReport("a.sql", (), Coverage(2, 2)),))
    assert check_report(report) == "PASS for production: 1 file, 2 of 2 statements analysed, 0 findings"


def test_annotations_name_the_place_and_come_worst_first() -> None:
    assert github_report(SEVERAL) == GITHUB


@pytest.mark.parametrize(
    "text",
    ["a\n::error::x", "a\r::stop-commands::x", "%0A::x", "a,line=9,title=x::y", "\x1b[2J::warning ::z"],
)
def test_nothing_from_a_file_starts_a_command_or_a_property_of_its_own(text: str) -> None:
    hostile = replace(DROP, path=text, statement=text, message=text, fix=text)
    lines = github_report(Report("production", (FileReport(text, (hostile,)),))).split("\n")
    assert len(lines) == 2
    properties, message = lines[0].removeprefix("::error ").split("::", 1)
    assert [part.partition("=")[0] for part in properties.split(",")] == ["file", "line", "col", "title"]
    assert "\r" not in lines[0]
    assert "\x1b" not in lines[0]
    assert message


def test_a_file_below_the_working_folder_is_named_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = Report("production", (FileReport("x", (replace(DROP, path=str(tmp_path / "m" / "a.py")),)),))
    assert github_report(report).startswith("::error file=m/a.py,line=15")
