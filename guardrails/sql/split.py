"""Splits SQL into statements by its tokens, so that one bad statement never hides the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from guardrails.sql.lexer import SILENT, Kind, Token, lex


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
    """What means something to the database, without the semicolon."""
    comments: tuple[Token, ...] = ()


def split(text: str, dialect: str = "postgres") -> list[Piece]:
    """Split a script into pieces. Any text can be split; what does not end runs to the end of the text."""
    return _Splitter(text, dialect).run()


_ROUTINES = frozenset({"TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"})
_AFTER_END = frozenset({"IF", "LOOP", "WHILE", "REPEAT", "FOR"})


class _Splitter:
    def __init__(self, text: str, dialect: str) -> None:
        self.text = text
        self.dialect = dialect
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
        tokens = lex(self.text, self.dialect)
        index = 0
        first = 0
        while index < len(tokens):
            token = tokens[index]
            index += 1
            if token.kind in SILENT:
                if token.kind is Kind.COMMENT:
                    self.comments.append(token)
            elif token.kind is Kind.META:
                self._meta(token)
                first = index
            elif self._ends(token):
                skip = len(self.delimiter) - len(token.text)
                while skip > 0 and index < len(tokens):
                    skip -= len(tokens[index].text)
                    index += 1
                tokens, index = self._finish(tokens, index)
                first = index
            else:
                self._take(token)
            if index >= len(tokens) and (self.depth > 0 or self.blocks > 0) and not self.naive:
                self.naive = True
                self._reset()
                index = first
        self._close(len(self.text))
        return self.pieces

    def _take(self, token: Token) -> None:
        self.body.append(token)
        if self.naive:
            return
        if token.kind is Kind.SYMBOL:
            self.depth = max(0, self.depth + (token.text == "(") - (token.text == ")"))
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

    def _finish(self, tokens: list[Token], index: int) -> tuple[list[Token], int]:
        copies = _reads_stdin(self.body)
        end = tokens[index - 1].end
        self._close(end)
        if not copies or self.dialect not in {"postgres", "redshift"}:
            return tokens, index
        end = self._data_end(end)
        self.pieces.append(Piece(PieceKind.DATA, self.start, end))
        self.start = end
        return lex(self.text, self.dialect, end), 0

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
