"""The actions menu: only what is valid now, even when that changes while it is open."""

from __future__ import annotations

from typing import Any

from textual.widgets import OptionList

from opconsole.journal.records import RequestKind
from queues.states import RunState
from screens.dialogs.menu import ActionsMenu


def offered(pilot: Any) -> list[str | None]:
    return [option.id for option in pilot.app.screen.query_one(OptionList).options]


async def opened(pilot: Any, until: Any, key: str) -> None:
    await until(pilot, lambda: pilot.app.operations.situation().run)
    pilot.app.operations.table.select(key)
    await pilot.press("a")
    await until(pilot, lambda: isinstance(pilot.app.screen, ActionsMenu))


async def test_what_becomes_valid_while_the_menu_is_open_is_offered(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await opened(pilot, until, "credentialmate:DEPLOY-STAGING-001")
        await until(pilot, lambda: offered(pilot) == ["cancel", "pause-queue"])
        await pilot.press("down")
        task = next(one for one in console.tasks if one.task == "DEPLOY-STAGING-001")
        console.put(*samples.run(task, RunState.FAILED))
        console.change()
        await until(pilot, lambda: offered(pilot) == ["retry", "pause-queue"])
        assert pilot.app.screen.query_one(OptionList).highlighted == 1, "what was pointed at stays so"
        await pilot.press("r")
        await until(pilot, lambda: type(pilot.app.screen).__name__ == "ConfirmDialog")
        await pilot.pause()
        await pilot.press("y")
        await until(pilot, lambda: console.asked)
        assert console.asked == [(RequestKind.RETRY, {"run": "run-deploy-staging-001"})]


async def test_when_the_selection_moves_away_under_it_the_menu_stays_about_its_task(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await opened(pilot, until, "credentialmate:DEPLOY-STAGING-001")
        before = offered(pilot)
        console.tasks = tuple(one for one in console.tasks if one.task != "DEPLOY-STAGING-001")
        console.change()
        screen = pilot.app.operations
        await until(pilot, lambda: screen.table.selected.task != "DEPLOY-STAGING-001")
        await until(pilot, lambda: not [one for one in screen.workers if one.group == "renewing"])
        assert offered(pilot) == before
        assert "DEPLOY-STAGING-001" in str(pilot.app.screen.query("Static").first().content)
