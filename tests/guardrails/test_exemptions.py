"""Exemptions: what a mark says, how long it holds, and that a useless one is told."""

from __future__ import annotations

from datetime import date

import pytest

from guardrails.environments import GateKind
from guardrails.exemptions import read_marks
from guardrails.findings import Finding, Verdict
from guardrails.judge import judge
from guardrails.operations import Comment
from guardrails.rules import rules_by_name
from guardrails.sql.read import read_sql

TODAY = date(2026, 11, 23)


def findings(sql: str, today: date = TODAY) -> dict[str, Finding]:
    reading = read_sql(sql)
    found = judge(reading.operations, reading.comments, "a.sql", GateKind.PRODUCTION, today=today)
    return {finding.rule: finding for finding in found}


def test_a_mark_holds_until_the_end_of_its_last_day() -> None:
    sql = "DROP TABLE a; -- safety-exception: drop-table until 2026-11-23: moved to b"
    assert findings(sql)["drop-table"].verdict is Verdict.EXEMPT
    assert findings(sql)["drop-table"].reason == "moved to b"
    late = findings(sql, date(2026, 11, 24))
    assert late["drop-table"].verdict is Verdict.BLOCK
    assert late["expired-exemption"].verdict is Verdict.WARN
    assert "2026-11-23" in late["expired-exemption"].message


@pytest.mark.parametrize(
    "mark",
    [
        "safety-exception: drop-table: moved to b (until 2027-01-31)",
        "safety-exception: drop-table: moved to b, until 2027-01-31",
        "safety-exception: drop-table until 2027-01-31: moved to b",
        "safety-exception drop-table - moved to b until 2027-01-31.",
    ],
)
def test_the_end_date_may_stand_after_the_rule_or_after_the_reason(mark: str) -> None:
    (read,) = read_marks([Comment(1, f"-- {mark}", alone=False)], list(rules_by_name())).complete
    assert (read.reason, read.until) == ("moved to b", date(2027, 1, 31))


@pytest.mark.parametrize("day", ["2027-02-30", "31.1.2027", "1/31/2027"])
def test_a_day_that_is_none_makes_no_exemption(day: str) -> None:
    found = findings(f"DROP TABLE a; -- safety-exception: drop-table until {day}: moved")
    assert found["drop-table"].verdict is Verdict.BLOCK
    assert day in found["bad-exemption"].message


def test_until_followed_by_words_belongs_to_the_reason() -> None:
    found = findings("DROP TABLE a; -- safety-exception: drop-table: unused until release 2")
    assert found["drop-table"].reason == "unused until release 2"


def test_a_mark_for_the_file_speaks_of_every_statement_of_it() -> None:
    sql = "-- safety-exception-file: drop-table: cleans the sandbox\nSELECT 1;\nDROP TABLE a;\n\nDROP TABLE b;\nTRUNCATE c;"  # noqa: E501
    found = judge(read_sql(sql).operations, read_sql(sql).comments, "a", GateKind.PRODUCTION, today=TODAY)
    assert [(f.rule, f.verdict) for f in found] == [
        ("drop-table", Verdict.EXEMPT),
        ("drop-table", Verdict.EXEMPT),
        ("truncate", Verdict.BLOCK),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; -- safety-exception: drop-table: long gone",
        "-- safety-exception-file: drop-table: long gone\nSELECT 1",
        "-- safety-exception: drop-table: too far away\n\nSELECT 1;\nTRUNCATE b",
    ],
)
def test_a_mark_that_exempts_nothing_is_told(sql: str) -> None:
    assert findings(sql)["unused-exemption"].verdict is Verdict.WARN


@pytest.mark.parametrize("rule", ["unparsable", "unused-exemption", "no-such-rule", "expired-exemption"])
def test_nothing_exempts_from_rules_about_marks_and_unread_files(rule: str) -> None:
    assert "bad-exemption" in findings(f"SELECT 1; -- safety-exception-file: {rule}: please")


def test_text_in_strings_and_other_words_are_no_marks() -> None:
    assert findings("SELECT '-- safety-exception: drop-table: x'") == {}
    assert findings("SELECT 1 -- see safety-exceptions.md") == {}
    assert findings("SELECT 1 -- my-safety-exception-filter") == {}
