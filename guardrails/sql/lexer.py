"""A lexer for every SQL dialect: it covers each character of its input, and no input makes it fail."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import NamedTuple


class Kind(Enum):
    """What a token is."""

    SPACE = 0
    COMMENT = 1
    WORD = 2
    QUOTED = 3
    """A quoted identifier."""
    STRING = 4
    NUMBER = 5
    SYMBOL = 6
    META = 7
    """A command of the client program, such as psql's backslash commands."""
    BROKEN = 8
    """A string or comment that never ends."""


class Token(NamedTuple):
    """A token: text[start:end]."""

    kind: Kind
    start: int
    end: int
    text: str

    @property
    def upper(self) -> str:
        """The word in upper case; the empty string for what is no word."""
        return self.text.upper() if self.kind is Kind.WORD else ""


SILENT = frozenset({Kind.SPACE, Kind.COMMENT})
"""Tokens that mean nothing to the database."""


@dataclass(frozen=True, slots=True, eq=False)
class Habits:
    """What makes the lexing of one dialect different from another's."""

    hash_comments: bool = False
    backslash_escapes: bool = False
    double_quoted_strings: bool = False
    dollar_quotes: bool = True
    brackets: bool = False
    nested_comments: bool = False
    version_comments: bool = False
    """``/*!40000 … */`` is code."""
    dash_needs_space: bool = False
    backslash_commands: bool = False
    dot_commands: bool = False
    delimiter: bool = False
    batches: bool = False
    """``GO`` on a line of its own ends what stands before it."""


_MYSQL = Habits(
    hash_comments=True,
    backslash_escapes=True,
    double_quoted_strings=True,
    dollar_quotes=False,
    version_comments=True,
    dash_needs_space=True,
    delimiter=True,
)
_POSTGRES = Habits(nested_comments=True, backslash_commands=True)
_SQLITE = Habits(dollar_quotes=False, brackets=True, dot_commands=True)
_TSQL = Habits(dollar_quotes=False, brackets=True, nested_comments=True, batches=True)
_STANDARD = Habits()
_HABITS = {
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "singlestore": _MYSQL,
    "doris": _MYSQL,
    "starrocks": _MYSQL,
    "postgres": _POSTGRES,
    "redshift": _POSTGRES,
    "sqlite": _SQLITE,
    "tsql": _TSQL,
    "fabric": _TSQL,
    "bigquery": Habits(hash_comments=True, backslash_escapes=True, double_quoted_strings=True),
}


def habits(dialect: str) -> Habits:
    """Give the lexing habits of a dialect; those it does not know are read as standard SQL."""
    return _HABITS.get(dialect.lower(), _STANDARD)


def lex(text: str, dialect: str = "postgres", start: int = 0, *, spaces: bool = True) -> list[Token]:
    """Cut *text*, from offset *start*, into tokens that cover every character of it.

    Without *spaces* those between other tokens are left out.
    """
    return list(Lexer(text, dialect, start, spaces=spaces))


