"""Completes a sentence while it is typed, by the grammar's word of what may come next and what is known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

from lark.exceptions import UnexpectedToken

from queues.sentences.known import Known
from queues.sentences.parsing import grammar
from queues.sentences.word import Word

SHOWN = 50
"""Candidates that are given at most."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What could stand at the cursor: one of *candidates* in place of the text from *start* to *end*."""

    start: int
    end: int
    candidates: tuple[str, ...] = ()

    def applied(self, text: str, candidate: str) -> str:
        """Give the text with a candidate in it."""
        return text[: self.start] + candidate + text[self.end :]


def complete(text: str, cursor: int, known: Known) -> Completion:
    """Give what could stand where *cursor* is, after what stands before it; what follows is not looked at.

    Names that the sentence has already are left out, and so is whatever the grammar would not take there.
    """
    cursor = max(0, min(cursor, len(text)))
    begun = _BEGUN.search(text[:cursor])
    start = begun.start() if begun else cursor
    head, part = text[:start], text[start:cursor]
    parser, lexicon = grammar()
    words = lexicon.read(head, known)
    if words and head.rstrip(" ")[-1:] in ("\n", ".", ";"):
        words.append(Word("_SEP", "\n", ""))
    try:
        state = parser.parse_interactive(words)
        state.exhaust_lexer()
    except UnexpectedToken:
        return Completion(cursor, cursor)
    expected: set[str] = cast(Any, state).accepts()  # lark gives it no types
    said = {word.value for word in words}
    plain = part.lower()
    found = [one for one in _names(expected, said, words, known) if one.lower().startswith(plain)]
    found += [
        one.capitalize() if part[:1].isupper() and one.islower() else one
        for kind, offered in _OFFERED.items()
        if kind in expected
        for one in offered
        if one.startswith(plain)
    ]
    if words and not part and "PROJECT" not in expected and not found:
        return Completion(cursor, cursor)
    return Completion(start, cursor, tuple(dict.fromkeys(found))[:SHOWN])


def _names(expected: set[str], said: set[str], words: list[Word], known: Known) -> list[str]:
    """Give the projects, versions and environments that may come next and were not said yet."""
    found: list[str] = []
    named = [one for one in known.projects.values() if one.name in said]
    meant = named or [one for one in known.projects.values() if one.name == known.meant_project]
    link = words[-1].type in ("_AND", "_COMMA") if words else False
    kinds = {word.type for word in words}
    if "PROJECT" in expected and ("PROJECT" not in kinds or link):
        found += [name for name in known.projects if name not in said]
    if "VERSION" in expected and "VERSION" not in kinds:
        found += [version for one in meant for version in one.versions or () if version not in said]
    if "ENVIRONMENT" in expected:
        places = {name for one in meant or known.projects.values() for name in one.environments}
        found += [name for name in dict.fromkeys(known.environments.values()) if name in places - said]
    return found


_BEGUN = re.compile(r"[^\s,;:()]+$")
_OFFERED = {
    "_DEPLOY": ("deploy",),
    "_ROLLBACK": ("rollback",),
    "_RUN": ("run",),
    "_MIGRATE": ("migrate",),
    "_VALIDATE": ("validate",),
    "_PROMOTE": ("promote",),
    "_PROVISION": ("provision",),
    "_DOWNGRADE": ("downgrade",),
    "RESOURCE": ("S3 bucket", "RDS instance", "Lambda function", "IAM policy"),
    "PREPOSITION": ("to", "for", "in"),
    "FROM": ("from",),
    "_VERSION_NOUN": ("version",),
    "_WITH": ("with migrations",),
    "MIGRATIONS": ("migrations",),
    "_ALL": ("all environments",),
    "_NAMED": ("named",),
    "PREVIOUS": ("previous version",),
}
"""For each of the grammar's terminals the words that are offered; what is not here can be typed, too."""
