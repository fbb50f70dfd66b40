"""How a terminal shows a desktop notification: one word of the settings, free of them."""

from __future__ import annotations

from enum import StrEnum


class DesktopSign(StrEnum):
    """The control sequence that makes a terminal show a desktop notification."""

    OFF = "off"
    OSC9 = "osc9"  # iTerm2, kitty, WezTerm, Windows Terminal, ghostty
    OSC777 = "osc777"  # foot, urxvt, Konsole, GNOME Terminal's VTE in some distributions
