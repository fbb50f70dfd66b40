"""The environments screen: what runs where, how it is now, and that asking never gets in anybody's way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from textual.widgets import Button, Static

from opconsole.seen import Drift, Health, Seen
from opconsole.target_drift import compare
from opconsole.targets.base import TargetState
from opconsole.views import HeldView
from screens.dialogs.planned import PlannedDialog
from screens.environments import AT_ONCE
from screens.widgets.matrix import MatrixView


@pytest.fixture
def places(console: Any, samples: Any) -> Any:
    """Give a console with two projects: one in three environments, one in two."""
    console.places = (
        samples.environment(
            "production", version="2.0.0", release="2.0.0-3", revision="4be1", waiting="DEPLOY-PROD-001"
        ),
        samples.environment("development", version="2.2.0", release="2.2.0-1"),
        samples.environment("staging", running="DEPLOY-STAGING-001"),
        samples.environment("development", project="karematch", version="0.9.0", release="0.9.0-4"),
        samples.environment(
            "production", project="karematch", version=None, release=None, revision=None, deployed_at=None
        ),
    )
    console.seen["credentialmate", "production"] = Seen(
        Health.UNHEALTHY, "GET /health: 503", Drift.OTHER, "it runs 1.9.9-1; on record is 2.0.0-3"
    )
    return console


async def opened(pilot: Any, until: Any) -> Any:
    await until(pilot, lambda: pilot.app.operations.query("#queue-table"))
    await pilot.press("3")
    await until(pilot, lambda: pilot.app.here.PLACE == "environments" and pilot.app.here.query(MatrixView))
    screen = pilot.app.here
    await until(pilot, lambda: screen.situation().environment)
    return screen


def matrix(screen: Any) -> str:
    return str(screen.query_one(MatrixView).query_one(Static).content)


def about(screen: Any) -> str:
    return str(screen.query_one("#about", Static).content)


async def test_columns_go_towards_production_and_each_cell_says_how_it_is(
    places: Any, make_app: Any, until: Any
) -> None:
    async with make_app(places).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, until)
        await until(pilot, lambda: "≠ drifted" in matrix(screen) and "… asking" not in matrix(screen))
        lines = matrix(screen).splitlines()
        assert lines[0].split() == ["DEVELOPMENT", "STAGING", "PRODUCTION"]
        assert lines[2] == "credentialmate"
        assert lines[3].split() == ["2.2.0", "2.1.0", "›", "2.0.0"]
        text = matrix(screen)
        for part in (
            "2.0.0-3 · 4be1",
            "✗ unhealthy",
            "● healthy",
            "▶ DEPLOY-STAGING-001",
            "◆ DEPLOY-PROD-001",
        ):
            assert part in text
        assert "nothing deployed" in text
        assert "503" in about(screen)
        assert "it runs 1.9.9-1; on record is 2.0.0-3" in about(screen)


async def test_the_cells_are_walked_with_arrows_and_none_is_out_of_reach_on_a_small_terminal(
    places: Any, samples: Any, make_app: Any, until: Any
) -> None:
    places.places += tuple(samples.environment(f"edge-{number}", gate="production") for number in range(5))
    async with make_app(places).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, until)
        await pilot.press("left", "left", "left")
        assert screen.where() == "credentialmate development"
        await pilot.press("down")
        assert screen.where() == "karematch development"
        await pilot.press("right")
        assert screen.where() == "karematch production", "staging is none of its environments"
        await pilot.press("up")
        await pilot.press(*["right"] * 9)
        assert screen.where() == "credentialmate edge-4"
        await until(pilot, lambda: "EDGE-4" in matrix(screen) and "‹" in matrix(screen).splitlines()[0])
        assert all(len(line) <= 80 for line in matrix(screen).splitlines())


async def test_asking_is_bounded_shows_each_answer_as_it_comes_and_blocks_no_key(
    places: Any, samples: Any, make_app: Any, until: Any
) -> None:
    places.places = tuple(samples.environment(f"e-{number}", gate="staging") for number in range(10))
    answered = asyncio.Semaphore(0)
    asking: list[int] = [0, 0]

    async def look(environment: Any) -> Seen:
        asking[0] += 1
        asking[1] = max(asking)
        await answered.acquire()
        asking[0] -= 1
        places.looked.append(environment.environment)
        return Seen(Health.HEALTHY, "200", Drift.SAME, "as it is")

    places.look = look
    async with make_app(places).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, until)
        await until(pilot, lambda: asking[0] == AT_ONCE)
        await pilot.press("right")
        assert screen.where() == "credentialmate e-1", "keys are answered while everybody is being asked"
        answered.release()
        await until(pilot, lambda: matrix(screen).count("● healthy") == 1)
        for _ in range(9):
            answered.release()
        await until(pilot, lambda: len(places.looked) == 10 and asking[0] == 0)
        assert asking[1] == AT_ONCE


async def test_nobody_is_asked_while_another_screen_is_shown(places: Any, make_app: Any, until: Any) -> None:
    async with make_app(places).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, until)
        await until(pilot, lambda: len(places.looked) == 5)
        await pilot.press("1")
        await until(pilot, lambda: pilot.app.screen is pilot.app.operations and not screen.asks)
        assert len(places.looked) == 5
        await pilot.press("3")
        await until(pilot, lambda: len(places.looked) == 10 and screen.asks)
        await pilot.press("r")
        await until(pilot, lambda: len(places.looked) == 15)


async def test_an_environment_that_cannot_be_asked_is_unknown_and_the_others_are_shown(
    places: Any, make_app: Any, until: Any
) -> None:
    async def look(environment: Any) -> Seen:
        if environment.environment == "staging":
            raise OSError("no route [/bold]")
        return Seen(Health.HEALTHY, "200", Drift.SAME, "")

    places.look = look
    async with make_app(places).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, until)
        await until(pilot, lambda: matrix(screen).count("● healthy") == 4)
        await pilot.press("left")
        await until(pilot, lambda: "OSError: no route [/bold]" in about(screen))


async def test_who_holds_the_lock_is_named_and_a_frozen_place_says_why(
    console: Any, samples: Any, clock: Any, make_app: Any, until: Any
) -> None:
    since = clock.now() - timedelta(minutes=4)
    held = HeldView("DEPLOY-PROD-000", "r-1", "halted", since, "worker 7 on box", None, suspect=True)
    console.places = (samples.environment(held=held, frozen="frozen until Monday 06:00"),)
    async with make_app(console).run_test(size=(100, 30)) as pilot:
        screen = await opened(pilot, until)
        told = "held by DEPLOY-PROD-000 since 14:01:30 UTC, worker 7 on box"
        await until(pilot, lambda: told in about(screen))
        assert "▣ DEPLOY-PROD-000" in matrix(screen)
        assert "frozen until Monday" in about(screen)
        assert "❄ frozen" in matrix(screen)


async def test_enter_goes_to_the_run_and_without_any_environment_it_says_what_to_do(
    places: Any, make_app: Any, until: Any
) -> None:
    async with make_app(places).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, until)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is pilot.app.operations)
        assert pilot.app.operations.view.where == "detail credentialmate:DEPLOY-PROD-001"
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: pilot.app.screen is screen)
        places.places = ()
        places.change()
        await until(pilot, lambda: "No environment is in the settings" in matrix(screen))


async def test_a_version_is_promoted_to_the_next_column_after_its_plan_was_shown(
    places: Any, make_app: Any, until: Any
) -> None:
    async with make_app(places).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, until)
        screen.go_to("credentialmate staging")
        await pilot.press("a")
        await until(pilot, lambda: pilot.app.screen.query("OptionList"))
        await pilot.press("g")
        await until(pilot, lambda: isinstance(pilot.app.screen, PlannedDialog))
        assert places.heard == [('Promote "credentialmate" from staging to production', None)]
        assert places.added == []
        pilot.app.screen.query_one("#add", Button).press()
        await until(pilot, lambda: places.added == [(places.heard[0][0], False)])
        screen.go_to("credentialmate production")
        assert "promote" not in {action.name for action in screen.palette()}, "there is no further column"


@pytest.mark.parametrize(
    ("state", "drift", "said"),
    [
        (TargetState(known=True, release="2.1.0-1", version="2.1.0"), Drift.SAME, "as recorded"),
        (TargetState(known=True, release="2.0.0-3"), Drift.OTHER, "it runs 2.0.0-3; on record is 2.1.0-1"),
        (TargetState(known=True, version="2.1.0"), Drift.SAME, "it runs 2.1.0"),
        (TargetState(known=True, version="2.0.9"), Drift.OTHER, "it runs 2.0.9; on record is 2.1.0"),
        (TargetState(known=True), Drift.OTHER, "it runs nothing; on record is 2.1.0-1"),
        (TargetState(known=False, detail="no probe"), Drift.UNKNOWN, "no probe"),
    ],
)
def test_drift_is_what_the_target_says_against_what_is_on_record(
    samples: Any, state: TargetState, drift: Drift, said: str
) -> None:
    found = compare(samples.environment(), state)
    assert (found.drift, said in found.detail) == (drift, True)
