"""Reads the guide's ``safety-exception`` marks from real comments, and applies them to findings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from guardrails.operations import Comment, Place

_MARK = re.compile(
    r"safety-exception\b\s*:?\s*(?P<rule>[a-z][a-z0-9]*(?:-[a-z0-9]+)*)?(?P<rest>.*)", re.DOTALL
)
_SEPARATOR = re.compile(r"^\s*(?::|—|–|-+)\s*")
NEVER_EXEMPT = frozenset({"unreadable", "unparsable", "bad-exemption"})
"""Rules about files that nobody could look into, and about the marks themselves."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """A mark that is complete: a rule and the reason why it does not count here."""

    rule: str
    reason: str
    line: int
    alone: bool
    """It stands on a line of its own, and so speaks of the line below."""

    def covers(self, rule: str, place: Place) -> bool:
        """Say whether the mark exempts a finding: on one of its lines, or alone on the line above."""
        if rule != self.rule or rule in NEVER_EXEMPT:
            return False
        return place.first_line <= self.line <= place.last_line or (
            self.alone and self.line == place.first_line - 1
        )


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of a file: those that count, and the incomplete ones, each with what is wrong."""

    complete: tuple[Exemption, ...]
    faulty: tuple[tuple[Comment, str], ...]


def read_marks(comments: Iterable[Comment], rules: Sequence[str]) -> Marks:
    """Read the marks in comments; a mark needs the name of a rule and a reason."""
    complete = []
    faulty = []
    for comment in comments:
        found = _MARK.search(comment.text)
        if found is None:
            continue
        rule = found["rule"] or ""
        reason = _SEPARATOR.sub("", found["rest"]).removesuffix("*/").strip()
        if rule not in rules or rule in NEVER_EXEMPT:
            faulty.append(
                (comment, f"{rule!a} is no rule that can be exempted" if rule else "no rule is named")
            )
        elif not _SEPARATOR.match(found["rest"]) or not reason:
            faulty.append((comment, "no reason is given"))
        else:
            last = comment.line + comment.text.count("\n")
            complete.append(Exemption(rule, reason, last, comment.alone))
    return Marks(tuple(complete), tuple(faulty))
