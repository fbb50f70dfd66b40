"""Freeze windows by the calendar: on days of every week, over midnight, dated, and one after another."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.freezing import Dated, Weekly, frozen

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = Weekly("nights", frozenset(range(7)), time(22), time(6), BERLIN)
WEEKEND = Weekly("weekend", frozenset({4, 5, 6}), time(16), time(8), BERLIN)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-06T15:59", None),  # a Friday
        ("2026-03-06T16:00", "2026-03-07T08:00"),
        ("2026-03-07T07:59", "2026-03-07T08:00"),
        ("2026-03-07T08:00", None),
        ("2026-03-09T07:59", "2026-03-09T08:00"),  # Monday morning is still Sunday's window
        ("2026-03-10T07:00", None),
    ],
)
def test_a_weekly_window_over_midnight(now: str, until: str | None) -> None:
    assert WEEKEND.until(at(now)) == (at(until) if until else None)


def test_a_window_to_the_days_end() -> None:
    friday = Weekly("friday", frozenset({4}), time(), None, BERLIN)
    assert friday.until(at("2026-03-06T23:59")) == at("2026-03-07T00:00")
    assert friday.until(at("2026-03-07T00:00")) is None


def test_a_window_keeps_its_hours_when_the_clocks_change() -> None:
    for day in ("2026-03-29", "2026-10-25"):  # summer time begins, and ends
        ends = NIGHTS.until(at(f"{day}T01:30"))
        assert ends == at(f"{day}T06:00")
        assert NIGHTS.until(at(f"{day}T06:00")) is None


def test_a_window_is_of_its_zone_and_not_of_the_machine() -> None:
    assert WEEKEND.until(datetime(2026, 3, 6, 15, 30, tzinfo=UTC)) == at("2026-03-07T08:00")
    assert WEEKEND.until(datetime(2026, 3, 6, 14, 30, tzinfo=UTC)) is None


def test_a_dated_windows_end_is_not_part_of_it() -> None:
    dated = Dated("year", at("2026-12-20T18:00"), at("2027-01-04T00:00"))
    assert dated.until(at("2026-12-20T18:00")) == at("2027-01-04T00:00")
    assert dated.until(at("2027-01-04T00:00")) is None


def test_windows_that_follow_without_a_gap_are_one_freeze() -> None:
    mornings = Weekly("mornings", frozenset({5}), time(8), time(12), BERLIN)
    freeze = frozen([WEEKEND, mornings], at("2026-03-06T20:00"))
    assert freeze is not None
    assert (freeze.names, freeze.until) == (("weekend", "mornings"), at("2026-03-07T12:00"))
    assert "until 2026-03-07 12:00 CET (weekend, mornings)" in str(freeze)


def test_without_an_end_in_sight_none_is_told() -> None:
    always = Weekly("always", frozenset(range(7)), time(), None, UTC)
    freeze = frozen([always], at("2026-03-06T20:00"))
    assert freeze is not None
    assert (freeze.until, str(freeze)) == (None, "frozen (always)")


@given(st.integers(1_577_836_800, 1_893_456_000))
def test_a_freeze_ends_in_the_future_and_nothing_is_frozen_then(seconds: int) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    freeze = frozen([WEEKEND, NIGHTS], now)
    if freeze is not None:
        assert freeze.until is not None
        assert freeze.until > now
        assert frozen([WEEKEND, NIGHTS], freeze.until) is None
