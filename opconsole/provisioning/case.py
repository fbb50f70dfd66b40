"""A business case: why a resource is wanted, what it costs, what else was considered, and what may go wrong.

The guide asks four things of it; what is missing is asked for by name. A case is an object of a queue entry
or a text in the guide's form, with `Justification:`, `Cost estimate:`, `Alternatives considered:` and
`Risk assessment:` at the beginning of their lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

LONGEST = 20_000
"""Characters of a case that are read at most; more is no case, but a book."""


class CaseError(ValueError):
    """A business case that cannot be read; says what it is and what it may be."""


@dataclass(frozen=True, slots=True)
class BusinessCase:
    """What somebody says for a resource. A part that was not given is empty."""

    justification: str = ""
    cost_estimate: str = ""
    monthly_usd: Decimal | None = None
    """The case's own figure in US dollars a month; None where none can be read."""
    alternatives: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The parts that the guide wants and the case lacks, by the names of their fields."""
        given = {
            "justification": bool(self.justification),
            "cost_estimate": self.monthly_usd is not None,
            "alternatives": bool(self.alternatives),
            "risk_assessment": bool(self.risks),
        }
        return tuple(name for name, there in given.items() if not there)

    def to_json(self) -> dict[str, object]:
        """Give what the plan and the record say of it."""
        return {
            "justification": self.justification,
            "cost_estimate": self.cost_estimate,
            "monthly_usd": None if self.monthly_usd is None else str(self.monthly_usd),
            "alternatives": list(self.alternatives),
            "risk_assessment": list(self.risks),
        }


ASKED: Mapping[str, str] = {
    "justification": "what the resource is for, and why it is needed",
    "cost_estimate": "an amount in US dollars a month, like “$50/month (1TB storage + transfer)”",
    "alternatives": "what else was considered, and why it was rejected",
    "risk_assessment": "what can go wrong: security, operation, data loss",
}
"""What to write for a part that is missing, for people."""


def read_case(value: object) -> BusinessCase:
    """Read the `business_case` of a queue entry; nothing at all is a case without parts.

    Raises CaseError for what is neither an object nor text, or too long.
    """
    if value is None:
        return BusinessCase()
    if isinstance(value, str):
        return _case(_sections(_bounded(value)))
    if isinstance(value, Mapping):
        return _case({_KEYS[key]: part for key, part in _known(value)})
    raise CaseError(
        f"the business case is {_kind(value)}; allowed: an object with {', '.join(ASKED)}, or text"
    )


def monthly_usd(text: str) -> Decimal | None:
    """Read an amount in US dollars a month out of a text; None where there is none, or no period is told.

    >>> monthly_usd("$1,200 per month, most of it storage")
    Decimal('1200')
    """
    found = _MONTHLY.search(text)
    if found is not None:
        return _amount(found["amount"], Decimal(1))
    yearly = _YEARLY.search(text)
    return None if yearly is None else _amount(yearly["amount"], Decimal(12))


def _amount(digits: str, divisor: Decimal) -> Decimal | None:
    try:
        return (Decimal(digits.replace(",", "")) / divisor).quantize(Decimal("0.01")).normalize() + 0
    except InvalidOperation:
        return None


def _case(parts: Mapping[str, object]) -> BusinessCase:
    cost = _text(parts.get("cost_estimate"))
    given = parts.get("monthly_usd")
    figure = None
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < 10**9:
        figure = Decimal(str(given))
    elif isinstance(given, str):
        figure = _amount(given, Decimal(1)) if _NUMBER.fullmatch(given) else None
    return BusinessCase(
        justification=_text(parts.get("justification")),
        cost_estimate=cost or ("" if figure is None else f"${figure}/month"),
        monthly_usd=figure if figure is not None else monthly_usd(cost),
        alternatives=_items(parts.get("alternatives")),
        risks=_items(parts.get("risk_assessment")),
    )


def _known(value: Mapping[object, object]) -> Iterator[tuple[str, object]]:
    for key, part in value.items():
        name = str(key).strip().lower().replace(" ", "_").replace("-", "_")
        if name not in _KEYS:
            allowed = ", ".join(ASKED)
            raise CaseError(f"the business case has {str(key)[:60]!a}; allowed: {allowed}")
        yield name, part


def _text(value: object) -> str:
    if isinstance(value, str):
        return _bounded(value).strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def _items(value: object) -> tuple[str, ...]:
    """Give the items of a list, the lines of a text, or the entries of an object as ``name: text``."""
    if isinstance(value, Mapping):
        named = ((str(name).replace("_", " ").capitalize(), _text(text)) for name, text in value.items())
        return tuple(f"{name}: {text}" for name, text in named if text)
    if isinstance(value, list):
        return tuple(text for text in map(_text, value) if text)
    lines = (_BULLET.sub("", line).strip() for line in _text(value).splitlines())
    return tuple(line for line in lines if line)


def _sections(text: str) -> dict[str, object]:
    """Cut a text in the guide's form into its parts; what stands before the first is no part of any."""
    parts: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head is not None:
            name = _KEYS[" ".join(head["name"].lower().split()).replace(" ", "_")]
            parts.setdefault(name, []).append(head["rest"])
        elif name:
            parts[name].append(line)
    return {name: "\n".join(lines).strip() for name, lines in parts.items()}


def _bounded(text: str) -> str:
    if len(text) > LONGEST:
        raise CaseError(f"the business case has {len(text)} characters; at most {LONGEST} are read")
    return text


def _kind(value: object) -> str:
    return f"a list of {len(value)}" if isinstance(value, list) else type(value).__name__


_KEYS: Mapping[str, str] = {
    "justification": "justification",
    "cost_estimate": "cost_estimate",
    "cost": "cost_estimate",
    "monthly_usd": "monthly_usd",
    "alternatives": "alternatives",
    "alternatives_considered": "alternatives",
    "risk_assessment": "risk_assessment",
    "risks": "risk_assessment",
    "risk": "risk_assessment",
}
_HEAD = re.compile(
    r"\s*(?:[-*]\s+)?(?P<name>justification|cost(?:[ _]estimate)?|alternatives(?:[ _]considered)?"
    r"|risk(?:s|[ _]assessment)?)\s*:\s*(?P<rest>.*)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,4})?")
_DIGITS = r"(?P<amount>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,9}(?:\.\d+)?)"
_PREFIX = r"(?:(?:US)?\$\s*|USD\s*)"
_MONTHLY = re.compile(
    rf"{_PREFIX}{_DIGITS}\s*(?:USD\s*)?(?:/|per|a|each)?\s*(?:mo(?:nth|\.)?|monthly)\b", re.IGNORECASE
)
_YEARLY = re.compile(
    rf"{_PREFIX}{_DIGITS}\s*(?:USD\s*)?(?:/|per|a|each)?\s*(?:y(?:ear|r)|annum|yearly|annually)\b",
    re.IGNORECASE,
)