def words_of(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Give the words in upper case, and the empty string in the place of what is no word."""
    word = Kind.WORD
    return tuple([token[3].upper() if token[0] is word else "" for token in tokens])


class Lines:
    """Turns offsets of a text into lines and columns that count from 1."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Give line and column of an offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def is_go(text: str, start: int, end: int) -> bool:
    """Say whether the word at a line's start is T-SQL's GO."""
    return text[start:end].upper() == "GO"


@lru_cache(maxsize=16)
def _pattern(how: Habits, *, spaces: bool) -> re.Pattern[str]:
    escaped = r"'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'"
    plain = r"'[^']*(?:''[^']*)*'"
    double = r'"[^"\\]*(?:(?:\\.|"")[^"\\]*)*"' if how.backslash_escapes else r'"[^"]*(?:""[^"]*)*"'
    strings = [escaped if how.backslash_escapes else rf"[eE]{escaped}|(?:[nNbBxX]|[uU]&)?{plain}"]
    quoted = [r"`[^`]*(?:``[^`]*)*`"]
    (strings if how.double_quoted_strings else quoted).append(double)
    if how.brackets:
        quoted.append(r"\[[^\]]*\]")
    dashes = r"--(?=\s|$)[^\n]*" if how.dash_needs_space else r"--[^\n]*"
    comments = dashes + (r"|\#[^\n]*" if how.hash_comments else "")
    # An unfinished string, identifier or dollar quote falls through to the symbol that opens it.
    before, after = (r"(?P<SPACE>\s+)|", "") if spaces else (r"\s*+(?:", r"|(?P<SPACE>\Z))")
    return re.compile(
        rf"{before}(?P<COMMENT>{comments})|(?P<OPEN>/\*)|(?P<STRING>{'|'.join(strings)})"
        rf"|(?P<QUOTED>{'|'.join(quoted)})|(?P<DOLLAR>\$(?:[^\W\d]\w*)?\$)|(?P<WORD>[^\W\d][\w$]*)"
        rf"|(?P<NUMBER>\d[\w.]*)|(?P<SYMBOL>.){after}",
        re.DOTALL,
    )


_PLAIN = {kind.name: kind for kind in Kind}
_ODD = frozenset("*\\.'\"`[")
"""Symbols that may be more than a symbol."""


class Lexer:
    """Gives the tokens of a text one by one, from *position*, which may be moved between statements.

    Without *spaces* it passes over those between other tokens.
    """

    def __init__(self, text: str, dialect: str = "postgres", start: int = 0, *, spaces: bool = True) -> None:
        self.spaces = spaces
        self.text = text
        self.how = habits(dialect)
        self.position = start
        self.unwrapping = False
        """Inside of a comment that is code."""
        self.at_start = True
        """No token of a statement has been seen since the last semicolon."""

    def __iter__(self) -> Iterator[Token]:
        match = _pattern(self.how, spaces=self.spaces).match
        text, new = self.text, tuple.__new__
        length = len(text)
        word_matters = self.how.delimiter or self.how.batches
        while self.position < length:
            position = self.position
            found = match(text, position)
            assert found is not None, "the pattern matches any character"  # noqa: S101
            name = found.lastgroup or ""
            position, end = found.span(name)
            if name == "SPACE":
                self.position = end
                yield new(Token, (Kind.SPACE, position, end, text[position:end]))
                continue
            if name == "SYMBOL":
                odd = text[position] in _ODD
                kind, end = self._symbol(position, end) if odd else (Kind.SYMBOL, end)
            elif name in {"OPEN", "DOLLAR"} or (name == "WORD" and word_matters):
                kind, end = self._special(name, position, end)
            else:
                kind = _PLAIN[name]
            if kind is not Kind.COMMENT and kind is not Kind.SPACE:
                self.at_start = kind is Kind.META or (kind is Kind.SYMBOL and text[position] == ";")
            self.position = end
            yield new(Token, (kind, position, end, text[position:end]))

    def _special(self, name: str, start: int, end: int) -> tuple[Kind, int]:
        if name == "OPEN":
            return self._comment(start)
        if name == "DOLLAR":
            return self._dollar(start, end)
        if (
            name == "WORD"
            and self.how.delimiter
            and self._line_start(start)
            and self._is_delimiter(start, end)
        ):
            return Kind.META, self._line_end(start)
        if name == "WORD" and self.how.batches and is_go(self.text, start, end) and self._line_start(start):
            return Kind.META, self._line_end(start)
        return _PLAIN[name], end

    def _comment(self, start: int) -> tuple[Kind, int]:
        if self.how.version_comments:
            opening = re.compile(r"/\*M?!\d*").match(self.text, start)
            if opening:
                self.unwrapping = True
                return Kind.SPACE, opening.end()
        depth, position = 0, start
        marks = re.compile(r"/\*|\*/" if self.how.nested_comments else r"\*/")
        position = start + 2
        depth = 1
        while depth:
            found = marks.search(self.text, position)
            if found is None:
                return Kind.BROKEN, len(self.text)
            depth += 1 if found.group() == "/*" else -1
            position = found.end()
        return Kind.COMMENT, position

    def _dollar(self, start: int, end: int) -> tuple[Kind, int]:
        if not self.how.dollar_quotes:
            return Kind.SYMBOL, start + 1
        close = self.text.find(self.text[start:end], end)
        if close < 0:
            return Kind.BROKEN, len(self.text)
        return Kind.STRING, close + (end - start)

    def _symbol(self, start: int, end: int) -> tuple[Kind, int]:
        char = self.text[start]
        if char == "*" and self.unwrapping and self.text.startswith("*/", start):
            self.unwrapping = False
            return Kind.SPACE, start + 2
        if char == "\\" and self.how.backslash_commands:
            return Kind.META, self._line_end(start)
        if char == "." and self.how.dot_commands and self.at_start and self._line_start(start):
            return Kind.META, self._line_end(start)
        if char in "'\"`" or (char == "[" and self.how.brackets):
            return Kind.BROKEN, len(self.text)
        return Kind.SYMBOL, end

    def _is_delimiter(self, start: int, end: int) -> bool:
        return self.text[start:end].upper() == "DELIMITER" and self.text[end : end + 1] in {" ", "\t"}

    def _line_end(self, start: int) -> int:
        end = self.text.find("\n", start)
        return len(self.text) if end < 0 else end

    def _line_start(self, start: int) -> bool:
        return not self.text[self.text.rfind("\n", 0, start) + 1 : start].strip()
