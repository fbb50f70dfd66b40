"""The history screen: filtered by anything, with report and log of each run, charts, and many rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.widgets import Input

from screens.charts import share_bar, sparks
from screens.dialogs.save import SaveDialog
from screens.widgets.heading import Heading
from screens.widgets.report_pane import ReportPane


@pytest.fixture
def past(console: Any, samples: Any) -> Any:
    """Give a console with a history."""
    samples.history(console.record)
    return console


async def opened(pilot: Any, until: Any) -> Any:
    await until(pilot, lambda: pilot.app.operations.query("#queue-table"))
    await pilot.press("4")
    await until(pilot, lambda: pilot.app.here.PLACE == "history" and pilot.app.here.query("#list"))
    screen = pilot.app.here
    await until(pilot, lambda: screen._rows is not None)
    return screen


def shown(screen: Any) -> list[str]:
    return [row.line.run.task for row in screen._list.table.shown]


def note(screen: Any) -> str:
    return str(screen._list.query_one(Heading).query_one("#note").content)


async def filtered(pilot: Any, screen: Any, text: str) -> None:
    await pilot.press("ampersand")
    screen._list.query_one(Input).value = text
    await pilot.pause()


async def test_runs_come_newest_first_and_every_filter_word_holds(
    past: Any, make_app: Any, until: Any
) -> None:
    async with make_app(past).run_test(size=(150, 40)) as pilot:
        screen = await opened(pilot, until)
        assert shown(screen)[:2] == ["DEPLOY-000", "DEPLOY-001"]
        await filtered(pilot, screen, "state:failed,rolled_back env:dev")
        await until(pilot, lambda: shown(screen) == ["DEPLOY-003"])
        await filtered(pilot, screen, "state:rolled_back 503 who:bob")
        await until(pilot, lambda: shown(screen) == ["DEPLOY-008"])
        assert note(screen) == "1 of 40"
        await pilot.press("escape", "escape")
        await until(pilot, lambda: len(shown(screen)) == 40)


async def test_the_project_is_named_only_where_there_are_several(
    past: Any, make_app: Any, until: Any
) -> None:
    async with make_app(past).run_test(size=(150, 40)) as pilot:
        screen = await opened(pilot, until)
        await until(pilot, lambda: screen._list.table.shown)
        assert "Project" not in screen._list.table.render_line(0).text
        first, *others = past.record.past
        elsewhere = replace(first.line.run, project="karematch")
        past.record.past = (replace(first, line=replace(first.line, run=elsewhere)), *others)
        past.change()
        await until(pilot, lambda: "Project" in screen._list.table.render_line(0).text)


async def test_where_there_is_room_each_run_names_who_decided_and_what_that_is_worth(
    past: Any, make_app: Any, until: Any
) -> None:
    async with make_app(past).run_test(size=(170, 40)) as pilot:
        table = (await opened(pilot, until))._list.table
        await until(pilot, lambda: table.shown)
        drawn = [table.render_line(line).text for line in range(9)]
        assert "Decided by" in drawn[0]
        assert any("DEPLOY-002" in line and "bob (signed)" in line for line in drawn)
        assert any("DEPLOY-005" in line and "bob (advisory)" in line for line in drawn)


async def test_a_filter_word_that_cannot_be_used_is_told_and_leaves_the_rows(
    past: Any, make_app: Any, until: Any
) -> None:
    async with make_app(past).run_test(size=(150, 40)) as pilot:
        screen = await opened(pilot, until)
        await filtered(pilot, screen, "state:faild")
        await until(pilot, lambda: "did you mean failed" in note(screen))
        assert len(shown(screen)) == 40


async def test_enter_opens_the_report_which_can_be_saved_in_two_forms_but_over_nothing(
    past: Any, make_app: Any, until: Any, tmp_path: Any
) -> None:
    async with make_app(past).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, until)
        await pilot.press("j", "enter")
        await until(pilot, lambda: screen.query_one(ReportPane).has_focus)
        assert "DEPLOY-001, deploy 2.1.0 in staging" in str(screen.query_one(ReportPane).draw(80))
        for name in ("r.md", "r.json", "r.md"):
            await pilot.press("S")
            await until(pilot, lambda: isinstance(pilot.app.screen, SaveDialog))
            pilot.app.screen.query_one("#file", Input).value = str(tmp_path / name)
            dialog = pilot.app.screen
            dialog.pressed("do")
            await until(pilot, lambda asked=dialog: pilot.app.screen is not asked)
            await until(pilot, (tmp_path / name).exists)
        assert (tmp_path / "r.json").read_text() == '{"id": "run-1"}\n'
        assert (tmp_path / "r.md").read_text() == past.record.told["run-1"].markdown
        await until(pilot, lambda: any("there already" in one.message for one in pilot.app._notifications))
        await pilot.press("escape")
        await until(pilot, lambda: screen._list.table.has_focus)
        assert screen._list.table.selected_key == "run-1"


async def test_the_log_is_that_of_the_run_and_where_i_was_brings_its_report_back(
    past: Any, make_app: Any, until: Any
) -> None:
    async with make_app(past).run_test(size=(120, 30)) as pilot:
        screen = await opened(pilot, until)
        await pilot.press("j", "j", "l")
        await until(pilot, lambda: screen.has_class("-at-log"))
        await until(pilot, lambda: "the log of DEPLOY-002" in screen.query_one("LogPane").view.text_in_view())
        await pilot.press("tab")
        await until(pilot, lambda: screen.query_one(ReportPane).has_focus)
        await pilot.press("1")
        await until(pilot, lambda: pilot.app.here.PLACE == "operations")
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: pilot.app.here.PLACE == "history" and screen.has_class("-at-told"))


async def test_the_charts_are_of_what_the_filter_lets_through(past: Any, make_app: Any, until: Any) -> None:
    async with make_app(past).run_test(size=(150, 40)) as pilot:
        screen = await opened(pilot, until)
        charts = screen.query_one("Charts")
        await until(pilot, lambda: len(charts.shown) == 3)
        assert "13 of 14" in str(charts.draw(48)), "one of development's failed"
        await filtered(pilot, screen, "env:staging")
        await until(pilot, lambda: [one.figures.environment for one in charts.shown] == ["staging"])


async def test_without_a_run_it_says_what_to_do(console: Any, make_app: Any, until: Any) -> None:
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, until)
        await until(pilot, lambda: "Nothing has run yet" in str(screen._list.query_one(".empty").content))


async def test_very_many_runs_are_filtered_while_keys_are_answered(
    past: Any, samples: Any, make_app: Any, until: Any
) -> None:
    past.record.past = tuple(samples.past(number) for number in range(12_000))
    async with make_app(past).run_test(size=(150, 40)) as pilot:
        screen = await opened(pilot, until)
        assert len(shown(screen)) == 12_000
        await filtered(pilot, screen, "env:prod version:2.3")
        await until(pilot, lambda: len(shown(screen)) == 571)
        await pilot.press("enter", "G", "k")
        assert screen._list.table.selected is screen._list.table.shown[-2]


async def test_a_run_that_changes_keeps_its_selection(past: Any, make_app: Any, until: Any) -> None:
    async with make_app(past).run_test(size=(120, 30)) as pilot:
        screen = await opened(pilot, until)
        await pilot.press("j", "j", "j")
        first = past.record.past[0]
        newer = replace(
            first, line=replace(first.line, run=replace(first.line.run, id="run-new", seq=200_000))
        )
        past.record.past = (newer, *past.record.past)
        past.change()
        await until(pilot, lambda: len(shown(screen)) == 41)
        assert screen._list.table.selected_key == "run-3"


def test_charts_can_be_read_without_colour() -> None:
    assert sparks([0, 1, 4, 8]) == "·▂▅█"
    assert sparks([0, 0]) == "··"
    assert share_bar(0.999, 10) == ("█" * 9, "░"), "not all of it"
    assert share_bar(0.001, 10) == ("█", "░" * 9), "not nothing"
    assert share_bar(1.0, 4) == ("████", "")
