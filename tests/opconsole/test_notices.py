"""Who is told of what, how urgently, when and in which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from guardrails.environments import GateKind
from opconsole.journal.records import Run
from opconsole.notices import Notice, body_of, break_glass, is_told, notice_of, quiet_for, title_of
from opconsole.settings import SettingsError, parse_settings
from opconsole.settings.notifications import Channel, Happening, Priority
from opconsole.settings.secrets import SecretRef
from queues.states import RunState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = Run(
    id="r-1",
    project="shop",
    task="DEPLOY-PROD",
    kind="deployment",
    action="deploy",
    environment="production",
    version="2.1.0",
    attempt=1,
    state=RunState.RUNNING,
    epoch=1,
    requested_by="ana",
    created_at=NOW,
)
POLICY = ("ops", "incident", "pager", "security", "deployments")


def channel(**more: Any) -> Channel:
    return Channel(url=SecretRef.parse("env:X"), **more)


def notice(state: RunState, gate: GateKind = GateKind.PRODUCTION, run: Run = RUN) -> Notice:
    found = notice_of(run, state, "because", gate, NOW)
    assert found is not None
    return found


def told(one: Notice) -> list[str]:
    return [name for name in POLICY if is_told(name, channel(), one)]


@pytest.mark.parametrize(
    ("state", "channels", "priority"),
    [
        (RunState.WAITING, ["ops"], "P1"),
        (RunState.FAILED, ["incident", "pager"], "P0"),
        (RunState.HALTED, ["incident", "pager"], "P0"),
        (RunState.INTERRUPTED, ["incident", "pager"], "P0"),
        (RunState.BLOCKED, ["security"], "P0"),
        (RunState.ROLLED_BACK, ["deployments"], "P1"),
        (RunState.SUCCEEDED, [], "P3"),
    ],
)
def test_the_default_policy_tells_each_channel_its_own(
    state: RunState, channels: list[str], priority: str
) -> None:
    one = notice(state)
    assert (told(one), one.priority) == (channels, priority)


def test_break_glass_is_announced_as_p0() -> None:
    one = break_glass(RUN, "ana", "nobody else is here", NOW)
    assert (told(one), one.priority) == (["incident", "pager"], "P0")
    assert "ana approved it alone: nobody else is here" in body_of(one, {})


@pytest.mark.parametrize("state", [RunState.PENDING, RunState.PREFLIGHT, RunState.RUNNING, RunState.REJECTED])
def test_nobody_is_told_of_what_needs_nobody(state: RunState) -> None:
    assert notice_of(RUN, state, "", GateKind.PRODUCTION, NOW) is None


def test_an_approval_outside_production_is_less_urgent_and_told_only_to_those_who_want_it() -> None:
    one = notice(RunState.WAITING, GateKind.STAGING)
    assert one.priority is Priority.P2
    assert not is_told("ops", channel(), one)
    assert is_told("ops", channel(events=["approval-waiting"]), one)
    assert is_told("chat", channel(), one)  # a name that the policy does not know is told everything


def test_a_channel_narrows_down_by_priority_project_and_environment() -> None:
    one = notice(RunState.ROLLED_BACK)
    assert is_told("chat", channel(least="P1"), one)
    assert not is_told("chat", channel(least="P0"), one)
    assert not is_told("chat", channel(projects=["other"]), one)
    assert not is_told("chat", channel(environments=["staging"]), one)
    assert is_told("chat", channel(projects=["shop"], environments=["production"]), one)


@pytest.mark.parametrize(
    ("clock", "seconds"),
    [("21:59", 0), ("22:00", 9 * 3600), ("23:30", 7.5 * 3600), ("06:59", 60), ("07:00", 0), ("12:00", 0)],
)
def test_quiet_hours_over_midnight_hold_back_until_they_end(clock: str, seconds: float) -> None:
    local = NOW.replace(hour=int(clock[:2]), minute=int(clock[3:]))
    assert quiet_for(channel(quiet="22:00-07:00"), notice(RunState.WAITING), local) == seconds


def test_quiet_hours_within_a_day_hold_back_and_p0_passes() -> None:
    lunch = channel(quiet="11:30-13:00")
    assert quiet_for(lunch, notice(RunState.WAITING), NOW) == timedelta(hours=1).total_seconds()
    assert quiet_for(lunch, notice(RunState.HALTED), NOW) == 0
    assert quiet_for(channel(), notice(RunState.WAITING), NOW) == 0


def test_the_words_are_plain_whatever_stands_in_a_name() -> None:
    hostile = replace(RUN, task="X\x1b]52;c;AAAA\x07\n[P0] fake", environment="prod\u202euction")
    one = replace(notice(RunState.FAILED, run=hostile), reason="line\r\x1b[2Jtwo")
    for text in (title_of(one), body_of(one, {Happening.DEPLOYMENT_FAILED: "$task: $reason"})):
        assert all(c.isprintable() or c == "\n" for c in text)
        assert "\u202e" not in text
    assert "\n" not in title_of(one)
    assert "\n" not in body_of(one, {Happening.DEPLOYMENT_FAILED: "$task: $reason"})


def test_a_template_takes_the_place_of_our_words() -> None:
    templates = {Happening.APPROVAL_WAITING: "$task for $environment wants $version"}
    assert body_of(notice(RunState.WAITING), templates) == "DEPLOY-PROD for production wants 2.1.0"
    assert "opconsole approvals" in body_of(notice(RunState.WAITING), {})


def test_a_notice_waits_in_the_outbox_as_it_is() -> None:
    one = notice(RunState.WAITING)
    assert Notice.from_payload(one.payload("ops")) == one
    assert one.payload("ops")["channel"] == "ops"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('[notifications.channels.ops]\nurl = "json://user:pass@host"', "does not belong in the settings"),
        ('[notifications.channels.ops]\nurl = "slack://a/b/c"', "does not stand here"),
        ('[notifications.channels.ops]\nurl = "env:X"\nquiet = "25:00-07:00"', "hours of a day"),
        ('[notifications.channels.ops]\nurl = "env:X"\nevents = ["nonsense"]', "approval-waiting"),
        ('[notifications.channels."Ops!"]\nurl = "env:X"', "Ops!"),
        ('[notifications.templates]\nsucceeded = "$nobody"', "$nobody means nothing here"),
        ('[notifications.templates]\nsucceeded = "100 $"', "no template"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_by_name(lines: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(lines, file=Path("opconsole.toml"), environ={})
    assert said in str(caught.value)
    assert "pass@" not in str(caught.value)
