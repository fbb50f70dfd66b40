"""Parses words by the grammar into statements, and says of what cannot be parsed which word is in the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedToken, VisitError
from lark.lexer import Lexer

from queues.sentences.known import Known
from queues.sentences.said import (
    Environments,
    Hole,
    Mark,
    Part,
    Path,
    Projects,
    Statement,
    Unknown,
    Verb,
    Version,
)
from queues.sentences.word import Word
from queues.sentences.words import Lexicon


class UnparsedError(Exception):
    """A text that the grammar does not take; *word* is the first one in the way, None at the end."""

    def __init__(
        self,
        word: Word | None,
        before: tuple[Word, ...],
        after: tuple[Word, ...],
        expected: frozenset[str],
    ) -> None:
        self.word = word
        self.before = before
        """The words of the same sentence that were taken."""
        self.after = after
        """Those that follow, to the end of the text."""
        self.expected = expected
        super().__init__(word.text if word else "the end")


def parse(text: str, known: Known) -> tuple[Statement, ...]:
    """Give the statements of a text. Raises UnparsedError."""
    parser, lexicon = grammar()
    words = lexicon.read(text, known)
    if not words:
        return ()
    try:
        tree = parser.parse(words)
        return tuple(_Statements().transform(tree))
    except UnexpectedToken as error:
        place = error.token.start_pos if error.token.type != "$END" else len(words)
        place = len(words) if place is None else place
        start = max((at for at in range(min(place, len(words) - 1) + 1) if words[at].start), default=0)
        word = words[place] if place < len(words) else None
        raise UnparsedError(
            word, tuple(words[start:place]), tuple(words[place + 1 :]), frozenset(error.accepts or ())
        ) from None
    except VisitError as error:
        raise error.orig_exc from None


@cache
def grammar() -> tuple[Lark, Lexicon]:
    """Give the parser and its words, which takes a third of a second the first time."""
    text = files("queues.sentences").joinpath("grammar.lark").read_text(encoding="utf-8")
    parser = build(text)
    vocabulary = {
        re.sub(r"\\(.)", r"\1", word): one.name
        for one in parser.terminals
        for word in one.pattern.to_regexp().removeprefix("(?:").removesuffix(")").split("|")
    }
    return parser, Lexicon(vocabulary)


def build(text: str) -> Lark:
    """Build the parser of a grammar. Raises GrammarError where a sentence would have two readings."""
    return Lark(text, parser="lalr", lexer=_Words, strict=True)


class _Words(Lexer):
    """Hands words that are classified already to the parser."""

    def __init__(self, lexer_conf: Any) -> None:
        pass

    def lex(self, data: Sequence[Word]) -> Iterator[Token]:  # type: ignore[override]
        for place, word in enumerate(data):
            yield _token(word, place)


def _token(word: Word, place: int) -> Token:
    token = Token(word.type, word.value, start_pos=place)
    token.end_pos = place + 1
    return token


class _Statements(Transformer[Token, Any]):
    """Turns the tree into statements; each method is a rule of the grammar."""

    def start(self, items: list[Any]) -> list[Statement]:
        return [item for item in items if isinstance(item, Statement)]

    def deploy(self, items: list[Any]) -> Statement:
        return Statement(Verb.DEPLOY, _parts(items))

    def stage(self, items: list[Any]) -> Statement:
        return Statement(Verb.STAGE, _parts(items[1:]), environment=items[0])

    def run(self, items: list[Any]) -> Statement:
        return Statement(Verb.RUN, _parts(items))

    def migrate(self, items: list[Any]) -> Statement:
        return Statement(Verb.MIGRATE, _parts(items))

    def downgrade(self, items: list[Any]) -> Statement:
        return Statement(Verb.DOWNGRADE, _parts(items))

    def validate(self, items: list[Any]) -> Statement:
        return Statement(Verb.VALIDATE, _parts(items))

    def rollback(self, items: list[Any]) -> Statement:
        return Statement(Verb.ROLLBACK, _parts(items))

    def promote(self, items: list[Any]) -> Statement:
        return Statement(Verb.PROMOTE, _parts(items))

    def fragment(self, items: list[Any]) -> Statement:
        return Statement(Verb.FRAGMENT, _parts(items))

    def phrases(self, items: list[Any]) -> tuple[Part, ...]:
        return _parts(items)

    def note(self, items: list[Any]) -> tuple[Part, ...]:
        inner = items[0]
        return (Mark.APPROVAL,) if isinstance(inner, Statement) else inner

    def place(self, items: list[Any]) -> Part:
        part: Part = items[-1]
        word = str(items[0]) if len(items) > 1 else ""
        if isinstance(part, Unknown):
            return Unknown(part.word, word)
        if isinstance(part, Environments) and word == "from":
            return Environments(part.names, part.ordered, source=True)
        if isinstance(part, Version) and word == "from":
            return Unknown(part.text, word)
        return part

    def projects(self, items: list[Token]) -> Projects:
        return Projects(tuple(str(one) for one in items if one.type == "PROJECT"))

    def all_projects(self, _: list[Any]) -> Projects:
        return Projects(())

    def environments(self, items: list[Any]) -> Environments:
        names = tuple(dict.fromkeys(one for one in items if not isinstance(one, Token)))
        ordered = any(isinstance(one, Token) and one.type == "JOIN_IN_ORDER" for one in items)
        return Environments(names, ordered)

    def env(self, items: list[Token]) -> str:
        return "".join(items[0])

    def all_environments(self, _: list[Any]) -> Environments:
        return Environments(())

    def version(self, items: list[Token]) -> Version:
        return Version(str(items[0]))

    def path(self, items: list[Token]) -> Path:
        return Path(str(items[-1]))

    def unknown(self, items: list[Token]) -> Unknown:
        return Unknown(str(items[0]))

    def previous(self, _: list[Any]) -> Mark:
        return Mark.PREVIOUS

    def latest(self, _: list[Any]) -> Mark:
        return Mark.LATEST

    def hole(self, items: list[Token]) -> Hole:
        return Hole(str(items[0]))

    def with_migrations(self, _: list[Any]) -> Mark:
        return Mark.WITH_MIGRATIONS

    def migrations(self, _: list[Any]) -> Mark:
        return Mark.MIGRATIONS

    def checks(self, _: list[Any]) -> Mark:
        return Mark.CHECKS

    def first(self, _: list[Any]) -> Mark:
        return Mark.FIRST

    def noun(self, items: list[Token]) -> Mark:
        return Mark.DEPLOYMENT if items[0].type == "DEPLOYMENT" else Mark.DATABASE

    def if_deploy(self, items: list[Any]) -> Statement:
        rest = [item for item in items[1:] if not isinstance(item, Token)]
        inner = rest[0]
        parts = inner.parts if isinstance(inner, Statement) else _parts([inner])
        return Statement(Verb.IF_DEPLOY, parts, environment=items[0])

    def wait(self, items: list[Any]) -> Statement:
        return Statement(Verb.WAIT, _parts(items))

    def halt(self, _: list[Any]) -> Statement:
        return Statement(Verb.HALT)

    def gates(self, items: list[Any]) -> Statement:
        return Statement(Verb.GATES, _parts([one for one in items if isinstance(one, Environments)]))

    def acknowledgement(self, _: list[Any]) -> Statement:
        return Statement(Verb.NOTE, (Mark.APPROVAL,))

    def heading(self, items: list[Token]) -> Statement:
        return Statement(Verb.NOTE, (Mark.CASE,) if items[0].type == "CASE" else ())

    def resource(self, items: list[Token]) -> _Resource:
        return _Resource(str(items[0]))

    def called(self, items: list[Token]) -> _Called:
        return _Called(str(items[0]))

    def with_case(self, _: list[Any]) -> Mark:
        return Mark.CASE

    def purpose(self, items: list[Token]) -> _Purpose:
        return _Purpose(items[0].type, str(items[0]))

    def provision(self, items: list[Any]) -> Statement:
        return Statement(
            Verb.PROVISION,
            (Mark.CASE,) if Mark.CASE in items else (),
            resource=tuple(one.kind for one in items if isinstance(one, _Resource)),
            names=tuple(one.name for one in items if isinstance(one, _Called)),
            purpose=tuple((one.type, one.word) for one in items if isinstance(one, _Purpose)),
        )

    def case_item(self, items: list[Token]) -> Statement:
        key, label = str(items[0]).split("|", 1)
        return Statement(Verb.CASE, label=label, key=key, text=str(items[1]) if len(items) > 1 else "")


@dataclass(frozen=True, slots=True)
class _Resource:
    kind: str


@dataclass(frozen=True, slots=True)
class _Called:
    name: str


@dataclass(frozen=True, slots=True)
class _Purpose:
    type: str
    word: str


def _parts(items: Iterable[Any]) -> tuple[Part, ...]:
    """Give the parts among what rules gave, in order; tokens that say nothing more are left."""
    parts: list[Part] = []
    for item in items:
        if isinstance(item, Mark | Projects | Environments | Version | Path | Unknown | Hole):
            parts.append(item)
        elif isinstance(item, tuple):
            parts += _parts(item)
        elif isinstance(item, Token) and item.type == "AUTO":
            parts.append(Mark.AUTO)
    return tuple(parts)
