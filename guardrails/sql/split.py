"""Splits SQL into statements by its tokens, so that one bad statement never hides the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from guardrails.sql.lexer import Kind, Lexer, Token


class PieceKind(Enum):
    """What a piece of a script is."""

    STATEMENT = "statement"
    META = "meta"
    """A command to the client program: psql's ``\\i file``, sqlite's ``.read``, mysql's ``DELIMITER``."""
    DATA = "data"
    """Rows of ``COPY … FROM stdin``."""
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch text[start:end] of a script; the pieces of a script cover it without a gap."""

    kind: PieceKind
    start: int
    end: int
    tokens: tuple[Token, ...] = ()
    """What means something to the database, without the semicolon; empty for a plain statement."""
    comments: tuple[Token, ...] = ()
    plain: int = -1
    """Where the words of a plain statement begin, one without comments and odd quotes inside, which is
    not cut into tokens; -1: it is no such one."""


def split(text: str, dialect: str = "postgres", *, plain: bool = False) -> list[Piece]:
    """Split a script into pieces. Any text can be split; what does not end runs to the end of the text.

    *plain*: the caller can do without the tokens of plain statements, which is several times as fast.
    """
    return _Splitter(text, dialect, plain=plain).run()


_ROUTINES = frozenset({"TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"})
_AFTER_END = frozenset({"IF", "LOOP", "WHILE", "REPEAT", "FOR"})


# A statement up to its semicolon, of words, numbers, brackets and strings in which nothing is escaped.
# It never gives back what it has matched, so it takes time in proportion to the statement.
_PLAIN = re.compile(
    r"""\s*+[A-Za-z](?:[^;'"`$\\/\#\[\]{}-]++|'[^'\\]*+'(?!')|"[^"\\]*+"(?!")|`[^`\\]*+`(?!`)|-(?!-))*+;"""
)
_STRINGS = re.compile(r"""'[^']*+'|"[^"]*+"|`[^`]*+`""")
_NOT_PLAIN = re.compile(
    r"""\s*+(?:COPY|DO|DELIMITER|GO|EXPLAIN|PREPARE|EXECUTE|EXEC|BEGIN|DECLARE)\b
    |\s*+CREATE\b.*?\b(?:TRIGGER|PROCEDURE|FUNCTION|EVENT|PACKAGE)\b""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_LONGEST_PLAIN = 8000


class _Splitter:
    def __init__(self, text: str, dialect: str, *, plain: bool) -> None:
        self.text = text
        self.dialect = dialect
        self.lexer = Lexer(text, dialect, spaces=False)
        self.plain = plain and not self.lexer.how.batches
        self.pieces: list[Piece] = []
        self.start = 0
        self.delimiter = ";"
        self.naive = False
        """A bracket or block never ended: from there on every semicolon ends a statement."""
        self._reset()

    def _reset(self) -> None:
        self.body: list[Token] = []
        self.comments: list[Token] = []
        self.depth = 0
        self.blocks = 0
        self.routine = False

    def run(self) -> list[Piece]:
        self._skip_plain()
        again = (self.start, self.lexer.unwrapping)
        while True:
            for token in self.lexer:
                kind = token[0]
                if kind is Kind.SPACE:
                    continue
                if kind is Kind.COMMENT:
                    self.comments.append(token)
                    if not self.body:
                        self._skip_plain()
                        again = (self.start, self.lexer.unwrapping)
                    continue
                if kind is Kind.META:
                    self._meta(token)
                elif self._ends(token):
                    self._finish(token)
                else:
                    self._take(token)
                    continue
                self._skip_plain()
                again = (self.start, self.lexer.unwrapping)
            if (self.depth > 0 or self.blocks > 0) and not self.naive:
                self.naive = True
                self._reset()
                self.lexer.position, self.lexer.unwrapping = again
                self.lexer.at_start = True
            else:
                break
        self._close(len(self.text))
        return self.pieces

    def _skip_plain(self) -> None:
        """Take the plain statements that follow as they are, without cutting them into tokens."""
        if not self.plain or self.delimiter != ";" or self.lexer.unwrapping:
            return
        while (found := _PLAIN.match(self.text, self.lexer.position)) is not None:
            begin, end = found.span()
            if end - begin > _LONGEST_PLAIN:
                return
            bare = _STRINGS.sub("", found[0])
            if bare.count("(") != bare.count(")") or _NOT_PLAIN.match(bare):
                return
            comments = tuple(self.comments)
            self.pieces.append(Piece(PieceKind.STATEMENT, self.start, end, comments=comments, plain=begin))
            self.start = self.lexer.position = end
            self.comments = []

    def _take(self, token: Token) -> None:
        self.body.append(token)
        if self.naive:
            return
        if token.kind is Kind.SYMBOL:
            if token.text == "(":
                self.depth += 1
            elif token.text == ")" and self.depth:
                self.depth -= 1
            return
        if not self.routine and len(self.body) > 10:
            return
        word = token.upper
        if len(self.body) <= 10 and word in _ROUTINES and self.body[0].upper == "CREATE":
            self.routine = True
        if not self.routine or not word:
            return
        before = self.body[-2].upper if len(self.body) > 1 else ""
        if word == "BEGIN" or (word == "CASE" and before != "END" and self.blocks):
            self.blocks += 1
        elif word == "END" and self.blocks:
            self.blocks -= 1
        elif word in _AFTER_END and before == "END":
            self.blocks += 1  # END IF closes an IF, which was not counted

    def _ends(self, token: Token) -> bool:
        if self.delimiter != ";":
            return self.text.startswith(self.delimiter, token.start)
        if token.kind is not Kind.SYMBOL or token.text != ";":
            return False
        if self.naive:
            return True
        return self.depth == 0 and self.blocks <= 0

    def _meta(self, token: Token) -> None:
        words = token.text.split()
        ends_statement = bool(self.body)
        if ends_statement:
            self._close(token.start)
        self.pieces.append(Piece(PieceKind.META, self.start, token.end, (token,), tuple(self.comments)))
        self.start = token.end
        self._reset()
        if words[0].upper() == "DELIMITER":
            self.delimiter = words[1] if len(words) > 1 else ";"

    def _finish(self, token: Token) -> None:
        copies = _reads_stdin(self.body)
        end = max(token.end, token.start + len(self.delimiter))
        self.lexer.position = end
        self._close(end)
        if copies and self.dialect in {"postgres", "redshift"}:
            end = self._data_end(end)
            self.pieces.append(Piece(PieceKind.DATA, self.start, end))
            self.start = self.lexer.position = end

    def _data_end(self, start: int) -> int:
        position = self.text.find("\n", start)
        while 0 <= position < len(self.text):
            line_end = self.text.find("\n", position + 1)
            line = self.text[position + 1 : line_end if line_end >= 0 else len(self.text)]
            if line.rstrip("\r") == "\\.":
                return len(self.text) if line_end < 0 else line_end
            position = line_end
        return len(self.text)

    def _close(self, end: int) -> None:
        if end > self.start:
            kind = PieceKind.STATEMENT if self.body else PieceKind.BLANK
            self.pieces.append(Piece(kind, self.start, end, tuple(self.body), tuple(self.comments)))
            self.start = end
        self._reset()


def _reads_stdin(body: Sequence[Token]) -> bool:
    if not body or body[0].upper != "COPY":
        return False
    words = [token.upper for token in body]
    return any(a == "FROM" and b == "STDIN" for a, b in pairwise(words))
