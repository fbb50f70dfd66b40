"""The terminal: what the console needs of it, told from its variables and its size."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from opconsole.doctor.base import Check, Patient, Result, TerminalFacts, ok, warn

COLUMNS, LINES = 80, 24
"""The smallest terminal that the screens are made for."""


def checks(patient: Patient) -> Iterable[Check]:
    """Give the check."""
    yield Check("terminal", partial(look, patient.terminal, patient.environ))


def look(facts: TerminalFacts, environ: Mapping[str, str]) -> Iterator[Result]:
    """Judge a terminal."""
    if not facts.interactive:
        yield ok("terminal", "none: the console needs one, the other commands do not")
        return
    faults = list(_faults(facts, environ))
    yield from faults
    if not faults:
        yield ok("terminal", f"{environ.get('TERM')}, {facts.columns} x {facts.lines}, {facts.encoding}")


def _faults(facts: TerminalFacts, environ: Mapping[str, str]) -> Iterator[Result]:
    term = environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        yield warn(
            "TERM",
            f"TERM is {term or 'not set'}, so that nothing can be drawn",
            "use a real terminal, or set TERM to what it is, such as xterm-256color",
        )
    elif "256color" not in term and environ.get("COLORTERM") not in ("truecolor", "24bit"):
        yield warn(
            "colours",
            f"TERM={term} promises 16 colours at most",
            "set TERM=xterm-256color (in tmux: set -g default-terminal tmux-256color) if yours has more",
        )
    try:
        utf8 = codecs.lookup(facts.encoding).name == "utf-8"
    except LookupError:
        utf8 = False
    if not utf8:
        yield warn(
            "locale",
            f"the locale's encoding is {facts.encoding}: lines and signs are shown as escapes",
            "export LC_ALL=C.UTF-8, or another locale of UTF-8",
        )
    if facts.columns < COLUMNS or facts.lines < LINES:
        yield warn(
            "size",
            f"{facts.columns} x {facts.lines}: panes are folded below {COLUMNS} x {LINES}",
            "make the window larger or its letters smaller",
        )
    if facts.clipboard is not None and facts.clipboard != "on":
        yield warn(
            "tmux",
            f"set-clipboard is {facts.clipboard}: what the console copies (OSC 52) does not leave tmux",
            "tmux set -s set-clipboard on, also in ~/.tmux.conf",
        )
