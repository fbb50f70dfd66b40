"""A policy that nobody approved yet is told in the console, for what was before holds still."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from screens.widgets.strip import draw_strip


async def test_a_policy_that_waits_is_on_the_strip_and_told_once_with_the_command(
    console: Any, make_app: Any, until: Any, monkeypatch: Any
) -> None:
    plain = console.snapshot

    async def waiting() -> Any:
        return replace(await plain(), policy_waits="p-1")

    monkeypatch.setattr(console, "snapshot", waiting)
    async with make_app(console).run_test(size=(140, 40), notifications=True) as pilot:
        await until(pilot, lambda: any("p-1" in one.message for one in pilot.app._notifications))
        console.change()
        await pilot.pause(0.3)
        told = [one for one in pilot.app._notifications if "p-1" in one.message]
        assert len(told) == 1
        assert "opconsole approve p-1" in told[0].message
    assert "a policy waits" in str(draw_strip(await waiting(), "ada", read_only=False))
