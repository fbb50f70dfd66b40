"""Every state can be read from the plain text of the screen: glyphs and words, never colour alone."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Input

from queues.states import RunState
from screens.dialogs.base import Dialog
from screens.dialogs.decide import DecideDialog
from screens.dialogs.menu import ActionsMenu
from screens.look import STEP_MARKS, TASK_MARKS


def plain(pilot: Any) -> list[str]:
    """Give the screen as text, without any colour."""
    return [strip.text for strip in pilot.app.screen._compositor.render_strips()]


def row(pilot: Any, text: str) -> str:
    found = [line for line in plain(pilot) if text in line]
    assert found, f"{text!r} is not on the screen"
    return found[0]


def task_row(pilot: Any, task: str) -> str:
    table = pilot.app.operations.table
    return next(line for line in widget_text(table) if f" {task} " in line)


def widget_text(widget: Any) -> list[str]:
    return [widget.render_line(y).text for y in range(widget.size.height)]


async def test_the_selected_row_and_the_active_pane_have_signs(
    console: Any, make_app: Any, until: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        screen = pilot.app.operations
        await until(pilot, lambda: screen.situation().run and screen.table.has_focus)
        assert task_row(pilot, "DEPLOY-DEV-001").startswith("› ✓ succeeded")
        await pilot.press("j")
        assert task_row(pilot, "DEPLOY-DEV-001").startswith("  ✓ succeeded")
        assert task_row(pilot, "DEPLOY-STAGING-001").startswith("› ▶ running")
        assert "▌Queue" in row(pilot, "Queue")
        assert "[Log]" in row(pilot, "Log")
        await pilot.press("v")
        await pilot.pause()
        assert "▌Queue" not in row(pilot, "Queue")
        assert "▌ Log  " in row(pilot, "Violations")
        assert "[Violations]" in row(pilot, "Violations")


async def test_every_state_of_a_task_and_of_a_step_reads_without_colour(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    console.tasks = tuple(samples.task(f"T-{state}", state=state) for state in TASK_MARKS)
    console.runs = {}
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: len(pilot.app.operations.table.shown) == len(TASK_MARKS))
        for state, mark in TASK_MARKS.items():
            assert str(mark) in task_row(pilot, f"T-{state}")
    assert len({str(mark) for mark in TASK_MARKS.values()}) == len(TASK_MARKS)
    assert len({str(mark) for mark in STEP_MARKS.values()}) == len(STEP_MARKS)


async def test_what_is_chosen_and_what_has_the_focus_reads_without_colour(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    task, run = samples.run(samples.task("STUCK"), RunState.HALTED, reason="health check failed")
    console.tasks, console.runs = (task,), {run.run.id: run}
    async with make_app(console).run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: pilot.app.operations.situation().run)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, ActionsMenu))
        await pilot.pause()
        assert "› d  Revert, override or abort" in row(pilot, "Revert, override")
        assert "  u  Pause" in row(pilot, "Pause the queue")
        await pilot.press("down")
        await pilot.pause()
        assert "› u  Pause" in row(pilot, "Pause the queue")
        assert "› d" not in row(pilot, "Revert, override")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(pilot.app.screen, DecideDialog))
        await pilot.pause()
        assert "›Cancel‹" in row(pilot, "Cancel")
        for verb in ("Revert:", "Override:", "Abort:"):
            assert f"○ {verb}" in row(pilot, verb)
            assert "chosen" not in row(pilot, verb)
        await pilot.press("o")
        await pilot.pause()
        assert "◉ Override:" in row(pilot, "Override:")
        assert "chosen" in row(pilot, "Override:")
        assert "○ Abort:" in row(pilot, "Abort:")
        assert "Decide: override" in row(pilot, "Cancel")
        pilot.app.screen.query_one("#verb").focus()
        await pilot.press("down")
        await pilot.pause()
        assert "› ○ Abort:" in row(pilot, "Abort:")
        assert "›" not in row(pilot, "Override:")
        assert "›Cancel‹" not in row(pilot, "Cancel")
        pilot.app.screen.query_one("#reason", Input).focus()
        await pilot.pause()
        assert "› Reason" in row(pilot, "Reason")


async def test_hits_of_a_search_have_signs(console: Any, make_app: Any, until: Any) -> None:
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        screen = pilot.app.operations
        await until(pilot, lambda: screen.log_pane.view.count == 8)
        pane = screen.log_pane
        pane.view.search("a")
        await until(pilot, lambda: pane.view.place is not None)
        signs = [line[1] for line in widget_text(pane.view) if line.strip()]
        assert signs.count("»") == 1
        assert signs.count("•") == len(pane.view.hits) - 1
        assert " " in signs


@pytest.mark.parametrize("size", [(140, 45), (120, 40), (80, 24)], ids=str)
async def test_a_dialogs_fields_and_buttons_are_there_from_its_first_layout(
    console: Any, make_app: Any, until: Any, monkeypatch: Any, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(Dialog, "_leave_room", lambda _: None)  # what mends the layout afterwards
    async with make_app(console).run_test(size=size) as pilot:
        await until(pilot, lambda: pilot.app.operations.situation().run)
        pilot.app.operations.table.select("credentialmate:DEPLOY-PROD-001")
        for key in "pxbc":
            await pilot.press("a")
            await until(pilot, lambda: isinstance(pilot.app.screen, ActionsMenu))
            await pilot.press(key)
            await until(pilot, lambda: isinstance(pilot.app.screen, Dialog))
            dialog = pilot.app.screen
            foot = dialog.query_one("#foot").region
            assert foot.height == dialog.foot_rows()
            assert dialog.query_one("#title").region.height == dialog.title_rows()
            for part in (*dialog.query("Field"), *dialog.query("PushButton")):
                assert part.region.height == 1
                assert foot.contains_region(part.region)
                assert dialog.region.contains_region(part.region)
            assert foot.bottom <= size[1]
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is pilot.app.operations)
