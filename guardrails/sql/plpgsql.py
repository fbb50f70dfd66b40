"""Reads the bodies of DO blocks: which statements they run, and what their EXECUTE puts together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from guardrails.sql.lexer import Kind, Token
from guardrails.sql.words import HOLE


@dataclass(frozen=True, slots=True)
class Dynamic:
    """SQL that is put together at run time; its unknown parts are HOLE."""

    text: str


@dataclass(frozen=True, slots=True)
class Executed:
    """An EXECUTE; *found* is None where nothing of its SQL is known."""

    found: Dynamic | None


def body_statements(tokens: Sequence[Token], dialect: str) -> Iterator[tuple[list[Token], Executed | None]]:
    """Give each statement of a PL/pgSQL body without its control words; with what it executes, if it does."""
    variables: dict[str, Dynamic | None] = {}
    declaring = False
    for statement in _by_semicolon(tokens):
        rest = statement
        if rest and rest[0].upper == "DECLARE":
            declaring, rest = True, rest[1:]
        if declaring and rest and rest[0].upper != "BEGIN":
            _remember(rest, variables, dialect)
            continue
        declaring = False
        for header, body in _uncontrolled(rest):
            found = _execute_in(header, variables, dialect)
            if found is not None:
                yield header, found
            if body is not None:
                yield from _simple(body, variables, dialect)


def skeleton(
    tokens: Sequence[Token], variables: Mapping[str, Dynamic | None], dialect: str
) -> Dynamic | None:
    """Put together what is known of a string expression: literals, ``||``, ``format``, ``concat``, variables.

    None means that not even its beginning is known.
    """
    text = ""
    for operand in _operands(tokens):
        text += _operand(operand, variables, dialect)
    return None if not text or text.lstrip().startswith(HOLE) else Dynamic(text)


def unquote(text: str, dialect: str = "postgres") -> str:
    """Give the value of a string literal."""
    if text.startswith("$"):
        tag = text[: text.index("$", 1) + 1]
        return text[len(tag) : -len(tag)]
    prefix = text[: text.index(text[-1])]
    quote = text[-1]
    value = text[len(prefix) + 1 : -1].replace(quote * 2, quote)
    if prefix.upper() == "E" or dialect in {"mysql", "mariadb", "bigquery"}:
        value = re.sub(
            r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(m[1], m[1]), value, flags=re.DOTALL
        )
    return value


def _by_semicolon(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    statement: list[Token] = []
    for token in tokens:
        if token.kind is Kind.SYMBOL and token.text == ";":
            yield statement
            statement = []
        elif token.kind is not Kind.SPACE and token.kind is not Kind.COMMENT:
            statement.append(token)
    yield statement


_QUIET = frozenset(
    "RAISE NULL EXIT CONTINUE GET ASSERT OPEN FETCH CLOSE MOVE COMMIT ROLLBACK END".split()  # noqa: SIM905
)


def _simple(
    tokens: list[Token], variables: dict[str, Dynamic | None], dialect: str
) -> Iterator[tuple[list[Token], Executed | None]]:
    first = tokens[0].upper if tokens else ""
    if not tokens or first in _QUIET:
        return
    if first in {"EXECUTE", "RETURN", "OPEN"}:
        found = _execute_in(tokens, variables, dialect)
        if found is not None:
            yield tokens, found
        return
    if _remember(tokens, variables, dialect):
        return
    if first == "PERFORM":
        tokens = [Token(Kind.WORD, tokens[0].start, tokens[0].end, "SELECT"), *tokens[1:]]
    yield tokens, None


def _uncontrolled(tokens: list[Token]) -> Iterator[tuple[list[Token], list[Token] | None]]:
    """Give each control header in front of a statement, and with the last one the statement itself."""
    while tokens:
        first = tokens[0].upper
        if tokens[0].text == "<" and len(tokens) > 4:
            tokens = tokens[5:]  # <<label>>
            continue
        if first in {"BEGIN", "ELSE", "LOOP"}:
            tokens = tokens[1:]
            continue
        until = {"FOR": "LOOP", "FOREACH": "LOOP", "WHILE": "LOOP"}.get(first)
        if first in {"IF", "ELSIF", "ELSEIF", "WHEN", "EXCEPTION", "CASE"}:
            until = "THEN"
        if until is None:
            break
        cut = _find_control(tokens, until)
        yield tokens[:cut], None
        tokens = tokens[cut + 1 :]
    yield [], tokens


def _find_control(tokens: Sequence[Token], word: str) -> int:
    cases = -1 if tokens[0].upper == "CASE" else 0
    for index, token in enumerate(tokens):
        if token.upper == "CASE":
            cases += 1
        elif token.upper == "END":
            cases -= 1
        elif token.upper == word and cases <= 0:
            return index
    return len(tokens)


def _remember(tokens: Sequence[Token], variables: dict[str, Dynamic | None], dialect: str) -> bool:
    """Note an assignment to a variable; say whether it was one."""
    for index, token in enumerate(tokens[:8]):
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        assigns = token.text == ":" and following is not None and following.text == "="
        if assigns or (token.text == "=" and index == 1):
            value = skeleton(tokens[index + (2 if assigns else 1) :], variables, dialect)
            name = tokens[0].text.lower()
            before = variables.get(name)
            if name in variables and before is not None and value is not None:
                value = Dynamic(f"{before.text};\n{value.text}")  # either may run
            variables[name] = value
            return True
    return False


def _execute_in(
    tokens: Sequence[Token], variables: Mapping[str, Dynamic | None], dialect: str
) -> Executed | None:
    for index, token in enumerate(tokens):
        if token.upper == "EXECUTE":
            return Executed(skeleton(tokens[index + 1 :], variables, dialect))
    return None


def _operands(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    operand: list[Token] = []
    depth = 0
    for token in tokens:
        if depth == 0 and token.upper in {"USING", "INTO", "LOOP"}:
            break
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text in {"|", "+"} and token.kind is Kind.SYMBOL:
            if operand:
                yield operand
            operand = []
        else:
            operand.append(token)
    if operand:
        yield operand


def _operand(tokens: list[Token], variables: Mapping[str, Dynamic | None], dialect: str) -> str:
    while len(tokens) > 2 and tokens[0].text == "(" and tokens[-1].text == ")":
        tokens = tokens[1:-1]
    first = tokens[0]
    if first.kind is Kind.STRING:
        return unquote(first.text, dialect)
    if len(tokens) == 1 and first.kind is Kind.WORD:
        known = variables.get(first.text.lower())
        return known.text if known else HOLE
    if first.upper == "FORMAT" and len(tokens) > 2 and tokens[2].kind is Kind.STRING:
        pattern = unquote(tokens[2].text, dialect)
        return re.sub(r"%(?:(%)|(?:\d+\$)?-?\d*[IsL])", lambda m: "%" if m[1] else HOLE, pattern)
    if first.upper == "CONCAT" and len(tokens) > 3:
        inner = [t for t in tokens[2:-1] if t.text != ","]
        return "".join(_operand([token], variables, dialect) for token in inner)
    return HOLE
