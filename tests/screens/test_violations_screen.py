"""The violations screen: the findings of all blocked runs, the worst first, mended where they are shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.widgets import Static

from queues.states import RunState
from screens.dialogs.exempt import ExemptDialog


@pytest.fixture
def blocked(console: Any, samples: Any) -> Any:
    """Give a console with blocked runs of two projects."""
    console.sources["backend/alembic/versions/migration_001.py"] = samples.blocked_source()
    other = samples.task("DEPLOY-STAGING-007", project="karematch", environment="staging", gate="staging")
    finding = {
        "rule": "truncate",
        "severity": "high",
        "verdict": "block",
        "line": 3,
        "statement": "TRUNCATE visits",
        "message": "TRUNCATE deletes every row",
        "fix": "delete what is meant",
    }
    report = {"environment": "staging", "files": [{"path": "db/9.sql", "findings": [finding]}]}
    console.put(*samples.run(other, RunState.BLOCKED, report=report))
    return console


async def opened(pilot: Any, until: Any) -> Any:
    await until(pilot, lambda: pilot.app.operations.query("#queue-table"))
    await pilot.press("5")
    await until(pilot, lambda: pilot.app.here.PLACE == "violations" and pilot.app.here.query("#report"))
    screen = pilot.app.here
    await until(pilot, lambda: screen.situation().finding)
    return screen


def rows(screen: Any) -> list[str]:
    table = screen._list.table
    return [table.render_line(place + 1).text for place in range(len(table.shown))]


def report(screen: Any) -> str:
    return str(screen.query_one("#report").query_one(Static).content)


async def test_findings_of_every_project_are_listed_what_blocks_first_with_the_code_beside(
    blocked: Any, make_app: Any, until: Any
) -> None:
    async with make_app(blocked).run_test(size=(150, 40)) as pilot:
        screen = await opened(pilot, until)
        assert [row.replace("›", " ").split()[1] for row in rows(screen)] == ["critical", "high", "medium"]
        assert "migration_001.py:15" in rows(screen)[0]
        await until(pilot, lambda: "» 15 │" in report(screen))
        await pilot.press("j")
        await until(pilot, lambda: "TRUNCATE visits" in report(screen))
        assert screen.situation().task.key == "karematch:DEPLOY-STAGING-007"
        await pilot.press("j")
        await until(pilot, lambda: "» 22 │" in report(screen))


async def test_however_little_room_there_is_the_line_is_told(blocked: Any, make_app: Any, until: Any) -> None:
    for width in (80, 100, 140):
        async with make_app(blocked).run_test(size=(width, 24)) as pilot:
            screen = await opened(pilot, until)
            numbers = [row.finding.line for row in screen._list.table.shown]
            for drawn, number in zip(rows(screen), numbers, strict=True):
                assert f":{number} " in drawn, (width, drawn)


async def test_what_is_filtered_can_be_mended_where_it_is_shown(
    blocked: Any, samples: Any, make_app: Any, until: Any, tmp_path: Any
) -> None:
    place = tmp_path / "checkout" / "backend" / "alembic" / "versions"
    place.mkdir(parents=True)
    (place / "migration_001.py").write_text(samples.blocked_source())
    blocked.folder = tmp_path / "checkout"
    async with make_app(blocked).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, until)
        await pilot.press("ampersand", *"drop", "enter")
        await until(pilot, lambda: len(screen._list.table.shown) == 1 and screen._list.table.has_focus)
        await pilot.press("X")
        await until(pilot, lambda: isinstance(pilot.app.screen, ExemptDialog))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("r")
        await pilot.press("enter")
        await until(
            pilot, lambda: screen.query_one("#detail").size.height and "In the project's" in report(screen)
        )
        await pilot.press("escape", "l")
        await until(pilot, lambda: pilot.app.screen is pilot.app.operations)
        assert pilot.app.operations.view.where == "detail credentialmate:DEPLOY-PROD-002"


async def test_a_run_that_is_tried_again_leaves_the_list(
    blocked: Any, samples: Any, make_app: Any, until: Any
) -> None:
    async with make_app(blocked).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, until)
        blocked.tasks = tuple(replace(task, state="pending") for task in blocked.tasks)
        blocked.change()
        empty = screen.query_one("#list .empty", Static)
        await until(pilot, lambda: empty.display and "No run is blocked" in str(empty.content))
        assert screen.situation().finding is None
