"""A text that changes gets the room that it takes, whenever the screen is laid out."""

from __future__ import annotations

import asyncio
import time

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from screens.widgets.text import TextView


class TwoTexts(App[None]):
    CSS = "TextView { height: auto; }"

    def __init__(self) -> None:
        super().__init__()
        self.told, self.other = TextView(), TextView()

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield self.told
            yield self.other


async def test_the_second_of_two_changes_gets_its_room_though_the_screen_was_laid_out_in_between() -> None:
    app = TwoTexts()
    async with app.run_test() as pilot:
        busy = asyncio.Event()
        app.told.call_later(busy.wait)  # so busy that it hears of its first change together with the second
        app.told.put(Content("one"))
        app.other.put(Content("one\ntwo"))
        deadline = time.monotonic() + 30
        while app.other.size.height != 2:
            assert time.monotonic() < deadline, "the other text never got its room"
            await asyncio.sleep(0.01)
        app.told.put(Content("one\ntwo\nthree\nfour"))
        busy.set()
        await pilot.pause(0.1)
        assert app.told.size.height == 4
