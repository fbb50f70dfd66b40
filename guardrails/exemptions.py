"""Reads the guide's ``safety-exception`` marks from real comments, and applies them to findings.

A mark names a rule and a reason, and may name its last day. It speaks of the statement beside it, or below it
where it stands alone; ``safety-exception-file`` speaks of the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from guardrails.operations import Comment, Place

_MARK = re.compile(
    r"safety-exception(?P<file>-file)?(?![\w-])\s*:?\s*(?P<rule>[a-z][a-z0-9]*(?:-[a-z0-9]+)*)?(?P<rest>.*)",
    re.DOTALL,
)
_SEPARATOR = re.compile(r"^\s*(?::|—|–|-+)\s*")
_UNTIL = re.compile(
    r"[\s,;(\[]*\buntil:?\s+(?P<day>\d{1,4}[-./]\d{1,2}[-./]\d{1,4})\b[\s.)\]]*", re.IGNORECASE
)
NEVER_EXEMPT = frozenset(
    {"unreadable", "unparsable", "bad-exemption", "unused-exemption", "expired-exemption"}
)
"""Rules about files that nobody could look into, and about the marks themselves."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """A mark that is complete: a rule and the reason why it does not count here."""

    rule: str
    reason: str
    line: int
    alone: bool
    """It stands on a line of its own, and so speaks of the line below."""
    until: date | None = None
    """The last day that it holds."""
    whole_file: bool = False

    def covers(self, rule: str, place: Place) -> bool:
        """Say whether it is about a finding: of its file, on one of its lines, or alone on the line above."""
        if rule != self.rule or rule in NEVER_EXEMPT:
            return False
        return (
            self.whole_file
            or place.first_line <= self.line <= place.last_line
            or (self.alone and self.line == place.first_line - 1)
        )

    def expired(self, today: date) -> bool:
        """Say whether its last day has passed."""
        return self.until is not None and today > self.until


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of a file: those that are complete, and the others, each with what is wrong."""

    complete: tuple[Exemption, ...]
    faulty: tuple[tuple[Comment, str], ...]


def read_marks(comments: Iterable[Comment], rules: Sequence[str]) -> Marks:
    """Read the marks in comments; a mark needs the name of a rule and a reason."""
    complete: dict[Exemption, None] = {}
    faulty: dict[tuple[Comment, str], None] = {}
    for comment in comments:
        found = _MARK.search(comment.text)
        if found is None:
            continue
        read = _read(found, comment, rules)
        if isinstance(read, Exemption):
            complete[read] = None
        else:
            faulty[comment, read] = None
    return Marks(tuple(complete), tuple(faulty))


def _read(found: re.Match[str], comment: Comment, rules: Sequence[str]) -> Exemption | str:
    """Give the exemption that a mark makes, or what is wrong with it."""
    rule = found["rule"] or ""
    rest = found["rest"].rstrip().removesuffix("*/").rstrip()
    if rule not in rules or rule in NEVER_EXEMPT:
        return f"{rule!a} is no rule that can be exempted" if rule else "no rule is named"
    until = None
    day = _UNTIL.search(rest)
    if day is not None:
        try:
            until = date.fromisoformat(day["day"])
        except ValueError:
            return f"{day['day']} is no day; write it as 2027-01-31"
        gap = " " if day.start() and day.end() < len(rest) and rest[day.end()] not in ":—–-" else ""
        rest = f"{rest[: day.start()]}{gap}{rest[day.end() :]}"
    reason = _SEPARATOR.sub("", rest).strip()
    if not _SEPARATOR.match(rest) or not reason:
        return "no reason is given"
    last = comment.line + comment.text.count("\n")
    return Exemption(rule, reason, last, comment.alone, until, found["file"] is not None)
