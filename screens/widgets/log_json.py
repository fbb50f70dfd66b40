"""Lays a line of JSON out over several rows, in its own spelling: numbers, order and doubled keys stay."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from guardrails.sanitise import sanitise
from screens.look import Role

LONGEST = 256 * 1024
"""Characters of a line that is laid out; a longer one stays as it is."""
ROWS = 400
"""Rows that one line takes at most."""
INDENT = 2

Piece = tuple[str, Role]
Row = list[Piece]


@dataclass(frozen=True, slots=True)
class Found:
    """JSON in a line."""

    before: str
    """What stands before it, as the program wrote it: hostile."""
    text: str


def find_json(text: str) -> Found | None:
    """Give the object or list that a line ends with; None where it ends with none."""
    text = text.rstrip()
    if len(text) > LONGEST or text[-1:] not in ("}", "]"):
        return None
    for match in _OPENS.finditer(text):
        if match.start() > 400:  # what begins so late is no record of its own
            return None
        inner = text[match.start() :]
        try:
            value = json.loads(inner)
        except (ValueError, RecursionError):
            continue
        return Found(text[: match.start()].rstrip(), inner) if value else None
    return None


def lay_out(found: Found) -> list[Row]:
    """Give the rows, each a list of pieces that are safe to show."""
    rows: list[Row] = []
    if found.before:
        rows.append([(sanitise(found.before, single_line=True, limit=400), Role.MUTED)])
    for row in _rows(found.text):
        if len(rows) >= ROWS:
            rows.append([("… the rest is not laid out", Role.MUTED)])
            break
        rows.append(row)
    return rows


def _rows(text: str) -> Iterator[Row]:
    depth, row = 0, [("", Role.PLAIN)]
    words = [match[0] for match in _TOKENS.finditer(text)]
    for place, word in enumerate(words):
        after = words[place + 1] if place + 1 < len(words) else ""
        if word in "{[":
            row.append((word, Role.PLAIN))
            if after not in ("}", "]"):
                depth += 1
                yield row
                row = [(" " * INDENT * depth, Role.PLAIN)]
        elif word in "}]":
            if place and words[place - 1] not in "{[":
                depth -= 1
                yield row
                row = [(" " * INDENT * depth, Role.PLAIN)]
            row.append((word, Role.PLAIN))
        elif word == ",":
            row.append((word, Role.PLAIN))
            yield row
            row = [(" " * INDENT * depth, Role.PLAIN)]
        elif word == ":":
            row.append((": ", Role.PLAIN))
        else:
            row.append((sanitise(word, single_line=True, limit=4000), _role(word, key=after == ":")))
    yield row


def _role(word: str, *, key: bool) -> Role:
    if key:
        return Role.BUSY
    return Role.GOOD if word.startswith('"') else Role.WARN


_OPENS = re.compile(r"[{\[]")
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
