"""Reads a script of SQL into operations: split by the lexer, each statement understood alone.

sqlglot is loaded only when a statement holds a word that could matter: harmless scripts cost no import.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from guardrails.context import in_context
from guardrails.operations import Comment, Condition, Operation, Place, Reading, Thing, Trait, Verb
from guardrails.sql.ddl import ddl_acts
from guardrails.sql.lexer import Kind, Lines, Token, lex, words_of
from guardrails.sql.plpgsql import Dynamic, body_statements, skeleton
from guardrails.sql.postgres import from_postgres, stricter
from guardrails.sql.shape import shape_of, shape_of_plain
from guardrails.sql.split import Piece, PieceKind, split
from guardrails.sql.words import HOLE, LOUD, Act, from_words, is_loose, is_quiet, known

_DEEPEST = 8
"""How far code in code (DO in EXECUTE in DO …) is followed."""


def read_sql(text: str, dialect: str = "postgres", *, part: bool = False) -> Reading:
    """Read a script. Comments and strings never count as code; what is not understood is Verb.UNKNOWN.

    *part*: it is a part of something larger, which puts the operations into their context itself.
    """
    reading = _Script(text, dialect).read()
    if part:
        return reading
    return replace(reading, operations=tuple(in_context(reading.operations, transactional=False)))


@dataclass(frozen=True, slots=True)
class _Code:
    """One statement on its way to be understood."""

    tokens: tuple[Token, ...]
    source: str
    dialect: str
    place: Place
    shown: str
    depth: int = 0

    def after(self, count: int) -> _Code:
        """Give the statement without its first tokens."""
        return _Code(self.tokens[count:], self.source, self.dialect, self.place, self.shown, self.depth)

    def within(self, tokens: tuple[Token, ...], source: str, place: Place) -> _Code:
        """Give a statement found inside this one."""
        shown = source[tokens[0].start : tokens[-1].end] if tokens else self.shown
        return _Code(tokens, source, self.dialect, place, shown, self.depth + 1)

    @property
    def text(self) -> str:
        """The statement for a parser: without comments and client-side wrapping."""
        parts = []
        end = -1
        for token in self.tokens:
            parts.append(token.text if token.start == end else f" {token.text}")
            end = token.end
        return "".join(parts)

    def unknown(self, note: str) -> Operation:
        """Say that this statement could not be understood."""
        return Operation(Verb.UNKNOWN, Thing.ANYTHING, self.place, self.shown, sql=True, note=note)


class _Script:
    def __init__(self, text: str, dialect: str) -> None:
        self.text = text
        self.dialect = dialect
        self.lines = Lines(text)
        self.operations: list[Operation] = []
        self.comments: list[Comment] = []
        self.statements = 0
        self.analysed = 0
        self.routines: dict[str, tuple[_Code, Token]] = {}
        """Functions and procedures that the script makes, until it calls them: their statement and body."""

    def read(self) -> Reading:
        for piece in split(self.text, self.dialect, plain=HOLE not in self.text):
            self._note_comments(piece)
            if self.routines:
                self._called_in(piece)
            if piece.plain >= 0:
                self._plain_piece(piece)
                continue
            if piece.kind in {PieceKind.STATEMENT, PieceKind.META}:
                found = list(self._piece(piece))
                self.operations += found
                self.statements += 1
                self.analysed += not any(operation.verb is Verb.UNKNOWN for operation in found)
        return Reading(tuple(self.operations), tuple(self.comments), self.statements, self.analysed)

    def _plain_piece(self, piece: Piece) -> None:
        """Understand a statement without comments and odd quotes by its text."""
        text = self.text[piece.plain : piece.end - 1].strip()
        self.statements += 1
        if _VALUE_ROWS.match(text) and not _MATTERS.search(_STRING.sub("", text)):
            self.analysed += 1
            return
        acts = _acts_of_shape(shape_of_plain(text), self.dialect)
        if acts == ():
            self.analysed += 1
            return
        start = self.text.index(text[0], piece.plain)
        line, column = self.lines.place(start)
        place = Place(line, column, self.lines.place(start + len(text))[0])
        code = _Code((), self.text, self.dialect, place, text)
        found = list(_operations(code, acts))
        self.operations += found
        self.analysed += acts is not None

    def _note_comments(self, piece: Piece) -> None:
        for token in piece.comments:
            line, column = self.lines.place(token.start)
            before = self.text[token.start - column + 1 : token.start]
            self.comments.append(Comment(line, token.text, alone=not before.strip()))

    def _piece(self, piece: Piece) -> Iterator[Operation]:
        first, last = piece.tokens[0], piece.tokens[-1]
        line, column = self.lines.place(first.start)
        place = Place(line, column, self.lines.place(last.end)[0])
        shown = self.text[first.start : last.end]
        code = _Code(piece.tokens, self.text, self.dialect, place, shown)
        if piece.kind is PieceKind.META:
            yield from _client_command(code)
        else:
            self._remember_routine(code)
            yield from understand(code)

    def _remember_routine(self, code: _Code) -> None:
        """Keep what a function or procedure would do: it does nothing until it is called."""
        made = _ROUTINE.match(code.shown)
        body = next((t for t in code.tokens if t.kind is Kind.STRING and t.text.startswith("$")), None)
        if made is not None and body is not None:
            self.routines[made[1].strip('"').lower()] = (code, body)

    def _called_in(self, piece: Piece) -> None:
        """Count what a routine does where the same script calls it."""
        if piece.plain >= 0:
            text = re.sub(r"'[^']*'", "''", self.text[piece.plain : piece.end])
        else:
            quoted = Kind.STRING
            text = " ".join(t.text for t in piece.tokens if t.kind is not quoted or t.text.startswith("$"))
        if not _CALLING.match(text):
            return
        for name in set(_CALLED.findall(text.lower())) & self.routines.keys():
            code, body = self.routines.pop(name)
            self.operations += _block(code, body)


_ROUTINE = re.compile(
    r"""CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\s+(?:[\w"$]+\s*\.\s*)*("[^"]+"|[\w$]+)\s*\(""",
    re.IGNORECASE,
)
_CALLED = re.compile(r"""([\w$]+)"?\s*\(""")
_CALLING = re.compile(
    r"\s*(?:SELECT|CALL|WITH|VALUES|DO|EXPLAIN|INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE
)


def understand(code: _Code) -> Iterator[Operation]:
    """Give the operations of one statement."""
    if code.depth > _DEEPEST:
        yield code.unknown("code within code goes too deep")
        return
    if code.tokens and code.tokens[-1].kind is Kind.BROKEN:  # what never ends is the last
        yield code.unknown("a string or comment never ends")
        return
    words = words_of(code.tokens)
    special = _SPECIAL.get(words[0]) if words else None
    if special is not None:
        yield from special(code)
        return
    if HOLE in code.shown and any(HOLE in token.text for token in code.tokens) and is_loose(code.tokens):
        certain = (o for o in _plain(code, words) if o.condition is Condition.SOME)
        yield from (operation for operation in certain if operation.verb is not Verb.UNKNOWN)
        yield code.unknown("a part that decides is only known when it runs")
        return
    yield from _plain(code, words)


def _plain(code: _Code, words: tuple[str, ...]) -> Iterator[Operation]:
    quiet = is_quiet(words)
    if quiet and words[0] not in _SHAPES_SCHEMA:
        return
    if len(words) <= _LONGEST_SHAPE:
        acts = _acts_of_shape(shape_of(code.tokens), code.dialect)
    else:
        acts = _acts(code.text, code.tokens, words, code.dialect)
    yield from _operations(code, acts)


def _operations(code: _Code, acts: tuple[Act, ...] | None) -> Iterator[Operation]:
    if acts is None:
        yield code.unknown("this is no statement that the reader knows")
        return
    inside = frozenset({Trait.IN_TRANSACTION}) if code.depth else frozenset()
    for act in acts:
        yield Operation(
            act.verb,
            act.thing,
            code.place,
            code.shown,
            act.names,
            act.condition,
            sql=True,
            tables=act.tables,
            traits=act.traits | inside,
            dialect=code.dialect,
        )


_SHAPES_SCHEMA = frozenset(
    "CREATE ALTER DROP RENAME REINDEX SET SELECT BEGIN START COMMIT END ROLLBACK ABORT".split()  # noqa: SIM905
)
_LONGEST_SHAPE = 200
_VALUE_ROWS = re.compile(r"(?:INSERT|COMMENT|GRANT|REVOKE)\b", re.IGNORECASE)
_MATTERS = re.compile(rf"\b(?:{'|'.join(sorted(LOUD))})\b", re.IGNORECASE)
_STRING = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`""")


@lru_cache(maxsize=4096)
def _acts_of_shape(shape: str, dialect: str) -> tuple[Act, ...] | None:
    """Understand each shape of a statement once: scripts repeat themselves with other values."""
    tokens = tuple(t for t in lex(shape, dialect, spaces=False) if t.kind is not Kind.SPACE)
    return _acts(shape, tokens, words_of(tokens), dialect)


def _acts(
    text: str, tokens: tuple[Token, ...], words: tuple[str, ...], dialect: str
) -> tuple[Act, ...] | None:
    """Give what a statement does; None where nobody understands it."""
    acts = list(ddl_acts(tokens, words, dialect))
    if words[:3] == ("CREATE", "OR", "REPLACE") and "TABLE" in words[3:5]:
        acts.append(Act(Verb.DROP, Thing.TABLE))
    if is_quiet(words):
        return tuple(acts)
    from guardrails.sql.tree import from_tree  # noqa: PLC0415 (loads sqlglot, which costs 0.15 s)

    by_words = len(words) > 4000 or words[0] == "COPY" or dialect in {"tsql", "fabric"}
    found = None if by_words else from_tree(text, dialect)
    if dialect == "postgres" and len(words) <= 4000:
        found = stricter(found, from_postgres(text))
    if found is None:
        if not known(words[0], dialect):
            return None
        found = from_words(tokens, dialect)
    return (*acts, *found)


def _client_command(code: _Code) -> Iterator[Operation]:
    words = code.tokens[0].text.split()
    name = words[0].lower()
    if name in {
        "\\i",
        "\\ir",
        "\\include",
        "\\include_relative",
        "\\gexec",
        "\\!",
        "\\o",
        ".read",
        ".shell",
        ".system",
    }:
        yield code.unknown(f"{words[0]} runs something that is not in this file")


def _explain(code: _Code) -> Iterator[Operation]:
    words = [token.upper for token in code.tokens]
    for index, word in enumerate(words):
        if word in {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "CREATE", "EXECUTE", "VALUES"}:
            if {"ANALYZE", "ANALYSE"} & set(words[:index]):
                yield from understand(code.after(index))
            return


def _prepare(code: _Code) -> Iterator[Operation]:
    words = [token.upper for token in code.tokens]
    if "AS" in words and "FROM" not in words[: words.index("AS")]:
        yield from understand(code.after(words.index("AS") + 1))
    elif "FROM" in words:
        yield from _dynamic(code, skeleton(code.tokens[words.index("FROM") + 1 :], {}, code.dialect))


def _execute(code: _Code) -> Iterator[Operation]:
    rest = code.tokens[1:]
    if rest and rest[0].upper == "IMMEDIATE":
        rest = rest[1:]
    if rest and rest[0].upper == "SP_EXECUTESQL":
        rest = rest[1:]
    if rest and rest[0].kind in {Kind.WORD, Kind.QUOTED} and code.depth == 0:
        return  # a prepared statement or procedure: judged where it is defined
    yield from _dynamic(code, skeleton(rest, {}, code.dialect))


def _dynamic(code: _Code, dynamic: Dynamic | None) -> Iterator[Operation]:
    if dynamic is None:
        yield code.unknown("the SQL that it executes is only known when it runs")
        return
    for piece in split(dynamic.text, code.dialect):
        if piece.kind is PieceKind.STATEMENT:
            yield from understand(code.within(piece.tokens, dynamic.text, code.place))


def _begin(code: _Code) -> Iterator[Operation]:
    """Understand a transaction's beginning, or what an anonymous block of Oracle's begins with."""
    words = tuple(token.upper for token in code.tokens)
    if len(words) > 1 and words[1] not in _OF_TRANSACTIONS and code.dialect not in {"tsql", "fabric"}:
        yield from understand(code.after(1))
    else:
        yield from _plain(code, words)


_OF_TRANSACTIONS = frozenset(
    "TRANSACTION TRAN WORK ISOLATION READ DEFERRED IMMEDIATE EXCLUSIVE CONCURRENT NOT DEFERRABLE".split()  # noqa: SIM905
)


def _do(code: _Code) -> Iterator[Operation]:
    words = words_of(code.tokens)
    language = words[words.index("LANGUAGE") + 1] if "LANGUAGE" in words[:-1] else "PLPGSQL"
    body = next((token for token in code.tokens if token.kind is Kind.STRING), None)
    if body is None:
        return  # MySQL's DO expression
    if language not in {"PLPGSQL", "SQL", ""}:
        yield code.unknown(f"a DO block in {language.lower()}")
        return
    yield from _block(code, body)


def _block(code: _Code, body: Token) -> Iterator[Operation]:
    dynamic = skeleton((body,), {}, code.dialect)
    if dynamic is None or HOLE in dynamic.text:
        yield code.unknown("a DO block with a part that is only known when it runs")
        return
    lines = Lines(dynamic.text)
    exact = body.text.startswith("$")
    above = code.source.count("\n", code.tokens[0].start, body.start)
    tokens_inside = lex(dynamic.text, code.dialect, spaces=False)
    for tokens, executed in body_statements(tokens_inside, code.dialect):
        if not tokens:
            continue
        line, column = lines.place(tokens[0].start)
        at = Place(code.place.line + above + line - 1, column) if exact else code.place
        if exact and line == 1:
            at = Place(at.line, code.place.column)
        inner = code.within(tuple(tokens), dynamic.text, at)
        yield from _dynamic(inner, executed.found) if executed else understand(inner)


_SPECIAL = {
    "BEGIN": _begin,
    "EXPLAIN": _explain,
    "PREPARE": _prepare,
    "EXECUTE": _execute,
    "EXEC": _execute,
    "DO": _do,
}
