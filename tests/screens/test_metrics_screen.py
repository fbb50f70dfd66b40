"""The metrics screen: figures with small charts, for spans of time, on any width."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from screens.metrics import SPANS


async def opened(pilot: Any, until: Any) -> Any:
    await until(pilot, lambda: pilot.app.operations.query("#queue-table"))
    await pilot.press("7")
    await until(pilot, lambda: pilot.app.here.PLACE == "metrics" and pilot.app.here.query("MetricsText"))
    screen = pilot.app.here
    await until(pilot, lambda: screen._text.metrics)
    return screen


def text(screen: Any, width: int = 100) -> str:
    return str(screen._text.draw(width))


async def test_all_and_each_environment_have_their_figures(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    samples.history(console.record)
    async with make_app(console).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, until)
        told = text(screen)
        assert "All projects and environments" in told
        assert "40: 36 succeeded, 2 failed, 1 blocked, 1 rejected" in told
        assert "1 automatic, 0 manual" in told
        assert "From development to production" in told
        assert told.index("credentialmate development") < told.index("credentialmate production")


async def test_another_span_counts_again(console: Any, samples: Any, make_app: Any, until: Any) -> None:
    samples.history(console.record)
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, until)
        before = len(console.record.counted)
        for _ in range(3):
            await pilot.press("w")
        await until(pilot, lambda: len(console.record.counted) > before)
        await until(pilot, lambda: "25: " in text(screen).splitlines()[1])
        assert SPANS[screen._span][1] == timedelta(days=7)


async def test_no_line_is_wider_than_the_terminal(
    console: Any, samples: Any, make_app: Any, until: Any
) -> None:
    samples.history(console.record)
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, until)
        wide = [line for line in text(screen, 76).splitlines() if len(line) > 76]
        assert wide == []


async def test_where_nothing_has_ended_it_says_what_to_do(console: Any, make_app: Any, until: Any) -> None:
    async with make_app(console).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, until)
        assert "Nothing has ended in this span" in text(screen)
