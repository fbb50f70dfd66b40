"""The words that runs are filtered by: combined, taken away, quoted, and named where they cannot be used."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opconsole.journal.records import Run
from opconsole.journal.run_lines import Decided, RunLine
from opconsole.run_filter import FilterError, PastRun, past_run, read_filter, read_moment
from queues.states import RunState

NOW = datetime(2026, 3, 30, 12, tzinfo=UTC)


def past(state: RunState = RunState.SUCCEEDED, *, unverified: bool = False, **more: Any) -> PastRun:
    given = {"worked": more.pop("worked", 60.0), "decisions": more.pop("decisions", ())}
    fields: dict[str, Any] = {
        "id": "r-77",
        "project": "shop",
        "task": "DEPLOY-1",
        "kind": "deployment",
        "action": "deploy",
        "environment": "production",
        "version": "2.1.0",
        "attempt": 1,
        "epoch": 1,
        "requested_by": "ana",
        "created_at": NOW - timedelta(days=1),
        "reason": "",
        **more,
    }
    return past_run(RunLine(Run(state=state, **fields), waited=0.0, **given), unverified=unverified)


def shown(text: str, run: PastRun) -> bool:
    return read_filter(text, NOW).matches(run)


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("state:failed env:prod 2.1", past(RunState.FAILED)),
        ("state:failed,blocked", past(RunState.BLOCKED)),
        ("state:rolled-back", past(RunState.ROLLED_BACK)),
        ("rolled back", past(RunState.ROLLED_BACK)),
        ("state:unverified", past(unverified=True)),
        ("state:overridden", past(overridden=True)),
        ("environment:production", past()),
        ("env:pro", past()),
        ("who:bo", past(decisions=(Decided("Bob", NOW, "approve", "go-ahead", verified=True),))),
        ("who:carol", past(verified_by="carol")),
        ("by:ana kind:deploy version:2.1", past()),
        ("run:r-7 task:deploy-1", past()),
        ("shop:DEPLOY-1", past()),
        ('"lock timeout"', past(reason="hit a lock timeout in 0004")),
        ('task:"DEPLOY 1"', past(task="DEPLOY 1")),
        ("-who:alice -state:failed", past()),
        ("not:who:alice", past()),
        ("since:2026-03-29 until:2026-03-30", past()),
        ("since:2d", past()),
        ("since:yesterday until:today", past()),
        ("took:>30s took:<2m", past()),
        ("took:1m", past()),
        ("", past()),
    ],
)
def test_a_run_is_found_by(text: str, run: PastRun) -> None:
    assert shown(text, run)


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("state:failed env:prod 2.1", past(RunState.FAILED, environment="staging")),
        ("state:failed", past()),
        ("lock timeout", past(reason="a lock only")),
        ('"timeout lock"', past(reason="lock timeout")),
        ("-2.1", past()),
        ("not:state:succeeded", past()),
        ("since:12h", past()),
        ("until:yesterday", past()),
        ("took:>2m", past()),
        ("took:<2m", past(worked=None)),
        ("state:unverified", past()),
        ("who:ana", past(requested_by="bo", task="ana")),
    ],
)
def test_a_run_is_not_found_by(text: str, run: PastRun) -> None:
    assert not shown(text, run)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("state:faild", "did you mean failed"),
        ("state:purple", "allowed: pending, preflight"),
        ("stat:failed", "did you mean state:"),
        ("enviroment:prod", "did you mean"),
        ("state:", "state:failed"),
        ("since:soon", "write 2026-03-01"),
        ("since:2026-02-31", "is no time"),
        ("since:999999w", "is no time"),
        ("took:long", "took:>5m"),
    ],
)
def test_a_word_that_cannot_be_used_is_named_with_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(FilterError, match=told):
        read_filter(text, NOW)


def test_in_quotes_every_word_is_a_text() -> None:
    assert shown('"stat:failed"', past(reason="it said stat:failed"))


@given(st.text())
def test_whatever_is_typed_is_read_or_named(text: str) -> None:
    with contextlib.suppress(FilterError):
        assert read_filter(text, NOW).matches(past()) in (True, False)


def test_times_are_of_utc_unless_they_say_otherwise() -> None:
    assert read_moment("2026-03-01", NOW) == datetime(2026, 3, 1, tzinfo=UTC)
    assert read_moment("2026-03-01T12:00+02:00", NOW) == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert read_moment("1w", NOW) == NOW - timedelta(days=7)
