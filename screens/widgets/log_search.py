"""Finds texts, expressions and errors in a log of any size, a segment at a time.

A segment is searched as one text by a program that gives way to other threads meanwhile; each line that
seems to hold a match is then looked at alone. An expression that takes too long is stopped, not waited for.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from guardrails.sanitise import sanitise
from screens.widgets.log_file import LogFile, Segment

if TYPE_CHECKING:
    import regex

PATIENCE = 2.0
"""Seconds that an expression may take for one segment."""
DRAWING = 0.02
"""Seconds that an expression may take for one line that is drawn; its matches stay unmarked else."""
ERRORS = re.compile(
    rb"^.{24}[eE] |\b(?:error|errors|failed|failure|fatal|critical|traceback|exception)\b", re.IGNORECASE
)
"""What a raw line of the error stream, or one that speaks of an error, looks like."""


class SearchError(ValueError):
    """A search that cannot be done; the message says why and what to do."""


@dataclass(frozen=True)
class Wanted:
    """What is searched for. A text without capitals is found whatever its case (as in ripgrep and vim)."""

    text: str
    expression: bool = False
    """The text is a regular expression."""

    @property
    def ignores_case(self) -> bool:
        """Whether capitals do not matter."""
        letters = re.sub(r"\\.", "", self.text) if self.expression else self.text
        return letters == letters.lower()

    @cached_property
    def pattern(self) -> regex.Pattern[str]:
        """The pattern to search with. Raises SearchError."""
        import regex  # noqa: PLC0415 (a large module, loaded with the first search)

        flags = regex.MULTILINE | (regex.IGNORECASE if self.ignores_case else 0)
        try:
            return regex.compile(self.text if self.expression else regex.escape(self.text), flags)
        except (regex.error, OverflowError, RecursionError) as error:
            raise SearchError(
                f"not a regular expression: {error}; ctrl+r searches for the plain text instead"
            ) from error

    def spans(self, line: str) -> list[tuple[int, int]]:
        """Give the places of the matches in a line, none where finding them takes too long to draw."""
        try:
            found = self.pattern.finditer(line, timeout=DRAWING)
            return [one.span() for one in found if one.end() > one.start()]
        except TimeoutError:
            return []


class Hits(Sequence[int]):
    """Numbers of lines in order, eight bytes each: a million of them is no burden."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._numbers = array("q", numbers)

    def add(self, numbers: Sequence[int]) -> None:
        """Take in more of them, which come before or after all that are known."""
        if numbers and self._numbers and numbers[-1] < self._numbers[0]:
            self._numbers = array("q", numbers) + self._numbers
        else:
            self._numbers.extend(numbers)

    def before(self, number: int) -> int:
        """Give how many are smaller than a number."""
        return bisect_left(self._numbers, number)

    def until(self, number: int) -> int:
        """Give how many are not greater than a number."""
        return bisect_right(self._numbers, number)

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        at = self.before(number)
        return at < len(self._numbers) and self._numbers[at] == number

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, place):  # type: ignore[no-untyped-def] # a slice gives an array
        return self._numbers[place]

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)


def around(hits: Hits, context: int, count: int) -> Hits:
    """Give the hits with so many lines before and after each, of a log of so many lines."""
    if not context:
        return hits
    found = array("q")
    after = 0
    for number in hits:
        first = max(after, number - context)
        after = max(after, min(count, number + context + 1))
        found.extend(range(first, after))
    shown = Hits()
    shown.add(found)
    return shown


def search_segment(log: LogFile, first: int, segment: Segment, wanted: Wanted) -> list[int]:
    """Find the lines of a segment with a match; *first* is its first line's number. Reads the disk.

    Raises SearchError.
    """
    text = searchable(log.data(segment))
    pattern, found, place, number = wanted.pattern, [], 0, first
    try:
        while match := pattern.search(text, place, timeout=PATIENCE, concurrent=True):
            start = text.rfind("\n", 0, match.start()) + 1
            end = text.find("\n", match.start())
            end = len(text) if end < 0 else end
            number += text.count("\n", place, start)
            if start == len(text) and number >= first + segment.count:
                break
            # A match may have run over the line's end: the line alone decides.
            if match.end() <= end or pattern.search(text[start:end], timeout=PATIENCE, concurrent=True):
                found.append(number)
            if end >= len(text):
                break
            place, number = end + 1, number + 1
    except TimeoutError as error:
        raise SearchError(
            "the expression takes too long on this log and was stopped; use a simpler one, or a plain text"
        ) from error
    return found


def searchable(data: bytes) -> str:
    """Give the lines of a log as people see them: without stamps and control sequences."""
    text = _STAMP.sub(b"", data).decode("utf-8", "backslashreplace")
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    if _SUSPECT.search(text) is None:
        return text
    return "\n".join(
        sanitise(line) if _SUSPECT.search(line) is not None else line for line in text.split("\n")
    )


_STAMP = re.compile(rb"^.{23}Z [oenOE] ", re.MULTILINE)
_COLOUR = re.compile("\x1b\\[[0-9;:]{0,64}m")
_SUSPECT = re.compile(r"[^\n\t\x20-\x7e\xa0-\xac\xae-\u02ff]")
