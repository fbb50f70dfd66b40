"""The first picture has the queue; what comes after it loses no key."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from queues.collector import hold_collector
from screens.widgets.log_pane import SearchLine
from screens.widgets.pipeline import PipelineView


def held(console: Any, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Let the workspace be read only when the event is set."""
    ready, read = asyncio.Event(), console.snapshot

    async def snapshot() -> Any:
        await ready.wait()
        return await read()

    monkeypatch.setattr(console, "snapshot", snapshot)
    return ready


async def test_the_queue_is_painted_before_the_panes_of_the_run_are_made(
    console: Any, make_app: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = held(console, monkeypatch)
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        screen = pilot.app.operations
        await pilot.pause()
        assert screen.query("#queue-table")
        assert not screen.query(PipelineView)
        ready.set()
        await until(pilot, lambda: screen.query(PipelineView))


async def test_keys_that_come_before_the_screen_is_whole_are_kept_and_done_in_their_order(
    console: Any, make_app: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = held(console, monkeypatch)
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        screen = pilot.app.operations
        for key in ("j", "j", "k", "slash"):
            pilot.app.simulate_key(key)
        await pilot.pause()
        assert not pilot.app.whole
        ready.set()
        await until(pilot, lambda: isinstance(screen.focused, SearchLine))
        assert screen.table.selected_key == console.tasks[1].key
        await pilot.press("o", "k")
        assert screen.query_one(SearchLine).value == "ok"


async def test_the_console_can_be_left_before_it_is_whole(
    console: Any, make_app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(console, monkeypatch)
    app = make_app(console)
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        app.simulate_key("ctrl+q")
        await pilot.pause()
        assert not app.is_running or app._exit
    assert app.return_code == 0


async def test_a_workspace_that_cannot_be_read_leaves_a_whole_screen_that_takes_keys(
    console: Any, make_app: Any, until: Any
) -> None:
    console.fault = OSError("the disk is gone")
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: pilot.app.operations.query(PipelineView))
        await pilot.press("tab")
        assert isinstance(pilot.app.focused, PipelineView)


async def test_the_garbage_collector_that_was_held_for_the_start_works_again(
    console: Any, make_app: Any, until: Any
) -> None:
    hold_collector()
    try:
        async with make_app(console).run_test(size=(140, 40)) as pilot:
            await until(pilot, lambda: pilot.app.operations.table.selected)
            assert gc.isenabled()
            assert gc.get_freeze_count() > 0
    finally:
        gc.enable()
        gc.unfreeze()
