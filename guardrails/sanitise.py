"""Makes text from outside fit to be shown: nothing in it can steer a terminal, and nothing can hide.

Whole control sequences are removed (colours may stay). What would overwrite, reorder or vanish is shown as
an escape such as ``\\r``, ``\\x00`` or ``\\u202e``. What only looks like the beginning of a sequence is shown
too: text that a terminal would swallow while it waits for an end that never comes must not disappear here.

Two rules hold for every text: cleaning it twice changes nothing more, and it does not matter how it was cut
into chunks. Markup of a screen's own (``[/bold]``) is ordinary text here; screens never parse it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache


class Sanitiser:
    """Cleans text that comes in chunks; a control sequence may be split over any number of them.

    ``colours`` keeps the select-graphic-rendition sequences (without *conceal*, which hides text).
    ``single_line`` shows newlines and tabs as ``\\n`` and ``\\t`` instead of keeping them.
    """

    def __init__(self, *, colours: bool = False, single_line: bool = False) -> None:
        self._colours = colours
        self._single_line = single_line
        self._pending = ""  # the beginning of a sequence, at most _LONGEST characters
        self._carriage_return = False  # seen, and not known yet whether a newline follows
        self._last = ""  # the last character given out

    def feed(self, chunk: str) -> str:
        """Give the clean text for this chunk, as far as it is decided."""
        return self._clean(self._pending + chunk, final=False)

    def close(self) -> str:
        """Give what was held back. A carriage return at the very end overwrites nothing and is dropped."""
        rest = self._clean(self._pending, final=True)
        self._carriage_return = False
        self._last = ""
        return rest

    def _clean(self, text: str, *, final: bool) -> str:
        self._pending = ""
        out: list[str] = []
        at = 0
        while suspect := _SUSPECT.search(text, at):
            self._put(out, text[at : suspect.start()])
            at = suspect.start()
            character = text[at]
            if character not in _INTRODUCERS:
                self._put_character(out, character)
                at += 1
            elif sequence := _sequence().match(text, at):
                self._put_sequence(out, sequence)
                at = sequence.end()
            elif not final and _unfinished().fullmatch(text, at):
                self._pending = text[at:]
                return "".join(out)
            else:
                self._put(out, f"\\x{ord(character):02x}")
                at += 1
        self._put(out, text[at:])
        return "".join(out)

    def _put_sequence(self, out: list[str], sequence: re.Match[str]) -> None:
        parameters = sequence["sgr"]
        if not self._colours or parameters is None:
            return
        kept = _visible_colours(parameters)
        if kept is not None:
            self._put(out, f"\x1b[{kept}m")

    def _put_character(self, out: list[str], character: str) -> None:
        if character == "\r":
            self._carriage_return = True
        elif character == "\n":
            self._carriage_return = False
            self._put(out, "\\n" if self._single_line else "\n")
        elif character == "\t":
            self._put(out, "\\t" if self._single_line else "\t")
        elif character in _PRESENTATION and self._follows_symbol():
            self._put(out, character)  # a symbol drawn as text or as a picture: nothing is hidden
        elif character in _NAMED:
            self._put(out, _NAMED[character])
        elif not "\x80" <= character <= "\x9f":  # a C1 control on its own says nothing to a reader
            self._put(out, _escape(character))

    def _follows_symbol(self) -> bool:
        # Behind a carriage return that is still to be shown as \r it would follow the r.
        return not self._carriage_return and bool(self._last) and unicodedata.category(self._last) == "So"

    def _put(self, out: list[str], text: str) -> None:
        if not text:
            return
        if self._carriage_return:
            self._carriage_return = False
            out.append("\\r")
        out.append(text)
        self._last = text[-1]


def sanitise(text: str, *, colours: bool = False, single_line: bool = False, limit: int | None = None) -> str:
    """Clean one whole text. ``limit`` bounds the result in characters, with "… (n more)" for what is cut."""
    if _SUSPECT.search(text) is not None:
        sanitiser = Sanitiser(colours=colours, single_line=single_line)
        text = sanitiser.feed(text) + sanitiser.close()
    if limit is None or len(text) <= limit:
        return text
    return _shorten(text, limit)


def _shorten(text: str, limit: int) -> str:
    kept = limit
    for _ in range(3):  # the note's own length depends on the number in it
        kept = max(0, limit - len(_note(len(text) - kept)))
    head = text[:kept]
    escape = head.rfind("\x1b")
    if escape >= 0 and "m" not in head[escape:]:
        head = head[:escape]
    if "\x1b" in head and len(head) + len(_RESET) + len(_note(len(text))) <= limit:
        head += _RESET
    return (head + _note(len(text) - kept))[:limit] if kept else "…"[:limit]


def _note(count: int) -> str:
    return f"… ({count} more)"


def _escape(character: str) -> str:
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _visible_colours(parameters: str) -> str | None:
    """Give the parameters of a colour sequence without *conceal*; None where nothing is left of them."""
    tokens = parameters.split(";")
    kept: list[str] = []
    at = 0
    while at < len(tokens):
        head = tokens[at].split(":")[0].lstrip("0")
        if head in _EXTENDED and ":" not in tokens[at]:
            mode = tokens[at + 1].lstrip("0") if at + 1 < len(tokens) else ""
            size = {"5": 3, "2": 5}.get(mode, 0)
            group = tokens[at : at + size]
            if size and len(group) == size and not any(":" in token for token in group):
                kept += group
                at += size
            else:
                at += 1  # no colour follows: drop the word, look at the rest by itself
            continue
        if head != "8":
            kept.append(tokens[at])
        at += 1
    return ";".join(kept) if kept else None


_LONGEST = 4096
_RESET = "\x1b[0m"
_EXTENDED = frozenset({"38", "48", "58"})
_NAMED = {"\b": "\\b"}
_PRESENTATION = "\ufe0e\ufe0f"
_INTRODUCERS = "\x1b\x9b\x9d\x90\x98\x9e\x9f"

# Characters that are not seen, or that change where others are seen.
_HIDDEN = (
    "\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SURROGATES = "\ud800-\udfff"
_SUSPECT = re.compile(f"[\\x00-\\x1f\\x7f-\\x9f{_HIDDEN}{_SURROGATES}]")

_TEXT = r"[^\x00-\x1f\x7f-\x9f]"  # what the body of a string sequence may hold; a newline ends none silently


@cache
def _sequence() -> re.Pattern[str]:
    return re.compile(
        rf"""
          (?:\x1b\[|\x9b) (?P<sgr>[0-9;:]{{0,64}}) m                         # colours
        | (?:\x1b\[|\x9b) [0-?]{{0,64}} [ -/]{{0,4}} [@-~]                   # CSI
        | (?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])
          {_TEXT}{{0,{_LONGEST}}} (?:\x07|\x1b\\|\x9c)                       # OSC, DCS, SOS, PM, APC
        | \x1b [ -/]{{1,4}} [0-~]                                            # character sets and the like
        | \x1b [0-OQ-WYZ\\`-~]                                               # two characters
        """,
        re.VERBOSE,
    )


@cache
def _unfinished() -> re.Pattern[str]:
    return re.compile(
        rf"""
          (?:\x1b\[|\x9b) [0-?]{{0,64}} [ -/]{{0,4}}
        | (?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f]) {_TEXT}{{0,{_LONGEST}}} \x1b?
        | \x1b [ -/]{{0,4}}
        """,
        re.VERBOSE,
    )
