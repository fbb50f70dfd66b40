"""The command `exempt`: the diff first, then the comment, and nothing where it would not count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opconsole.cli import exempt

SQL = "SELECT 1;\n\nDROP TABLE old_users;\nTRUNCATE visits;\n"


@pytest.fixture
def file(desk: Any) -> Path:
    """Give a file of the project with two findings."""
    path: Path = desk.root / "shop" / "db" / "clean.sql"
    path.parent.mkdir(parents=True)
    path.write_text(SQL)
    return path


def test_the_comment_is_written_after_its_diff_was_shown(desk: Any, file: Path) -> None:
    told = desk.give("exempt", "shop/db/clean.sql:3", "drop-table", "moved to users in 2.0", "--yes")
    assert told.status == 0, told.err
    assert "+-- safety-exception: drop-table: moved to users in 2.0" in told.out
    assert "written into db/clean.sql, line 3" in told.out
    assert file.read_text().splitlines()[2] == "-- safety-exception: drop-table: moved to users in 2.0"
    checked = desk.give("check", str(file), "--format", "json").document["files"][0]["findings"]
    assert [(one["rule"], one["verdict"]) for one in checked] == [
        ("drop-table", "exempt"),
        ("truncate", "block"),
    ]


@pytest.mark.parametrize("place", ["db/clean.sql:3", "shop/db/clean.sql:3", "{file}:3"])
def test_a_file_is_named_as_one_sees_it(desk: Any, file: Path, place: str) -> None:
    told = desk.give("exempt", place.format(file=file), "drop-table", "gone for good", "--json", "--yes")
    assert told.document["written"] is True
    assert told.document["file"] == str(file)


def test_without_a_terminal_nothing_is_written_unless_it_is_said(desk: Any, file: Path) -> None:
    told = desk.give("exempt", "db/clean.sql:3", "drop-table", "gone for good")
    assert told.status == 2
    assert "--yes writes it" in told.err
    assert "+-- safety-exception" in told.out
    assert file.read_text() == SQL


@pytest.mark.parametrize(("answer", "written"), [("y", True), ("n", False), ("", False)])
def test_at_a_terminal_the_person_is_asked(
    desk: Any, file: Path, monkeypatch: pytest.MonkeyPatch, answer: str, *, written: bool
) -> None:
    async def answers(question: str) -> str:
        assert "Write this into db/clean.sql?" in question
        return answer

    monkeypatch.setattr(exempt, "interactive", lambda _: True)
    monkeypatch.setattr(exempt, "ask_on_terminal", answers)
    told = desk.give("exempt", "db/clean.sql:3", "drop-table", "gone for good")
    assert told.status == (0 if written else 1)
    assert (file.read_text() != SQL) is written


def test_the_last_day_stands_in_the_comment(desk: Any, file: Path) -> None:
    day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    told = desk.give("exempt", "db/clean.sql:4", "truncate", "a cache", "--until", day, "--yes")
    assert told.status == 0, told.err
    assert f"truncate until {day}: a cache" in file.read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("db/clean.sql", "drop-table", "x"), "write it as PATH:LINE"),
        (("db/clean.sql:1", "drop-table", "x"), "found: drop-table at line 3"),
        (("db/clean.sql:3", "delete-all", "x"), "found: drop-table at line 3, truncate at line 4"),
        (("db/none.sql:3", "drop-table", "x"), "is no file of shop"),
        (("../../etc/passwd:1", "drop-table", "x"), "is no file of shop"),
        (("db/clean.sql:3", "drop-table", " "), "a reason is needed"),
        (("db/clean.sql:3", "drop-table", "x", "--until", "soon"), "write it as 2027-01-31"),
        (("db/clean.sql:3", "drop-table", "x", "--until", "2020-01-01"), "has passed"),
        (("db/clean.sql:3", "drop-table", "x", "--environment", "moon"), "development"),
    ],
)
def test_what_cannot_be_exempted_is_said_and_nothing_is_written(
    desk: Any, file: Path, words: tuple[str, ...], told: str
) -> None:
    answered = desk.give("exempt", *words, "--yes")
    assert answered.status == 2
    assert told in answered.err
    assert file.read_text() == SQL


def test_what_is_exempt_already_is_not_exempted_again(desk: Any, file: Path) -> None:
    desk.give("exempt", "db/clean.sql:3", "drop-table", "gone for good", "--yes")
    before = file.read_text()
    again = desk.give("exempt", "db/clean.sql:4", "drop-table", "gone for good", "--yes")
    assert again.status == 2
    assert "is exempt in the project's folder already" in again.err
    assert file.read_text() == before
