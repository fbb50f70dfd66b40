"""Attack 30: the clock set back, by which a wait, a freeze or a key would be judged."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from guardrails.approving import Verdict
from opconsole.approving import asked_of
from opconsole.clock import HostClock
from opconsole.journal.records import RequestKind
from opconsole.signing import SigningKey, sign, statement

NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)
"""A Friday."""
HOUR = timedelta(hours=1)


class Hands:
    """A clock that is set by hand."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.mark.parametrize("latest", [None, NOON - HOUR, NOON + HOUR])
def test_the_time_that_decides_goes_on_whatever_is_done_to_the_clock(latest):
    hands = Hands(NOON)
    clock = HostClock(hands, latest)
    told = [clock.decides()]
    for hour in (1, 0, -5, 3, 2, -900):
        hands.at = NOON + hour * HOUR
        assert clock.now() == hands.at, "the records have the machine's"
        told.append(clock.decides())
    assert told == sorted(told)
    assert told[0] >= max(NOON, latest or NOON)
    assert told[4] >= NOON + 3 * HOUR, "a clock that is set forward is believed"
    assert told[-1] - told[4] < HOUR / 2, "and goes on from there no faster than time passes"
    assert told[-1] > told[-2], "but does not stand still"


async def test_a_request_made_by_a_clock_set_back_is_not_old_when_it_is_set_right(project, deploy, clock):
    project.policy = "[approvals]\nwait = 600.0\n"
    project.settings()
    async with project.hosted() as driver:
        assert (await driver.ask(RequestKind.START, project="app")).granted  # on record: how late it is
    clock.ahead -= HOUR
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        assert driver.state("PROD") == "waiting"
        clock.ahead += HOUR
        early = await driver.approve("PROD")
        assert not early.granted
        assert "this can be approved in" in early.text
        assert driver.effects("PROD") == []


WEEKEND = """[[approvals.freezes]]
name = "weekend"
days = ["friday"]
begin = "16:00"
end = "08:00"
"""


async def test_no_clock_is_set_back_before_a_freeze_to_get_past_it(project, deploy, clock):
    project.more = WEEKEND
    project.settings()
    clock.ahead = NOON + 5 * HOUR - datetime.now(UTC)
    async with project.hosted() as driver:
        assert (await driver.ask(RequestKind.START, project="app")).granted
    clock.ahead -= 2 * HOUR
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("PROD")
        assert driver.run("PROD").reason.startswith("production is frozen until")
        assert driver.effects("PROD") == []


async def test_no_clock_is_set_forward_past_a_freeze_and_right_again_while_it_lasts(project, deploy, clock):
    project.more = WEEKEND
    project.settings()
    clock.ahead = NOON + 48 * HOUR - datetime.now(UTC)
    async with project.hosted() as driver:
        assert (await driver.ask(RequestKind.START, project="app")).granted
    clock.ahead = NOON + 5 * HOUR - datetime.now(UTC)
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        await driver.approve("PROD")
        assert driver.run("PROD").reason.startswith("production is frozen until")


async def test_no_key_is_valid_again_by_a_clock_set_back(project, deploy, clock, keys, allow):
    soon = f"{datetime.now(UTC) + timedelta(days=2):%Y%m%d}"
    line = keys.line("eve", f'valid-before="{soon}"')
    project.policy = f'[approvals]\nallowed_signers = "{allow(line)}"'
    project.settings()
    project.queue(deploy("PROD", "production"))
    async with project.hosted() as driver:
        await driver.go()
        clock.ahead += timedelta(days=4)
        assert (await driver.ask(RequestKind.PAUSE, project="app")).granted
    clock.ahead -= timedelta(days=4)
    async with project.hosted() as driver:
        subject = asked_of(driver.approval("PROD"), driver.run("PROD")).subject
        text = statement(driver.place.id, subject, Verdict.APPROVE, "looked at it")
        key = SigningKey(keys.key("eve"))
        signature = sign(text, key, environ={"PATH": os.environ["PATH"]}, ask=False)
        refused = await driver.approve("PROD", by="eve", signature=signature)
        assert not refused.granted
        assert "has expired" in refused.text
        assert driver.effects("PROD") == []
