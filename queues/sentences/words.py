"""Cuts a sentence into words and says of each what it is, before the grammar sees them.

Nothing is left out but articles and "please": whatever is not known comes through as NAME, and the guard
words (not, tomorrow, unless …) as GUARD, which the grammar takes nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from queues.sentences.case import CasePart, cut_case
from queues.sentences.guards import GUARDS
from queues.sentences.joining import is_phrase, joined, parted
from queues.sentences.known import Known
from queues.sentences.word import SEP, Word


class Lexicon:
    """Classifies words by the grammar's vocabulary and by what is known."""

    def __init__(self, vocabulary: Mapping[str, str]) -> None:
        """*vocabulary* gives for each of the grammar's words, in lower case, the name of its terminal."""
        self.vocabulary = vocabulary

    def read(self, text: str, known: Known) -> list[Word]:
        """Give the words of a text, sentences parted by one SEP each."""
        parts = cut_case(text)
        words: list[Word] = []
        for part in parts:
            if isinstance(part, CasePart):
                words += [SEP, Word("CASE_LABEL", part.label, f"{part.key}|{part.label}")]
                words += [Word("CASE_TEXT", part.text, part.text)] if part.text else []
                words.append(SEP)
            else:
                words += joined(self._words(part, known))
        return parted(words)

    def _words(self, text: str, known: Known) -> list[Word]:
        environments = known.environments
        projects = {name.lower(): name for name in known.projects}
        words: list[Word] = []
        for line in text.split("\n"):
            marker = _MARKER.match(line)
            words.append(replace(SEP, text="item") if marker else SEP)
            rest = line[marker.end() :] if marker else line
            for match in _CHUNK.finditer(rest):
                words += self._classify(match, projects, environments, words)
        return words

    def _classify(
        self,
        match: re.Match[str],
        projects: Mapping[str, str],
        environments: Mapping[str, str],
        before: Sequence[Word],
    ) -> Iterator[Word]:
        text = match[0]
        if match.lastgroup == "sign":
            yield Word(_SIGNS[text], text, text)
            return
        if match.lastgroup == "hole":
            yield Word("HOLE", text, text.removeprefix("v")[1:-1])
            return
        quoted = match.lastgroup == "quoted"
        ends = ""
        if quoted:
            text = text[1:-1].strip()
        else:
            plain = text.rstrip(".!")
            ends, text = text[len(plain) :], plain
        if text:
            yield from self._word(text, projects, environments, _labels(before), quoted=quoted)
        if ends:
            yield replace(SEP, text=ends)

    def _word(
        self,
        text: str,
        projects: Mapping[str, str],
        environments: Mapping[str, str],
        label: str,
        *,
        quoted: bool,
    ) -> Iterator[Word]:
        if label == "_PATH_NOUN":
            yield Word("PATH", text, text)
            return
        if label == "_NAMED":
            yield Word("NAME", text, text)
            return
        lower = text.lower() if text.isascii() else text
        if quoted and lower in projects:
            yield Word("PROJECT", text, projects[lower])
            return
        if not quoted and (kind := self.vocabulary.get(lower)) and not (kind in _SOFT and lower in projects):
            yield Word(kind, text, lower)
            return
        if not quoted and lower in GUARDS:
            yield Word("GUARD", text, GUARDS[lower].value)
            return
        yield from self._name(text, lower, projects, environments)

    def _is_known(self, parts: Sequence[str]) -> bool:
        return is_phrase(parts) or all(part in self.vocabulary or part in GUARDS for part in parts)

    def _name(
        self, text: str, lower: str, projects: Mapping[str, str], environments: Mapping[str, str]
    ) -> Iterator[Word]:
        owner = lower.removesuffix("'s")
        if owner in environments:
            yield Word("ENVIRONMENT", text, environments[owner])
        elif owner in projects:
            yield Word("PROJECT", text, projects[owner])
        elif "/" in text and all(part in environments for part in lower.split("/")):
            for number, part in enumerate(lower.split("/")):
                if number:
                    yield Word("JOIN", "/", "/")
                yield Word("ENVIRONMENT", part, environments[part])
        elif _VERSION.fullmatch(text):
            yield Word("VERSION", text, text[1:] if text[0] in "vV" else text)
        elif text.isdigit():
            yield Word("NUMBER", text, text)
        elif _PATH.fullmatch(text):
            yield Word("PATH", text, text)
        elif "-" in text and self._is_known(lower.split("-")):
            for part in lower.split("-"):
                yield from self._word(part, projects, environments, "", quoted=False)
        else:
            yield Word("NAME", text, text)


def _labels(before: Sequence[Word]) -> str:
    """Give the kind of the word that says what the next one is, a colon between them passed over."""
    kinds = [word.type for word in before[-2:]]
    return kinds[0] if kinds[1:] == ["_COLON"] else kinds[-1] if kinds else ""


_CHUNK = re.compile(
    r"""(?P<hole>v?<(?:project|version|environment|resource)>)"""
    r"""|(?P<quoted>"[^"\n]*"|`[^`\n]*`|(?<![^\s(,:])'[^'\n]*'(?![^\s),.:;!?]))"""
    r"""|(?P<sign>->|=>|→|[,;:()\[\]?])"""
    r"""|(?P<word>(?:(?!->|=>|→)[^\s,;:()\[\]?"])+|")"""
)
_SIGNS = {
    ",": "_COMMA",
    ";": "_SEP",
    ":": "_COLON",
    "(": "_LPAR",
    "[": "_LPAR",
    ")": "_RPAR",
    "]": "_RPAR",
    "?": "GUARD",
    "->": "ARROW",
    "=>": "ARROW",
    "→": "ARROW",
}
_MARKER = re.compile(r"\s*(?:[-*•–]|\d{1,2}[.)])\s+")
_VERSION = re.compile(r"[vV]\d[0-9A-Za-z.+_-]{0,62}|\d+(?:\.\d+)+[0-9A-Za-z.+_-]{0,50}")
_PATH = re.compile(r"[\w.@+-]*(?:/[\w.@+-]+)+/?")
_SOFT = frozenset(
    {"_PROJECT_NOUN", "DATABASE", "NOISE", "HEADING", "QUALITY", "_TESTS", "_HEALTH", "_CHECKS"}
)
