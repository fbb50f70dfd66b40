"""Small charts drawn with characters: every one has its figure beside it, and none needs colour."""

from __future__ import annotations

from collections.abc import Sequence

_LEVELS = "▁▂▃▄▅▆▇█"
NONE = "·"
"""Stands for nothing in a spark line: an empty place would not be seen."""


def sparks(values: Sequence[float]) -> str:
    """Draw values as a line of bars, each against the greatest; nothing as ``·``."""
    top = max(values, default=0.0)
    if top <= 0:
        return NONE * len(values)
    return "".join(
        NONE if value <= 0 else _LEVELS[min(len(_LEVELS) - 1, int(value / top * len(_LEVELS)))]
        for value in values
    )


def share_bar(share: float, width: int) -> tuple[str, str]:
    """Give the full and the empty part of a bar. Only nothing is drawn empty, and only all of it full."""
    filled = round(share * width)
    if 0 < share < 1 and width > 1:
        filled = min(width - 1, max(1, filled))
    filled = min(width, max(0, filled))
    return "█" * filled, "░" * (width - filled)
