"""The shape of a statement: what is left of it when values that decide nothing are taken out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from guardrails.sql.lexer import Kind, Token

_COMPARES = frozenset({"=", "<", ">"})


def shape_of(tokens: Sequence[Token]) -> str:
    """Give the statement for a parser, without comments and without the values that names are compared with.

    Other values stay: ``1 = 1`` and ``1 = 2`` do not mean the same.
    """
    parts: list[str] = []
    end = -1
    for index, token in enumerate(tokens):
        text = token.text
        if (token.kind is Kind.STRING or token.kind is Kind.NUMBER) and _is_value(tokens, index):
            text = "'?'" if token.kind is Kind.STRING else "7"
        parts.append(text if token.start == end else f" {text}")
        end = token.end
    return "".join(parts)


def shape_of_plain(text: str) -> str:
    """Give the shape of a plain statement (see split) from its text alone."""
    return _VALUES.sub(_without_value, text)


_NAME = r'(?:[A-Za-z_]\w*|"[^"]*"|`[^`]*`)'
_VALUES = re.compile(
    rf"""(?<![\w.])({_NAME}(?:\.{_NAME})*\s*(?:=|<>|!=|<=|>=|<|>)\s*)(?:('[^']*')|\d+(?:\.\d+)?)
    (?=\s*(?:,|\)|;|$|(?:AND|OR|WHERE)\b))
    |'[^']*'|"[^"]*"|`[^`]*`""",
    re.IGNORECASE | re.VERBOSE,
)
_CONSTANTS = ("TRUE", "FALSE", "NULL")


def _without_value(found: re.Match[str]) -> str:
    left = found[1]
    if left is None or left.upper().startswith(_CONSTANTS):
        return found[0]
    return f"{left}'?'" if found[2] else f"{left}7"


def _is_value(tokens: Sequence[Token], index: int) -> bool:
    """Say whether a literal stands right of a comparison or assignment whose left side is a plain name."""
    operator = index - 1
    while operator > 0 and tokens[operator].text in _COMPARES:
        operator -= 1
    if operator < 0 or operator == index - 1:
        return False
    after = tokens[index + 1] if index + 1 < len(tokens) else None
    if tokens[operator].upper in _CONSTANTS:
        return False
    plain = after is None or after.upper in {"AND", "OR", "WHERE"} or after.text in {",", ")"}
    return plain and tokens[operator].kind in {Kind.WORD, Kind.QUOTED} and tokens[index].text[:1] != "$"
