"""Pictures of the screens, compared with the ones that a person has looked at.

After a wanted change: ``pytest tests/screens/test_pictures.py --snapshot-update``, then look at them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from opconsole.audit import ChainFault, Fault
from opconsole.seen import Drift, Health, Seen
from queues.states import RunState

SIZES = [pytest.param((140, 40), id="wide"), pytest.param((80, 24), id="small")]


@pytest.mark.parametrize("size", SIZES)
def test_the_operations_screen_looks_as_it_did(
    console: Any, make_app: Any, until: Any, snap_compare: Any, size: tuple[int, int]
) -> None:
    async def select(pilot: Pilot[None]) -> None:
        await _settle(pilot, until)

    assert snap_compare(make_app(console), terminal_size=size, run_before=select)


@pytest.mark.parametrize("size", SIZES)
def test_the_approval_dialog_looks_as_it_did(
    console: Any, make_app: Any, until: Any, snap_compare: Any, size: tuple[int, int]
) -> None:
    async def open_dialog(pilot: Pilot[None]) -> None:
        await _settle(pilot, until)
        await pilot.press("a")
        await until(pilot, lambda: pilot.app.screen.query("OptionList"))
        await pilot.press("p")
        await until(pilot, lambda: pilot.app.screen.query("#approve"))
        await pilot.pause(0.1)

    assert snap_compare(make_app(console), terminal_size=size, run_before=open_dialog)


THEMES = ["textual-dark", "high-contrast"]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("key", ["2", "3", "5"])
def test_every_screen_looks_as_it_did(
    workspace: Any, make_app: Any, until: Any, snap_in_themes: Any, *, key: str, size: Any, theme: str
) -> None:
    async def go(pilot: Pilot[None]) -> None:
        await _settle(pilot, until)
        await pilot.press(key)
        await until(pilot, lambda: pilot.app.screen is not pilot.app.operations)
        await _shown(pilot, until, key)

    assert snap_in_themes(make_app(workspace), theme, size, go)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["history", "report", "audit", "broken", "metrics"])
def test_the_record_looks_as_it_did(
    console: Any,
    samples: Any,
    make_app: Any,
    until: Any,
    snap_in_themes: Any,
    *,
    name: str,
    size: Any,
    theme: str,
) -> None:
    samples.history(console.record)
    samples.chain(console.record)
    if name == "broken":
        fault = ChainFault(Fault.EDITED, 41, "sha256:bad", "sha256:good")
        console.record.check = replace(console.record.check, fault=fault)

    async def go(pilot: Pilot[None]) -> None:
        await _settle(pilot, until)
        key = {"history": "4", "report": "4", "metrics": "7"}.get(name, "6")
        await pilot.press(key)
        await until(pilot, lambda: pilot.app.screen is not pilot.app.operations)
        await pilot.pause(0.3)
        screen = pilot.app.here
        if key == "4":
            await until(pilot, lambda: screen.query_one("Charts").shown)
        elif key == "7":
            await until(pilot, lambda: screen._text.metrics)
        else:
            await until(pilot, lambda: screen._check and screen._checked is None)
        if name == "report":
            await pilot.press("j", "j", "enter")
            await until(pilot, lambda: screen.query_one("ReportPane").has_focus)
        await pilot.pause(0.3)

    assert snap_in_themes(make_app(console), theme, size, go)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dialog", ["command-line", "approve-many", "spoken"])
def test_every_new_dialog_looks_as_it_did(
    workspace: Any, make_app: Any, until: Any, snap_in_themes: Any, *, dialog: str, size: Any, theme: str
) -> None:
    async def open_it(pilot: Pilot[None]) -> None:
        await _settle(pilot, until)
        if dialog == "spoken":
            pilot.app.operations.say("Deploy 2.2.0 to staging")
            await until(pilot, lambda: pilot.app.screen.query("#add"))
        elif dialog == "command-line":
            await pilot.press("colon", *"log")
            await until(pilot, lambda: pilot.app.screen.query("OptionList"))
        else:
            await pilot.press("2")
            await _shown(pilot, until, "2")
            await pilot.press("space", "space", "colon", *"approve-m", "enter")
            await until(pilot, lambda: pilot.app.screen.query("#approve"))
        await pilot.pause(0.2)

    assert snap_in_themes(make_app(workspace), theme, size, open_it)


@pytest.fixture
def workspace(console: Any, samples: Any) -> Any:
    """Give the cascade in the middle of its way, with a second approval and three environments."""
    staging = samples.task("DEPLOY-STAGING-002", environment="staging", gate="staging")
    approval = samples.approval("run-deploy-staging-002", plan=samples.plan(environment="staging"))
    approval = replace(approval, id="approval-2")
    console.put(*samples.run(staging, RunState.WAITING, approvals=(approval,)))
    console.places = (
        samples.environment("development", version="2.2.0", release="2.2.0-1"),
        samples.environment("staging", running="DEPLOY-STAGING-001"),
        samples.environment(version="2.0.0", release="2.0.0-3", revision="4be1", waiting="DEPLOY-PROD-001"),
    )
    wrong = "it runs 1.9.9-1; on record is 2.0.0-3"
    console.seen["credentialmate", "production"] = Seen(Health.UNHEALTHY, "503", Drift.OTHER, wrong)
    console.sources["backend/alembic/versions/migration_001.py"] = samples.blocked_source()
    return console


async def _shown(pilot: Any, until: Any, key: str) -> None:
    """Wait until the screen shows what it loads."""
    screen = pilot.app.here
    if key == "3":
        await until(pilot, lambda: len(pilot.app.desk.console.looked) == 3)
    else:
        await until(pilot, lambda: screen.situation().task)
    await pilot.pause(0.3)


async def _settle(pilot: Any, until: Any) -> None:
    """Wait until the task that waits for approval is shown with its log, and the animations are over."""
    screen = pilot.app.operations
    await until(pilot, lambda: screen.is_mounted and screen.table.selected)
    screen.table.select("credentialmate:DEPLOY-PROD-001")
    await until(pilot, lambda: screen.situation().run)
    await until(pilot, lambda: screen.log_pane.view.count == 8)
    await pilot.pause(0.2)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
def test_an_open_step_and_the_whole_plan_look_as_they_did(
    console: Any, make_app: Any, until: Any, snap_in_themes: Any, *, size: tuple[int, int], theme: str
) -> None:
    async def open_step(pilot: Any) -> None:
        await _settle(pilot, until)
        await pilot.press("enter", "enter", "p", "z")
        view = pilot.app.operations.query_one("#pipeline-view")
        await until(pilot, lambda: "no program" in str(view.draw(100)))
        await pilot.pause(0.1)

    assert snap_in_themes(make_app(console), theme, size, open_step)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
def test_a_searched_log_looks_as_it_did(
    console: Any, make_app: Any, until: Any, snap_in_themes: Any, *, size: tuple[int, int], theme: str
) -> None:
    run = console.runs["run-deploy-prod-001"]
    record = 'o {"level": "info", "request": {"path": "/users", "took": 0.031}, "ok": true}'
    lines = [f"o building part {n}" for n in range(20)] + [record, "e part 7 failed: no such file"]
    run.log.write_text("".join(f"2026-03-02T14:05:{n:02d}.120Z {line}\n" for n, line in enumerate(lines)))

    async def search(pilot: Any) -> None:
        screen = pilot.app.operations
        await until(pilot, lambda: screen.is_mounted and screen.table.selected)
        screen.table.select("credentialmate:DEPLOY-PROD-001")
        await until(pilot, lambda: screen.log_pane.view.count)
        view = screen.log_pane.view
        await until(pilot, lambda: view.count == len(lines) and view.complete)
        await pilot.press("l", "t", "J", "z")
        view.search("part 1?", expression=True)
        await until(pilot, lambda: len(view.hits) == 21 and view.finder.share is None)
        await pilot.pause(0.1)

    assert snap_in_themes(make_app(console), theme, size, search)
