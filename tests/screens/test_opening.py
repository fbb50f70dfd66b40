"""A console that is opened behind its first picture."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from opconsole.app import OpconsoleApp, run_console
from opconsole.opening import Opening
from screens.widgets.pipeline import PipelineView
from screens.widgets.strip import StatusStrip


class Held:
    """An opening that goes on when it is told to."""

    def __init__(self, console: Any, wrong: str = "") -> None:
        self.go_on, self.look = threading.Event(), threading.Event()
        self.looked_after: list[Any] = []
        self._console, self._wrong = console, wrong

    @property
    def opening(self) -> Opening:
        return Opening("ana", self._open, self._look_after)

    def _open(self) -> Any:
        assert self.go_on.wait(30)
        return self._console

    def _look_after(self, console: Any) -> str:
        self.looked_after.append(console)
        assert self.look.wait(30)
        return self._wrong


async def test_the_screen_is_there_before_the_console_is_open_and_keys_are_kept(
    console: Any, make_app: Any, until: Any
) -> None:
    held = Held(console)
    async with make_app(held.opening).run_test(size=(140, 40)) as pilot:
        app = pilot.app
        app.simulate_key("j")
        await pilot.pause()
        assert "reading the workspace" in str(app.operations.query_one(StatusStrip).render())
        assert not app.whole
        assert not app.operations.query(PipelineView)
        held.go_on.set()
        await until(pilot, lambda: app.operations.table.selected_key == console.tasks[1].key)
        assert app.desk.console is console
        held.look.set()
        await until(pilot, lambda: held.looked_after == [console])


async def test_what_is_wrong_with_the_worker_is_told_and_the_screen_goes_on(
    console: Any, make_app: Any, until: Any
) -> None:
    held = Held(console, "the worker did not start; see /var/log/one")
    held.go_on.set()
    held.look.set()
    async with make_app(held.opening).run_test(size=(140, 40)) as pilot:
        told = pilot.app._notifications
        await until(pilot, lambda: any("did not start; see /var/log/one" in one.message for one in told))
        assert pilot.app.operations.table.selected


async def test_who_leaves_while_a_worker_is_being_started_hears_that_it_goes_on(
    console: Any, make_app: Any, until: Any
) -> None:
    console.worker_alive = False
    held = Held(console)
    held.go_on.set()
    async with make_app(held.opening).run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: held.looked_after and pilot.app.operations.table.selected)
        strip = pilot.app.operations.query_one(StatusStrip)
        assert "◌ worker begins" in str(strip.render())
        assert "just being started and goes on" in pilot.app.farewell()
        held.look.set()
        await until(pilot, lambda: "No worker is running" in pilot.app.farewell())
        await until(pilot, lambda: "○ no worker" in str(strip.render()))


def test_a_console_that_cannot_be_opened_ends_the_app_and_says_why_to_who_ran_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> Any:
        raise OSError("the journal is of a newer version")

    run = OpconsoleApp.run
    monkeypatch.setattr(OpconsoleApp, "run", lambda app: run(app, headless=True))
    with pytest.raises(OSError, match="newer version"):
        run_console(Opening("ana", fail))
