"""The desk to test the screens at: a console in memory with samples, apps on it, and pictures of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.app import App

from opconsole.app import OpconsoleApp
from queues.states import RunState
from screens.desk import Waits

from .fake_console import FakeClock, FakeConsole
from .samples import NOW, Samples

THEMES = ("textual-dark", "high-contrast")


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    return Samples(tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def console(samples: Samples) -> FakeConsole:
    """Give a console that shows the guide's cascade in the middle of its way."""
    console = FakeConsole(queues=(samples.queue(),))
    done = samples.task("DEPLOY-DEV-001", environment="development", gate="development")
    console.put(*samples.run(done, RunState.SUCCEEDED, finished_at=NOW - timedelta(seconds=50)))
    staging = samples.task("DEPLOY-STAGING-001", environment="staging", gate="staging")
    console.put(*samples.run(staging, RunState.RUNNING))
    console.put(*samples.waiting())
    console.put(*samples.blocked())
    other = samples.task(
        "BUG-17", kind="other", environment=None, version=None, gate=None, state="in_progress"
    )
    console.put(replace(other, state="in_progress", description="Fix the login page"))
    for run in console.runs.values():
        samples.log(
            run,
            [
                "n ── Take a clean export",
                "o v2.1.0 9f2c41d07be55a3c1e8",
                "n ── Run the tests",
                "o \x1b[32m....................................\x1b[0m [100%]",
                "o 118 passed in 20.81s",
                "e warning: pool_size is not set, using 5",
                "n ── Place the release",
                "o 2.1.0-1: 412 files",
            ],
        )
    return console


@pytest.fixture
def make_app(clock: FakeClock) -> Callable[..., OpconsoleApp]:
    """Give a maker of apps on a console, with a clock that a test moves; no guard unless asked for."""

    def make(
        console: FakeConsole, *, guard: float = 0.0, countdown: float = 3.0, **given: Any
    ) -> OpconsoleApp:
        waits = Waits(guard=guard, countdown=countdown, monotonic=clock.monotonic)
        app = OpconsoleApp(console, clock=clock, waits=waits, **given)
        app.animation_level = "none"
        return app

    return make


@pytest.fixture
def until() -> Callable[..., Any]:
    """Give a waiter: it lets the app go on until a condition holds, and fails after half a minute."""

    def whole(pilot: Any) -> bool:
        return not isinstance(pilot.app, OpconsoleApp) or pilot.app.whole

    async def wait(pilot: Any, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        # The panes of the run come after the first picture: whoever waits means all of the screen.
        while not (whole(pilot) and holds()):
            assert time.monotonic() < deadline, "the condition never held"
            await asyncio.sleep(0.01)  # `pilot.pause` asks every widget: too dear to do it in a loop
        await pilot.pause(0)

    return wait


class Taken(App[str]):
    """Stands for an app whose picture was taken already: running it gives that."""

    def __init__(self, picture: str) -> None:
        super().__init__()
        self.picture = picture

    def run(self, *_: object, **__: object) -> str:
        return self.picture


PICTURES: dict[tuple[str, str], str] = {}
"""Pictures that were taken for a test yet to come, by the test's name without its theme, and the theme."""


@pytest.fixture
def snap_in_themes(request: pytest.FixtureRequest, snap_compare: Any, until: Any) -> Callable[..., bool]:
    """Give a comparer of pictures for tests whose last parameter is a theme.

    Most of a picture's time goes into what leads to it: one run of the app takes it in every theme, by
    changing the theme as a person would, and the test of the next theme compares what that run took.
    """

    def compare(app: OpconsoleApp, theme: str, size: tuple[int, int], story: Any) -> bool:
        test = request.node.nodeid.removesuffix(f"{theme}]")
        assert test != request.node.nodeid, "the theme is to be the last parameter"
        if (test, theme) not in PICTURES:
            title = app.title

            async def take(pilot: Any) -> None:
                pilot.app.theme = theme
                await story(pilot)
                for one in sorted(THEMES, key=theme.__ne__):
                    pilot.app.theme = one
                    await _still(pilot)
                    await pilot.wait_for_scheduled_animations()
                    PICTURES[test, one] = pilot.app.export_screenshot(title=title, simplify=True)
                pilot.app.exit()

            app.run(headless=True, size=size, auto_pilot=take)
        return bool(snap_compare(Taken(PICTURES.pop((test, theme)))))

    return compare


async def _still(pilot: Any) -> None:
    """Wait until nothing is drawn any more."""
    app = pilot.app
    for line in app.screen.query("Input, TextArea"):
        line.cursor_blink = False
    display, drawn = app._display, 0

    def count(*drawing: object) -> None:
        nonlocal drawn
        drawn += 1
        display(*drawing)

    app._display = count
    try:
        still = 0
        async with asyncio.timeout(30):
            while still < 3:  # a busy machine may draw nothing for a moment
                before = drawn
                await pilot.pause(0.1)
                still = still + 1 if drawn == before else 0
    finally:
        del app._display
