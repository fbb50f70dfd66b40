"""Puts texts together from parts that may have several values each, as Python's formatting does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import product

from guardrails.sql.words import HOLE

MOST = 64
"""How many values of one expression are followed; beyond that it counts as unknown."""
_FORM = re.compile(r"%(?:\((\w+)\))?[-#0 +]*\d*(?:\.\d+)?([a-zA-Z%])")
_FIELD = re.compile(r"\{\{|\}\}|\{[^{}]*\}")


def filled(left: str, choose: Callable[[re.Match[str], int], list[str]]) -> list[str]:
    """Give what ``left % …`` gives; *choose* tells the values of a place by its match and its number."""
    parts: list[list[str]] = []
    position = index = 0
    for match in _FORM.finditer(left):
        parts.append([left[position : match.start()]])
        if match[2] == "%":
            parts.append(["%"])
        else:
            parts.append(choose(match, index))
            index += 1
        position = match.end()
    return joined([*parts, [left[position:]]])


def formatted(left: str, fields: Mapping[str, list[str]]) -> list[str]:
    """Give what ``left.format(…)`` gives, with the values of its fields by name or number."""
    parts: list[list[str]] = []
    position = index = 0
    for match in _FIELD.finditer(left):
        parts.append([left[position : match.start()]])
        body = match[0]
        if body in {"{{", "}}"}:
            parts.append([body[0]])
        else:
            name = re.split(r"[!:.\[]", body[1:-1])[0]
            parts.append(fields.get(name or str(index), [HOLE]))
            index += not name
        position = match.end()
    return joined([*parts, [left[position:]]])


def joined(parts: list[list[str]]) -> list[str]:
    """Give the texts that parts with several values each can give."""
    return ["".join(choice) for choice in choices(parts)]


def choices(parts: list[list[str]]) -> list[tuple[str, ...]]:
    """Give one value of each part, in every way; where these are too many, what varies is unknown."""
    count = 1
    for part in parts:
        count *= max(1, len(part))
    if count > MOST:
        parts = [part if len(part) == 1 else [HOLE] for part in parts]
    return list(product(*parts))


def unique(found: Iterable[str]) -> list[str]:
    """Give each text once."""
    return list(dict.fromkeys(found))


def substituted(left: str, given: Mapping[str, list[str]]) -> list[str]:
    """Give what ``string.Template(left).substitute(…)`` gives."""
    pieces = re.split(r"\$\{?(\w+)\}?", left)
    return joined([given.get(p, [HOLE]) if i % 2 else [p] for i, p in enumerate(pieces)])
