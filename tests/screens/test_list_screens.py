"""What screens with a list have in common: both panes, which one takes the keys, and going to and fro."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len
from textual.widgets import Static

from screens.actions.places import PLACES, Place
from screens.widgets.heading import Heading

SCREENS = ("approvals", "history", "violations", "audit")
KEYS = {place.key: place.name for place in PLACES if place.name in SCREENS}


@pytest.mark.parametrize("size", [(150, 40), (80, 24)], ids=["wide", "small"])
@pytest.mark.parametrize("key", KEYS)
async def test_the_pane_that_takes_the_keys_is_marked_and_tab_goes_to_and_fro(
    console: Any, samples: Any, make_app: Any, until: Any, *, key: str, size: tuple[int, int]
) -> None:
    samples.history(console.record)
    samples.chain(console.record)
    async with make_app(console).run_test(size=size) as pilot:
        screen = await shown(pilot, until, key)
        for pane in ("list", "detail", "list"):
            await until(pilot, lambda pane=pane: marked(screen) == [pane])
            assert in_view(screen, pane)
            assert in_view(screen, "list") is (pane == "list" or size[0] > 80)
            await pilot.press("tab")
        await until(pilot, lambda: marked(screen) == ["detail"])
        await pilot.press("escape")
        await until(pilot, lambda: marked(screen) == ["list"])


def marked(screen: Any) -> list[str]:
    return [
        str(heading.parent.id)
        for heading in screen.query(Heading)
        if "▌" in str(heading.query_one("#bar", Static).content)
    ]


def in_view(screen: Any, pane: str) -> bool:
    return bool(screen.query_one(f"#{pane}").size.height)


@pytest.mark.parametrize("key", KEYS)
async def test_one_pane_can_have_the_whole_screen_and_q_goes_back_step_by_step(
    console: Any, samples: Any, make_app: Any, until: Any, *, key: str
) -> None:
    samples.history(console.record)
    samples.chain(console.record)
    app = make_app(console)
    async with app.run_test(size=(150, 40)) as pilot:
        screen = await shown(pilot, until, key)
        await pilot.press("z")
        await until(pilot, lambda: in_view(screen, "list") and not in_view(screen, "detail"))
        await until(pilot, lambda: "q Back" in foot(pilot))
        await pilot.press("tab")
        await until(pilot, lambda: in_view(screen, "detail") and not in_view(screen, "list"))
        await pilot.press("q")
        await until(pilot, lambda: in_view(screen, "detail") and in_view(screen, "list"))
        await pilot.press("q")
        await until(pilot, lambda: pilot.app.here is pilot.app.operations)
        await until(pilot, lambda: "q Quit" in foot(pilot))
        await pilot.press("q")
    assert app.return_code == 0


async def test_q_leaves_a_report_before_the_history_and_a_folded_pane_before_its_list(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    samples.history(console.record)
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, until, "4")
        await pilot.press("enter")
        await until(pilot, lambda: screen.has_class("-at-told"))
        await pilot.press("q")
        await until(pilot, lambda: screen._list.table.has_focus and not screen.has_class("-at-told"))
        await pilot.press("tab")
        await until(pilot, lambda: in_view(screen, "detail"))
        await pilot.press("q")
        await until(pilot, lambda: in_view(screen, "list"))
        await pilot.press("q", "l")
        operations = pilot.app.operations
        await until(pilot, lambda: operations.is_current and not operations.query_one("#queue").size.height)
        await pilot.press("q")
        await until(pilot, lambda: operations.query_one("#queue").size.height)


@pytest.mark.parametrize("key", KEYS)
async def test_slash_looks_for_rows(
    console: Any, samples: Any, make_app: Any, until: Any, *, key: str
) -> None:
    samples.history(console.record)
    samples.chain(console.record)
    async with make_app(console).run_test(size=(150, 40)) as pilot:
        screen = await shown(pilot, until, key)
        await pilot.press("slash", *"nowhere")
        await until(pilot, lambda: not screen._list.table.shown)
        await pilot.press("escape")
        await until(pilot, lambda: screen._list.table.shown)


async def shown(pilot: Any, until: Any, key: str) -> Any:
    await until(pilot, lambda: pilot.app.operations.table.selected)
    await pilot.press(key)
    await until(pilot, lambda: KEYS[key] == pilot.app.here.PLACE and pilot.app.here._ready)
    screen = pilot.app.here
    await until(pilot, lambda: screen._list.table.selected)
    return screen


def foot(pilot: Any) -> str:
    return str(pilot.app.screen.query_one("KeyBar").content)


@pytest.mark.parametrize("typed", ["q", "quit", "exit"])
async def test_the_words_of_other_programs_for_leaving_leave(
    console: Any, make_app: Any, until: Any, typed: str
) -> None:
    app = make_app(console)
    async with app.run_test(size=(150, 40)) as pilot:
        await until(pilot, lambda: pilot.app.operations.table.selected)
        await pilot.press("colon", *typed)
        await until(pilot, lambda: pilot.app.screen.query("OptionList"))
        await pilot.press("enter")
        await until(pilot, lambda: app._exit)
    assert app.return_code == 0


async def test_a_list_that_was_empty_for_a_while_has_the_keys_again(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, until, "2")
        tasks, runs = console.tasks, console.runs
        console.tasks, console.runs = (), {}
        console.change()
        await until(pilot, lambda: "Nothing waits" in str(screen.query_one("#list .empty", Static).content))
        await until(pilot, lambda: screen.query_one("#list .empty").size.height > 5)
        console.tasks, console.runs = tasks, runs
        console.change()
        await until(pilot, lambda: screen._list.table.shown and screen._list.table.size.height > 5)
        assert screen._list.table.has_focus
        assert "enter Open" in foot(pilot)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
async def test_on_a_small_terminal_the_foot_still_leads_to_every_other_key(
    console: Any, samples: Any, make_app: Any, until: Any, *, place: Place
) -> None:
    samples.history(console.record)
    samples.chain(console.record)
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: pilot.app.operations.table.selected)
        pilot.app.go(place.name)
        await until(pilot, lambda: place.name == pilot.app.here.PLACE and pilot.app.here.is_current)
        await until(pilot, lambda: pilot.app.screen.query("KeyBar") and "Help" in foot(pilot))
        for wanted in ("a Actions", ": Command", "? Help"):
            assert wanted in foot(pilot)
        assert cell_len(foot(pilot)) <= 78
        if place.name in SCREENS:
            assert "/ Search" in foot(pilot)
        if place.name == "approvals":
            assert "space Mark" in foot(pilot)
