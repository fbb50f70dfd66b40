"""Colours that everybody can tell apart, very large terminals, and links too slow for animations."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from textual.color import Color, rgb_to_lab

from screens.look import COLOUR_BLIND_SAFE, Role, role_style
from screens.operations import PANES
from screens.widgets.pipeline import PipelineView

# Machado, Oliveira and Fernandes (2009), of the full severity, for linear RGB.
SIGHT = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
APART = 10.0
"""A difference in CIE L*a*b* that nobody misses; 2.3 can just be noticed."""


def seen_as(colour: Color, matrix: tuple[tuple[float, ...], ...]) -> Color:
    """Give the colour that somebody with this sight sees."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized
    ]
    mixed = [
        min(1.0, max(0.0, sum(weight * part for weight, part in zip(row, linear, strict=True))))
        for row in matrix
    ]
    parts = [part * 12.92 if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055 for part in mixed]
    return Color(*(round(part * 255) for part in parts))


def difference(one: Color, other: Color) -> float:
    a, b = rgb_to_lab(one), rgb_to_lab(other)
    return float(((a.L - b.L) ** 2 + (a.a - b.a) ** 2 + (a.b - b.b) ** 2) ** 0.5)


@pytest.mark.parametrize("sight", SIGHT)
async def test_the_colour_blind_safe_theme_keeps_good_bad_warning_and_busy_apart(
    console: Any, make_app: Any, until: Any, sight: str
) -> None:
    async with make_app(console).run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: pilot.app.operations.table.selected)
        pilot.app.theme = COLOUR_BLIND_SAFE.name
        await pilot.pause()
        found = {}
        for role in (Role.GOOD, Role.BAD, Role.WARN, Role.BUSY):
            drawn = role_style(pilot.app.operations.table, role).color
            assert drawn is not None
            found[role] = seen_as(Color.from_rich_color(drawn), SIGHT[sight])
        near = {
            (one, other): difference(found[one], found[other])
            for one, other in combinations(found, 2)
            if difference(found[one], found[other]) < APART
        }
        assert near == {}


async def test_a_very_large_terminal_shows_all_panes_and_uses_the_room(
    console: Any, make_app: Any, until: Any
) -> None:
    async with make_app(console).run_test(size=(250, 80)) as pilot:
        screen = pilot.app.operations
        await until(pilot, lambda: screen.situation().run and screen.query_one(PipelineView).size.height)
        await until(pilot, lambda: all(screen.query_one(f"#{pane}").size.height > 20 for pane in PANES))
        queue, right = screen.query_one("#queue").region, screen.query_one("#right").region
        assert queue.width + right.width == 250
        assert screen.query_one("#detail").region.bottom == queue.bottom == 79
        header = screen.table.render_line(0).text
        assert all(column.title in header for column in screen.table.columns), "no column is folded away"


@pytest.mark.parametrize(("wanted", "level"), [("none", "none"), ("", "full")])
def test_links_too_slow_for_animations_get_none(wanted: str, level: str) -> None:
    told = (
        "from opconsole.app import OpconsoleApp; from benchmarks.console import Shown\n"
        "print(OpconsoleApp(Shown(())).animation_level)"
    )
    environ = {name: value for name, value in os.environ.items() if name != "TEXTUAL_ANIMATIONS"}
    done = subprocess.run(
        [sys.executable, "-c", told],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**environ, **({"TEXTUAL_ANIMATIONS": wanted} if wanted else {})},
        timeout=120,
    )
    assert done.stdout.strip() == level


async def test_the_theme_of_the_settings_is_worn_and_an_unknown_one_told(console: Any, make_app: Any) -> None:
    assert make_app(console, theme="high-contrast").theme == "high-contrast"
    app = make_app(console, theme="moonlight")
    assert app.theme == "textual-dark"
    [note] = app._notes
    assert "console.theme" in note
    assert "found: moonlight" in note
    assert "colour-blind-safe" in note
