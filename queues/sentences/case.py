"""The free text of a business case: cut out of a sentence by its four labels, and read into its items."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

ITEMS: Mapping[str, str] = {
    "justification": "what the resource is for, and why it is needed",
    "cost_estimate": "an amount in US dollars a month, like $50/month (1TB storage + transfer)",
    "alternatives": "what else was considered, and why it was rejected",
    "risk_assessment": "what can go wrong: security, operation, data loss",
}
"""The items of a business case, and what to write for one that is missing."""


@dataclass(frozen=True, slots=True)
class CasePart:
    """One item of a business case as it was written."""

    label: str
    key: str
    """Which of ITEMS; empty for a label that is none of them."""
    text: str


def cut_case(text: str) -> list[str | CasePart]:
    """Part a text into what the grammar reads and the items of a business case.

    An item goes on to the next label, or to a line without indentation and list marker behind an empty line.
    A line that begins as the labels do and is none of them is a part without a key, lest it pass as text.
    """
    heads = list(_HEAD.finditer(text))
    if not heads:
        return [text]
    parts: list[str | CasePart] = [text[: heads[0].start()]]
    style = heads[0]["indent"], bool(heads[0]["marker"])
    for number, head in enumerate(heads):
        end = heads[number + 1].start() if number + 1 < len(heads) else len(text)
        body = text[head.end() : end]
        over = _OVER.search(body)
        said, rest = (body[: over.start()], body[over.start() :]) if over else (body, "")
        said, strangers = _strangers(said, style)
        parts.append(CasePart(head["label"], _KEYS[_plain(head["label"])], _tidy(said)))
        parts += strangers
        if rest.strip():
            parts.append(rest)
    return parts


def read_case(parts: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Give the items as the task's `business_case`, with the monthly figure where the estimate has one."""
    case: dict[str, object] = {key: text for key, text in parts if text}
    figure = monthly_usd(str(case.get("cost_estimate", "")))
    if figure is not None:
        case["monthly_usd"] = figure
    return {key: case[key] for key in (*ITEMS, "monthly_usd") if key in case}


def missing_items(case: Mapping[str, object]) -> tuple[str, ...]:
    """Give the items that a case lacks; an estimate without an amount a month estimates nothing."""
    return tuple(
        key for key in ITEMS if key not in case or (key == "cost_estimate" and "monthly_usd" not in case)
    )


def monthly_usd(text: str) -> float | int | None:
    """Read the amount in US dollars a month out of a text; None where there is none, or more than one.

    >>> monthly_usd("$1,200 per month, most of it storage")
    1200
    """
    found = {
        round(float(match["amount"].replace(",", "")) / (12 if match["period"].lower() in _YEAR else 1), 2)
        for match in _AMOUNT.finditer(text)
    }
    if len(found) != 1:
        return None
    figure = found.pop()
    return int(figure) if figure == int(figure) else figure


def _strangers(text: str, style: tuple[str, bool]) -> tuple[str, list[str | CasePart]]:
    """Take out the lines that look like a further label at the labels' own depth, and all behind it."""
    indent, marked = style
    place = 0
    for number, line in enumerate(text.split("\n")):
        match = _STRANGER.match(line)
        if number and match and match["indent"] == indent and bool(match["marker"]) is marked:
            return text[:place], [CasePart(match["label"], "", _tidy(line[match.end() :]))]
        place += len(line) + 1
    return text, []


def _tidy(text: str) -> str:
    first, newline, rest = text.partition("\n")
    lines = [line.rstrip() for line in textwrap.dedent(rest).split("\n")]
    return "\n".join([first.strip(), *lines] if newline else [first.strip()]).strip(" \n;")


def _plain(label: str) -> str:
    return " ".join(label.lower().replace("_", " ").replace("-", " ").split())


_KEYS = {
    "justification": "justification",
    "cost estimate": "cost_estimate",
    "estimated cost": "cost_estimate",
    "cost": "cost_estimate",
    "alternatives considered": "alternatives",
    "alternatives": "alternatives",
    "risk assessment": "risk_assessment",
    "risks": "risk_assessment",
}
_LABEL = (
    r"justification|cost[ _-]estimate|estimated[ ]cost|cost|alternatives(?:[ ]considered)?"
    r"|risk[ _-]assessment|risks"
)
_HEAD = re.compile(
    rf"(?:(?m:^)(?P<indent>[ \t]*)(?P<marker>[-*•][ \t]+)?|(?<=[.;,:)])[ \t]+)"
    rf"(?P<label>(?i:{_LABEL}))[ \t]*:"
)
_STRANGER = re.compile(r"(?P<indent>[ \t]*)(?P<marker>[-*•][ \t]+)?(?P<label>[A-Z][A-Za-z _-]{2,30}):")
_OVER = re.compile(r"\n[ \t]*\n(?![ \t]|[-*•]|\d+[.)])")
_AMOUNT = re.compile(
    r"\$\s*(?P<amount>\d[\d,]{0,12}(?:\.\d{1,4})?)\s*(?:USD\s*)?"
    r"(?:/|per\s+|an?\s+)\s*(?P<period>months?|mo|years?|yr)\b",
    re.IGNORECASE,
)
_YEAR = frozenset({"year", "years", "yr"})
